/* sets.h: operations on sets. */
#ifndef FST_VM_SETS_H
#define FST_VM_SETS_H

#include "mappings.h"
#include "opcodes.h"

enum { FST_OTHERS_MOST = 4 };   /* arguments of methods of sets */

/* The set of a method that changes it. */
FST_INLINE fst_status
fst_set_to_change(const fst_cell *self, fst_dict **set)
{
    if (self->type != FST_SET)
        return fst_no_method(self);
    *set = (fst_dict *)self->object;
    return (*set)->frozen ? FST_GIVE_BACK : FST_DONE;
}

/* Adds what can be iterated to a set. */
FST_NOINLINE fst_status
fst_add_members(fst_machine *machine, fst_dict *set, fst_cell *from)
{
    fst_cell iterator, item;
    int more;
    if (from->type == FST_SET)
        return fst_add_entries(machine, set, (const fst_dict *)from->object);
    FST_TRY(fst_iterate_cell(machine, &iterator, from));
    for (;;) {
        FST_TRY(fst_next_item(machine, &iterator, &item, &more));
        if (!more)
            return FST_DONE;
        FST_TRY(fst_dict_set(machine, set, &item, NULL));
    }
}

/* set.add(member) */
FST_NOINLINE fst_status
fst_set_add(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_dict *set = NULL;
    FST_TRY(fst_set_to_change(&arguments[0], &set));
    *to = fst_none();
    return fst_dict_set(machine, set, &arguments[1], NULL);
}

FST_INLINE fst_status
fst_set_take_out(fst_machine *machine, fst_cell *to, fst_cell *arguments, int *found)
{
    fst_dict *set = NULL;
    fst_cell value;
    FST_TRY(fst_set_to_change(&arguments[0], &set));
    *to = fst_none();
    return fst_dict_delete(machine, set, &arguments[1], &value, found);
}

/* set.discard(member) */
FST_NOINLINE fst_status
fst_set_discard(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int found;
    return fst_set_take_out(machine, to, arguments, &found);
}

/* set.remove(member) */
FST_NOINLINE fst_status
fst_set_remove(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int found;
    FST_TRY(fst_set_take_out(machine, to, arguments, &found));
    return found ? FST_DONE : FST_KEY_ERROR;
}

/* Adds to a set what is in `from`, of which each has to be in `others`, or must not be. */
FST_NOINLINE fst_status
fst_add_if(
    fst_machine *machine, fst_dict *set, const fst_dict *from, const fst_dict *others, int wanted)
{
    uint32_t place = 0;
    fst_entry *entry;
    fst_cell *value;
    FST_TRY(fst_charge_items(machine, 8 * (size_t)from->used));
    while ((entry = fst_next_entry(from, &place)) != NULL) {
        FST_TRY(fst_dict_get(machine, others, &entry->key, &value));
        if ((value != NULL) == wanted)
            FST_TRY(fst_dict_set(machine, set, &entry->key, NULL));
    }
    return FST_DONE;
}

/* Whether a value is a set to operators: keys() of a dict is one. */
FST_INLINE int
fst_is_set_like(const fst_cell *cell)
{
    return cell->type == FST_SET || (cell->type == FST_VIEW && cell->flags == FST_KEYS);
}

FST_INLINE int
fst_has_str_keys(const fst_dict *dict)
{
    uint32_t place = 0;
    const fst_entry *entry;
    while ((entry = fst_next_entry(dict, &place)) != NULL)
        if (entry->key.type != FST_STR)
            return 0;
    return 1;
}

/* &, |, - and ^ of two sets, by the code of the operator. Of equal members, such as 1 and True, the
 * result has the one that Python takes. */
FST_NOINLINE fst_status
fst_set_operation(fst_machine *machine, fst_cell *to, int code, fst_cell *left, fst_cell *right)
{
    const fst_dict *a = (const fst_dict *)left->object, *b = (const fst_dict *)right->object;
    fst_dict *set = fst_new_dict(machine, 0);
    if (set == NULL)
        return FST_NO_MEMORY;
    if (left->type == FST_SET && right->type == FST_SET)
        set->frozen = a->frozen & FST_FROZENSET;
    else if (!fst_has_str_keys(a))
        return FST_GIVE_BACK;
    switch (code) {
    case FST_OP_OR:
        FST_TRY(fst_add_if(machine, set, a, set, 0));
        FST_TRY(fst_add_if(machine, set, b, set, 0));
        break;
    case FST_OP_AND:
        if (b->count > a->count)
            FST_TRY(fst_add_if(machine, set, a, b, 1));
        else
            FST_TRY(fst_add_if(machine, set, b, a, 1));
        break;
    case FST_OP_SUBTRACT:
        FST_TRY(fst_add_if(machine, set, a, b, 0));
        break;
    default:
        FST_TRY(fst_add_if(machine, set, a, b, 0));
        FST_TRY(fst_add_if(machine, set, b, a, 0));
        break;
    }
    *to = fst_object(FST_SET, set);
    return FST_DONE;
}

