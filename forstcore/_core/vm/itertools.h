/* itertools.h: chain, zip_longest, pairwise, combinations and groupby of itertools, and zip(*iterables). */
#ifndef FST_VM_ITERTOOLS_H
#define FST_VM_ITERTOOLS_H

#include "sequences.h"

/* ---------------------------------------------------------------- chain */

/* chain.from_iterable(iterables) */
FST_NOINLINE fst_status
fst_chain(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_iterate_several(machine, FST_OVER_CHAIN, to, arguments, 1));
    ((fst_iterator *)to->object)->inner_count = 1;
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_next_of_chain(fst_machine *machine, fst_iterator *chain, fst_cell *to, int *more)
{
    fst_cell inner, item;
    for (;;) {
        if (chain->inner_count == 2) {
            inner = fst_object(FST_ITERATOR, chain->inner[1]);
            FST_TRY(fst_next_item(machine, &inner, to, more));
            if (*more)
                return FST_DONE;
            chain->inner_count = 1;
        }
        inner = fst_object(FST_ITERATOR, chain->inner[0]);
        FST_TRY(fst_next_item(machine, &inner, &item, more));
        if (!*more) {
            chain->over = FST_OVER_NOTHING;
            return FST_DONE;
        }
        FST_TRY(fst_iterate_cell(machine, &inner, &item));
        chain->inner[1] = (fst_iterator *)inner.object;
        /* Those around this one count how deep it is. */
        if (chain->inner[1]->depth > 0 || chain->inner[1] == chain)
            return FST_GIVE_BACK;
        chain->inner_count = 2;
    }
}

/* ---------------------------------------------------------------- zip_longest */

