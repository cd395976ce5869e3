/* results.h: what a program returns or yields, as lines of the output. */
#ifndef FST_VM_RESULTS_H
#define FST_VM_RESULTS_H

#include "pending.h"
#include "write.h"

FST_INLINE fst_status
fst_emit(fst_machine *machine, fst_cell *result)
{
    FST_TRY(fst_write_value(machine, result, 0));
    fst_end(machine->output);
    return machine->output->failed ? FST_NO_MEMORY : FST_DONE;
}

/* A dict is a result, None is none, and anything else that can be iterated is several. */
FST_INLINE fst_status
fst_return(fst_machine *machine, fst_cell *result)
{
    fst_cell iterator, item;
    int more;
    switch (result->type) {
    case FST_NONE:
        return FST_DONE;
    case FST_LIST:
    case FST_TUPLE:
    case FST_SET:
    case FST_RANGE:
    case FST_VIEW:
    case FST_ITERATOR:
    case FST_ARRAY_TEXT:
        break;
    default:
        return fst_emit(machine, result);
    }
    FST_TRY(fst_iterate_cell(machine, &iterator, result));
    for (;;) {
        FST_TRY(fst_next_item(machine, &iterator, &item, &more));
        if (!more)
            return FST_DONE;
        FST_TRY(fst_emit(machine, &item));
    }
}

#endif