/* Makes a set of what can be iterated, which may be a set already. */
FST_INLINE fst_status
fst_set_of(fst_machine *machine, fst_cell *to, fst_cell *from)
{
    fst_dict *set;
    if (from->type == FST_SET) {
        *to = *from;
        return FST_DONE;
    }
    set = fst_new_dict(machine, 0);
    if (set == NULL)
        return FST_NO_MEMORY;
    FST_TRY(fst_add_members(machine, set, from));
    *to = fst_object(FST_SET, set);
    return FST_DONE;
}

/* The argument of a method as a set. Python may be done before it comes to what cannot be in one. */
FST_INLINE fst_status
fst_others_of(fst_machine *machine, fst_cell *to, fst_cell *from)
{
    const fst_status status = fst_set_of(machine, to, from);
    return status == FST_TYPE_ERROR ? FST_GIVE_BACK : status;
}

/* What an operator does, with anything that can be iterated. */
FST_INLINE fst_status
fst_set_operation_with(
    fst_machine *machine, fst_cell *to, int code, fst_cell *left, fst_cell *right)
{
    const fst_dict *set = (const fst_dict *)left->object;
    fst_dict *result;
    fst_cell others;
    FST_TRY(fst_others_of(machine, &others, right));
    if (code != FST_OP_AND || right->type == FST_SET)
        return fst_set_operation(machine, to, code, left, &others);
    /* Of what is no set Python takes the members from there. */
    result = fst_new_dict(machine, 0);
    if (result == NULL)
        return FST_NO_MEMORY;
    FST_TRY(fst_add_if(machine, result, (const fst_dict *)others.object, set, 1));
    result->frozen = set->frozen & FST_FROZENSET;
    *to = fst_object(FST_SET, result);
    return FST_DONE;
}

/* A method that does what an operator does, with each of several arguments. */
FST_INLINE fst_status
fst_set_method(fst_machine *machine, fst_cell *to, fst_cell *arguments, int code, int most)
{
    fst_cell result = arguments[0], next;
    int i;
    if (result.type != FST_SET)
        return fst_no_method(&result);
    if (arguments[1].type == FST_UNSET)
        return fst_copy_dict(machine, to, FST_SET, (const fst_dict *)result.object);
    for (i = 1; i <= most && arguments[i].type != FST_UNSET; i++) {
        FST_TRY(fst_set_operation_with(machine, &next, code, &result, &arguments[i]));
        result = next;
    }
    *to = result;
    return FST_DONE;
}

/* set.union(others?, …) */
FST_NOINLINE fst_status
fst_set_union(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_set_method(machine, to, arguments, FST_OP_OR, FST_OTHERS_MOST);
}

/* set.intersection(others?, …) */
FST_NOINLINE fst_status
fst_set_intersection(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_set_method(machine, to, arguments, FST_OP_AND, FST_OTHERS_MOST);
}

/* set.difference(others?, …) */
FST_NOINLINE fst_status
fst_set_difference(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_set_method(machine, to, arguments, FST_OP_SUBTRACT, FST_OTHERS_MOST);
}

/* set.symmetric_difference(others) */
FST_NOINLINE fst_status
fst_set_symmetric_difference(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_set_method(machine, to, arguments, FST_OP_XOR, 1);
}

/* Compares a set with another one, or with what can be iterated. */
FST_INLINE fst_status
fst_compare_sets(
    fst_machine *machine, fst_cell *arguments, uint32_t *common, uint32_t *left, uint32_t *right)
{
    fst_cell others;
    if (arguments[0].type != FST_SET)
        return fst_no_method(&arguments[0]);
    FST_TRY(fst_others_of(machine, &others, &arguments[1]));
    *left = ((const fst_dict *)arguments[0].object)->count;
    *right = ((const fst_dict *)others.object)->count;
    return fst_count_common(
        machine, (const fst_dict *)arguments[0].object, (const fst_dict *)others.object, common);
}

/* set.issubset(others) */
FST_NOINLINE fst_status
fst_set_issubset(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    uint32_t common = 0, left = 0, right = 0;
    FST_TRY(fst_compare_sets(machine, arguments, &common, &left, &right));
    *to = fst_bool(common == left);
    return FST_DONE;
}

/* set.issuperset(others) */
FST_NOINLINE fst_status
fst_set_issuperset(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    uint32_t common = 0, left = 0, right = 0;
    FST_TRY(fst_compare_sets(machine, arguments, &common, &left, &right));
    *to = fst_bool(common == right);
    return FST_DONE;
}

/* set.isdisjoint(others) */
FST_NOINLINE fst_status
fst_set_isdisjoint(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    uint32_t common = 0, left = 0, right = 0;
    FST_TRY(fst_compare_sets(machine, arguments, &common, &left, &right));
    *to = fst_bool(common == 0);
    return FST_DONE;
}

#endif
