/* iterate.h: iterators. A change of their list during the iteration has the same effect as in
 * Python. */
#ifndef FST_VM_ITERATE_H
#define FST_VM_ITERATE_H

#include "characters.h"
#include "compare.h"

enum {
    FST_ZIP_MOST = 8,           /* iterables of a zip */
    FST_ITERATE_DEPTH = 8,      /* nested zip and enumerate; deeper ones are given back */
    FST_ITEM_BYTES = 64         /* of text of the record, that cost as much as an instruction */
};

typedef enum fst_iterated {
    FST_OVER_NOTHING,           /* at the end */
    FST_OVER_LIST,
    FST_OVER_LIST_BACKWARDS,
    FST_OVER_TEXT,              /* an array of the record */
    FST_OVER_ENTRIES,
    FST_OVER_STR,
    FST_OVER_STR_BACKWARDS,
    FST_OVER_BYTES,
    FST_OVER_DEQUE,
    FST_OVER_RANGE,
    FST_OVER_ENUMERATED,
    FST_OVER_ZIPPED,
    FST_OVER_LONGEST,           /* zipped, up to the end of all; `source` stands for what lacks */
    FST_OVER_CHAIN,             /* of what `inner[0]` has; `inner[1]` is over the current one */
    FST_OVER_PAIRS,             /* of neighbours */
    FST_OVER_GROUPS             /* see itertools.h */
} fst_iterated;

typedef struct fst_iterator {
    fst_iterated over;
    uint32_t place;             /* of the next item of a list, entry, or byte of a str */
    int64_t next;               /* of a range; how far an enumerate has counted */
    uint64_t left;              /* of a range */
    uint32_t changes;           /* of the dict or deque, when the iteration began */
    int view;                   /* of the dict: FST_KEYS and so on */
    int strict;                 /* zip */
    int depth;                  /* of zip and enumerate inside each other */
    fst_cell source;            /* what is iterated */
    fst_items items;            /* FST_OVER_TEXT */
    struct fst_iterator **inner;
    int inner_count;
} fst_iterator;

/* ---------------------------------------------------------------- beginning */

FST_INLINE fst_iterator *
fst_new_iterator(fst_machine *machine, fst_iterated over, const fst_cell *source)
{
    fst_iterator *iterator = (fst_iterator *)fst_take(machine, sizeof *iterator);
    if (iterator == NULL)
        return NULL;
    memset(iterator, 0, sizeof *iterator);
    iterator->over = over;
    iterator->source = *source;
    return iterator;
}

FST_INLINE void
fst_begin_entries(fst_iterator *iterator, int view)
{
    iterator->over = FST_OVER_ENTRIES;
    iterator->view = view;
    iterator->changes = ((const fst_dict *)iterator->source.object)->changes;
}

/* Begins to iterate. The order of a set of several items is not known, so the record is given
 * back unless the order does not matter. */
FST_NOINLINE fst_status
fst_iterate_in_order(fst_machine *machine, fst_cell *to, fst_cell *from, int any_order)
{
    fst_iterator *iterator;
    FST_TRY(fst_settle(machine, from));
    if (from->type == FST_ITERATOR) {
        *to = *from;
        return FST_DONE;
    }
    if (from->type == FST_OBJECT_TEXT)
        FST_TRY(fst_shallow(machine, from));
    iterator = fst_new_iterator(machine, FST_OVER_NOTHING, from);
    if (iterator == NULL)
        return FST_NO_MEMORY;
    switch (from->type) {
    case FST_LIST:
    case FST_TUPLE:
        iterator->over = FST_OVER_LIST;
        break;
    case FST_ARRAY_TEXT:
        iterator->over = FST_OVER_TEXT;
        iterator->items = fst_iterate(machine->record, fst_value_of(from));
        break;
    case FST_STR:
        iterator->over = FST_OVER_STR;
        break;
    case FST_BYTES:
        iterator->over = FST_OVER_BYTES;
        break;
    case FST_DEQUE:
        iterator->over = FST_OVER_DEQUE;
        iterator->changes = ((const fst_deque *)from->object)->changes;
        break;
    case FST_DICT:
        fst_begin_entries(iterator, FST_KEYS);
        break;
    case FST_VIEW:
        fst_begin_entries(iterator, from->flags);
        break;
    case FST_SET:
        if (!any_order && ((const fst_dict *)from->object)->count > 1)
            return FST_GIVE_BACK;
        fst_begin_entries(iterator, FST_KEYS);
        break;
    case FST_RANGE:
        iterator->over = FST_OVER_RANGE;
        iterator->next = ((const fst_range *)from->object)->start;
        iterator->left = fst_range_size((const fst_range *)from->object);
        break;
    case FST_NONE:
    case FST_BOOL:
    case FST_INT:
    case FST_FLOAT:
        return FST_TYPE_ERROR;
    default:
        return FST_GIVE_BACK;
    }
    *to = fst_object(FST_ITERATOR, iterator);
    return FST_DONE;
}

