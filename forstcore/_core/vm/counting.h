/* counting.h: Counter and defaultdict of collections, which are dicts that have values for
 * missing keys. */
#ifndef FST_VM_COUNTING_H
#define FST_VM_COUNTING_H

#include "mappings.h"
#include "sort.h"

/* ---------------------------------------------------------------- defaultdict */

/* defaultdict(factory, others?), where the factory is an fst_missing */
FST_NOINLINE fst_status
fst_defaultdict_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_dict *dict = fst_new_dict(machine, 0);
    if (dict == NULL)
        return FST_NO_MEMORY;
    dict->missing = (uint32_t)arguments[0].integer;
    if (arguments[1].type != FST_UNSET)
        FST_TRY(fst_update_dict(machine, dict, &arguments[1]));
    *to = fst_object(FST_DICT, dict);
    return FST_DONE;
}

/* Copies a constant deeply, so that the copy may be changed. */
FST_NOINLINE fst_status
fst_copy_constant(fst_machine *machine, fst_cell *to, const fst_cell *from)
{
    const fst_list *items = (const fst_list *)from->object;
    const fst_dict *members = (const fst_dict *)from->object;
    fst_list *list;
    fst_dict *dict;
    fst_entry *entry;
    fst_cell part;
    uint32_t i, place = 0;
    if (--machine->fuel < 0)
        return FST_GIVE_BACK;
    *to = *from;
    switch (from->type) {
    case FST_LIST:
    case FST_TUPLE:
        to->object = list = fst_new_list(machine, items->count);
        if (list == NULL)
            return FST_NO_MEMORY;
        for (i = 0; i < items->count; i++) {
            FST_TRY(fst_copy_constant(machine, &part, &items->items[i]));
            FST_TRY(fst_append(machine, list, part));
        }
        return FST_DONE;
    case FST_SET:
    case FST_DICT:
        to->object = dict = fst_new_dict(machine, members->count);
        if (dict == NULL)
            return FST_NO_MEMORY;
        while ((entry = fst_next_entry(members, &place)) != NULL) {
            fst_cell key = entry->key;
            FST_TRY(fst_copy_constant(machine, &part, &entry->value));
            FST_TRY(fst_dict_set(machine, dict, &key, from->type == FST_SET ? NULL : &part));
        }
        return FST_DONE;
    default:
        return FST_DONE;
    }
}

/* Creates the value of a missing key; see fst_missing. */
FST_NOINLINE fst_status
fst_make_missing(fst_machine *machine, fst_dict *dict, fst_cell *key, fst_cell *to)
{
    fst_cell value = fst_int(0);
    fst_dict *inner;
    switch (dict->missing & FST_MISSING_KIND) {
    case FST_MISSING_NOTHING:
        FST_TRY(fst_copy_constant(
            machine, &value,
            &machine->program->constants[dict->missing / (FST_MISSING_KIND + 1) - 1]));
        break;
    case FST_MISSING_COUNT:
        *to = value;
        return FST_DONE;
    case FST_MISSING_INT:
        break;
    case FST_MISSING_FLOAT:
        value = fst_float(0.0);
        break;
    case FST_MISSING_STR:
        value = fst_empty_str();
        break;
    case FST_MISSING_LIST:
        value = fst_object(FST_LIST, fst_new_list(machine, 0));
        break;
    default:
        inner = fst_new_dict(machine, 0);
        value = fst_object(
            (dict->missing & FST_MISSING_KIND) == FST_MISSING_SET ? FST_SET : FST_DICT, inner);
        if (inner != NULL)
            inner->missing = dict->missing / (FST_MISSING_KIND + 1);
        break;
    }
    if ((value.type == FST_LIST || value.type == FST_SET || value.type == FST_DICT)
        && value.object == NULL)
        return FST_NO_MEMORY;
    if (dict->frozen)
        return FST_GIVE_BACK;
    FST_TRY(fst_dict_set(machine, dict, key, &value));
    *to = value;
    return FST_DONE;
}

/* ---------------------------------------------------------------- Counter */

