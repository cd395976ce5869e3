/* decimal_operators.h: arithmetic and comparisons of decimals. */
#ifndef FST_VM_DECIMAL_OPERATORS_H
#define FST_VM_DECIMAL_OPERATORS_H

#include "decimals.h"

/* ---------------------------------------------------------------- operators */

/* Gives two numbers the lesser one of their exponents; returns 0 if these are too different. */
FST_INLINE int
fst_align_exponents(fst_scaled *a, fst_scaled *b)
{
    fst_scaled *const larger = a->exponent > b->exponent ? a : b;
    const int lesser = a->exponent < b->exponent ? a->exponent : b->exponent;
    const int places = larger->exponent - lesser;
    if (places > FST_SHIFT_MOST || !fst_times_tens(&larger->coefficient, places))
        return 0;
    larger->exponent = lesser;
    return 1;
}

/* The order of the coefficients of two numbers without zeros at the top. */
FST_INLINE int
fst_order_words(const fst_words *a, const fst_words *b)
{
    uint32_t i = a->count;
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    while (i-- > 0)
        if (a->words[i] != b->words[i])
            return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

FST_INLINE fst_status
fst_add_scaled(fst_machine *machine, fst_cell *to, fst_scaled *a, fst_scaled *b)
{
    fst_scaled sum;
    if (!fst_align_exponents(a, b))
        return FST_GIVE_BACK;
    sum.exponent = a->exponent;
    sum.negative = a->negative;
    if (a->negative == b->negative) {
        fst_add_words(&sum.coefficient, &a->coefficient, &b->coefficient);
    } else {
        const int order = fst_order_words(&a->coefficient, &b->coefficient);
        if (order >= 0) {
            fst_subtract_words(&sum.coefficient, &a->coefficient, &b->coefficient);
            sum.negative = order > 0 && a->negative;
        } else {
            fst_subtract_words(&sum.coefficient, &b->coefficient, &a->coefficient);
            sum.negative = b->negative;
        }
    }
    return fst_decimal_in_context(machine, to, &sum, FST_TAIL_NONE);
}

/* Removes zeros at the end of a number, up to so many. */
FST_INLINE void
fst_strip_zeros(fst_scaled *number, int most)
{
    static const int steps[] = {9, 3, 1};
    int i;
    for (i = 0; i < 3; i++) {
        while (most >= steps[i]) {
            fst_words rest = number->coefficient;
            if (fst_divide_words(&rest, &rest, FST_TENS[steps[i]]) != 0)
                break;
            number->coefficient = rest;
            number->exponent += steps[i];
            most -= steps[i];
        }
    }
}

FST_INLINE fst_status
fst_divide_scaled(fst_machine *machine, fst_cell *to, fst_scaled *a, const fst_scaled *b)
{
    fst_scaled quotient;
    uint64_t rest;
    int places;
    if (b->coefficient.count != 1)
        return FST_GIVE_BACK;       /* Of zero there are two exceptions. */
    quotient.negative = a->negative != b->negative;
    quotient.exponent = a->exponent - b->exponent;
    quotient.coefficient.count = 0;
    if (a->coefficient.count == 0)
        return fst_decimal_of(machine, to, &quotient);
    places = FST_CONTEXT_DIGITS + 1 + fst_count_digits(&b->coefficient)
             - fst_count_digits(&a->coefficient);
    fst_times_tens(&a->coefficient, places);
    rest = fst_divide_words(&quotient.coefficient, &a->coefficient, b->coefficient.words[0]);
    quotient.exponent -= places;
    if (rest == 0)
        fst_strip_zeros(&quotient, places);
    return fst_decimal_in_context(
        machine, to, &quotient, rest == 0 ? FST_TAIL_NONE : FST_TAIL_BELOW_HALF);
}

/* The operators on two values, one of which is a decimal. */
FST_NOINLINE fst_status
fst_operate_on_decimals(
    fst_machine *machine, int code, fst_cell *to, const fst_cell *left, const fst_cell *right)
{
    fst_scaled a, b, product;
    if (!fst_read_scaled(left, &a) || !fst_read_scaled(right, &b)) {
        const int type = fst_is_decimal(left) ? right->type : left->type;
        return type == FST_FLOAT || type == FST_STR || type == FST_NONE ? FST_TYPE_ERROR
                                                                        : FST_GIVE_BACK;
    }
    switch (code) {
    case FST_OP_SUBTRACT:
        b.negative = !b.negative;
        /* fallthrough */
    case FST_OP_ADD:
        return fst_add_scaled(machine, to, &a, &b);
    case FST_OP_MULTIPLY:
        fst_multiply_words(&product.coefficient, &a.coefficient, &b.coefficient);
        product.exponent = a.exponent + b.exponent;
        product.negative = a.negative != b.negative;
        return fst_decimal_in_context(machine, to, &product, FST_TAIL_NONE);
    case FST_OP_DIVIDE:
        return fst_divide_scaled(machine, to, &a, &b);
    default:
        return FST_GIVE_BACK;
    }
}

/* -x, +x and abs(x); a zero has no sign then. */
FST_NOINLINE fst_status
fst_sign_decimal(fst_machine *machine, fst_cell *to, const fst_cell *from, int negative)
{
    fst_scaled number;
    fst_open_decimal(from, &number);
    number.negative = negative && number.coefficient.count > 0;
    return fst_decimal_of(machine, to, &number);
}

/* ---------------------------------------------------------------- order */

/* The order of a decimal and a finite float. The float nearest to the decimal is on the same side of
 * the other one, unless they are equal. */
FST_NOINLINE int
fst_order_with_float(const fst_cell *decimal, double number, fst_scaled *of_number, int *order)
{
    const double nearest = fst_double_of_decimal(decimal);
    *order = (nearest > number) - (nearest < number);
    return *order != 0 || !fst_scaled_of_float(number, of_number);
}

/* Compares two values one of which is a decimal: also a str or None is equal to none. */
FST_NOINLINE fst_status
fst_order_decimals(const fst_cell *left, const fst_cell *right, int *order)
{
    const fst_cell *const other = fst_is_decimal(left) ? right : left;
    fst_scaled a, b;
    *order = 2;
    if (other->type == FST_STR || other->type == FST_NONE)
        return FST_TYPE_ERROR;
    if (other->type == FST_FLOAT) {
        fst_scaled *const of_float = other == left ? &a : &b;
        if (other->number - other->number != 0)
            return FST_GIVE_BACK;
        if (fst_order_with_float(
                other == left ? right : left, other->number, of_float, order)) {
            if (*order == 0)
                return FST_GIVE_BACK;
            *order = other == left ? -*order : *order;
            return FST_DONE;
        }
        fst_open_decimal(other == left ? right : left, other == left ? &b : &a);
    } else if (!fst_read_scaled(left, &a) || !fst_read_scaled(right, &b)) {
        return FST_GIVE_BACK;
    }
    if (a.coefficient.count == 0)
        a.negative = 0;
    if (b.coefficient.count == 0)
        b.negative = 0;
    if (a.negative != b.negative) {
        *order = a.negative ? -1 : 1;
        return FST_DONE;
    }
    if (a.coefficient.count == 0 || b.coefficient.count == 0) {
        *order = (a.coefficient.count > 0) - (b.coefficient.count > 0);
    } else if (fst_align_exponents(&a, &b)) {
        *order = fst_order_words(&a.coefficient, &b.coefficient);
    } else {
        *order = a.exponent > b.exponent ? 1 : -1;      /* by more powers of ten than digits */
    }
    *order = a.negative ? -*order : *order;
    return FST_DONE;
}

#endif
