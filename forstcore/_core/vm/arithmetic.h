/* arithmetic.h: operators on numbers, with the semantics of Python.
 *
 * The operators take two numbers, settled: FST_BOOL, FST_INT or FST_FLOAT. A record is given
 * back if the result is an integer beyond 64 bits, a complex number or an OverflowError. */
#ifndef FST_VM_ARITHMETIC_H
#define FST_VM_ARITHMETIC_H

#include <math.h>

#include "settle.h"

FST_INLINE int
fst_is_number(const fst_cell *cell)
{
    return cell->type == FST_INT || cell->type == FST_FLOAT || cell->type == FST_BOOL;
}

/* Whether both are bool or int, whose results are computed with integers. */
FST_INLINE int
fst_are_integers(const fst_cell *left, const fst_cell *right)
{
    return left->type != FST_FLOAT && right->type != FST_FLOAT;
}

FST_INLINE double
fst_as_double(const fst_cell *number)
{
    return number->type == FST_FLOAT ? number->number : (double)number->integer;
}

FST_INLINE uint64_t
fst_magnitude(int64_t integer)
{
    return integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
}

/* Combines a magnitude and a sign into an integer; returns whether it fits. */
FST_INLINE int
fst_with_sign(uint64_t magnitude, int negative, int64_t *to)
{
    if (magnitude > (uint64_t)INT64_MAX + (uint64_t)negative)
        return 0;
    *to = (int64_t)(negative ? 0 - magnitude : magnitude);
    return 1;
}

/* ---------------------------------------------------------------- + - * */

FST_INLINE int
fst_add_integers(int64_t a, int64_t b, int64_t *sum)
{
    *sum = (int64_t)((uint64_t)a + (uint64_t)b);
    return ((a ^ *sum) & (b ^ *sum)) >= 0;
}

FST_INLINE int
fst_subtract_integers(int64_t a, int64_t b, int64_t *difference)
{
    *difference = (int64_t)((uint64_t)a - (uint64_t)b);
    return ((a ^ b) & (a ^ *difference)) >= 0;
}

FST_INLINE int
fst_multiply_integers(int64_t a, int64_t b, int64_t *product)
{
    uint64_t high, low = fst_multiply(fst_magnitude(a), fst_magnitude(b), &high);
    return high == 0 && fst_with_sign(low, (a ^ b) < 0, product);
}

/* The result of an operator: of two integers, which may be too large for one, or else a double. */
FST_INLINE fst_status
fst_calculate(fst_cell *to, const fst_cell *left, const fst_cell *right,
              int (*of_integers)(int64_t, int64_t, int64_t *), double of_doubles)
{
    int64_t result;
    if (!fst_are_integers(left, right)) {
        *to = fst_float(of_doubles);
        return FST_DONE;
    }
    if (!of_integers(left->integer, right->integer, &result))
        return FST_GIVE_BACK;
    *to = fst_int(result);
    return FST_DONE;
}

FST_INLINE fst_status
fst_add(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    (void)machine;
    return fst_calculate(
        to, left, right, fst_add_integers, fst_as_double(left) + fst_as_double(right));
}

FST_INLINE fst_status
fst_subtract(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    (void)machine;
    return fst_calculate(
        to, left, right, fst_subtract_integers, fst_as_double(left) - fst_as_double(right));
}

FST_INLINE fst_status
fst_times(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    (void)machine;
    return fst_calculate(
        to, left, right, fst_multiply_integers, fst_as_double(left) * fst_as_double(right));
}

/* ---------------------------------------------------------------- / */

/* Divides magnitudes that are not zero and rounds once, as Python does. */
FST_NOINLINE double
fst_divide_magnitudes(uint64_t a, uint64_t b)
{
    uint64_t quotient = a / b, rest = a % b;
    int exponent = 0;
    /* The quotient has two bits more than a double; the last one is set if there is a remainder. */
    while (quotient < UINT64_C(1) << 55) {
        rest <<= 1;
        quotient = quotient << 1 | (rest >= b);
        rest -= rest >= b ? b : 0;
        exponent--;
    }
    return ldexp((double)(quotient | (rest != 0)), exponent);
}

