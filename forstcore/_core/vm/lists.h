/* lists.h: lists and tuples. */
#ifndef FST_VM_LISTS_H
#define FST_VM_LISTS_H

#include "settle.h"

enum { FST_LIST_MOST = 1 << 24 };   /* items, after which a record is given back */

/* Returns an empty list with room for so many items; NULL if there is too little memory. */
FST_INLINE fst_list *
fst_new_list(fst_machine *machine, size_t room)
{
    fst_list *list;
    if (room > FST_LIST_MOST
        || (list = (fst_list *)fst_take(machine, sizeof *list)) == NULL)
        return NULL;
    list->count = list->frozen = 0;
    list->room = (uint32_t)room;
    list->items = (fst_cell *)fst_take(machine, room * sizeof(fst_cell));
    return list->items == NULL ? NULL : list;
}

FST_INLINE fst_status
fst_append(fst_machine *machine, fst_list *list, fst_cell item)
{
    if (list->count == list->room) {
        const size_t room = list->room < 4 ? 8 : 2 * (size_t)list->room;
        fst_cell *items;
        if (room > FST_LIST_MOST
            || (items = (fst_cell *)fst_take(machine, room * sizeof *items)) == NULL)
            return FST_NO_MEMORY;
        memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->room = (uint32_t)room;
    }
    list->items[list->count++] = item;
    return FST_DONE;
}

#endif
