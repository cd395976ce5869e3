/* sort.h: sorting, stable as Python's.
 *
 * Values with a total order, such as strings, or numbers without NaN, are sorted into the same
 * list by every stable sort. Where a comparison shows that there is none, the record is given
 * back. */
#ifndef FST_VM_SORT_H
#define FST_VM_SORT_H

#include "sequences.h"

enum { FST_SORT_RUN = 8 };      /* items that are sorted by insertion */

typedef enum fst_sorted_kind {
    FST_SORT_INTEGERS,
    FST_SORT_STRS,
    FST_SORT_OTHERS
} fst_sorted_kind;

/* A value to be sorted, and its key. */
typedef struct fst_sorted {
    fst_cell key;
    uint32_t place;             /* where it was */
} fst_sorted;

/* Whether `b`, which is behind `a` now, has to come before it. */
FST_INLINE fst_status
fst_is_misplaced(
    fst_machine *machine, fst_sorted_kind kind, int reverse, fst_sorted *a, fst_sorted *b,
    int *misplaced)
{
    int order = 0;
    if (kind == FST_SORT_INTEGERS) {
        order = (a->key.integer > b->key.integer) - (a->key.integer < b->key.integer);
    } else if (kind == FST_SORT_STRS) {
        order = fst_order_str(&a->key, &b->key);
    } else {
        const fst_status status = fst_order(machine, &a->key, &b->key, &order);
        /* Python may have compared others, before it came to those two. */
        if (status != FST_DONE)
            return status == FST_TYPE_ERROR && fst_is_list(&a->key) ? FST_GIVE_BACK : status;
        if (order == FST_UNORDERED)
            return FST_GIVE_BACK;
    }
    *misplaced = reverse ? order < 0 : order > 0;
    return FST_DONE;
}

FST_INLINE fst_status
fst_sort_run(
    fst_machine *machine, fst_sorted_kind kind, int reverse, fst_sorted *items, size_t count)
{
    size_t i, k;
    int misplaced;
    for (i = 1; i < count; i++) {
        fst_sorted item = items[i];
        for (k = i; k > 0; k--) {
            FST_TRY(fst_is_misplaced(machine, kind, reverse, &items[k - 1], &item, &misplaced));
            if (!misplaced)
                break;
            items[k] = items[k - 1];
        }
        items[k] = item;
    }
    return FST_DONE;
}

/* Merges two neighbours that are sorted into `to`. */
FST_INLINE fst_status
fst_merge_runs(
    fst_machine *machine, fst_sorted_kind kind, int reverse, fst_sorted *left, fst_sorted *right,
    fst_sorted *end, fst_sorted *to)
{
    fst_sorted *const middle = right;
    int misplaced = 0;
    if (right < end)
        FST_TRY(fst_is_misplaced(machine, kind, reverse, right - 1, right, &misplaced));
    if (misplaced) {
        while (left < middle && right < end) {
            FST_TRY(fst_is_misplaced(machine, kind, reverse, left, right, &misplaced));
            *to++ = misplaced ? *right++ : *left++;
        }
    }
    while (left < middle)
        *to++ = *left++;
    while (right < end)
        *to++ = *right++;
    return FST_DONE;
}

