/* str_split.h: methods of str that return parts of it: split, partition, splitlines, strip. The
 * parts are not copied. */
#ifndef FST_VM_STR_SPLIT_H
#define FST_VM_STR_SPLIT_H

#include "patterns.h"
#include "text_search.h"

enum { FST_FIRST_PARTS = 6 };   /* for which there is room at once */

FST_INLINE fst_status
fst_new_parts(fst_machine *machine, fst_cell *to, fst_list **parts)
{
    *parts = fst_new_list(machine, FST_FIRST_PARTS);
    if (*parts == NULL)
        return FST_NO_MEMORY;
    *to = fst_object(FST_LIST, *parts);
    return FST_DONE;
}

/* ---------------------------------------------------------------- split */

FST_INLINE fst_status
fst_split_words(fst_machine *machine, fst_list *parts, const fst_cell *str, int64_t most)
{
    const char *end = str->text + str->size;
    const char *at = fst_skip_spaces(str->text, end), *stop;
    for (; at < end; at = fst_skip_spaces(stop, end)) {
        if (most-- == 0)
            return fst_append(machine, parts, fst_part_of(str, at, end));
        stop = fst_skip_word(at, end);
        FST_TRY(fst_append(machine, parts, fst_part_of(str, at, stop)));
    }
    return FST_DONE;
}

FST_INLINE fst_status
fst_split_at(
    fst_machine *machine, fst_list *parts, const fst_cell *str, const fst_cell *separator,
    int64_t most)
{
    const char *at = str->text, *end = at + str->size, *found;
    for (; most != 0; most--) {
        FST_TRY(fst_find_text_in(machine, at, end, separator->text, separator->size, &found));
        if (found == NULL)
            break;
        FST_TRY(fst_append(machine, parts, fst_part_of(str, at, found)));
        at = found + separator->size;
    }
    return fst_append(machine, parts, fst_part_of(str, at, end));
}

FST_INLINE fst_status
fst_split_words_back(fst_machine *machine, fst_list *parts, const fst_cell *str, int64_t most)
{
    const char *start = str->text, *at;
    const char *end = fst_skip_spaces_back(start, start + str->size);
    for (; start < end; end = fst_skip_spaces_back(start, at)) {
        if (most-- == 0)
            return fst_append(machine, parts, fst_part_of(str, start, end));
        at = fst_skip_word_back(start, end);
        FST_TRY(fst_append(machine, parts, fst_part_of(str, at, end)));
    }
    return FST_DONE;
}

FST_INLINE fst_status
fst_split_back_at(
    fst_machine *machine, fst_list *parts, const fst_cell *str, const fst_cell *separator,
    int64_t most)
{
    const char *start = str->text, *end = start + str->size, *found;
    for (; most != 0; most--) {
        FST_TRY(fst_find_last_text(
            machine, start, end, separator->text, separator->size, &found));
        if (found == NULL)
            break;
        FST_TRY(fst_append(machine, parts, fst_part_of(str, found + separator->size, end)));
        end = found;
    }
    return fst_append(machine, parts, fst_part_of(str, start, end));
}

FST_INLINE void
fst_reverse_parts(fst_list *parts)
{
    uint32_t i;
    for (i = 0; i < parts->count / 2; i++) {
        const fst_cell part = parts->items[i];
        parts->items[i] = parts->items[parts->count - 1 - i];
        parts->items[parts->count - 1 - i] = part;
    }
}

/* Settles the arguments of split: self, sep?, maxsplit? A negative number means no limit. */
FST_INLINE fst_status
fst_settle_split(fst_machine *machine, fst_cell *arguments, int64_t *most)
{
    FST_TRY(fst_settle_self(machine, &arguments[0]));
    FST_TRY(fst_settle_count(machine, &arguments[2], -1, most));
    if (fst_is_left_out(&arguments[1]))
        return FST_DONE;
    FST_TRY(fst_settle_text(machine, &arguments[1]));
    return arguments[1].size == 0 ? FST_VALUE_ERROR : FST_DONE;
}

