/* containers.h: the functions and methods of lists, tuples, dicts, sets and iterators. */
#ifndef FST_VM_CONTAINERS_H
#define FST_VM_CONTAINERS_H

#include "deques.h"
#include "digests.h"
#include "sets.h"
#include "sort.h"
#include "subscripts.h"
#include "sums.h"

/* ---------------------------------------------------------------- methods of several types */

/* list.pop(index?), deque.pop(), dict.pop(key, default?) */
FST_NOINLINE fst_status
fst_pop(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (arguments[0].type == FST_DEQUE)
        return arguments[1].type == FST_UNSET ? fst_deque_pop(to, &arguments[0]) : FST_TYPE_ERROR;
    if (arguments[0].type == FST_LIST)
        return arguments[2].type == FST_UNSET ? fst_list_pop(machine, to, arguments)
                                              : FST_TYPE_ERROR;
    return fst_dict_pop(machine, to, arguments);
}

/* list.remove(value), set.remove(member) */
FST_NOINLINE fst_status
fst_remove(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (arguments[0].type == FST_SET)
        return fst_set_remove(machine, to, arguments);
    return fst_list_remove(machine, to, arguments);
}

/* dict.update(others?), set.update(others?, …), hash.update(data) */
FST_NOINLINE fst_status
fst_update(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_dict *dict = NULL;
    int i;
    if (arguments[0].type == FST_DIGEST)
        return fst_digest_update(machine, to, arguments);
    *to = fst_none();
    if (arguments[0].type == FST_SET) {
        FST_TRY(fst_set_to_change(&arguments[0], &dict));
        for (i = 1; i <= FST_OTHERS_MOST && arguments[i].type != FST_UNSET; i++)
            FST_TRY(fst_add_members(machine, dict, &arguments[i]));
        return FST_DONE;
    }
    FST_TRY(fst_dict_to_change(machine, &arguments[0], &dict));
    if (arguments[2].type != FST_UNSET)
        return FST_TYPE_ERROR;
    if (dict->missing == FST_MISSING_COUNT)
        return fst_count_items(machine, dict, &arguments[1]);
    return arguments[1].type == FST_UNSET ? FST_DONE
                                          : fst_update_dict(machine, dict, &arguments[1]);
}

/* list.clear(), deque.clear(), dict.clear(), set.clear() */
FST_NOINLINE fst_status
fst_clear(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_dict *dict = NULL;
    fst_list *list = NULL;
    *to = fst_none();
    if (arguments[0].type == FST_DEQUE) {
        fst_deque_of(&arguments[0])->list.count = 0;
        fst_deque_of(&arguments[0])->changes++;
        return FST_DONE;
    }
    if (arguments[0].type == FST_LIST) {
        FST_TRY(fst_list_to_change(machine, &arguments[0], &list));
        list->count = 0;
        return FST_DONE;
    }
    if (arguments[0].type == FST_SET)
        FST_TRY(fst_set_to_change(&arguments[0], &dict));
    else
        FST_TRY(fst_dict_to_change(machine, &arguments[0], &dict));
    if (dict->count > 0)
        dict->changes++;
    dict->count = dict->used = 0;
    /* The next key is added where there is no table with slots of the old ones. */
    dict->slots = NULL;
    dict->room = dict->filled = dict->mask = 0;
    return FST_DONE;
}

/* list.copy(), dict.copy(), set.copy() */
FST_NOINLINE fst_status
fst_copy_of(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_shallow(machine, &arguments[0]));
    if (arguments[0].type == FST_LIST)
        return fst_collect(machine, to, FST_LIST, &arguments[0], 0);
    if (arguments[0].type == FST_DICT || arguments[0].type == FST_SET)
        return fst_copy_dict(
            machine, to, (fst_type)arguments[0].type, (const fst_dict *)arguments[0].object);
    return fst_no_method(&arguments[0]);
}

/* ---------------------------------------------------------------- constructors */

FST_NOINLINE fst_status
fst_list_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_collect(machine, to, FST_LIST, &arguments[0], 0);
}

FST_NOINLINE fst_status
fst_tuple_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_collect(machine, to, FST_TUPLE, &arguments[0], 0);
}

