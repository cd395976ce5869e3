/* str_case.h: methods of str that change letters, or ask what characters there are: lower, title,
 * isdigit and so on.
 *
 * What other letters than those of ASCII are, and what they become, changes between versions of
 * Python: where that makes a difference, the record is given back. */
#ifndef FST_VM_STR_CASE_H
#define FST_VM_STR_CASE_H

#include "text.h"

#define FST_EACH_OF_EIGHT UINT64_C(0x0101010101010101)

/* ---------------------------------------------------------------- lower and upper */

/* Up to eight bytes, zeros behind them. */
FST_INLINE uint64_t
fst_load_few(const char *from, size_t size)
{
    uint64_t bytes = 0;
    if (size >= 8)
        return fst_load_eight(from);
    while (size > 0)
        bytes = bytes << 8 | (unsigned char)from[--size];
    return bytes;
}

/* Changes the case of the letters of ASCII from `first` on, 26 of them, in each of eight bytes. */
FST_INLINE uint64_t
fst_swap_letters(uint64_t bytes, unsigned first)
{
    const uint64_t seven = bytes & 0x7f * FST_EACH_OF_EIGHT;
    const uint64_t from = seven + (0x80 - first) * FST_EACH_OF_EIGHT;
    const uint64_t behind = seven + (0x80 - first - 26) * FST_EACH_OF_EIGHT;
    return bytes ^ ((from & ~behind & ~bytes & 0x80 * FST_EACH_OF_EIGHT) >> 2);
}

/* self, whose letters from `first` on become those of the other case. A str without any stays where
 * it is. */
FST_INLINE fst_status
fst_change_case(fst_machine *machine, fst_cell *to, fst_cell *self, unsigned first)
{
    uint64_t all = 0, changes = 0;
    char *text, *end;
    uint32_t i;
    FST_TRY(fst_settle_self(machine, self));
    FST_TRY(fst_take_text(machine, (uint64_t)self->size + 8, &text));
    end = text + self->size;
    /* The last bytes may be changed twice, from the same bytes. */
    for (i = 0; i < self->size; i += 8) {
        const uint32_t at = self->size >= 8 && i > self->size - 8 ? self->size - 8 : i;
        const uint64_t before = fst_load_few(self->text + at, self->size - at);
        const uint64_t after = fst_swap_letters(before, first);
        fst_store_eight(text + at, after);
        all |= before;
        changes |= before ^ after;
    }
    if (all & 0x80 * FST_EACH_OF_EIGHT)
        return FST_GIVE_BACK;
    self->flags |= FST_ASCII;
    if (changes == 0) {
        fst_keep(machine, text, 0);
        *to = *self;
        return FST_DONE;
    }
    fst_keep(machine, text, (size_t)(end - text));
    *to = fst_str(text, self->size, self->flags);
    return FST_DONE;
}

FST_COLD fst_status
fst_str_lower(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_change_case(machine, to, &arguments[0], 'A');
}

FST_COLD fst_status
fst_str_upper(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_change_case(machine, to, &arguments[0], 'a');
}

/* ---------------------------------------------------------------- title, capitalize, swapcase */

FST_INLINE int
fst_is_upper(char byte)
{
    return byte >= 'A' && byte <= 'Z';
}

FST_INLINE int
fst_is_lower(char byte)
{
    return byte >= 'a' && byte <= 'z';
}

FST_INLINE int
fst_is_letter(char byte)
{
    return fst_is_lower((char)(byte | 0x20));
}

FST_INLINE int
fst_is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* A copy of self, which is ASCII, to be changed. */
FST_INLINE fst_status
fst_copy_ascii(fst_machine *machine, fst_cell *to, fst_cell *self, char **text)
{
    FST_TRY(fst_settle_self(machine, self));
    if (!fst_is_ascii(self))
        return FST_GIVE_BACK;
    FST_TRY(fst_take_text(machine, self->size, text));
    fst_copy_text(*text, self->text, self->size);
    *to = fst_str(*text, self->size, self->flags);
    return FST_DONE;
}

FST_COLD fst_status
fst_str_title(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    char *text;
    uint32_t i;
    int in_word = 0;
    FST_TRY(fst_copy_ascii(machine, to, &arguments[0], &text));
    for (i = 0; i < to->size; i++) {
        const int letter = fst_is_letter(text[i]);
        if (letter)
            text[i] = (char)(in_word ? text[i] | 0x20 : text[i] & ~0x20);
        in_word = letter;
    }
    return FST_DONE;
}

FST_COLD fst_status
fst_str_capitalize(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    char *text;
    uint32_t i;
    FST_TRY(fst_copy_ascii(machine, to, &arguments[0], &text));
    for (i = 0; i < to->size; i++)
        if (fst_is_letter(text[i]))
            text[i] = (char)(i == 0 ? text[i] & ~0x20 : text[i] | 0x20);
    return FST_DONE;
}

