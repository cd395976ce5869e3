/* text.h: helpers of the methods of str: arguments, parts of a str, white space. */
#ifndef FST_VM_TEXT_H
#define FST_VM_TEXT_H

#include "sequences.h"

/* A longer str is given back: sums of a few sizes stay far below 32 bits. */
enum { FST_TEXT_MOST = 1 << 28 };

/* ---------------------------------------------------------------- arguments */

/* Settles the object of a method that strings alone have. */
FST_INLINE fst_status
fst_settle_self(fst_machine *machine, fst_cell *self)
{
    if (self->type == FST_STR)
        return FST_DONE;
    FST_TRY(fst_settle(machine, self));
    return self->type == FST_STR ? FST_DONE : fst_no_method(self);
}

/* The exception that Python raises for an argument of the wrong type. */
FST_INLINE fst_status
fst_wrong_type(const fst_cell *argument)
{
    return argument->type >= FST_NONE && argument->type <= FST_DICT ? FST_TYPE_ERROR
                                                                    : FST_GIVE_BACK;
}

/* Settles an argument that has to be a str. */
FST_INLINE fst_status
fst_settle_text(fst_machine *machine, fst_cell *argument)
{
    if (argument->type == FST_STR)
        return FST_DONE;
    FST_TRY(fst_settle(machine, argument));
    return argument->type == FST_STR ? FST_DONE : fst_wrong_type(argument);
}

FST_INLINE int
fst_is_left_out(const fst_cell *argument)
{
    return argument->type == FST_UNSET || argument->type == FST_NONE;
}

/* Settles an argument that has to be an integer, and may be left out. */
FST_INLINE fst_status
fst_settle_count(fst_machine *machine, fst_cell *argument, int64_t otherwise, int64_t *count)
{
    *count = otherwise;
    if (argument->type == FST_UNSET)
        return FST_DONE;
    FST_TRY(fst_settle(machine, argument));
    if (argument->type != FST_INT && argument->type != FST_BOOL)
        return fst_wrong_type(argument);
    *count = argument->integer;
    return FST_DONE;
}

/* ---------------------------------------------------------------- parts and copies */

/* A part of a str, which is not copied. */
FST_INLINE fst_cell
fst_part_of(const fst_cell *str, const char *start, const char *end)
{
    const int known = start == end ? FST_ASCII | FST_CLEAN : str->flags & (FST_ASCII | FST_CLEAN);
    return fst_str(start, (size_t)(end - start), known);
}

FST_INLINE fst_cell
fst_empty_str(void)
{
    return fst_str("", 0, FST_ASCII | FST_CLEAN);
}

/* The flags of text that consists of both. */
FST_INLINE int
fst_flags_of_both(const fst_cell *a, const fst_cell *b)
{
    return (a->flags & b->flags & (FST_ASCII | FST_CLEAN)) | ((a->flags | b->flags) & FST_WIDE);
}

/* Copies text; returns its end. */
FST_INLINE char *
fst_copy_text(char *to, const char *from, size_t size)
{
    if (size >= 8) {
        fst_copy(to, from, (ptrdiff_t)size);
    } else if (size >= 4) {
        memcpy(to, from, 4);
        memcpy(to + size - 4, from + size - 4, 4);
    } else if (size > 0) {
        to[0] = from[0];
        to[size / 2] = from[size / 2];
        to[size - 1] = from[size - 1];
    }
    return to + size;
}

/* Memory for so many bytes of text, which must not be too many. */
FST_INLINE fst_status
fst_take_text(fst_machine *machine, uint64_t size, char **text)
{
    if (size > FST_TEXT_MOST)
        return FST_GIVE_BACK;
    *text = (char *)fst_take(machine, (size_t)size);
    return *text == NULL ? FST_NO_MEMORY : FST_DONE;
}

/* ---------------------------------------------------------------- white space */

FST_INLINE int
fst_is_ascii_space(unsigned char byte)
{
    return byte <= ' ' && (UINT64_C(0x1f0003e00) >> byte & 1);
}

/* The bytes of a character that is white space to Python; 0 for any other one. */
FST_INLINE int
fst_space_at(const char *text, const char *end)
{
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] < 0x80)
        return fst_is_ascii_space(at[0]);
    if (at[0] == 0xc2)
        return at[1] == 0x85 || at[1] == 0xa0 ? 2 : 0;
    if (end - text < 3)
        return 0;
    if (at[0] == 0xe2 && at[1] == 0x80)
        return at[2] <= 0x8a || at[2] == 0xa8 || at[2] == 0xa9 || at[2] == 0xaf ? 3 : 0;
    if ((at[0] == 0xe2 && at[1] == 0x81 && at[2] == 0x9f)
        || (at[0] == 0xe3 && at[1] == 0x80 && at[2] == 0x80)
        || (at[0] == 0xe1 && at[1] == 0x9a && at[2] == 0x80))
        return 3;
    return 0;
}

/* Where the character before `at` starts. */
FST_INLINE const char *
fst_step_back(const char *at)
{
    do
        at--;
    while ((*at & 0xc0) == 0x80);
    return at;
}

FST_INLINE const char *
fst_skip_spaces(const char *at, const char *end)
{
    int size;
    while (at < end && (size = fst_space_at(at, end)) > 0)
        at += size;
    return at;
}

/* Where the white space begins that ends at `end`. */
FST_INLINE const char *
fst_skip_spaces_back(const char *start, const char *end)
{
    while (end > start) {
        const char *last = fst_step_back(end);
        if (fst_space_at(last, end) == 0)
            break;
        end = last;
    }
    return end;
}

/* Where the next white space is, or the end. */
FST_INLINE const char *
fst_skip_word(const char *at, const char *end)
{
    while (at < end && fst_space_at(at, end) == 0)
        at++;       /* the bytes within a character are no white space */
    return at;
}

FST_INLINE const char *
fst_skip_word_back(const char *start, const char *end)
{
    while (end > start) {
        const char *last = fst_step_back(end);
        if (fst_space_at(last, end) > 0)
            break;
        end = last;
    }
    return end;
}

#endif