FST_INLINE fst_status
fst_true_divide(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    const int64_t exact = INT64_C(1) << 53;     /* up to which each integer is a double */
    int64_t a, b;
    double quotient;
    (void)machine;
    if (!fst_are_integers(left, right)) {
        const double divisor = fst_as_double(right);
        if (divisor == 0)
            return FST_ZERO_DIVISION;
        *to = fst_float(fst_as_double(left) / divisor);
        return FST_DONE;
    }
    a = left->integer;
    b = right->integer;
    if (b == 0)
        return FST_ZERO_DIVISION;
    if (a == 0 || (a >= -exact && a <= exact && b >= -exact && b <= exact)) {
        *to = fst_float((double)a / (double)b);
        return FST_DONE;
    }
    quotient = fst_divide_magnitudes(fst_magnitude(a), fst_magnitude(b));
    *to = fst_float((a ^ b) < 0 ? -quotient : quotient);
    return FST_DONE;
}

/* ---------------------------------------------------------------- // and % */

/* The quotient rounded down, and a remainder with the sign of the divisor, which is not zero.
 * Returns whether they fit. */
FST_INLINE int
fst_divide_integers(int64_t a, int64_t b, int64_t *quotient, int64_t *rest)
{
    if (b == -1) {
        *rest = 0;
        return fst_subtract_integers(0, a, quotient);
    }
    *quotient = a / b;
    *rest = a % b;
    if (*rest != 0 && (*rest ^ b) < 0) {
        *rest += b;
        --*quotient;
    }
    return 1;
}

/* A remainder with the sign of the divisor, which is not zero. */
FST_INLINE double
fst_float_rest(double a, double b)
{
    const double rest = fmod(a, b);
    if (rest == 0)
        return copysign(0.0, b);
    return (b < 0) != (rest < 0) ? rest + b : rest;
}

FST_INLINE double
fst_float_quotient(double a, double b)
{
    const double rest = fmod(a, b);
    double quotient = (a - rest) / b, whole;
    if (rest != 0 && (b < 0) != (rest < 0))
        quotient -= 1;
    if (quotient == 0)
        return copysign(0.0, a / b);
    /* It is close to an integer, but need not be one. */
    whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1 : whole;
}

FST_INLINE fst_status
fst_floor_divide(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    int64_t quotient, rest;
    (void)machine;
    if (!fst_are_integers(left, right)) {
        const double divisor = fst_as_double(right);
        if (divisor == 0)
            return FST_ZERO_DIVISION;
        *to = fst_float(fst_float_quotient(fst_as_double(left), divisor));
        return FST_DONE;
    }
    if (right->integer == 0)
        return FST_ZERO_DIVISION;
    if (!fst_divide_integers(left->integer, right->integer, &quotient, &rest))
        return FST_GIVE_BACK;
    *to = fst_int(quotient);
    return FST_DONE;
}

FST_INLINE fst_status
fst_modulo(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    int64_t quotient, rest;
    (void)machine;
    if (!fst_are_integers(left, right)) {
        const double divisor = fst_as_double(right);
        if (divisor == 0)
            return FST_ZERO_DIVISION;
        *to = fst_float(fst_float_rest(fst_as_double(left), divisor));
        return FST_DONE;
    }
    if (right->integer == 0)
        return FST_ZERO_DIVISION;
    /* The remainder is correct even if the quotient does not fit. */
    (void)fst_divide_integers(left->integer, right->integer, &quotient, &rest);
    *to = fst_int(rest);
    return FST_DONE;
}

/* ---------------------------------------------------------------- ** */

