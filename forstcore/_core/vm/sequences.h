/* sequences.h: operations on lists and tuples, and those on lists alone. */
#ifndef FST_VM_SEQUENCES_H
#define FST_VM_SEQUENCES_H

#include "iterate.h"

enum { FST_MOVED_ITEMS = 64 };  /* of a list, that cost as much as an instruction */

FST_INLINE int
fst_is_list(const fst_cell *cell)
{
    return cell->type == FST_LIST || cell->type == FST_TUPLE;
}

/* Whether it is a named tuple. */
FST_INLINE int
fst_is_named(const fst_cell *cell)
{
    return cell->type == FST_TUPLE && (cell->flags & FST_NAMED);
}

/* What Python raises where a value has no such method; a value whose type is not known here may have
 * it. */
FST_NOINLINE fst_status
fst_no_method(const fst_cell *self)
{
    return self->type >= FST_NONE && self->type <= FST_DICT ? FST_ATTRIBUTE_ERROR : FST_GIVE_BACK;
}

/* Charges for moving, copying or comparing so many items. */
FST_INLINE fst_status
fst_charge_items(fst_machine *machine, size_t count)
{
    machine->fuel -= (int64_t)(count / FST_MOVED_ITEMS);
    return machine->fuel < 0 ? FST_GIVE_BACK : FST_DONE;
}

/* The list of a method that changes it. */
FST_INLINE fst_status
fst_list_to_change(fst_machine *machine, fst_cell *self, fst_list **list)
{
    FST_TRY(fst_shallow(machine, self));
    if (self->type != FST_LIST)
        return fst_no_method(self);
    *list = (fst_list *)self->object;
    return (*list)->frozen ? FST_GIVE_BACK : FST_DONE;
}

/* ---------------------------------------------------------------- indices and slices */

/* Settles an index; a TypeError unless it is an integer. */
FST_INLINE fst_status
fst_read_index(fst_machine *machine, fst_cell *cell, int64_t *index)
{
    FST_TRY(fst_settle(machine, cell));
    if (cell->type != FST_INT && cell->type != FST_BOOL)
        return cell->type == FST_UNSET || cell->type > FST_DICT ? FST_GIVE_BACK : FST_TYPE_ERROR;
    *index = cell->integer;
    return FST_DONE;
}

/* The place of an index, which may count from the end, among so many items. */
FST_INLINE fst_status
fst_read_place(fst_machine *machine, fst_cell *cell, uint32_t count, uint32_t *place)
{
    int64_t index;
    FST_TRY(fst_read_index(machine, cell, &index));
    if (index < 0)
        index += count;
    if (index < 0 || index >= count)
        return FST_INDEX_ERROR;
    *place = (uint32_t)index;
    return FST_DONE;
}

/* A part of a sequence. */
typedef struct fst_slice {
    int64_t start;              /* place of the first item */
    int64_t step;
    int64_t count;              /* items */
} fst_slice;

/* One of the bounds of a slice: None counts as `otherwise`; others are cut to what there is. */
FST_INLINE fst_status
fst_read_bound(
    fst_machine *machine, fst_cell *cell, int64_t count, int backwards, int64_t otherwise,
    int64_t *bound)
{
    if (cell->type == FST_NONE || cell->type == FST_UNSET) {
        *bound = otherwise;
        return FST_DONE;
    }
    FST_TRY(fst_read_index(machine, cell, bound));
    if (*bound < 0) {
        *bound += count;
        if (*bound < 0)
            *bound = backwards ? -1 : 0;
    } else if (*bound >= count) {
        *bound = backwards ? count - 1 : count;
    }
    return FST_DONE;
}

/* Reads the start, stop and step of a slice of so many items, None or FST_UNSET where there is
 * none. */
