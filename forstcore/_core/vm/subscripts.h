/* subscripts.h: x[key], x[start:stop], and `in`, for all types that have items. */
#ifndef FST_VM_SUBSCRIPTS_H
#define FST_VM_SUBSCRIPTS_H

#include "bytes.h"
#include "counting.h"
#include "mappings.h"
#include "matches.h"
#include "sequences.h"
#include "text_search.h"

enum { FST_FIRST_ELEMENTS = 4 };    /* of an array of the record, that are found in its text */

/* ---------------------------------------------------------------- of strings */

FST_NOINLINE fst_status
fst_str_item(fst_machine *machine, fst_cell *to, fst_cell *str, fst_cell *key)
{
    uint32_t place;
    FST_TRY(fst_read_place(machine, key, fst_str_length(str), &place));
    if (!fst_is_ascii(str)) {
        machine->fuel -= str->size / FST_SHALLOW_BYTES;
        place = fst_skip_characters(str, 0, place);
    }
    *to = fst_character_at(str, place);
    return FST_DONE;
}

/* The characters of a slice with a step, two or more, of a str beyond ASCII. */
FST_NOINLINE fst_status
fst_wide_slice(fst_machine *machine, fst_cell *to, const fst_cell *str, const fst_slice *slice)
{
    const char *at = str->text + fst_skip_characters(str, 0, slice->start);
    char *start, *copy;
    int64_t i, k;
    FST_TRY(fst_take_text(machine, str->size, &start));
    machine->fuel -= str->size / FST_SHALLOW_BYTES;
    copy = fst_copy_text(start, at, fst_character_size(*at));
    for (i = 1; i < slice->count; i++) {
        for (k = slice->step; k > 0; k--)
            at += fst_character_size(*at);
        for (; k < 0; k++)
            at = fst_step_back(at);
        copy = fst_copy_text(copy, at, fst_character_size(*at));
    }
    *to = fst_str(start, (size_t)(copy - start), str->flags & FST_CLEAN);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_str_slice(fst_machine *machine, fst_cell *to, fst_cell *str, fst_cell *bounds)
{
    const int ascii = fst_is_ascii(str);
    const char *text = str->text;
    fst_slice slice;
    uint32_t start, stop;
    char *copy;
    int64_t i;
    FST_TRY(fst_read_slice(machine, bounds, fst_str_length(str), &slice));
    if (slice.step == 1 || slice.count <= 1) {
        start = (uint32_t)slice.start;
        stop = (uint32_t)(slice.start + slice.count);
        if (slice.count == 0) {
            start = stop = 0;
        } else if (!ascii) {
            machine->fuel -= str->size / FST_SHALLOW_BYTES;
            start = fst_skip_characters(str, 0, slice.start);
            stop = fst_skip_characters(str, start, slice.count);
        }
        *to = fst_str(text + start, stop - start, str->flags & (FST_ASCII | FST_CLEAN));
        return FST_DONE;
    }
    if (!ascii)
        return fst_wide_slice(machine, to, str, &slice);
    copy = (char *)fst_take(machine, (size_t)slice.count);
    if (copy == NULL)
        return FST_NO_MEMORY;
    for (i = 0; i < slice.count; i++)
        copy[i] = text[slice.start + i * slice.step];
    *to = fst_str(copy, (size_t)slice.count, str->flags);
    return FST_DONE;
}

/* Whether one str is in another one. */
FST_NOINLINE fst_status
fst_str_contains(fst_machine *machine, const fst_cell *str, fst_cell *part, int *result)
{
    const char *found = str->text;
    FST_TRY(fst_settle_text(machine, part));
    if (part->size > 0)
        FST_TRY(fst_find_text_in(
            machine, str->text, str->text + str->size, part->text, part->size, &found));
    *result = found != NULL;
    return FST_DONE;
}

/* ---------------------------------------------------------------- x[key] */

/* One of the first elements of an array of the record; an IndexError if there are less. */
FST_INLINE fst_status
fst_first_element(fst_machine *machine, fst_cell *to, const fst_cell *array, int64_t index)
{
    const fst_value value = fst_element(machine->record, fst_value_of(array), (ptrdiff_t)index);
    machine->fuel -= array->size / FST_SHALLOW_BYTES;
    if (value.kind == FST_ABSENT)
        return FST_INDEX_ERROR;
    *to = fst_cell_of(machine, &value);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_range_item(fst_machine *machine, fst_cell *to, const fst_range *range, fst_cell *key)
{
    const uint64_t count = fst_range_size(range);
    int64_t index;
    FST_TRY(fst_read_index(machine, key, &index));
    if (count > INT64_MAX)
        return FST_GIVE_BACK;
    if (index < 0)
        index += (int64_t)count;
    if (index < 0 || index >= (int64_t)count)
        return FST_INDEX_ERROR;
    *to = fst_int((int64_t)((uint64_t)range->start + (uint64_t)index * (uint64_t)range->step));
    return FST_DONE;
}

/* x[key]; `to` may be one of the others. */
FST_NOINLINE fst_status
fst_get_item(fst_machine *machine, fst_cell *to, fst_cell *container, fst_cell *key)
{
    const fst_list *list;
    fst_cell *value;
    uint32_t place;
    if (container->type == FST_ARRAY_TEXT && key->type == FST_INT && key->integer >= 0
        && key->integer < FST_FIRST_ELEMENTS)
        return fst_first_element(machine, to, container, key->integer);
    FST_TRY(fst_settle(machine, container));
    FST_TRY(fst_shallow(machine, container));
    switch (container->type) {
    case FST_LIST:
    case FST_TUPLE:
    case FST_DEQUE:
        list = (const fst_list *)container->object;
        FST_TRY(fst_read_place(machine, key, list->count, &place));
        *to = list->items[place];
        return FST_DONE;
    case FST_DICT:
        FST_TRY(fst_dict_get(machine, (const fst_dict *)container->object, key, &value));
        if (value == NULL) {
            fst_dict *dict = (fst_dict *)container->object;
            return dict->missing ? fst_make_missing(machine, dict, key, to) : FST_KEY_ERROR;
        }
        *to = *value;
        return FST_DONE;
    case FST_STR:
        return fst_str_item(machine, to, container, key);
    case FST_BYTES:
        return fst_bytes_item(machine, to, container, key);
    case FST_RANGE:
        return fst_range_item(machine, to, (const fst_range *)container->object, key);
    case FST_MATCH:
        return fst_match_item(machine, to, container, key);
    case FST_NONE:
    case FST_BOOL:
    case FST_INT:
    case FST_FLOAT:
    case FST_SET:
        return FST_TYPE_ERROR;
    default:
        return FST_GIVE_BACK;
    }
}

/* x[key] = value */
FST_NOINLINE fst_status
fst_set_item(fst_machine *machine, fst_cell *container, fst_cell *key, const fst_cell *value)
{
    fst_list *list;
    fst_dict *dict;
    uint32_t place;
    switch (container->type) {
    case FST_LIST:
        list = (fst_list *)container->object;
        FST_TRY(fst_read_place(machine, key, list->count, &place));
        if (list->frozen)
            return FST_GIVE_BACK;
        list->items[place] = *value;
        return FST_DONE;
    case FST_DICT:
        dict = (fst_dict *)container->object;
        return dict->frozen ? FST_GIVE_BACK : fst_dict_set(machine, dict, key, value);
    case FST_NONE:
    case FST_BOOL:
    case FST_INT:
    case FST_FLOAT:
    case FST_STR:
    case FST_STRING_TEXT:
    case FST_TUPLE:
        return FST_TYPE_ERROR;
    default:
        return FST_GIVE_BACK;
    }
}

/* del x[key] */
FST_NOINLINE fst_status
fst_delete_item(fst_machine *machine, fst_cell *container, fst_cell *key)
{
    fst_list *list;
    fst_dict *dict;
    fst_cell value;
    uint32_t place;
    int found;
    switch (container->type) {
    case FST_LIST:
        list = (fst_list *)container->object;
        FST_TRY(fst_read_place(machine, key, list->count, &place));
        return list->frozen ? FST_GIVE_BACK : fst_remove_at(machine, list, place);
    case FST_DICT:
        dict = (fst_dict *)container->object;
        if (dict->frozen)
            return FST_GIVE_BACK;
        FST_TRY(fst_dict_delete(machine, dict, key, &value, &found));
        return found || dict->missing == FST_MISSING_COUNT ? FST_DONE : FST_KEY_ERROR;
    case FST_NONE:
    case FST_BOOL:
    case FST_INT:
    case FST_FLOAT:
    case FST_STR:
    case FST_STRING_TEXT:
    case FST_TUPLE:
        return FST_TYPE_ERROR;
    default:
        return FST_GIVE_BACK;
    }
}

/* x[start:stop:step]; bounds that are not given are None or FST_UNSET. `to` may be `sequence`. */
FST_NOINLINE fst_status
fst_get_slice(fst_machine *machine, fst_cell *to, fst_cell *sequence, fst_cell *bounds)
{
    FST_TRY(fst_settle(machine, sequence));
    FST_TRY(fst_shallow(machine, sequence));
    switch (sequence->type) {
    case FST_STR:
        return fst_str_slice(machine, to, sequence, bounds);
    case FST_BYTES:
        return fst_bytes_slice(machine, to, sequence, bounds);
    case FST_LIST:
    case FST_TUPLE:
        return fst_list_slice(machine, to, sequence, bounds);
    case FST_NONE:
    case FST_BOOL:
    case FST_INT:
    case FST_FLOAT:
        return FST_TYPE_ERROR;
    default:
        return FST_GIVE_BACK;       /* of a dict: from Python 3.12 on a slice has a hash */
    }
}

/* ---------------------------------------------------------------- in */

FST_NOINLINE fst_status
fst_text_contains(fst_machine *machine, const fst_cell *array, fst_cell *item, int *result)
{
    fst_items items = fst_iterate(machine->record, fst_value_of(array));
    fst_member element;
    *result = 0;
    machine->fuel -= array->size / FST_SHALLOW_BYTES;
    while (!*result && fst_next(&items, &element)) {
        fst_cell cell = fst_cell_of(machine, &element.value);
        FST_TRY(fst_equal_item(machine, &cell, item, result));
    }
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_range_contains(fst_machine *machine, const fst_range *range, fst_cell *item, int *result)
{
    const uint64_t step = (uint64_t)range->step, start = (uint64_t)range->start;
    int64_t number;
    FST_TRY(fst_settle(machine, item));
    *result = 0;
    if (fst_class_of(item) == FST_NO_CLASS)
        return FST_GIVE_BACK;
    if (fst_class_of(item) != FST_NUMBERS
        || (item->type == FST_FLOAT && !fst_is_integral(item->number)))
        return FST_DONE;
    number = item->type == FST_FLOAT ? (int64_t)item->number : item->integer;
    if (range->step > 0)
        *result = number >= range->start && number < range->stop
                  && ((uint64_t)number - start) % step == 0;
    else
        *result = number <= range->start && number > range->stop
                  && (start - (uint64_t)number) % (0 - step) == 0;
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_view_contains(fst_machine *machine, const fst_cell *view, fst_cell *item, int *result)
{
    const fst_dict *dict = (const fst_dict *)view->object;
    const fst_list *pair;
    fst_entry *entry;
    fst_cell *value;
    uint32_t place = 0;
    *result = 0;
    if (view->flags == FST_VALUES) {
        while (!*result && (entry = fst_next_entry(dict, &place)) != NULL)
            FST_TRY(fst_equal_item(machine, &entry->value, item, result));
        return FST_DONE;
    }
    if (view->flags == FST_ITEMS) {
        if (item->type != FST_TUPLE)
            return FST_DONE;
        pair = (const fst_list *)item->object;
        if (pair->count != 2)
            return FST_DONE;
        FST_TRY(fst_dict_get(machine, dict, &pair->items[0], &value));
        return value == NULL ? FST_DONE
                             : fst_equal_item(machine, value, &pair->items[1], result);
    }
    FST_TRY(fst_dict_get(machine, dict, item, &value));
    *result = value != NULL;
    return FST_DONE;
}

/* item in container */
FST_NOINLINE fst_status
fst_contains(fst_machine *machine, fst_cell *container, fst_cell *item, int *result)
{
    const fst_list *list;
    fst_cell *value, member;
    int64_t place;
    FST_TRY(fst_settle(machine, container));
    FST_TRY(fst_settle(machine, item));
    switch (container->type) {
    case FST_STR:
        return fst_str_contains(machine, container, item, result);
    case FST_LIST:
    case FST_TUPLE:
    case FST_DEQUE:
        list = (const fst_list *)container->object;
        FST_TRY(fst_find_item(machine, list, item, 0, list->count, &place));
        *result = place >= 0;
        return FST_DONE;
    case FST_NETWORK:
        *result = item->type == FST_ADDRESS && fst_is_in_network(container, item);
        return item->type == FST_ADDRESS ? FST_DONE : FST_GIVE_BACK;
    case FST_ARRAY_TEXT:
        return fst_text_contains(machine, container, item, result);
    case FST_OBJECT_TEXT:
        if (item->type == FST_STR) {
            FST_TRY(fst_find_member(machine, container, item, &member));
            *result = member.type != FST_UNSET;
            return FST_DONE;
        }
        FST_TRY(fst_shallow(machine, container));
        break;
    case FST_DICT:
        break;
    case FST_SET:
        if (item->type == FST_SET)
            return FST_GIVE_BACK;
        break;
    case FST_VIEW:
        return fst_view_contains(machine, container, item, result);
    case FST_RANGE:
        return fst_range_contains(machine, (const fst_range *)container->object, item, result);
    case FST_NONE:
    case FST_BOOL:
    case FST_INT:
    case FST_FLOAT:
        return FST_TYPE_ERROR;
    default:
        return FST_GIVE_BACK;
    }
    FST_TRY(fst_dict_get(machine, (const fst_dict *)container->object, item, &value));
    *result = value != NULL;
    return FST_DONE;
}

#endif
