/* str_search.h: methods of str that search: find, index, count, startswith and so on. */
#ifndef FST_VM_STR_SEARCH_H
#define FST_VM_STR_SEARCH_H

#include "text_search.h"

/* ---------------------------------------------------------------- the part that is searched */

/* The part of a str between two indices. */
typedef struct fst_window {
    const char *start;
    const char *end;
    int64_t first;              /* number of its first character */
    int exists;                 /* whether the indices are in order: if not, nothing is in it */
} fst_window;

/* Settles an index that may be left out, and cuts it to a str. */
FST_INLINE fst_status
fst_settle_bound(
    fst_machine *machine, fst_cell *argument, int64_t length, int64_t otherwise, int64_t *bound)
{
    *bound = otherwise;
    if (fst_is_left_out(argument))
        return FST_DONE;
    FST_TRY(fst_settle_count(machine, argument, otherwise, bound));
    if (*bound < 0) {
        *bound += length;
        if (*bound < 0)
            *bound = 0;
    }
    return FST_DONE;
}

/* Reads the arguments `start` and `end` of a method. */
FST_NOINLINE fst_status
fst_find_window(fst_machine *machine, fst_cell *str, fst_cell *bounds, fst_window *window)
{
    const int64_t length = fst_str_length(str);
    int64_t end;
    uint32_t from, to;
    FST_TRY(fst_settle_bound(machine, &bounds[0], length, 0, &window->first));
    FST_TRY(fst_settle_bound(machine, &bounds[1], length, length, &end));
    if (end > length)
        end = length;
    window->exists = window->first <= end;
    if (!window->exists)
        return FST_DONE;
    if (fst_is_ascii(str)) {
        from = (uint32_t)window->first;
        to = (uint32_t)end;
    } else {
        machine->fuel -= str->size / FST_COUNTED_BYTES;
        from = fst_skip_characters(str, 0, window->first);
        to = fst_skip_characters(str, from, end - window->first);
    }
    window->start = str->text + from;
    window->end = str->text + to;
    return FST_DONE;
}

FST_INLINE fst_status
fst_read_window(fst_machine *machine, fst_cell *str, fst_cell *bounds, fst_window *window)
{
    if (bounds[0].type != FST_UNSET || bounds[1].type != FST_UNSET)
        return fst_find_window(machine, str, bounds, window);
    window->start = str->text;
    window->end = str->text + str->size;
    window->first = 0;
    window->exists = 1;
    return FST_DONE;
}

/* ---------------------------------------------------------------- find and index */

/* The number of the character at which a part starts; -1 if there is none. Arguments: self, sub,
 * start?, end? */