FST_NOINLINE fst_status
fst_str_split(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t most;
    fst_list *parts;
    if (arguments[0].type == FST_PATTERN)
        return fst_pattern_split(machine, to, arguments);
    FST_TRY(fst_settle_split(machine, arguments, &most));
    FST_TRY(fst_new_parts(machine, to, &parts));
    if (fst_is_left_out(&arguments[1]))
        return fst_split_words(machine, parts, &arguments[0], most);
    return fst_split_at(machine, parts, &arguments[0], &arguments[1], most);
}

FST_NOINLINE fst_status
fst_str_rsplit(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t most;
    fst_list *parts;
    FST_TRY(fst_settle_split(machine, arguments, &most));
    FST_TRY(fst_new_parts(machine, to, &parts));
    if (fst_is_left_out(&arguments[1]))
        FST_TRY(fst_split_words_back(machine, parts, &arguments[0], most));
    else
        FST_TRY(fst_split_back_at(machine, parts, &arguments[0], &arguments[1], most));
    fst_reverse_parts(parts);
    return FST_DONE;
}

/* The bytes of the line end at `at`; 0 if there is none. */
FST_INLINE int
fst_line_end_at(const char *text, const char *end)
{
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] == '\r')
        return end - text > 1 && at[1] == '\n' ? 2 : 1;
    if (at[0] < 0x80)
        return (at[0] >= '\n' && at[0] <= '\f') || (at[0] >= 0x1c && at[0] <= 0x1e);
    if (at[0] == 0xc2)
        return at[1] == 0x85 ? 2 : 0;
    return at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9) ? 3 : 0;
}

/* self, keepends? */
FST_NOINLINE fst_status
fst_str_splitlines(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0];
    const char *at, *end, *line;
    fst_list *parts;
    int64_t keep;
    FST_TRY(fst_settle_self(machine, self));
    FST_TRY(fst_settle(machine, &arguments[1]));
    if (arguments[1].type != FST_UNSET && arguments[1].type != FST_BOOL)
        return FST_GIVE_BACK;
    FST_TRY(fst_settle_count(machine, &arguments[1], 0, &keep));
    FST_TRY(fst_new_parts(machine, to, &parts));
    line = at = self->text;
    for (end = at + self->size; at < end;) {
        const int size = fst_line_end_at(at, end);
        if (size == 0) {
            at++;
            continue;
        }
        FST_TRY(fst_append(machine, parts, fst_part_of(self, line, keep ? at + size : at)));
        line = at += size;
    }
    return line < end ? fst_append(machine, parts, fst_part_of(self, line, end)) : FST_DONE;
}

/* ---------------------------------------------------------------- partition */

/* The text before and after a separator; all of it is on one side if there is none. */
/* Finds the separator of partition or rpartition: the first or the last one, NULL if there is none. */
FST_INLINE fst_status
fst_find_separator(fst_machine *machine, fst_cell *arguments, int last, const char **found)
{
    fst_cell *self = &arguments[0], *separator = &arguments[1];
    FST_TRY(fst_settle_self(machine, self));
    FST_TRY(fst_settle_text(machine, separator));
    if (separator->size == 0)
        return FST_VALUE_ERROR;
    if (last)
        return fst_find_last_text(
            machine, self->text, self->text + self->size, separator->text, separator->size, found);
    return fst_find_text_in(
        machine, self->text, self->text + self->size, separator->text, separator->size, found);
}

/* The text before the separator, or after it; all of it if there is none. */
FST_INLINE fst_cell
fst_beside(const fst_cell *arguments, const char *found, int behind, int last)
{
    const fst_cell *self = &arguments[0];
    const char *start = self->text, *end = start + self->size;
    if (found == NULL)
        return behind == last ? *self : fst_empty_str();
    return behind ? fst_part_of(self, found + arguments[1].size, end)
                  : fst_part_of(self, start, found);
}