/* zip_longest of up to FST_ZIP_MOST iterables, then fillvalue? */
FST_NOINLINE fst_status
fst_zip_longest(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_cell *fill = &arguments[FST_ZIP_MOST];
    int count = 0;
    while (count < FST_ZIP_MOST && arguments[count].type != FST_UNSET)
        count++;
    FST_TRY(fst_iterate_several(machine, FST_OVER_LONGEST, to, arguments, count));
    ((fst_iterator *)to->object)->source = fill->type == FST_UNSET ? fst_none() : *fill;
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_next_of_longest(fst_machine *machine, fst_iterator *longest, fst_cell *to, int *more)
{
    fst_cell tuple, inner, *items;
    int i, has_more, count = 0;
    items = fst_make_tuple(machine, &tuple, (uint32_t)longest->inner_count);
    if (items == NULL)
        return FST_NO_MEMORY;
    for (i = 0; i < longest->inner_count; i++) {
        inner = fst_object(FST_ITERATOR, longest->inner[i]);
        FST_TRY(fst_next_item(machine, &inner, &items[i], &has_more));
        if (!has_more)
            items[i] = longest->source;
        count += has_more;
    }
    *more = count > 0;
    if (*more)
        *to = tuple;
    else
        longest->over = FST_OVER_NOTHING;
    return FST_DONE;
}

/* ---------------------------------------------------------------- pairwise */

FST_NOINLINE fst_status
fst_pairwise(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_iterate_several(machine, FST_OVER_PAIRS, to, arguments, 1);
}

FST_NOINLINE fst_status
fst_next_of_pairs(fst_machine *machine, fst_iterator *pairs, fst_cell *to, int *more)
{
    const fst_cell inner = fst_object(FST_ITERATOR, pairs->inner[0]);
    fst_cell item, *pair;
    if (pairs->place++ == 0)
        FST_TRY(fst_next_item(machine, &inner, &pairs->source, more));
    if (pairs->place == 1 && !*more) {
        pairs->over = FST_OVER_NOTHING;
        return FST_DONE;
    }
    FST_TRY(fst_next_item(machine, &inner, &item, more));
    if (!*more) {
        pairs->over = FST_OVER_NOTHING;
        return FST_DONE;
    }
    if ((pair = fst_make_tuple(machine, to, 2)) == NULL)
        return FST_NO_MEMORY;
    pair[0] = pairs->source;
    pair[1] = pairs->source = item;
    return FST_DONE;
}

/* ---------------------------------------------------------------- combinations */

/* combinations(iterable, 2) */
FST_NOINLINE fst_status
fst_combinations(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell collected, result, *pair;
    const fst_list *pool;
    uint32_t i, k;
    FST_TRY(fst_settle(machine, &arguments[1]));
    if (arguments[1].type != FST_INT || arguments[1].integer != 2)
        return FST_GIVE_BACK;
    FST_TRY(fst_collect(machine, &collected, FST_LIST, &arguments[0], 0));
    pool = (const fst_list *)collected.object;
    FST_TRY(fst_charge_items(machine, 8 * (size_t)pool->count * pool->count));
    result = fst_object(FST_LIST, fst_new_list(machine, 0));
    if (result.object == NULL)
        return FST_NO_MEMORY;
    for (i = 0; i < pool->count; i++)
        for (k = i + 1; k < pool->count; k++) {
            fst_cell tuple;
            if ((pair = fst_make_tuple(machine, &tuple, 2)) == NULL)
                return FST_NO_MEMORY;
            pair[0] = pool->items[i];
            pair[1] = pool->items[k];
            FST_TRY(fst_append(machine, (fst_list *)result.object, tuple));
        }
    return fst_iterate_cell(machine, to, &result);
}

/* ---------------------------------------------------------------- groupby */

/* What groupby() goes through: its groups, and the list that they were made of. */
typedef struct fst_groups {
    const fst_list *groups;     /* tuples of a key and an iterator */
    const fst_list *source;     /* NULL if nothing else refers to it */
    const fst_list *items;      /* those of the source */
} fst_groups;

/* groupby(items), where `keys` has a key for each. Two at a time are compared, as Python does. */
FST_NOINLINE fst_status
fst_groupby(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_cell *source = &arguments[0];
    const fst_list *keys = (const fst_list *)arguments[2].object;
    const fst_list *items = (const fst_list *)arguments[1].object;
    fst_groups *groups = (fst_groups *)fst_take(machine, sizeof *groups);
    fst_list *made = fst_new_list(machine, 0), *group = NULL;
    fst_iterator *iterator;
    uint32_t i;
    if (groups == NULL || made == NULL)
        return FST_NO_MEMORY;
    if (source->type == FST_ITERATOR || source->type == FST_DICT || source->type == FST_VIEW)
        return FST_GIVE_BACK;
    for (i = 0; i < items->count; i++) {
        int equal = 0;
        if (i > 0)
            FST_TRY(fst_equal_item(machine, &keys->items[i - 1], &keys->items[i], &equal));
        if (!equal) {
            fst_cell tuple, list, *pair = fst_make_tuple(machine, &tuple, 2);
            group = fst_new_list(machine, 0);
            if (pair == NULL || group == NULL)
                return FST_NO_MEMORY;
            list = fst_object(FST_LIST, group);
            pair[0] = keys->items[i];
            FST_TRY(fst_iterate_cell(machine, &pair[1], &list));
            FST_TRY(fst_append(machine, made, tuple));
        }
        FST_TRY(fst_append(machine, group, items->items[i]));
    }
    groups->groups = made;
    groups->items = items;
    groups->source = source->type == FST_LIST ? (const fst_list *)source->object : NULL;
    iterator = fst_new_iterator(machine, FST_OVER_GROUPS, source);
    if (iterator == NULL)
        return FST_NO_MEMORY;
    iterator->source.object = groups;
    iterator->depth = 1;
    *to = fst_object(FST_ITERATOR, iterator);
    return FST_DONE;
}

/* The group before has no more items once the next one is asked for. */
FST_NOINLINE fst_status
fst_next_of_groups(fst_machine *machine, fst_iterator *iterator, fst_cell *to, int *more)
{
    const fst_groups *groups = (const fst_groups *)iterator->source.object;
    const fst_list *source = groups->source, *items = groups->items;
    if (source != NULL) {
        /* Python sees what happens to the list meanwhile. */
        FST_TRY(fst_charge_items(machine, items->count));
        if (source->count != items->count
            || memcmp(source->items, items->items, items->count * sizeof *items->items) != 0)
            return FST_GIVE_BACK;
    }
    if (iterator->place > 0) {
        const fst_list *before
            = (const fst_list *)groups->groups->items[iterator->place - 1].object;
        ((fst_iterator *)before->items[1].object)->over = FST_OVER_NOTHING;
    }
    *more = iterator->place < groups->groups->count;
    if (*more)
        *to = groups->groups->items[iterator->place++];
    else
        iterator->over = FST_OVER_NOTHING;
    return FST_DONE;
}

/* ---------------------------------------------------------------- zip */

/* zip(*iterables) */
FST_NOINLINE fst_status
fst_zip_all(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell collected;
    const fst_list *list;
    FST_TRY(fst_collect(machine, &collected, FST_LIST, &arguments[0], 0));
    list = (const fst_list *)collected.object;
    return fst_iterate_several(
        machine, FST_OVER_ZIPPED, to, list->items, (int)list->count);
}

FST_NOINLINE fst_status
fst_next_of_itertools(fst_machine *machine, fst_iterator *iterator, fst_cell *to, int *more)
{
    if (iterator->over == FST_OVER_CHAIN)
        return fst_next_of_chain(machine, iterator, to, more);
    if (iterator->over == FST_OVER_PAIRS)
        return fst_next_of_pairs(machine, iterator, to, more);
    if (iterator->over == FST_OVER_LONGEST)
        return fst_next_of_longest(machine, iterator, to, more);
    return fst_next_of_groups(machine, iterator, to, more);
}

#define FST_ITERTOOLS_FUNCTIONS(X) \
    X("itertools.chain.from_iterable", "iterable/", fst_chain) \
    X("itertools.pairwise", "iterable/", fst_pairwise) \
    X("itertools.zip_longest", "a/?,b/?,c/?,d/?,e/?,f/?,g/?,h/?,*,fillvalue?", fst_zip_longest) \
    X("itertools.combinations", "iterable,r", fst_combinations) \
    X("<groupby>", "source,items,keys", fst_groupby) \
    X("<zip all>", "iterables", fst_zip_all)

#endif