FST_INLINE fst_status
fst_iterate_cell(fst_machine *machine, fst_cell *to, fst_cell *from)
{
    return fst_iterate_in_order(machine, to, from, 0);
}

/* ---------------------------------------------------------------- next */

FST_NOINLINE fst_status
fst_next_of_others(fst_machine *machine, fst_iterator *iterator, fst_cell *to, int *more);

/* Fetches the next item, if there is one; else `to` stays. */
FST_INLINE fst_status
fst_next_item(fst_machine *machine, const fst_cell *cell, fst_cell *to, int *more)
{
    fst_iterator *iterator = (fst_iterator *)cell->object;
    if (--machine->fuel < 0)
        return FST_GIVE_BACK;
    if (iterator->over == FST_OVER_LIST) {
        const fst_list *list = (const fst_list *)iterator->source.object;
        *more = iterator->place < list->count;
        if (*more)
            *to = list->items[iterator->place++];
        else
            iterator->over = FST_OVER_NOTHING;
        return FST_DONE;
    }
    if (iterator->over == FST_OVER_RANGE) {
        *more = iterator->left > 0;
        if (*more) {
            *to = fst_int(iterator->next);
            iterator->left--;
            iterator->next = (int64_t)((uint64_t)iterator->next
                + (uint64_t)((const fst_range *)iterator->source.object)->step);
        }
        return FST_DONE;
    }
    return fst_next_of_others(machine, iterator, to, more);
}

/* Makes a tuple of a few items; returns where they are to be filled in, NULL if there is too little
 * memory. */
FST_INLINE fst_cell *
fst_make_tuple(fst_machine *machine, fst_cell *to, uint32_t count)
{
    fst_list *tuple = fst_new_list(machine, count);
    if (tuple == NULL)
        return NULL;
    tuple->count = count;
    *to = fst_object(FST_TUPLE, tuple);
    return tuple->items;
}

FST_NOINLINE fst_status
fst_next_of_entries(fst_machine *machine, fst_iterator *iterator, fst_cell *to, int *more)
{
    const fst_dict *dict = (const fst_dict *)iterator->source.object;
    const fst_entry *entry;
    fst_cell *pair;
    if (dict->changes != iterator->changes)
        return FST_GIVE_BACK;
    entry = fst_next_entry(dict, &iterator->place);
    *more = entry != NULL;
    if (entry == NULL) {
        iterator->over = FST_OVER_NOTHING;
    } else if (iterator->view == FST_KEYS) {
        *to = entry->key;
    } else if (iterator->view == FST_VALUES) {
        *to = entry->value;
    } else {
        if ((pair = fst_make_tuple(machine, to, 2)) == NULL)
            return FST_NO_MEMORY;
        pair[0] = entry->key;
        pair[1] = entry->value;
    }
    return FST_DONE;
}

