/* deques.h: collections.deque, at whose ends items are added and removed. */
#ifndef FST_VM_DEQUES_H
#define FST_VM_DEQUES_H

#include "sequences.h"

FST_INLINE fst_deque *
fst_deque_of(const fst_cell *cell)
{
    return (fst_deque *)cell->object;
}

FST_INLINE void
fst_remove_first(fst_deque *deque)
{
    deque->list.items++;
    deque->list.count--;
    deque->list.room--;
}

/* Adds an item at the end; a full deque loses one at its beginning. */
FST_INLINE fst_status
fst_deque_add(fst_machine *machine, fst_deque *deque, fst_cell item)
{
    deque->changes++;
    FST_TRY(fst_append(machine, &deque->list, item));
    if (deque->list.count > deque->most)
        fst_remove_first(deque);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_deque_add_first(fst_machine *machine, fst_deque *deque, fst_cell item)
{
    fst_list *list = &deque->list;
    deque->changes++;
    if (deque->most == 0)
        return FST_DONE;
    if (list->count == deque->most)
        list->count--;
    FST_TRY(fst_charge_items(machine, list->count));
    FST_TRY(fst_append(machine, list, item));
    memmove(&list->items[1], &list->items[0], (list->count - 1) * sizeof item);
    list->items[0] = item;
    return FST_DONE;
}

/* Adds what can be iterated, at the end or item by item at the beginning. */
FST_NOINLINE fst_status
fst_deque_add_all(fst_machine *machine, fst_deque *deque, fst_cell *from, int is_first)
{
    fst_cell iterator, item;
    int more;
    if (from->type == FST_DEQUE && fst_deque_of(from) == deque)
        return FST_GIVE_BACK;
    FST_TRY(fst_iterate_cell(machine, &iterator, from));
    for (;;) {
        FST_TRY(fst_next_item(machine, &iterator, &item, &more));
        if (!more)
            return FST_DONE;
        FST_TRY(is_first ? fst_deque_add_first(machine, deque, item)
                         : fst_deque_add(machine, deque, item));
    }
}

/* deque(iterable?, maxlen?) */
FST_NOINLINE fst_status
fst_deque_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_deque *deque = (fst_deque *)fst_take(machine, sizeof *deque);
    const fst_list *list = fst_new_list(machine, 0);
    int64_t most;
    if (deque == NULL || list == NULL)
        return FST_NO_MEMORY;
    deque->list = *list;
    deque->most = FST_LIST_MOST;
    deque->changes = 0;
    if (arguments[1].type != FST_UNSET && arguments[1].type != FST_NONE) {
        FST_TRY(fst_read_index(machine, &arguments[1], &most));
        if (most < 0)
            return FST_VALUE_ERROR;
        if (most < FST_LIST_MOST)
            deque->most = (uint32_t)most;
    }
    *to = fst_object(FST_DEQUE, deque);
    return arguments[0].type == FST_UNSET
        ? FST_DONE
        : fst_deque_add_all(machine, deque, &arguments[0], 0);
}

/* list.append(item), deque.append(item) */
FST_NOINLINE fst_status
fst_append_item(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (arguments[0].type != FST_DEQUE)
        return fst_list_append(machine, to, arguments);
    *to = fst_none();
    return fst_deque_add(machine, fst_deque_of(&arguments[0]), arguments[1]);
}

/* list.extend(iterable), deque.extend(iterable) */
FST_NOINLINE fst_status
fst_append_items(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (arguments[0].type != FST_DEQUE)
        return fst_list_extend(machine, to, arguments);
    *to = fst_none();
    return fst_deque_add_all(machine, fst_deque_of(&arguments[0]), &arguments[1], 0);
}

/* The deque of a method that only deques have. */
FST_INLINE fst_status
fst_expect_deque(fst_machine *machine, fst_cell *self)
{
    FST_TRY(fst_shallow(machine, self));
    return self->type == FST_DEQUE ? FST_DONE
           : self->type == FST_LIST ? FST_ATTRIBUTE_ERROR : fst_no_method(self);
}

/* deque.appendleft(item) */
FST_NOINLINE fst_status
fst_deque_append_left(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_expect_deque(machine, &arguments[0]));
    *to = fst_none();
    return fst_deque_add_first(machine, fst_deque_of(&arguments[0]), arguments[1]);
}

/* deque.extendleft(iterable) */
FST_NOINLINE fst_status
fst_deque_extend_left(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_expect_deque(machine, &arguments[0]));
    *to = fst_none();
    return fst_deque_add_all(machine, fst_deque_of(&arguments[0]), &arguments[1], 1);
}

/* deque.pop() */
FST_NOINLINE fst_status
fst_deque_pop(fst_cell *to, const fst_cell *self)
{
    fst_deque *deque = fst_deque_of(self);
    if (deque->list.count == 0)
        return FST_INDEX_ERROR;
    *to = deque->list.items[--deque->list.count];
    deque->changes++;
    return FST_DONE;
}

/* deque.popleft() */
FST_NOINLINE fst_status
fst_deque_pop_left(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_deque *deque;
    FST_TRY(fst_expect_deque(machine, &arguments[0]));
    deque = fst_deque_of(&arguments[0]);
    if (deque->list.count == 0)
        return FST_INDEX_ERROR;
    *to = deque->list.items[0];
    fst_remove_first(deque);
    deque->changes++;
    return FST_DONE;
}

#define FST_DEQUE_FUNCTIONS(X) \
    X("collections.deque", "iterable?,maxlen?", fst_deque_new) \
    X(".append", "self,object/", fst_append_item) \
    X(".extend", "self,iterable/", fst_append_items) \
    X(".appendleft", "self,item/", fst_deque_append_left) \
    X(".extendleft", "self,iterable/", fst_deque_extend_left) \
    X(".popleft", "self", fst_deque_pop_left)

#endif
