/* str_kinds.h: methods of str that test for kinds of characters: isdigit, islower and so on. */
#ifndef FST_VM_STR_KINDS_H
#define FST_VM_STR_KINDS_H

#include "str_case.h"

/* Kinds of characters, as bits. */
enum {
    FST_DIGIT_KIND = 1,
    FST_SMALL_KIND = 2,
    FST_CAPITAL_KIND = 4,
    FST_UNCASED_KIND = 8,       /* letters */
    FST_NUMERIC_KIND = 16,      /* others than digits */
    FST_NAME_KIND = 32,         /* what identifiers have */
    FST_PRINTED_KIND = 64,
    FST_LETTER_KINDS = FST_SMALL_KIND | FST_CAPITAL_KIND | FST_UNCASED_KIND,
    FST_ANY_KIND = 127
};

FST_INLINE int
fst_kinds_of_ascii(char byte)
{
    const int printed = byte >= ' ' && byte < 0x7f ? FST_PRINTED_KIND : 0;
    if (byte >= '0' && byte <= '9')
        return printed | FST_DIGIT_KIND | FST_NAME_KIND;
    if (fst_is_ascii_letter(byte))
        return printed | FST_NAME_KIND | (byte & 0x20 ? FST_SMALL_KIND : FST_CAPITAL_KIND);
    return byte == '_' ? printed | FST_NAME_KIND : printed;
}

/* The kinds of the character at `at`; `maybe` are those of which it is not known. */
FST_INLINE int
fst_kinds_at(const char *at, int *maybe)
{
    uint32_t point, other;
    int printed;
    *maybe = 0;
    if ((unsigned char)*at < 0x80)
        return fst_kinds_of_ascii(*at);
    point = fst_code_point_at(at);
    printed = fst_is_printed(point) ? FST_PRINTED_KIND : 0;
    *maybe = FST_PRINTED_KIND & ~printed;
    switch (fst_look_up(point, &other)) {
    case FST_SYMBOL:
        *maybe |= FST_NAME_KIND;
        return printed;
    case FST_LETTER:
        *maybe |= FST_NUMERIC_KIND;
        return printed | FST_UNCASED_KIND | FST_NAME_KIND;
    case FST_SMALL_LETTER:
        return printed | FST_SMALL_KIND | FST_NAME_KIND;
    case FST_CAPITAL_LETTER:
        return printed | FST_CAPITAL_KIND | FST_NAME_KIND;
    default:
        *maybe = FST_ANY_KIND;
        return 0;
    }
}

/* Whether all characters are of one of these kinds; `empty` if there are none. One that surely is not
 * decides, whatever others there are. */
FST_INLINE fst_status
fst_has_all(fst_machine *machine, fst_cell *to, fst_cell *self, int kinds, int empty)
{
    const char *at, *end;
    int unsure = 0, maybe;
    FST_TRY(fst_settle_self(machine, self));
    *to = fst_bool(0);
    end = self->text + self->size;
    for (at = self->text; at < end; at += fst_character_size(*at)) {
        if (fst_kinds_at(at, &maybe) & kinds)
            continue;
        if (!(maybe & kinds))
            return FST_DONE;
        unsure = 1;
    }
    if (unsure)
        return FST_GIVE_BACK;
    *to = fst_bool(self->size > 0 || empty);
    return FST_DONE;
}

/* isdigit and isdecimal: where they differ, the character is not known. */
FST_NOINLINE fst_status
fst_str_isdigit(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_all(machine, to, &arguments[0], FST_DIGIT_KIND, 0);
}

FST_NOINLINE fst_status
fst_str_isnumeric(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_all(machine, to, &arguments[0], FST_DIGIT_KIND | FST_NUMERIC_KIND, 0);
}

FST_NOINLINE fst_status
fst_str_isalpha(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_all(machine, to, &arguments[0], FST_LETTER_KINDS, 0);
}

FST_NOINLINE fst_status
fst_str_isalnum(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_all(
        machine, to, &arguments[0], FST_LETTER_KINDS | FST_DIGIT_KIND | FST_NUMERIC_KIND, 0);
}

FST_NOINLINE fst_status
fst_str_isprintable(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_all(machine, to, &arguments[0], FST_PRINTED_KIND, 1);
}

FST_NOINLINE fst_status
fst_str_isidentifier(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0];
    FST_TRY(fst_settle_self(machine, self));
    if (self->size > 0 && (fst_kinds_of_ascii(self->text[0]) & FST_DIGIT_KIND)) {
        *to = fst_bool(0);
        return FST_DONE;
    }
    return fst_has_all(machine, to, self, FST_NAME_KIND, 0);
}

FST_NOINLINE fst_status
fst_str_isspace(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0];
    const char *end;
    FST_TRY(fst_settle_self(machine, self));
    end = self->text + self->size;
    *to = fst_bool(self->size > 0 && fst_skip_spaces(self->text, end) == end);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_str_isascii(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_settle_self(machine, &arguments[0]));
    *to = fst_bool(fst_is_ascii(&arguments[0]) != 0);
    return FST_DONE;
}

/* Whether there are letters with cases, all of one case. One that is of the other case decides. */
FST_INLINE fst_status
fst_has_case(fst_machine *machine, fst_cell *to, fst_cell *self, int wanted, int other)
{
    const char *at, *end;
    int kinds = 0, unsure = 0, maybe;
    FST_TRY(fst_settle_self(machine, self));
    end = self->text + self->size;
    for (at = self->text; at < end; at += fst_character_size(*at)) {
        kinds |= fst_kinds_at(at, &maybe);
        unsure |= maybe;
    }
    if (!(kinds & other) && (unsure & other))
        return FST_GIVE_BACK;
    *to = fst_bool((kinds & wanted) && !(kinds & other));
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_str_islower(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_case(machine, to, &arguments[0], FST_SMALL_KIND, FST_CAPITAL_KIND);
}

FST_NOINLINE fst_status
fst_str_isupper(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_case(machine, to, &arguments[0], FST_CAPITAL_KIND, FST_SMALL_KIND);
}

#endif
