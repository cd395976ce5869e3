/* settle.h: from the text of the record to strings and numbers. */
#ifndef FST_VM_SETTLE_H
#define FST_VM_SETTLE_H

#include "arena.h"

FST_COLD fst_status
fst_settle_string(fst_machine *machine, fst_cell *cell)
{
    char *text;
    ptrdiff_t size;
    if (memchr(cell->text, '\\', cell->size) == NULL) {
        *cell = fst_str(cell->text, cell->size, FST_CLEAN);
        return FST_DONE;
    }
    /* Up to eight bytes may be written behind the text. */
    text = (char *)fst_take(machine, (size_t)cell->size + 8);
    if (text == NULL)
        return FST_NO_MEMORY;
    size = machine->record->calls->unescape(text, cell->text, cell->size);
    *cell = fst_str(text, (size_t)size, 0);
    return FST_DONE;
}

FST_INLINE fst_status
fst_settle_number(fst_cell *cell)
{
    const char *text = cell->text;
    const ptrdiff_t size = cell->size;
    ptrdiff_t i;
    int64_t integer;
    if (fst_read_integer(text, size, &integer)) {
        *cell = fst_int(integer);
        return FST_DONE;
    }
    for (i = 0; i < size; i++)
        if (text[i] == '.' || text[i] == 'e' || text[i] == 'E') {
            *cell = fst_float(fst_read_number(text, size));
            return FST_DONE;
        }
    return FST_GIVE_BACK;
}

/* Turns FST_STRING_TEXT into FST_STR, and FST_NUMBER_TEXT into FST_INT or FST_FLOAT, in place; other
 * values stay. An integer beyond 64 bits is given back. */
FST_INLINE fst_status
fst_settle(fst_machine *machine, fst_cell *cell)
{
    if (cell->type == FST_NUMBER_TEXT)
        return fst_settle_number(cell);
    if (cell->type == FST_STRING_TEXT)
        return fst_settle_string(machine, cell);
    return FST_DONE;
}

#endif
