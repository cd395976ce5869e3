/* mappings.h: operations on dicts. */
#ifndef FST_VM_MAPPINGS_H
#define FST_VM_MAPPINGS_H

#include "sequences.h"

/* The dict of a method. */
FST_INLINE fst_status
fst_dict_of(fst_machine *machine, fst_cell *self, fst_dict **dict)
{
    FST_TRY(fst_shallow(machine, self));
    if (self->type != FST_DICT)
        return fst_no_method(self);
    *dict = (fst_dict *)self->object;
    return FST_DONE;
}

/* The dict of a method that changes it. */
FST_INLINE fst_status
fst_dict_to_change(fst_machine *machine, fst_cell *self, fst_dict **dict)
{
    FST_TRY(fst_dict_of(machine, self, dict));
    return (*dict)->frozen ? FST_GIVE_BACK : FST_DONE;
}

/* ---------------------------------------------------------------- merging */

/* Adds the entries of a dict to another one, which may be the same. */
FST_NOINLINE fst_status
fst_add_entries(fst_machine *machine, fst_dict *dict, const fst_dict *others)
{
    uint32_t place = 0;
    fst_entry *entry;
    if (dict == others)
        return FST_DONE;
    FST_TRY(fst_charge_items(machine, 8 * (size_t)others->used));
    while ((entry = fst_next_entry(others, &place)) != NULL)
        FST_TRY(fst_dict_set(machine, dict, &entry->key, &entry->value));
    return FST_DONE;
}

/* As {**mapping}. */
FST_NOINLINE fst_status
fst_merge(fst_machine *machine, fst_dict *dict, fst_cell *mapping)
{
    FST_TRY(fst_shallow(machine, mapping));
    if (mapping->type != FST_DICT)
        return mapping->type >= FST_NONE && mapping->type <= FST_TUPLE ? FST_TYPE_ERROR
                                                                       : FST_GIVE_BACK;
    return fst_add_entries(machine, dict, (const fst_dict *)mapping->object);
}

/* Makes a dict with the entries of another one. */
FST_NOINLINE fst_status
fst_copy_dict(fst_machine *machine, fst_cell *to, fst_type type, const fst_dict *dict)
{
    fst_dict *copy = fst_new_dict(machine, dict->count);
    if (copy == NULL)
        return FST_NO_MEMORY;
    FST_TRY(fst_add_entries(machine, copy, dict));
    copy->frozen = dict->frozen & FST_FROZENSET;
    copy->missing = dict->missing;
    *to = fst_object(type, copy);
    return FST_DONE;
}

/* | of two dicts. */
FST_NOINLINE fst_status
fst_dict_union(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    fst_cell both;
    FST_TRY(fst_copy_dict(machine, &both, FST_DICT, (const fst_dict *)left->object));
    FST_TRY(fst_add_entries(
        machine, (fst_dict *)both.object, (const fst_dict *)right->object));
    *to = both;
    return FST_DONE;
}

/* Adds pairs, as dict() and dict.update() take them. */
FST_NOINLINE fst_status
fst_add_pairs(fst_machine *machine, fst_dict *dict, fst_cell *pairs)
{
    fst_cell iterator, item, pair[2];
    int more;
    FST_TRY(fst_iterate_cell(machine, &iterator, pairs));
    for (;;) {
        FST_TRY(fst_next_item(machine, &iterator, &item, &more));
        if (!more)
            return FST_DONE;
        FST_TRY(fst_unpack(machine, &item, pair, 2));
        FST_TRY(fst_dict_set(machine, dict, &pair[0], &pair[1]));
    }
}

FST_NOINLINE fst_status
fst_update_dict(fst_machine *machine, fst_dict *dict, fst_cell *others)
{
    FST_TRY(fst_shallow(machine, others));
    if (others->type == FST_DICT)
        return fst_add_entries(machine, dict, (const fst_dict *)others->object);
    return fst_add_pairs(machine, dict, others);
}

/* ---------------------------------------------------------------- methods of dicts */

/* Finds a str among the members of an object of the record, without making a dict of it. */
FST_INLINE fst_status
fst_find_member(fst_machine *machine, const fst_cell *object, const fst_cell *name, fst_cell *to)
{
    fst_value value;
    machine->fuel -= object->size / FST_SHALLOW_BYTES;
    if (machine->fuel < 0)
        return FST_GIVE_BACK;
    value = fst_get(machine->record, fst_value_of(object), name->text, (ptrdiff_t)name->size);
    *to = fst_cell_of(machine, &value);
    return FST_DONE;
}