FST_INLINE fst_status
fst_merge_sort(
    fst_machine *machine, fst_sorted_kind kind, int reverse, fst_sorted **items, size_t count)
{
    fst_sorted *from = *items, *to;
    size_t width, at;
    for (at = 0; at < count; at += FST_SORT_RUN)
        FST_TRY(fst_sort_run(
            machine, kind, reverse, from + at,
            count - at < FST_SORT_RUN ? count - at : FST_SORT_RUN));
    if (count <= FST_SORT_RUN)
        return FST_DONE;
    to = (fst_sorted *)fst_take(machine, count * sizeof *to);
    if (to == NULL)
        return FST_NO_MEMORY;
    for (width = FST_SORT_RUN; width < count; width *= 2) {
        fst_sorted *other = from;
        FST_TRY(fst_charge_items(machine, 8 * count));
        for (at = 0; at < count; at += 2 * width) {
            const size_t middle = count - at < width ? count : at + width;
            const size_t end = count - at < 2 * width ? count : at + 2 * width;
            FST_TRY(fst_merge_runs(
                machine, kind, reverse, from + at, from + middle, from + end, to + at));
        }
        from = to;
        to = other;
    }
    *items = from;
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_sort_integers(fst_machine *machine, int reverse, fst_sorted **items, size_t count)
{
    return fst_merge_sort(machine, FST_SORT_INTEGERS, reverse, items, count);
}

FST_NOINLINE fst_status
fst_sort_strs(fst_machine *machine, int reverse, fst_sorted **items, size_t count)
{
    return fst_merge_sort(machine, FST_SORT_STRS, reverse, items, count);
}

FST_NOINLINE fst_status
fst_sort_others(fst_machine *machine, int reverse, fst_sorted **items, size_t count)
{
    return fst_merge_sort(machine, FST_SORT_OTHERS, reverse, items, count);
}

/* Sorts a list by a key for each of its items, which may be the items themselves. */
FST_NOINLINE fst_status
fst_sort_by(fst_machine *machine, fst_list *list, const fst_cell *keys, int reverse)
{
    const size_t count = list->count;
    fst_sorted *sorted;
    fst_cell *items;
    int integers = 1, strs = 1;
    size_t i;
    if (count < 2)
        return FST_DONE;
    FST_TRY(fst_charge_items(machine, 64 * count));
    sorted = (fst_sorted *)fst_take(machine, count * sizeof *sorted);
    items = (fst_cell *)fst_take(machine, count * sizeof *items);
    if (sorted == NULL || items == NULL)
        return FST_NO_MEMORY;
    for (i = 0; i < count; i++) {
        sorted[i].key = keys[i];
        sorted[i].place = (uint32_t)i;
        FST_TRY(fst_settle(machine, &sorted[i].key));
        integers &= sorted[i].key.type == FST_INT || sorted[i].key.type == FST_BOOL;
        strs &= sorted[i].key.type == FST_STR;
    }
    if (integers)
        FST_TRY(fst_sort_integers(machine, reverse, &sorted, count));
    else if (strs)
        FST_TRY(fst_sort_strs(machine, reverse, &sorted, count));
    else
        FST_TRY(fst_sort_others(machine, reverse, &sorted, count));
    memcpy(items, list->items, count * sizeof *items);
    for (i = 0; i < count; i++)
        list->items[i] = items[sorted[i].place];
    return FST_DONE;
}

/* ---------------------------------------------------------------- functions */

FST_INLINE fst_status
fst_read_flag(fst_machine *machine, fst_cell *cell, int *flag)
{
    *flag = 0;
    return cell->type == FST_UNSET ? FST_DONE : fst_truth(machine, cell, flag);
}

/* sorted(iterable, *, reverse?) */
FST_NOINLINE fst_status
fst_sorted_list(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell result;
    fst_list *list;
    int reverse;
    FST_TRY(fst_read_flag(machine, &arguments[1], &reverse));
    FST_TRY(fst_collect(machine, &result, FST_LIST, &arguments[0], 1));
    list = (fst_list *)result.object;
    FST_TRY(fst_sort_by(machine, list, list->items, reverse));
    *to = result;
    return FST_DONE;
}

/* list.sort(*, reverse?) */
FST_NOINLINE fst_status
fst_list_sort(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *list = NULL;
    int reverse;
    FST_TRY(fst_read_flag(machine, &arguments[1], &reverse));
    FST_TRY(fst_list_to_change(machine, &arguments[0], &list));
    FST_TRY(fst_sort_by(machine, list, list->items, reverse));
    *to = fst_none();
    return FST_DONE;
}

/* Sorts a list in place by a list of keys, which the compiled program has computed for its items. */
FST_NOINLINE fst_status
fst_list_sort_by(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *list = NULL;
    const fst_list *keys;
    int reverse;
    FST_TRY(fst_read_flag(machine, &arguments[2], &reverse));
    FST_TRY(fst_list_to_change(machine, &arguments[0], &list));
    FST_TRY(fst_shallow(machine, &arguments[1]));
    if (arguments[1].type != FST_LIST)
        return FST_GIVE_BACK;
    keys = (const fst_list *)arguments[1].object;
    if (keys->count != list->count)
        return FST_GIVE_BACK;
    FST_TRY(fst_sort_by(machine, list, keys->items, reverse));
    *to = fst_none();
    return FST_DONE;
}

#endif