/* Adds to the count of a key. */
FST_NOINLINE fst_status
fst_add_count(fst_machine *machine, fst_dict *counter, fst_cell *key, const fst_cell *by)
{
    fst_cell sum = *by, *found;
    FST_TRY(fst_settle(machine, key));
    FST_TRY(fst_dict_get(machine, counter, key, &found));
    if (found != NULL) {
        if (found->type != FST_INT || by->type != FST_INT || found->integer > INT32_MAX
            || by->integer > INT32_MAX || found->integer < INT32_MIN || by->integer < INT32_MIN)
            return FST_GIVE_BACK;
        sum = fst_int(found->integer + by->integer);
    }
    return fst_dict_set(machine, counter, key, &sum);
}

/* Counts the items of an iterable, or adds the counts of a dict. */
FST_NOINLINE fst_status
fst_count_items(fst_machine *machine, fst_dict *counter, fst_cell *from)
{
    const fst_cell one = fst_int(1);
    fst_cell iterator, item;
    int more;
    if (fst_is_left_out(from))
        return FST_DONE;
    FST_TRY(fst_settle(machine, from));
    if (from->type == FST_OBJECT_TEXT)
        FST_TRY(fst_shallow(machine, from));
    if (from->type == FST_DICT) {
        const fst_dict *others = (const fst_dict *)from->object;
        /* An empty counter takes all values as they are; another one adds 0 to those of new keys. */
        const int adds = counter->count > 0;
        fst_entry *entry;
        uint32_t place = 0;
        if (others == counter)
            return FST_GIVE_BACK;
        while ((entry = fst_next_entry(others, &place)) != NULL) {
            FST_TRY(fst_settle(machine, &entry->value));
            if (adds && entry->value.type != FST_INT)
                return FST_GIVE_BACK;
            FST_TRY(fst_add_count(machine, counter, &entry->key, &entry->value));
        }
        return FST_DONE;
    }
    FST_TRY(fst_iterate_cell(machine, &iterator, from));
    for (;;) {
        FST_TRY(fst_next_item(machine, &iterator, &item, &more));
        if (!more)
            return FST_DONE;
        FST_TRY(fst_add_count(machine, counter, &item, &one));
    }
}

/* Counter(iterable?) */
FST_NOINLINE fst_status
fst_counter_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_dict *counter = fst_new_dict(machine, 0);
    if (counter == NULL)
        return FST_NO_MEMORY;
    counter->missing = FST_MISSING_COUNT;
    FST_TRY(fst_count_items(machine, counter, &arguments[0]));
    *to = fst_object(FST_DICT, counter);
    return FST_DONE;
}

/* Counter.most_common(n?): equal counts stay in the order of their keys. */
FST_NOINLINE fst_status
fst_most_common(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *pairs, *counts, *pair;
    fst_entry *entry;
    fst_dict *dict = NULL;
    uint32_t place = 0;
    int64_t most;
    FST_TRY(fst_dict_of(machine, &arguments[0], &dict));
    if (dict->missing != FST_MISSING_COUNT)
        return FST_ATTRIBUTE_ERROR;
    most = dict->count;
    if (!fst_is_left_out(&arguments[1]))
        FST_TRY(fst_read_index(machine, &arguments[1], &most));
    pairs = fst_new_list(machine, dict->count);
    counts = fst_new_list(machine, dict->count);
    if (pairs == NULL || counts == NULL)
        return FST_NO_MEMORY;
    while ((entry = fst_next_entry(dict, &place)) != NULL) {
        pair = fst_new_list(machine, 2);
        if (pair == NULL)
            return FST_NO_MEMORY;
        pair->items[pair->count++] = entry->key;
        pair->items[pair->count++] = entry->value;
        if (entry->value.type != FST_INT)
            return FST_GIVE_BACK;
        FST_TRY(fst_append(machine, pairs, fst_object(FST_TUPLE, pair)));
        FST_TRY(fst_append(machine, counts, entry->value));
    }
    FST_TRY(fst_sort_by(machine, pairs, counts->items, 1));
    if (most < pairs->count)
        pairs->count = most < 0 ? 0 : (uint32_t)most;
    *to = fst_object(FST_LIST, pairs);
    return FST_DONE;
}

#define FST_COUNTING_FUNCTIONS(X) \
    X("<defaultdict>", "factory,others?", fst_defaultdict_new) \
    X("collections.Counter", "iterable/?", fst_counter_new) \
    X(".most_common", "self,n?", fst_most_common)

#endif