FST_NOINLINE fst_status
fst_dict_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_dict *dict = fst_new_dict(machine, 0);
    if (dict == NULL)
        return FST_NO_MEMORY;
    if (arguments[0].type != FST_UNSET)
        FST_TRY(fst_update_dict(machine, dict, &arguments[0]));
    *to = fst_object(FST_DICT, dict);
    return FST_DONE;
}

FST_INLINE fst_status
fst_make_set_of(fst_machine *machine, fst_cell *to, fst_cell *from, uint32_t frozen)
{
    fst_dict *set = fst_new_dict(machine, 0);
    if (set == NULL)
        return FST_NO_MEMORY;
    if (from->type != FST_UNSET)
        FST_TRY(fst_add_members(machine, set, from));
    set->frozen = frozen;
    *to = fst_object(FST_SET, set);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_set_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_make_set_of(machine, to, &arguments[0], 0);
}

FST_NOINLINE fst_status
fst_frozenset_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_make_set_of(machine, to, &arguments[0], FST_FROZENSET);
}

/* range(stop), range(start, stop, step?) */
FST_NOINLINE fst_status
fst_range_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_range *range = (fst_range *)fst_take(machine, sizeof *range);
    if (range == NULL)
        return FST_NO_MEMORY;
    range->start = 0;
    range->step = 1;
    FST_TRY(fst_read_index(machine, &arguments[0], &range->stop));
    if (arguments[1].type != FST_UNSET) {
        range->start = range->stop;
        FST_TRY(fst_read_index(machine, &arguments[1], &range->stop));
    }
    if (arguments[2].type != FST_UNSET)
        FST_TRY(fst_read_index(machine, &arguments[2], &range->step));
    if (range->step == 0)
        return FST_VALUE_ERROR;
    *to = fst_object(FST_RANGE, range);
    return FST_DONE;
}

/* ---------------------------------------------------------------- other builtins */

FST_INLINE uint32_t
fst_count_elements(fst_machine *machine, const fst_cell *array)
{
    fst_items items = fst_iterate(machine->record, fst_value_of(array));
    fst_member element;
    uint32_t count = 0;
    machine->fuel -= array->size / FST_SHALLOW_BYTES;
    while (fst_next(&items, &element))
        count++;
    return count;
}

/* len(object) */
FST_NOINLINE fst_status
fst_len(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *object = &arguments[0];
    uint64_t count;
    FST_TRY(fst_settle(machine, object));
    if (object->type == FST_OBJECT_TEXT)
        FST_TRY(fst_shallow(machine, object));
    switch (object->type) {
    case FST_STR:
        count = fst_str_length(object);
        break;
    case FST_BYTES:
        count = object->size;
        break;
    case FST_ARRAY_TEXT:
        count = fst_count_elements(machine, object);
        break;
    case FST_LIST:
    case FST_TUPLE:
    case FST_DEQUE:
        count = ((const fst_list *)object->object)->count;
        break;
    case FST_DICT:
    case FST_SET:
    case FST_VIEW:
        count = ((const fst_dict *)object->object)->count;
        break;
    case FST_RANGE:
        count = fst_range_size((const fst_range *)object->object);
        break;
    case FST_NONE:
    case FST_BOOL:
    case FST_INT:
    case FST_FLOAT:
        return FST_TYPE_ERROR;
    default:
        return FST_GIVE_BACK;
    }
    if (count > INT32_MAX)
        return FST_GIVE_BACK;
    *to = fst_int((int64_t)count);
    return FST_DONE;
}

FST_INLINE fst_status
fst_find_truth(fst_machine *machine, fst_cell *to, fst_cell *from, int wanted)
{
    fst_cell iterator, item;
    int more, truth;
    FST_TRY(fst_iterate_in_order(machine, &iterator, from, 1));
    do {
        FST_TRY(fst_next_item(machine, &iterator, &item, &more));
        if (!more)
            break;
        FST_TRY(fst_truth(machine, &item, &truth));
    } while (truth != wanted);
    *to = fst_bool(more == wanted);
    return FST_DONE;
}

/* any(iterable) */
FST_NOINLINE fst_status
fst_any(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_find_truth(machine, to, &arguments[0], 1);
}

/* all(iterable) */
FST_NOINLINE fst_status
fst_all(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_find_truth(machine, to, &arguments[0], 0);
}

