/* settle.h: converts the text of the record to strings and numbers. */
#ifndef FST_VM_SETTLE_H
#define FST_VM_SETTLE_H

#include "arena.h"

FST_NOINLINE fst_status
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

/* An integer of 64 bits without a sign, as some ids are; larger ones are given back. */
FST_NOINLINE fst_status
fst_settle_unsigned(fst_machine *machine, fst_cell *cell)
{
    const char *text = cell->text, *end = text + cell->size;
    uint64_t sum = 0, last = 0;
    char *word;
    if (cell->size > 19) {
        last = (uint64_t)(*--end - '0');
        if (cell->size > 20 || fst_read_digits(text, end, &sum) != end
            || sum > (UINT64_MAX - last) / 10)
            return FST_GIVE_BACK;
        sum = 10 * sum + last;
    } else if (fst_read_digits(text, end, &sum) != end) {
        return FST_GIVE_BACK;
    }
    word = (char *)fst_take(machine, sizeof sum);
    if (word == NULL)
        return FST_NO_MEMORY;
    fst_store_eight(word, sum);
    *cell = fst_big_integer(word, 1, 0);
    return FST_DONE;
}

/* As fst_settle_number, for numbers with more than a few digits or with an exponent. */
FST_NOINLINE fst_status
fst_settle_long_number(fst_machine *machine, fst_cell *cell)
{
    const char *text = cell->text;
    const ptrdiff_t size = cell->size;
    const fst_decimal number = fst_read_decimal(text, size);
    int64_t integer;
    if (number.places > 0 || number.end < text + size) {
        *cell = fst_float(fst_double_of(&number));
        return FST_DONE;
    }
    if (!fst_read_integer(text, size, &integer))
        return fst_settle_unsigned(machine, cell);
    *cell = fst_int(integer);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_settle_number(fst_machine *machine, fst_cell *cell)
{
    const char *text = cell->text;
    const ptrdiff_t size = cell->size;
    const int negative = *text == '-';
    uint64_t digits;
    int places;
    if (fst_read_eight_digits(text, size, &digits)) {
        *cell = fst_int((int64_t)digits);
        return FST_DONE;
    }
    if (!fst_read_few_digits(text + negative, size - negative, &digits, &places)
        || (places > 0 && digits > FST_EXACT_INTEGERS))
        return fst_settle_long_number(machine, cell);
    if (places > 0) {
        const double number = (double)(int64_t)digits / FST_POWERS[places];
        *cell = fst_float(negative ? -number : number);
    } else {
        *cell = fst_int(negative ? -(int64_t)digits : (int64_t)digits);
    }
    return FST_DONE;
}

/* Turns FST_STRING_TEXT into FST_STR, and FST_NUMBER_TEXT into FST_INT or FST_FLOAT, in place; other
 * values stay. An integer that has more than 64 bits without its sign is given back. */
FST_INLINE fst_status
fst_settle(fst_machine *machine, fst_cell *cell)
{
    if (cell->type == FST_NUMBER_TEXT)
        return fst_settle_number(machine, cell);
    if (cell->type == FST_STRING_TEXT)
        return fst_settle_string(machine, cell);
    return FST_DONE;
}

#endif