FST_NOINLINE fst_status
fst_raise_integer(fst_cell *to, int64_t base, int64_t exponent)
{
    int64_t result = 1;
    if (base == 0 || base == 1) {
        *to = fst_int(exponent == 0 ? 1 : base);
        return FST_DONE;
    }
    if (base == -1) {
        *to = fst_int(exponent & 1 ? -1 : 1);
        return FST_DONE;
    }
    if (exponent > 63)
        return FST_GIVE_BACK;
    for (; exponent > 0; exponent--)
        if (!fst_multiply_integers(result, base, &result))
            return FST_GIVE_BACK;
    *to = fst_int(result);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_raise_float(fst_cell *to, double base, double exponent)
{
    double result;
    if (exponent == 0 || base == 1) {
        *to = fst_float(1.0);
        return FST_DONE;
    }
    if (base - base != 0 || exponent - exponent != 0)
        return FST_GIVE_BACK;
    if (base == 0 && exponent < 0)
        return FST_ZERO_DIVISION;
    if (base < 0 && exponent != floor(exponent))
        return FST_GIVE_BACK;
    result = pow(base, exponent);
    /* Too large, or so small that it depends on the library whether that is an error. */
    if (result - result != 0 || (fabs(result) < 2.2250738585072014e-308 && base != 0))
        return FST_GIVE_BACK;
    *to = fst_float(result);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_raise(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    (void)machine;
    if (fst_are_integers(left, right) && right->integer >= 0)
        return fst_raise_integer(to, left->integer, right->integer);
    return fst_raise_float(to, fst_as_double(left), fst_as_double(right));
}

/* ---------------------------------------------------------------- bits */

/* & | ^ of two bools are a bool. */
FST_INLINE fst_cell
fst_bits(const fst_cell *left, const fst_cell *right, int64_t bits)
{
    return left->type == FST_BOOL && right->type == FST_BOOL ? fst_bool((int)bits) : fst_int(bits);
}

FST_INLINE fst_status
fst_and(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    (void)machine;
    if (!fst_are_integers(left, right))
        return FST_TYPE_ERROR;
    *to = fst_bits(left, right, left->integer & right->integer);
    return FST_DONE;
}

FST_INLINE fst_status
fst_or(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    (void)machine;
    if (!fst_are_integers(left, right))
        return FST_TYPE_ERROR;
    *to = fst_bits(left, right, left->integer | right->integer);
    return FST_DONE;
}

FST_INLINE fst_status
fst_xor(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    (void)machine;
    if (!fst_are_integers(left, right))
        return FST_TYPE_ERROR;
    *to = fst_bits(left, right, left->integer ^ right->integer);
    return FST_DONE;
}

FST_INLINE fst_status
fst_shift_left(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    const int64_t places = right->integer;
    uint64_t magnitude;
    int64_t result;
    (void)machine;
    if (!fst_are_integers(left, right))
        return FST_TYPE_ERROR;
    if (places < 0)
        return FST_VALUE_ERROR;
    magnitude = fst_magnitude(left->integer);
    if (magnitude != 0 && (places > 63 || magnitude > UINT64_MAX >> places))
        return FST_GIVE_BACK;
    if (!fst_with_sign(magnitude == 0 ? 0 : magnitude << places, left->integer < 0, &result))
        return FST_GIVE_BACK;
    *to = fst_int(result);
    return FST_DONE;
}

FST_INLINE fst_status
fst_shift_right(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    int64_t places = right->integer;
    (void)machine;
    if (!fst_are_integers(left, right))
        return FST_TYPE_ERROR;
    if (places < 0)
        return FST_VALUE_ERROR;
    places = places > 63 ? 63 : places;
    /* C does not define shifts of negative numbers. */
    *to = fst_int(left->integer < 0 ? ~(~left->integer >> places) : left->integer >> places);
    return FST_DONE;
}

/* ---------------------------------------------------------------- one operand */

FST_INLINE fst_status
fst_negate(fst_machine *machine, fst_cell *to, fst_cell *operand)
{
    (void)machine;
    if (operand->type == FST_FLOAT) {
        *to = fst_float(-operand->number);
        return FST_DONE;
    }
    if (operand->integer == INT64_MIN)
        return FST_GIVE_BACK;
    *to = fst_int(-operand->integer);
    return FST_DONE;
}

FST_INLINE fst_status
fst_positive(fst_machine *machine, fst_cell *to, fst_cell *operand)
{
    (void)machine;
    *to = operand->type == FST_FLOAT ? *operand : fst_int(operand->integer);
    return FST_DONE;
}

FST_INLINE fst_status
fst_invert(fst_machine *machine, fst_cell *to, fst_cell *operand)
{
    (void)machine;
    if (operand->type == FST_FLOAT)
        return FST_TYPE_ERROR;
    if (operand->type == FST_BOOL)      /* which Python warns of */
        return FST_GIVE_BACK;
    *to = fst_int(~operand->integer);
    return FST_DONE;
}

FST_INLINE fst_status
fst_absolute(fst_machine *machine, fst_cell *to, fst_cell *operand)
{
    if (operand->type == FST_FLOAT) {
        *to = fst_float(fabs(operand->number));
        return FST_DONE;
    }
    return operand->integer < 0 ? fst_negate(machine, to, operand)
                                : fst_positive(machine, to, operand);
}

#endif