FST_INLINE fst_status
fst_find_index(fst_machine *machine, fst_cell *arguments, int last, int64_t *index)
{
    fst_cell *self = &arguments[0], *part = &arguments[1];
    fst_window window;
    const char *found;
    *index = -1;
    FST_TRY(fst_settle_text(machine, part));
    FST_TRY(fst_read_window(machine, self, &arguments[2], &window));
    if (!window.exists)
        return FST_DONE;
    if (part->size == 0)
        found = last ? window.end : window.start;
    else if (last)
        FST_TRY(fst_find_last_text(
            machine, window.start, window.end, part->text, part->size, &found));
    else
        FST_TRY(fst_find_text_in(
            machine, window.start, window.end, part->text, part->size, &found));
    if (found == NULL)
        return FST_DONE;
    *index = window.first;
    *index += fst_is_ascii(self)
        ? found - window.start
        : (int64_t)fst_count_characters(window.start, (size_t)(found - window.start));
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_str_find(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t index;
    FST_TRY(fst_settle_self(machine, &arguments[0]));
    FST_TRY(fst_find_index(machine, arguments, 0, &index));
    *to = fst_int(index);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_str_rfind(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t index;
    FST_TRY(fst_settle_self(machine, &arguments[0]));
    FST_TRY(fst_find_index(machine, arguments, 1, &index));
    *to = fst_int(index);
    return FST_DONE;
}

/* For a str; other types with this method are handled before. */
FST_NOINLINE fst_status
fst_str_index(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t index;
    FST_TRY(fst_find_index(machine, arguments, 0, &index));
    *to = fst_int(index);
    return index < 0 ? FST_VALUE_ERROR : FST_DONE;
}

FST_NOINLINE fst_status
fst_str_rindex(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t index;
    FST_TRY(fst_settle_self(machine, &arguments[0]));
    FST_TRY(fst_find_index(machine, arguments, 1, &index));
    *to = fst_int(index);
    return index < 0 ? FST_VALUE_ERROR : FST_DONE;
}

/* How often a text, which is not empty, is in [at, end), places that overlap not counted. */
FST_INLINE fst_status
fst_count_text(
    fst_machine *machine, const char *at, const char *end, const fst_cell *part, int64_t *count)
{
    const char *found;
    for (*count = 0;; ++*count, at = found + part->size) {
        FST_TRY(fst_find_text_in(machine, at, end, part->text, part->size, &found));
        if (found == NULL)
            return FST_DONE;
    }
}

/* For a str; other types with this method are handled before. */
FST_NOINLINE fst_status
fst_str_count(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0], *part = &arguments[1];
    fst_window window;
    int64_t count = 0;
    FST_TRY(fst_settle_text(machine, part));
    FST_TRY(fst_read_window(machine, self, &arguments[2], &window));
    if (window.exists && part->size == 0)
        count = (int64_t)fst_count_characters(
            window.start, (size_t)(window.end - window.start)) + 1;
    else if (window.exists)
        FST_TRY(fst_count_text(machine, window.start, window.end, part, &count));
    *to = fst_int(count);
    return FST_DONE;
}

/* ---------------------------------------------------------------- startswith and endswith */

FST_INLINE int
fst_has_at_end(const fst_window *window, const fst_cell *part, int last)
{
    if (!window->exists || (size_t)(window->end - window->start) < part->size)
        return 0;
    return fst_same_text(
        last ? window->end - part->size : window->start, part->text, part->size);
}

/* Arguments: self, a str or a tuple of these, start?, end? */
FST_INLINE fst_status
fst_has_end(fst_machine *machine, fst_cell *to, fst_cell *arguments, int last)
{
    fst_cell *parts = &arguments[1];
    fst_window window;
    fst_list *tuple;
    uint32_t i;
    int has = 0;
    FST_TRY(fst_settle_self(machine, &arguments[0]));
    FST_TRY(fst_read_window(machine, &arguments[0], &arguments[2], &window));
    if (parts->type != FST_TUPLE) {
        FST_TRY(fst_settle_text(machine, parts));
        *to = fst_bool(fst_has_at_end(&window, parts, last));
        return FST_DONE;
    }
    tuple = (fst_list *)parts->object;
    for (i = 0; !has && i < tuple->count; i++) {
        FST_TRY(fst_settle_text(machine, &tuple->items[i]));
        has = fst_has_at_end(&window, &tuple->items[i], last);
    }
    *to = fst_bool(has);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_str_startswith(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_end(machine, to, arguments, 0);
}

FST_NOINLINE fst_status
fst_str_endswith(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_has_end(machine, to, arguments, 1);
}

FST_NOINLINE fst_status
fst_str_removeprefix(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0], *part = &arguments[1];
    FST_TRY(fst_settle_self(machine, self));
    FST_TRY(fst_settle_text(machine, part));
    *to = *self;
    if (part->size <= self->size && fst_same_text(self->text, part->text, part->size))
        *to = fst_part_of(self, self->text + part->size, self->text + self->size);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_str_removesuffix(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0], *part = &arguments[1];
    const char *end;
    FST_TRY(fst_settle_self(machine, self));
    FST_TRY(fst_settle_text(machine, part));
    *to = *self;
    if (part->size > self->size)
        return FST_DONE;
    end = self->text + self->size - part->size;
    if (fst_same_text(end, part->text, part->size))
        *to = fst_part_of(self, self->text, end);
    return FST_DONE;
}

#endif