FST_NOINLINE fst_status
fst_read_slice(fst_machine *machine, fst_cell *bounds, int64_t count, fst_slice *slice)
{
    int64_t stop;
    int backwards;
    slice->step = 1;
    if (bounds[2].type != FST_NONE && bounds[2].type != FST_UNSET)
        FST_TRY(fst_read_index(machine, &bounds[2], &slice->step));
    if (slice->step == 0)
        return FST_VALUE_ERROR;
    if (slice->step < -INT64_MAX)
        slice->step = -INT64_MAX;
    backwards = slice->step < 0;
    FST_TRY(fst_read_bound(
        machine, &bounds[0], count, backwards, backwards ? count - 1 : 0, &slice->start));
    FST_TRY(fst_read_bound(
        machine, &bounds[1], count, backwards, backwards ? -1 : count, &stop));
    slice->count = 0;
    if (backwards && stop < slice->start)
        slice->count = (slice->start - stop - 1) / -slice->step + 1;
    else if (!backwards && slice->start < stop)
        slice->count = (stop - slice->start - 1) / slice->step + 1;
    return FST_DONE;
}

/* A slice of a list or tuple. */
FST_NOINLINE fst_status
fst_list_slice(fst_machine *machine, fst_cell *to, const fst_cell *sequence, fst_cell *bounds)
{
    const fst_list *list = (const fst_list *)sequence->object;
    const fst_type type = (fst_type)sequence->type;
    fst_slice slice;
    fst_list *part;
    int64_t i;
    FST_TRY(fst_read_slice(machine, bounds, list->count, &slice));
    FST_TRY(fst_charge_items(machine, (size_t)slice.count));
    part = fst_new_list(machine, (size_t)slice.count);
    if (part == NULL)
        return FST_NO_MEMORY;
    for (i = 0; i < slice.count; i++)
        part->items[i] = list->items[slice.start + i * slice.step];
    part->count = (uint32_t)slice.count;
    *to = fst_object(type, part);
    return FST_DONE;
}

/* ---------------------------------------------------------------- operators */

/* + of two lists, or of two tuples. */
FST_NOINLINE fst_status
fst_concatenate(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    const fst_list *first = (const fst_list *)left->object;
    const fst_list *second = (const fst_list *)right->object;
    const fst_type type = (fst_type)left->type;
    const size_t count = (size_t)first->count + second->count;
    fst_list *both = fst_new_list(machine, count);
    if (both == NULL)
        return FST_NO_MEMORY;
    FST_TRY(fst_charge_items(machine, count));
    memcpy(both->items, first->items, first->count * sizeof(fst_cell));
    memcpy(both->items + first->count, second->items, second->count * sizeof(fst_cell));
    both->count = (uint32_t)count;
    *to = fst_object(type, both);
    return FST_DONE;
}

/* A list or tuple times an integer. */
FST_NOINLINE fst_status
fst_repeat(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    const fst_list *list = (const fst_list *)left->object;
    const fst_type type = (fst_type)left->type;
    const int64_t times = right->integer < 0 ? 0 : right->integer;
    fst_list *result;
    int64_t i;
    if (times > FST_LIST_MOST || (uint64_t)times * list->count > FST_LIST_MOST)
        return FST_NO_MEMORY;
    result = fst_new_list(machine, (size_t)times * list->count);
    if (result == NULL)
        return FST_NO_MEMORY;
    FST_TRY(fst_charge_items(machine, (size_t)times * list->count + (size_t)times));
    for (i = 0; i < times; i++, result->count += list->count)
        memcpy(result->items + result->count, list->items, list->count * sizeof(fst_cell));
    *to = fst_object(type, result);
    return FST_DONE;
}

/* Appends what can be iterated to a list. */
FST_NOINLINE fst_status
fst_extend_in_order(fst_machine *machine, fst_list *list, fst_cell *from, int any_order)
{
    fst_cell iterator, item;
    int more;
    FST_TRY(fst_settle(machine, from));
    if (fst_is_list(from)) {
        /* It may be the list itself. */
        const fst_list *others = (const fst_list *)from->object;
        const uint32_t count = others->count;
        uint32_t i;
        FST_TRY(fst_charge_items(machine, count));
        for (i = 0; i < count; i++)
            FST_TRY(fst_append(machine, list, others->items[i]));
        return FST_DONE;
    }
    FST_TRY(fst_iterate_in_order(machine, &iterator, from, any_order));
    for (;;) {
        FST_TRY(fst_next_item(machine, &iterator, &item, &more));
        if (!more)
            return FST_DONE;
        FST_TRY(fst_append(machine, list, item));
    }
}

FST_INLINE fst_status
fst_extend(fst_machine *machine, fst_list *list, fst_cell *from)
{
    return fst_extend_in_order(machine, list, from, 0);
}

