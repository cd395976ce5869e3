/* results.h: what a program returns or yields, as lines of the output. */
#ifndef FST_VM_RESULTS_H
#define FST_VM_RESULTS_H

#include "iterate.h"
#include "paths.h"
#include "write.h"

enum { FST_COPIED_AT_ONCE = 32 };

/* Copies text of the program, or of a record that was read by its shape: behind both there are bytes
 * that may be read. `to` has room for FST_COPIED_AT_ONCE bytes more. */
FST_INLINE char *
fst_copy_ahead(char *to, const char *from, ptrdiff_t size)
{
    char *const end = to + size;
    do {
        memcpy(to, from, FST_COPIED_AT_ONCE);
        to += FST_COPIED_AT_ONCE;
        from += FST_COPIED_AT_ONCE;
    } while (to < end);
    return end;
}

/* Writes a piece of the text of a result. */
FST_INLINE fst_status
fst_put_piece(fst_machine *machine, const fst_span *piece)
{
    fst_output *output = machine->output;
    if (!fst_room(output, piece->size + FST_COPIED_AT_ONCE))
        return FST_NO_MEMORY;
    output->at = fst_copy_ahead(output->at, piece->start, piece->size);
    return FST_DONE;
}

/* Whether a number, which was read by its shape, has up to eight digits and nothing else. */
FST_INLINE int
fst_is_short_integer(const fst_value *number)
{
    const ptrdiff_t size = number->text.size;
    /* What is behind the number moves out. */
    return size <= 8
           && fst_are_digits(
               (fst_load_eight(number->text.start) ^ FST_ASCII_ZEROS) << 8 * (8 - size));
}

/* Writes the value at a path as it came, if that is how Python writes it, too; returns whether it
 * is. There is room for it. */
FST_INLINE int
fst_put_as_it_came(fst_machine *machine, const fst_value *value)
{
    char *at = machine->output->at;
    switch (value->kind) {
    case FST_STRING:
        if (!fst_is_plain_string(machine, value)
            && memchr(value->text.start, '\\', (size_t)value->text.size) != NULL)
            return 0;
        at = fst_copy_ahead(at, value->text.start - 1, value->text.size + 2);   /* with its quotes */
        break;
    case FST_NUMBER:
        at = fst_is_short_integer(value)
            ? fst_copy_ahead(at, value->text.start, value->text.size)
            : fst_write_normalized(at, value->text.start, value->text.size);
        break;
    case FST_NULL:
    case FST_FALSE:
    case FST_TRUE:
        at = fst_copy_ahead(at, value->text.start, value->text.size);
        break;
    default:
        return 0;
    }
    machine->output->at = at;
    return 1;
}

/* Writes a piece of the text of a result and, behind it, the value at a path, which stands in so
 * many containers. */
FST_INLINE fst_status
fst_put_path(fst_machine *machine, const fst_span *piece, int path, int outer)
{
    fst_output *output = machine->output;
    fst_value own;
    const fst_value *value = fst_value_at(machine, path, &own);
    /* The size of an object may not be known. */
    const ptrdiff_t size = value->kind <= FST_STRING ? value->text.size : 0;
    fst_cell cell;
    if (!fst_room(output, piece->size + size + FST_NUMBER_ROOM + 2 * FST_COPIED_AT_ONCE))
        return FST_NO_MEMORY;
    output->at = fst_copy_ahead(output->at, piece->start, piece->size);
    if (machine->marks != NULL && fst_put_as_it_came(machine, value))
        return FST_DONE;
    FST_TRY(fst_load_path(machine, &cell, path));
    return fst_write_value(machine, &cell, outer);
}

FST_INLINE fst_status
fst_emit(fst_machine *machine, fst_cell *result)
{
    FST_TRY(fst_write_value(machine, result, 0));
    fst_end(machine->output);
    if (fst_is_too_long(machine->output))
        return FST_GIVE_BACK;
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