FST_COLD fst_status
fst_str_swapcase(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    char *text;
    uint32_t i;
    FST_TRY(fst_copy_ascii(machine, to, &arguments[0], &text));
    for (i = 0; i < to->size; i++)
        if (fst_is_letter(text[i]))
            text[i] ^= 0x20;
    return FST_DONE;
}

/* ---------------------------------------------------------------- isdigit and so on */

/* What a character of ASCII is. */
enum {
    FST_DIGIT_BYTE = 1,
    FST_LOWER_BYTE = 2,
    FST_UPPER_BYTE = 4,
    FST_NAME_BYTE = 8,          /* of an identifier */
    FST_PRINTED_BYTE = 16,
    FST_LETTER_BYTE = FST_LOWER_BYTE | FST_UPPER_BYTE
};

FST_INLINE int
fst_kinds_of(char byte)
{
    int kinds = byte >= ' ' && byte < 0x7f ? FST_PRINTED_BYTE : 0;
    if (fst_is_digit(byte))
        kinds |= FST_DIGIT_BYTE | FST_NAME_BYTE;
    else if (fst_is_lower(byte))
        kinds |= FST_LOWER_BYTE | FST_NAME_BYTE;
    else if (fst_is_upper(byte))
        kinds |= FST_UPPER_BYTE | FST_NAME_BYTE;
    else if (byte == '_')
        kinds |= FST_NAME_BYTE;
    return kinds;
}

/* Whether all characters are of one of these kinds; `empty` if there are none. One of ASCII that is
 * not decides, whatever others there are. */
FST_INLINE fst_status
fst_has_all(fst_machine *machine, fst_cell *to, fst_cell *self, int kinds, int empty)
{
    uint32_t i;
    int wide = 0;
    FST_TRY(fst_settle_self(machine, self));
    *to = fst_bool(0);
    for (i = 0; i < self->size; i++) {
        if ((unsigned char)self->text[i] >= 0x80)
            wide = 1;
        else if (!(fst_kinds_of(self->text[i]) & kinds))
            return FST_DONE;
    }
    if (wide)
        return FST_GIVE_BACK;
    *to = fst_bool(self->size > 0 || empty);
    return FST_DONE;
}

/* Of ASCII, isdecimal and isnumeric are the same. */
FST_COLD fst_status
fst_str_isdigit(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_all(machine, to, &arguments[0], FST_DIGIT_BYTE, 0);
}

FST_COLD fst_status
fst_str_isalpha(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_all(machine, to, &arguments[0], FST_LETTER_BYTE, 0);
}

FST_COLD fst_status
fst_str_isalnum(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_all(machine, to, &arguments[0], FST_LETTER_BYTE | FST_DIGIT_BYTE, 0);
}

FST_COLD fst_status
fst_str_isprintable(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_all(machine, to, &arguments[0], FST_PRINTED_BYTE, 1);
}

FST_COLD fst_status
fst_str_isidentifier(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0];
    FST_TRY(fst_settle_self(machine, self));
    if (self->size > 0 && fst_is_digit(self->text[0])) {
        *to = fst_bool(0);
        return FST_DONE;
    }
    return fst_has_all(machine, to, self, FST_NAME_BYTE, 0);
}

FST_COLD fst_status
fst_str_isspace(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0];
    const char *end;
    FST_TRY(fst_settle_self(machine, self));
    end = self->text + self->size;
    *to = fst_bool(self->size > 0 && fst_skip_spaces(self->text, end) == end);
    return FST_DONE;
}

FST_COLD fst_status
fst_str_isascii(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_settle_self(machine, &arguments[0]));
    *to = fst_bool(fst_is_ascii(&arguments[0]) != 0);
    return FST_DONE;
}

/* Whether there are letters, all of one case. One of ASCII that is of the other case decides. */
FST_INLINE fst_status
fst_has_case(fst_machine *machine, fst_cell *to, fst_cell *self, int wanted, int other)
{
    uint32_t i;
    int kinds = 0;
    FST_TRY(fst_settle_self(machine, self));
    for (i = 0; i < self->size; i++)
        kinds |= fst_kinds_of(self->text[i]);
    if (!(kinds & other) && !fst_is_ascii(self))
        return FST_GIVE_BACK;
    *to = fst_bool((kinds & wanted) && !(kinds & other));
    return FST_DONE;
}

FST_COLD fst_status
fst_str_islower(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_case(machine, to, &arguments[0], FST_LOWER_BYTE, FST_UPPER_BYTE);
}

FST_COLD fst_status
fst_str_isupper(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_case(machine, to, &arguments[0], FST_UPPER_BYTE, FST_LOWER_BYTE);
}

#endif