/* iter(iterable) */
FST_NOINLINE fst_status
fst_iter(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_iterate_cell(machine, to, &arguments[0]);
}

/* next(iterator, default?) */
FST_NOINLINE fst_status
fst_next_or(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int more;
    if (arguments[0].type != FST_ITERATOR)
        return FST_GIVE_BACK;
    FST_TRY(fst_next_item(machine, &arguments[0], to, &more));
    if (more)
        return FST_DONE;
    if (arguments[1].type == FST_UNSET)
        return FST_GIVE_BACK;       /* StopIteration */
    *to = arguments[1];
    return FST_DONE;
}

/* bool(value?) */
FST_NOINLINE fst_status
fst_bool_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int truth = 0;
    if (arguments[0].type != FST_UNSET)
        FST_TRY(fst_truth(machine, &arguments[0], &truth));
    *to = fst_bool(truth);
    return FST_DONE;
}

/* ---------------------------------------------------------------- all of them */

/* Positional-only parameters have a slash behind their names, which no keyword can have. */
#define FST_CONTAINER_FUNCTIONS(X) \
    X("len", "obj/", fst_len) \
    X("bool", "object/?", fst_bool_new) \
    X("any", "iterable/", fst_any) \
    X("all", "iterable/", fst_all) \
    X("sum", "iterable/,start?", fst_sum_of) \
    X("min", "arg1/,arg2/?,arg3/?,arg4/?,arg5/?,arg6/?,*,default?", fst_min) \
    X("max", "arg1/,arg2/?,arg3/?,arg4/?,arg5/?,arg6/?,*,default?", fst_max) \
    X("sorted", "iterable/,*,reverse?", fst_sorted_list) \
    X("<sort by keys>", "items,keys,reverse", fst_list_sort_by) \
    X("reversed", "sequence/", fst_reversed) \
    X("enumerate", "iterable,start?", fst_enumerate) \
    X("zip", "a/?,b/?,c/?,d/?,e/?,f/?,g/?,h/?,*,strict?", fst_zip) \
    X("iter", "object/", fst_iter) \
    X("next", "iterator/,default/?", fst_next_or) \
    X("range", "start/,stop/?,step/?", fst_range_new) \
    X("list", "iterable/?", fst_list_new) \
    X("tuple", "iterable/?", fst_tuple_new) \
    X("dict", "iterable/?", fst_dict_new) \
    X("set", "iterable/?", fst_set_new) \
    X("frozenset", "iterable/?", fst_frozenset_new) \
    X("builtins.dict.fromkeys", "iterable/,value/?", fst_dict_fromkeys) \
    X(".insert", "self,index/,object/", fst_list_insert) \
    X(".reverse", "self", fst_list_reverse) \
    X("<set slice>", "list,start?,stop?,step?,items?", fst_set_slice) \
    X(".sort", "self,*,reverse?", fst_list_sort) \
    X(".pop", "self,key/?,default/?", fst_pop) \
    X(".remove", "self,value/", fst_remove) \
    X(".clear", "self", fst_clear) \
    X(".copy", "self", fst_copy_of) \
    X(".update", "self,a/?,b/?,c/?,d/?", fst_update) \
    X(".get", "self,key/,default/?", fst_dict_get_or) \
    X(".setdefault", "self,key/,default/?", fst_dict_setdefault) \
    X(".popitem", "self", fst_dict_popitem) \
    X(".keys", "self", fst_dict_keys) \
    X(".values", "self", fst_dict_values) \
    X(".items", "self", fst_dict_items) \
    X(".add", "self,member/", fst_set_add) \
    X(".discard", "self,member/", fst_set_discard) \
    X(".union", "self,a/?,b/?,c/?,d/?", fst_set_union) \
    X(".intersection", "self,a/?,b/?,c/?,d/?", fst_set_intersection) \
    X(".difference", "self,a/?,b/?,c/?,d/?", fst_set_difference) \
    X(".symmetric_difference", "self,others/", fst_set_symmetric_difference) \
    X(".issubset", "self,others/", fst_set_issubset) \
    X(".issuperset", "self,others/", fst_set_issuperset) \
    X(".isdisjoint", "self,others/", fst_set_isdisjoint)

#endif
