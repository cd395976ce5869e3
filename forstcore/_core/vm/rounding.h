/* rounding.h: round(), exact as Python's: to the nearest decimal number, ties to the even digit, and
 * from there to the nearest double. */
#ifndef FST_VM_ROUNDING_H
#define FST_VM_ROUNDING_H

#include "arithmetic.h"

static const uint64_t FST_TENS[] = {
    1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
    UINT64_C(10000000000), UINT64_C(100000000000), UINT64_C(1000000000000),
    UINT64_C(10000000000000), UINT64_C(100000000000000), UINT64_C(1000000000000000),
    UINT64_C(10000000000000000), UINT64_C(100000000000000000),
    UINT64_C(1000000000000000000), UINT64_C(10000000000000000000),
};

enum { FST_LARGEST_TEN = 19 };

/* Rounds a quotient: `order` says whether the remainder is less than, equal to or greater than
 * half. */
FST_INLINE uint64_t
fst_half_to_even(uint64_t quotient, int order)
{
    return quotient + (uint64_t)(order > 0 || (order == 0 && (quotient & 1)));
}

FST_INLINE int
fst_compare_half(uint64_t rest, uint64_t divisor)
{
    const uint64_t other = divisor - rest;
    return (rest > other) - (rest < other);
}

/* ---------------------------------------------------------------- integers */

/* Rounds to tens, hundreds and so on. */
FST_NOINLINE fst_status
fst_round_integer(fst_cell *to, int64_t number, int64_t places)
{
    const uint64_t magnitude = fst_magnitude(number);
    uint64_t ten, rounded, high;
    int64_t result;
    if (places >= 0) {
        *to = fst_int(number);
        return FST_DONE;
    }
    if (places < -FST_LARGEST_TEN) {
        *to = fst_int(0);
        return FST_DONE;
    }
    ten = FST_TENS[-places];
    rounded = fst_half_to_even(magnitude / ten, fst_compare_half(magnitude % ten, ten));
    rounded = fst_multiply(rounded, ten, &high);
    if (high != 0 || !fst_with_sign(rounded, number < 0, &result))
        return FST_GIVE_BACK;
    *to = fst_int(result);
    return FST_DONE;
}

/* ---------------------------------------------------------------- floats */

FST_INLINE fst_status
fst_round_to_integer(fst_cell *to, double number)
{
    int64_t whole;
    double fraction;
    int is_odd;
    if (number != number)
        return FST_VALUE_ERROR;
    if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0))
        return FST_GIVE_BACK;
    whole = (int64_t)number;
    fraction = number - (double)whole;
    is_odd = (int)(whole & 1);
    /* Without branches: whether a number is rounded up cannot be foretold. */
    whole += (fraction > 0.5) | ((fraction == 0.5) & is_odd);
    whole -= (fraction < -0.5) | ((fraction == -0.5) & is_odd);
    *to = fst_int(whole);
    return FST_DONE;
}

/* The double nearest to digits * 10**exponent, which is -19 or more. */
FST_INLINE double
fst_double_of_digits(uint64_t digits, int exponent)
{
    char text[FST_INTEGER_ROOM];
    fst_decimal decimal = {NULL, NULL, 0, 0, 0, 0, 0};
    if (digits <= UINT64_C(1) << 53 && exponent <= 0)
        return (double)(int64_t)digits / (double)FST_TENS[-exponent];
    decimal.start = text;
    decimal.end = fst_write_unsigned(text, digits);
    decimal.count = decimal.end - decimal.start;
    decimal.digits = digits;
    decimal.exponent = exponent;
    return fst_double_of(&decimal);
}

/* Rounds a positive double to so many places behind the point. Returns whether it could. */
FST_INLINE int
fst_round_places(double number, int places, double *to)
{
    const uint64_t enough = FST_TENS[17];   /* so large that rounding changes nothing */
    uint64_t bits, significand, high, low, digits, half;
    int exponent, order;
    memcpy(&bits, &number, sizeof bits);
    exponent = (int)(bits >> 52);
    significand = bits & ((UINT64_C(1) << 52) - 1);
    if (exponent != 0)
        significand |= UINT64_C(1) << 52;
    exponent = (exponent ? exponent : 1) - 1075;

    *to = number;
    if (exponent >= 0)
        return 1;
    if (places > FST_LARGEST_TEN)
        return number >= 1;
    /* The product is exact; its bits below 2**-exponent are the fraction. */
    low = fst_multiply(significand, FST_TENS[places], &high);
    if (exponent <= -128) {
        *to = 0;
        return 1;
    }
    if (exponent <= -64) {
        const int shift = -exponent - 64;
        digits = shift == 0 ? high : high >> shift;
        if (shift == 0) {
            half = UINT64_C(1) << 63;
            order = (low > half) - (low < half);
        } else {
            const uint64_t rest = high & ((UINT64_C(1) << shift) - 1);
            half = UINT64_C(1) << (shift - 1);
            order = rest != half ? (rest > half) - (rest < half) : low != 0;
        }
    } else {
        const int shift = -exponent;
        const uint64_t rest = low & ((UINT64_C(1) << shift) - 1);
        if (high >> shift != 0)
            return 1;
        digits = high << (64 - shift) | low >> shift;
        half = UINT64_C(1) << (shift - 1);
        order = (rest > half) - (rest < half);
    }
    if (digits >= enough)
        return 1;
    *to = fst_double_of_digits(fst_half_to_even(digits, order), -places);
    return 1;
}

/* Rounds a positive double below 2**63 to tens, hundreds and so on. */
FST_NOINLINE double
fst_round_tens(double number, int places)
{
    const uint64_t whole = (uint64_t)number;
    uint64_t ten;
    int order;
    if (places > FST_LARGEST_TEN)
        return 0;
    ten = FST_TENS[places];
    order = fst_compare_half(whole % ten, ten);
    if (order == 0 && number != (double)whole)
        order = 1;
    return fst_double_of_digits(fst_half_to_even(whole / ten, order), places);
}

FST_INLINE fst_status
fst_round_float(fst_cell *to, double number, int64_t places)
{
    const double magnitude = fabs(number);
    double rounded = number;
    if (number - number != 0 || number == 0 || places > 323) {
        *to = fst_float(number);
        return FST_DONE;
    }
    if (places < -308) {
        *to = fst_float(copysign(0.0, number));
        return FST_DONE;
    }
    if (places < 0) {
        if (magnitude >= 9223372036854775808.0)
            return FST_GIVE_BACK;
        rounded = fst_round_tens(magnitude, (int)-places);
    } else if (!fst_round_places(magnitude, (int)places, &rounded)) {
        return FST_GIVE_BACK;
    }
    *to = fst_float(copysign(rounded, number));
    return FST_DONE;
}

/* ---------------------------------------------------------------- round() */

/* round(number, ndigits?) */
FST_NOINLINE fst_status
fst_round_number(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *number = &arguments[0], *places = &arguments[1];
    FST_TRY(fst_settle(machine, number));
    FST_TRY(fst_settle(machine, places));
    if (!fst_is_number(number))
        return FST_GIVE_BACK;
    if (places->type == FST_UNSET || places->type == FST_NONE) {
        if (number->type == FST_FLOAT)
            return fst_round_to_integer(to, number->number);
        *to = fst_int(number->integer);
        return FST_DONE;
    }
    if (places->type != FST_INT && places->type != FST_BOOL)
        return FST_TYPE_ERROR;
    return number->type == FST_FLOAT ? fst_round_float(to, number->number, places->integer)
                                     : fst_round_integer(to, number->integer, places->integer);
}

#endif