/* Spreads what can be iterated over so many cells: a ValueError if it has more items, or less. */
FST_NOINLINE fst_status
fst_unpack(fst_machine *machine, fst_cell *from, fst_cell *to, int count)
{
    fst_cell iterator, item;
    int more, i;
    FST_TRY(fst_settle(machine, from));
    if (fst_is_list(from)) {
        const fst_list *list = (const fst_list *)from->object;
        if (list->count != (uint32_t)count)
            return FST_VALUE_ERROR;
        memcpy(to, list->items, (size_t)count * sizeof *to);
        return FST_DONE;
    }
    FST_TRY(fst_iterate_cell(machine, &iterator, from));
    for (i = 0; i <= count; i++) {
        FST_TRY(fst_next_item(machine, &iterator, &item, &more));
        if (more != (i < count))
            return FST_VALUE_ERROR;
        if (more)
            to[i] = item;
    }
    return FST_DONE;
}

/* ---------------------------------------------------------------- searching */

/* The place of the first item from `start` on that is equal to a value; -1 if there is none. */
FST_NOINLINE fst_status
fst_find_item(
    fst_machine *machine, const fst_list *list, fst_cell *value, uint32_t start, uint32_t stop,
    int64_t *place)
{
    uint32_t i;
    int equal;
    FST_TRY(fst_settle(machine, value));
    *place = -1;
    for (i = start; i < stop && i < list->count; i++) {
        FST_TRY(fst_equal_item(machine, &list->items[i], value, &equal));
        if (equal) {
            *place = i;
            break;
        }
    }
    return FST_DONE;
}

/* list.count(value) and tuple.count(value) */
FST_NOINLINE fst_status
fst_list_count(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_list *list;
    int64_t count = 0;
    uint32_t i;
    int equal;
    FST_TRY(fst_shallow(machine, &arguments[0]));
    if (!fst_is_list(&arguments[0]))
        return fst_no_method(&arguments[0]);
    list = (const fst_list *)arguments[0].object;
    FST_TRY(fst_settle(machine, &arguments[1]));
    for (i = 0; i < list->count; i++) {
        FST_TRY(fst_equal_item(machine, &list->items[i], &arguments[1], &equal));
        count += equal;
    }
    *to = fst_int(count);
    return FST_DONE;
}

/* list.index(value, start?, stop?) and tuple.index */
FST_NOINLINE fst_status
fst_list_index(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_list *list;
    int64_t start, stop, place;
    FST_TRY(fst_shallow(machine, &arguments[0]));
    if (!fst_is_list(&arguments[0]))
        return fst_no_method(&arguments[0]);
    list = (const fst_list *)arguments[0].object;
    if (arguments[2].type == FST_NONE || arguments[3].type == FST_NONE)
        return FST_TYPE_ERROR;
    FST_TRY(fst_read_bound(machine, &arguments[2], list->count, 0, 0, &start));
    FST_TRY(fst_read_bound(machine, &arguments[3], list->count, 0, list->count, &stop));
    FST_TRY(fst_find_item(
        machine, list, &arguments[1], (uint32_t)start, (uint32_t)stop, &place));
    if (place < 0)
        return FST_VALUE_ERROR;
    *to = fst_int(place);
    return FST_DONE;
}

/* ---------------------------------------------------------------- changing lists */

/* list.append(item) */
FST_NOINLINE fst_status
fst_list_append(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *list = NULL;
    FST_TRY(fst_list_to_change(machine, &arguments[0], &list));
    *to = fst_none();
    return fst_append(machine, list, arguments[1]);
}

/* list.extend(iterable) */
FST_NOINLINE fst_status
fst_list_extend(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *list = NULL;
    FST_TRY(fst_list_to_change(machine, &arguments[0], &list));
    *to = fst_none();
    return fst_extend(machine, list, &arguments[1]);
}

/* list.insert(index, item) */
FST_NOINLINE fst_status
fst_list_insert(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *list = NULL;
    int64_t index;
    size_t moved;
    FST_TRY(fst_list_to_change(machine, &arguments[0], &list));
    if (arguments[1].type == FST_NONE)
        return FST_TYPE_ERROR;
    FST_TRY(fst_read_bound(machine, &arguments[1], list->count, 0, 0, &index));
    moved = list->count - (size_t)index;
    FST_TRY(fst_charge_items(machine, moved));
    FST_TRY(fst_append(machine, list, arguments[2]));
    memmove(&list->items[index + 1], &list->items[index], moved * sizeof(fst_cell));
    list->items[index] = arguments[2];
    *to = fst_none();
    return FST_DONE;
}