/* dict.get(key, default?) */
FST_NOINLINE fst_status
fst_dict_get_or(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_dict *dict = NULL;
    fst_cell *value;
    if (arguments[0].type == FST_OBJECT_TEXT && arguments[1].type == FST_STR) {
        FST_TRY(fst_find_member(machine, &arguments[0], &arguments[1], to));
        if (to->type == FST_UNSET)
            *to = fst_given_or_none(&arguments[2]);
        return FST_DONE;
    }
    FST_TRY(fst_dict_of(machine, &arguments[0], &dict));
    FST_TRY(fst_dict_get(machine, dict, &arguments[1], &value));
    *to = value != NULL ? *value : fst_given_or_none(&arguments[2]);
    return FST_DONE;
}

/* dict.setdefault(key, default?) */
FST_NOINLINE fst_status
fst_dict_setdefault(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_cell otherwise = fst_given_or_none(&arguments[2]);
    fst_dict *dict = NULL;
    fst_cell *value;
    FST_TRY(fst_dict_to_change(machine, &arguments[0], &dict));
    FST_TRY(fst_dict_get(machine, dict, &arguments[1], &value));
    *to = value != NULL ? *value : otherwise;
    return value != NULL ? FST_DONE : fst_dict_set(machine, dict, &arguments[1], &otherwise);
}

/* dict.pop(key, default?) */
FST_NOINLINE fst_status
fst_dict_pop(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_dict *dict = NULL;
    fst_cell value;
    int found;
    FST_TRY(fst_dict_to_change(machine, &arguments[0], &dict));
    if (arguments[1].type == FST_UNSET)
        return FST_TYPE_ERROR;
    found = dict->count > 0;        /* of an empty one Python does not hash the key */
    if (found)
        FST_TRY(fst_dict_delete(machine, dict, &arguments[1], &value, &found));
    if (!found && arguments[2].type == FST_UNSET)
        return FST_KEY_ERROR;
    *to = found ? value : arguments[2];
    return FST_DONE;
}

/* dict.popitem() */
FST_NOINLINE fst_status
fst_dict_popitem(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_dict *dict = NULL;
    fst_entry *last;
    fst_cell *pair;
    FST_TRY(fst_dict_to_change(machine, &arguments[0], &dict));
    if (dict->count == 0)
        return FST_KEY_ERROR;
    if ((pair = fst_make_tuple(machine, to, 2)) == NULL)
        return FST_NO_MEMORY;
    last = &dict->entries[dict->used - 1];
    pair[0] = last->key;
    pair[1] = last->value;
    fst_delete_entry(dict, last);
    return FST_DONE;
}

FST_INLINE fst_status
fst_view_of(fst_machine *machine, fst_cell *to, fst_cell *self, int view)
{
    fst_dict *dict = NULL;
    FST_TRY(fst_dict_of(machine, self, &dict));
    *to = fst_object(FST_VIEW, dict);
    to->flags = (uint8_t)view;
    return FST_DONE;
}

/* dict.keys() */
FST_NOINLINE fst_status
fst_dict_keys(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_view_of(machine, to, &arguments[0], FST_KEYS);
}

/* dict.values() */
FST_NOINLINE fst_status
fst_dict_values(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_view_of(machine, to, &arguments[0], FST_VALUES);
}

/* dict.items() */
FST_NOINLINE fst_status
fst_dict_items(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_view_of(machine, to, &arguments[0], FST_ITEMS);
}

/* dict.fromkeys(iterable, value?) */
FST_NOINLINE fst_status
fst_dict_fromkeys(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_cell value = fst_given_or_none(&arguments[1]);
    fst_dict *dict = fst_new_dict(machine, 0);
    fst_cell iterator, item;
    int more;
    if (dict == NULL)
        return FST_NO_MEMORY;
    FST_TRY(fst_iterate_cell(machine, &iterator, &arguments[0]));
    for (;;) {
        FST_TRY(fst_next_item(machine, &iterator, &item, &more));
        if (!more)
            break;
        FST_TRY(fst_dict_set(machine, dict, &item, &value));
    }
    *to = fst_object(FST_DICT, dict);
    return FST_DONE;
}

#endif