FST_INLINE fst_status
fst_partition(fst_machine *machine, fst_cell *to, fst_cell *arguments, int last)
{
    const char *found;
    fst_list *parts;
    FST_TRY(fst_find_separator(machine, arguments, last, &found));
    parts = fst_new_list(machine, 3);
    if (parts == NULL)
        return FST_NO_MEMORY;
    parts->count = 3;
    parts->items[0] = fst_beside(arguments, found, 0, last);
    parts->items[1] = found == NULL ? fst_empty_str() : arguments[1];
    parts->items[2] = fst_beside(arguments, found, 1, last);
    *to = fst_object(FST_TUPLE, parts);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_str_partition(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_partition(machine, to, arguments, 0);
}

FST_NOINLINE fst_status
fst_str_rpartition(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_partition(machine, to, arguments, 1);
}

/* partition(sep)[0] and so on, which need no tuple. */
FST_INLINE fst_status
fst_take_beside(fst_machine *machine, fst_cell *to, fst_cell *arguments, int behind, int last)
{
    const char *found;
    FST_TRY(fst_find_separator(machine, arguments, last, &found));
    *to = fst_beside(arguments, found, behind, last);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_str_before_first(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_take_beside(machine, to, arguments, 0, 0);
}

FST_NOINLINE fst_status
fst_str_after_first(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_take_beside(machine, to, arguments, 1, 0);
}

FST_NOINLINE fst_status
fst_str_before_last(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_take_beside(machine, to, arguments, 0, 1);
}

FST_NOINLINE fst_status
fst_str_after_last(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_take_beside(machine, to, arguments, 1, 1);
}

/* ---------------------------------------------------------------- strip */

/* The characters that strip takes away. */
typedef struct fst_stripped {
    uint64_t ascii[2];          /* a bit for each */
    const fst_cell *text;       /* others are searched in it */
} fst_stripped;

FST_INLINE void
fst_read_stripped(fst_stripped *stripped, const fst_cell *text)
{
    uint32_t i;
    stripped->ascii[0] = stripped->ascii[1] = 0;
    stripped->text = text;
    for (i = 0; i < text->size; i++) {
        const unsigned char byte = (unsigned char)text->text[i];
        if (byte < 0x80)
            stripped->ascii[byte >> 6] |= UINT64_C(1) << (byte & 63);
    }
}

FST_INLINE int
fst_is_stripped(fst_machine *machine, const fst_stripped *stripped, const char *at)
{
    const unsigned char byte = (unsigned char)*at;
    const uint32_t size = fst_character_size(*at);
    const fst_cell *text = stripped->text;
    uint32_t i;
    if (byte < 0x80)
        return (int)(stripped->ascii[byte >> 6] >> (byte & 63) & 1);
    machine->fuel -= text->size / FST_COMPARED_BYTES;
    for (i = 0; i + size <= text->size; i++)
        if (text->text[i] == *at && memcmp(text->text + i, at, size) == 0)
            return 1;
    return 0;
}

/* Arguments: self, chars? */
FST_INLINE fst_status
fst_strip(fst_machine *machine, fst_cell *to, fst_cell *arguments, int left, int right)
{
    fst_cell *self = &arguments[0];
    const char *start, *end;
    FST_TRY(fst_settle_self(machine, self));
    start = self->text;
    end = start + self->size;
    if (fst_is_left_out(&arguments[1])) {
        if (left)
            start = fst_skip_spaces(start, end);
        if (right)
            end = fst_skip_spaces_back(start, end);
    } else {
        fst_stripped stripped;
        FST_TRY(fst_settle_text(machine, &arguments[1]));
        fst_read_stripped(&stripped, &arguments[1]);
        if (left)
            while (start < end && fst_is_stripped(machine, &stripped, start))
                start += fst_character_size(*start);
        if (right)
            while (end > start && fst_is_stripped(machine, &stripped, fst_step_back(end)))
                end = fst_step_back(end);
        FST_TRY(fst_has_fuel(machine));
    }
    *to = fst_part_of(self, start, end);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_str_strip(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_strip(machine, to, arguments, 1, 1);
}

FST_NOINLINE fst_status
fst_str_lstrip(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_strip(machine, to, arguments, 1, 0);
}

FST_NOINLINE fst_status
fst_str_rstrip(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_strip(machine, to, arguments, 0, 1);
}

#endif