FST_INLINE fst_status
fst_remove_at(fst_machine *machine, fst_list *list, uint32_t place)
{
    const size_t moved = list->count - (size_t)place - 1;
    FST_TRY(fst_charge_items(machine, moved));
    memmove(&list->items[place], &list->items[place + 1], moved * sizeof(fst_cell));
    list->count--;
    return FST_DONE;
}

/* list.pop(index?) */
FST_NOINLINE fst_status
fst_list_pop(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *list = NULL;
    fst_cell last = fst_int(-1), item;
    uint32_t place;
    FST_TRY(fst_list_to_change(machine, &arguments[0], &list));
    FST_TRY(fst_read_place(
        machine, arguments[1].type == FST_UNSET ? &last : &arguments[1], list->count, &place));
    item = list->items[place];
    FST_TRY(fst_remove_at(machine, list, place));
    *to = item;
    return FST_DONE;
}

/* list.remove(value) */
FST_NOINLINE fst_status
fst_list_remove(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *list = NULL;
    int64_t place;
    FST_TRY(fst_list_to_change(machine, &arguments[0], &list));
    FST_TRY(fst_find_item(machine, list, &arguments[1], 0, list->count, &place));
    if (place < 0)
        return FST_VALUE_ERROR;
    *to = fst_none();
    return fst_remove_at(machine, list, (uint32_t)place);
}

/* list.reverse() */
FST_NOINLINE fst_status
fst_list_reverse(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *list = NULL;
    uint32_t i;
    FST_TRY(fst_list_to_change(machine, &arguments[0], &list));
    FST_TRY(fst_charge_items(machine, list->count));
    for (i = 0; i < list->count / 2; i++) {
        const fst_cell item = list->items[i];
        list->items[i] = list->items[list->count - 1 - i];
        list->items[list->count - 1 - i] = item;
    }
    *to = fst_none();
    return FST_DONE;
}

/* Makes a list of what can be iterated, or a tuple. */
FST_NOINLINE fst_status
fst_collect(fst_machine *machine, fst_cell *to, fst_type type, fst_cell *from, int any_order)
{
    fst_list *list = fst_new_list(machine, 0);
    if (list == NULL)
        return FST_NO_MEMORY;
    if (from->type != FST_UNSET)
        FST_TRY(fst_extend_in_order(machine, list, from, any_order));
    *to = fst_object(type, list);
    return FST_DONE;
}

/* list[start:stop] = items, or del list[start:stop] without items; with another step than 1 it is
 * given back. */
FST_NOINLINE fst_status
fst_set_slice(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *list = NULL;
    const fst_list *added;
    fst_cell items, *all;
    fst_slice slice;
    size_t start, rest, count;
    if (arguments[0].type != FST_LIST)
        return FST_GIVE_BACK;
    FST_TRY(fst_list_to_change(machine, &arguments[0], &list));
    FST_TRY(fst_read_slice(machine, &arguments[1], list->count, &slice));
    if (slice.step != 1)
        return FST_GIVE_BACK;
    FST_TRY(fst_collect(machine, &items, FST_LIST, &arguments[4], 0));
    added = (const fst_list *)items.object;
    start = (size_t)slice.start;
    rest = list->count - start - (size_t)slice.count;
    count = start + added->count + rest;
    FST_TRY(fst_charge_items(machine, added->count + rest));
    all = list->items;
    if (count > list->room) {
        if (count > FST_LIST_MOST
            || (all = (fst_cell *)fst_take(machine, count * sizeof *all)) == NULL)
            return FST_NO_MEMORY;
        memcpy(all, list->items, start * sizeof *all);
        list->room = (uint32_t)count;
    }
    memmove(&all[start + added->count], &list->items[list->count - rest], rest * sizeof *all);
    memcpy(&all[start], added->items, added->count * sizeof *all);
    list->items = all;
    list->count = (uint32_t)count;
    *to = fst_none();
    return FST_DONE;
}

#endif