/* A strict zip has items of all its iterables, or of none. */
FST_NOINLINE fst_status
fst_end_zipped(fst_machine *machine, fst_iterator *iterator, int ended)
{
    fst_cell item, inner;
    int i, more;
    iterator->over = FST_OVER_NOTHING;
    if (!iterator->strict)
        return FST_DONE;
    if (ended > 0)
        return FST_VALUE_ERROR;
    for (i = 1; i < iterator->inner_count; i++) {
        inner = fst_object(FST_ITERATOR, iterator->inner[i]);
        FST_TRY(fst_next_item(machine, &inner, &item, &more));
        if (more)
            return FST_VALUE_ERROR;
    }
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_next_of_several(fst_machine *machine, fst_iterator *iterator, fst_cell *to, int *more)
{
    const int counts = iterator->over == FST_OVER_ENUMERATED;
    fst_cell tuple, *items, inner;
    int i;
    *more = 0;
    items = fst_make_tuple(machine, &tuple, (uint32_t)(counts + iterator->inner_count));
    if (items == NULL)
        return FST_NO_MEMORY;
    for (i = 0; i < iterator->inner_count; i++) {
        inner = fst_object(FST_ITERATOR, iterator->inner[i]);
        FST_TRY(fst_next_item(machine, &inner, &items[counts + i], more));
        if (!*more)
            return fst_end_zipped(machine, iterator, i);
    }
    if (counts) {
        if (iterator->next == INT64_MAX)
            return FST_GIVE_BACK;
        items[0] = fst_int(iterator->next++);
    }
    *more = iterator->inner_count > 0;
    if (*more)
        *to = tuple;
    return FST_DONE;
}

/* See itertools.h. */
FST_NOINLINE fst_status
fst_next_of_itertools(fst_machine *machine, fst_iterator *iterator, fst_cell *to, int *more);

FST_NOINLINE fst_status
fst_next_of_others(fst_machine *machine, fst_iterator *iterator, fst_cell *to, int *more)
{
    const fst_list *list;
    fst_member item;
    *more = 1;
    switch (iterator->over) {
    case FST_OVER_TEXT:
        if (!fst_next(&iterator->items, &item))
            break;
        machine->fuel -= item.value.text.size / FST_ITEM_BYTES;
        *to = fst_cell_of(machine, &item.value);
        return FST_DONE;
    case FST_OVER_ENTRIES:
        return fst_next_of_entries(machine, iterator, to, more);
    case FST_OVER_STR:
        if (iterator->place == iterator->source.size)
            break;
        *to = fst_character_at(&iterator->source, iterator->place);
        iterator->place += to->size;
        return FST_DONE;
    case FST_OVER_STR_BACKWARDS:
        if (iterator->place == 0)
            break;
        do
            iterator->place--;
        while ((iterator->source.text[iterator->place] & 0xc0) == 0x80);
        *to = fst_character_at(&iterator->source, iterator->place);
        return FST_DONE;
    case FST_OVER_DEQUE:
        list = (const fst_list *)iterator->source.object;
        if (((const fst_deque *)iterator->source.object)->changes != iterator->changes)
            return FST_GIVE_BACK;
        if (iterator->place == list->count)
            break;
        *to = list->items[iterator->place++];
        return FST_DONE;
    case FST_OVER_BYTES:
        if (iterator->place == iterator->source.size)
            break;
        *to = fst_int((unsigned char)iterator->source.text[iterator->place++]);
        return FST_DONE;
    case FST_OVER_LIST_BACKWARDS:
        list = (const fst_list *)iterator->source.object;
        /* The place is the number of items before; the list may have become shorter. */
        if (iterator->place == 0 || iterator->place > list->count)
            break;
        *to = list->items[--iterator->place];
        return FST_DONE;
    case FST_OVER_ENUMERATED:
    case FST_OVER_ZIPPED:
        return fst_next_of_several(machine, iterator, to, more);
    case FST_OVER_LONGEST:
    case FST_OVER_CHAIN:
    case FST_OVER_PAIRS:
    case FST_OVER_GROUPS:
        return fst_next_of_itertools(machine, iterator, to, more);
    default:
        break;
    }
    *more = 0;
    iterator->over = FST_OVER_NOTHING;
    return FST_DONE;
}

/* ---------------------------------------------------------------- made of iterators */

/* Makes an iterator over others, which `from` says; begins to iterate each. */
FST_NOINLINE fst_status
fst_iterate_several(
    fst_machine *machine, fst_iterated over, fst_cell *to, fst_cell *from, int count)
{
    const fst_cell none = fst_none();
    fst_iterator *iterator = fst_new_iterator(machine, over, &none);
    int i;
    if (iterator == NULL)
        return FST_NO_MEMORY;
    iterator->inner = (fst_iterator **)fst_take(
        machine, (size_t)(count + 1) * sizeof *iterator->inner);
    if (iterator->inner == NULL)
        return FST_NO_MEMORY;
    iterator->inner_count = count;
    for (i = 0; i < count; i++) {
        fst_cell inner;
        FST_TRY(fst_iterate_cell(machine, &inner, &from[i]));
        iterator->inner[i] = (fst_iterator *)inner.object;
        if (iterator->depth <= iterator->inner[i]->depth)
            iterator->depth = iterator->inner[i]->depth + 1;
    }
    if (iterator->depth > FST_ITERATE_DEPTH)
        return FST_GIVE_BACK;
    *to = fst_object(FST_ITERATOR, iterator);
    return FST_DONE;
}

/* enumerate(iterable, start?) */
FST_NOINLINE fst_status
fst_enumerate(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t start = 0;
    FST_TRY(fst_settle(machine, &arguments[1]));
    if (arguments[1].type == FST_INT || arguments[1].type == FST_BOOL)
        start = arguments[1].integer;
    else if (arguments[1].type != FST_UNSET)
        return FST_GIVE_BACK;
    FST_TRY(fst_iterate_several(machine, FST_OVER_ENUMERATED, to, arguments, 1));
    ((fst_iterator *)to->object)->next = start;
    return FST_DONE;
}

/* zip of up to FST_ZIP_MOST iterables, then strict? */
FST_NOINLINE fst_status
fst_zip(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *strict = &arguments[FST_ZIP_MOST];
    int count = 0, is_strict = 0;
    while (count < FST_ZIP_MOST && arguments[count].type != FST_UNSET)
        count++;
    if (strict->type != FST_UNSET)
        FST_TRY(fst_truth(machine, strict, &is_strict));
    FST_TRY(fst_iterate_several(machine, FST_OVER_ZIPPED, to, arguments, count));
    ((fst_iterator *)to->object)->strict = is_strict;
    return FST_DONE;
}

/* reversed(sequence) */
FST_NOINLINE fst_status
fst_reversed(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_iterator *iterator;
    fst_cell *source = &arguments[0];
    FST_TRY(fst_settle(machine, source));
    FST_TRY(fst_shallow(machine, source));
    iterator = fst_new_iterator(machine, FST_OVER_LIST_BACKWARDS, source);
    if (iterator == NULL)
        return FST_NO_MEMORY;
    if (source->type == FST_LIST || source->type == FST_TUPLE) {
        iterator->place = ((const fst_list *)source->object)->count;
    } else if (source->type == FST_STR) {
        iterator->over = FST_OVER_STR_BACKWARDS;
        iterator->place = source->size;
    } else if (source->type == FST_RANGE) {
        /* The last item, and from there back. */
        const fst_range *range = (const fst_range *)source->object;
        fst_range *back = (fst_range *)fst_take(machine, sizeof *back);
        if (back == NULL)
            return FST_NO_MEMORY;
        if (range->step == INT64_MIN)
            return FST_GIVE_BACK;
        back->step = -range->step;
        iterator->over = FST_OVER_RANGE;
        iterator->left = fst_range_size(range);
        iterator->next = (int64_t)((uint64_t)range->start
            + (iterator->left - 1) * (uint64_t)range->step);
        iterator->source.object = back;
    } else {
        return FST_GIVE_BACK;
    }
    *to = fst_object(FST_ITERATOR, iterator);
    return FST_DONE;
}

#endif
