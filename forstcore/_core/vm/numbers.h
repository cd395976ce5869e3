/* numbers.h: the functions and methods of numbers. */
#ifndef FST_VM_NUMBERS_H
#define FST_VM_NUMBERS_H

#include "decimal_functions.h"
#include "lists.h"

/* Settles an argument that has to be a number. */
FST_INLINE fst_status
fst_expect_number(fst_machine *machine, fst_cell *cell)
{
    FST_TRY(fst_settle(machine, cell));
    return fst_is_number(cell) ? FST_DONE : FST_GIVE_BACK;
}

/* abs(x) */
FST_NOINLINE fst_status
fst_abs(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (arguments[0].type == FST_TIMEDELTA) {
        *to = arguments[0];
        to->integer = to->integer < 0 ? -to->integer : to->integer;
        return FST_DONE;
    }
    if (fst_is_decimal(&arguments[0]))
        return fst_sign_decimal(machine, to, &arguments[0], 0);
    FST_TRY(fst_expect_number(machine, &arguments[0]));
    return fst_absolute(machine, to, &arguments[0]);
}

/* round(number, ndigits?) */
FST_NOINLINE fst_status
fst_round_any(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (!fst_is_decimal(&arguments[0]))
        return fst_round_number(machine, to, arguments);
    FST_TRY(fst_settle(machine, &arguments[1]));
    return fst_round_decimal(machine, to, &arguments[0], &arguments[1]);
}

/* divmod(x, y) */
FST_NOINLINE fst_status
fst_divmod(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *pair;
    FST_TRY(fst_expect_number(machine, &arguments[0]));
    FST_TRY(fst_expect_number(machine, &arguments[1]));
    pair = fst_new_list(machine, 2);
    if (pair == NULL)
        return FST_NO_MEMORY;
    FST_TRY(fst_floor_divide(machine, &pair->items[0], &arguments[0], &arguments[1]));
    FST_TRY(fst_modulo(machine, &pair->items[1], &arguments[0], &arguments[1]));
    pair->count = 2;
    *to = fst_object(FST_TUPLE, pair);
    return FST_DONE;
}

/* pow(base, exp) */
FST_NOINLINE fst_status
fst_pow(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_expect_number(machine, &arguments[0]));
    FST_TRY(fst_expect_number(machine, &arguments[1]));
    return fst_raise(machine, to, &arguments[0], &arguments[1]);
}

/* float.is_integer(); integers have it only in newer versions. */
FST_NOINLINE fst_status
fst_is_integer(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_settle(machine, &arguments[0]));
    if (arguments[0].type != FST_FLOAT)
        return FST_GIVE_BACK;
    *to = fst_bool(arguments[0].number - arguments[0].number == 0
                   && floor(arguments[0].number) == arguments[0].number);
    return FST_DONE;
}

FST_INLINE fst_status
fst_expect_integer(fst_machine *machine, fst_cell *cell)
{
    FST_TRY(fst_settle(machine, cell));
    return cell->type == FST_INT || cell->type == FST_BOOL ? FST_DONE : FST_GIVE_BACK;
}

/* int.bit_length() */
FST_NOINLINE fst_status
fst_bit_length(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    uint64_t magnitude;
    FST_TRY(fst_expect_integer(machine, &arguments[0]));
    magnitude = fst_magnitude(arguments[0].integer);
    *to = fst_int(magnitude == 0 ? 0 : 64 - fst_leading_zeros(magnitude));
    return FST_DONE;
}

/* int.bit_count() */
FST_NOINLINE fst_status
fst_bit_count(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    uint64_t magnitude;
    int64_t count = 0;
    FST_TRY(fst_expect_integer(machine, &arguments[0]));
    for (magnitude = fst_magnitude(arguments[0].integer); magnitude != 0; count++)
        magnitude &= magnitude - 1;
    *to = fst_int(count);
    return FST_DONE;
}

#define FST_NUMBER_FUNCTIONS(X) \
    X("int", "x/?,base?", fst_int_new) \
    X("float", "x/?", fst_float_new) \
    X("round", "number,ndigits?", fst_round_any) \
    X("abs", "x/", fst_abs) \
    X("divmod", "x/,y/", fst_divmod) \
    X("pow", "base,exp", fst_pow) \
    X("bin", "number/", fst_bin) \
    X("oct", "number/", fst_oct) \
    X("hex", "number/", fst_hex) \
    X(".is_integer", "self", fst_is_integer) \
    X(".bit_length", "self", fst_bit_length) \
    X(".bit_count", "self", fst_bit_count)

#endif
