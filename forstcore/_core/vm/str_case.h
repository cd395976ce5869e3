/* str_case.h: methods of str that change the case of letters: lower, title and so on. */
#ifndef FST_VM_STR_CASE_H
#define FST_VM_STR_CASE_H

#include "letters.h"
#include "text.h"

/* ---------------------------------------------------------------- lower and upper */

/* Changes the case of the letters of ASCII from `first` on, 26 of them, in each of eight bytes. */
FST_INLINE uint64_t
fst_swap_letters(uint64_t bytes, unsigned first)
{
    return bytes ^ (fst_between_in_eight(bytes, first, 26) >> 2);
}

/* The case that letters are converted to. */
typedef enum fst_case_change {
    FST_TO_LOWER,
    FST_TO_UPPER,
    FST_TO_TITLE,               /* upper where a word starts, else lower */
    FST_TO_CAPITAL,             /* the first one upper, all others lower */
    FST_TO_SWAPPED,
    FST_TO_FOLDED               /* lower, but for letters that fold to others than that */
} fst_case_change;

FST_INLINE int
fst_is_ascii_letter(char byte)
{
    return (unsigned char)((byte | 0x20) - 'a') < 26;
}

/* The kind of the character at `at`, and the letter of the other case. */
FST_INLINE fst_character_kind
fst_read_character(const char *at, uint32_t *point, uint32_t *other)
{
    *point = (unsigned char)*at;
    if (*point >= 0x80) {
        *point = fst_code_point_at(at);
        return fst_look_up(*point, other);
    }
    *other = *point ^ 0x20;
    if (!fst_is_ascii_letter(*at))
        return FST_SYMBOL;
    return *at & 0x20 ? FST_SMALL_LETTER : FST_CAPITAL_LETTER;
}

/* Whether casefold() leaves a small letter as it is: not where several have one capital. */
FST_INLINE int
fst_is_folded(uint32_t point, uint32_t other)
{
    return other != 0 && point != 0xb5 && point != 0x3c2;
}

/* Changes each character by itself; what is not known is given back. The letters of both cases have
 * equally many bytes. */
FST_NOINLINE fst_status
fst_change_characters(
    fst_machine *machine, fst_cell *to, fst_cell *self, fst_case_change change)
{
    const char *at = self->text, *end = at + self->size;
    int in_word = 0;
    char *text;
    FST_TRY(fst_take_text(machine, self->size, &text));
    *to = fst_str(text, self->size, self->flags);
    for (; at < end; at += fst_character_size(*at)) {
        uint32_t point, other;
        const fst_character_kind kind = fst_read_character(at, &point, &other);
        const int is_first = at == self->text;
        int wanted;
        if (kind == FST_UNKNOWN_CHARACTER
            || (change == FST_TO_FOLDED && kind == FST_SMALL_LETTER && !fst_is_folded(point, other)))
            return FST_GIVE_BACK;
        wanted = change == FST_TO_UPPER || (change == FST_TO_TITLE && !in_word)
                 || (change == FST_TO_CAPITAL && is_first)
                 || (change == FST_TO_SWAPPED && kind == FST_SMALL_LETTER)
            ? FST_CAPITAL_LETTER : FST_SMALL_LETTER;
        in_word = kind == FST_SMALL_LETTER || kind == FST_CAPITAL_LETTER;
        if (in_word && kind != (fst_character_kind)wanted) {
            if (other == 0)
                return FST_GIVE_BACK;
            point = other;
        }
        text = fst_write_character(text, point);
    }
    return FST_DONE;
}

/* Changes up to eight bytes, and takes note of what they were and what has changed. */
FST_INLINE void
fst_change_eight(
    char *to, const char *from, size_t size, unsigned first, uint64_t *all, uint64_t *changes)
{
    const uint64_t before = fst_load_up_to_eight(from, (ptrdiff_t)size);
    const uint64_t after = fst_swap_letters(before, first);
    fst_store_eight(to, after);
    *all |= before;
    *changes |= before ^ after;
}

/* self in lower case or upper case; `first` is the first of the letters of ASCII that change. A str
 * without any stays where it is. */
FST_INLINE fst_status
fst_change_case(
    fst_machine *machine, fst_cell *to, fst_cell *self, unsigned first, fst_case_change change)
{
    uint64_t all = 0, changes = 0;
    char *text;
    size_t i;
    FST_TRY(fst_settle_self(machine, self));
    FST_TRY(fst_take_text(machine, (uint64_t)self->size + 8, &text));
    for (i = 0; i + 8 <= self->size; i += 8)
        fst_change_eight(text + i, self->text + i, 8, first, &all, &changes);
    /* The last ones may be changed twice, from the same bytes. */
    if (self->size >= 8)
        i = self->size - 8;
    fst_change_eight(text + i, self->text + i, self->size - i, first, &all, &changes);
    if (all & 0x80 * FST_EACH_BYTE) {
        fst_keep(machine, text, 0);
        return fst_change_characters(machine, to, self, change);
    }
    self->flags |= FST_ASCII;
    if (changes == 0) {
        fst_keep(machine, text, 0);
        *to = *self;
        return FST_DONE;
    }
    fst_keep(machine, text, self->size);
    *to = fst_str(text, self->size, self->flags);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_str_lower(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_change_case(machine, to, &arguments[0], 'A', FST_TO_LOWER);
}

FST_NOINLINE fst_status
fst_str_upper(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_change_case(machine, to, &arguments[0], 'a', FST_TO_UPPER);
}

FST_NOINLINE fst_status
fst_str_casefold(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_change_case(machine, to, &arguments[0], 'A', FST_TO_FOLDED);
}

FST_NOINLINE fst_status
fst_str_title(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_settle_self(machine, &arguments[0]));
    return fst_change_characters(machine, to, &arguments[0], FST_TO_TITLE);
}

FST_NOINLINE fst_status
fst_str_capitalize(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_settle_self(machine, &arguments[0]));
    return fst_change_characters(machine, to, &arguments[0], FST_TO_CAPITAL);
}

FST_NOINLINE fst_status
fst_str_swapcase(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_settle_self(machine, &arguments[0]));
    return fst_change_characters(machine, to, &arguments[0], FST_TO_SWAPPED);
}

#endif
