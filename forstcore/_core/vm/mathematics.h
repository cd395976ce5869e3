/* mathematics.h: the functions of Python's module math.
 *
 * Most are those of the C library, which Python calls, too. What Python computes in a way of its own
 * is exact here, or given back. */
#ifndef FST_VM_MATHEMATICS_H
#define FST_VM_MATHEMATICS_H

#include "numbers.h"

#define FST_PI 3.141592653589793238462643383279502884197

/* Settles an argument and makes a double of it. */
FST_INLINE fst_status
fst_real_argument(fst_machine *machine, fst_cell *cell, double *number)
{
    FST_TRY(fst_settle(machine, cell));
    if (!fst_is_number(cell))
        return cell->type == FST_STR || fst_is_no_number(cell) ? FST_TYPE_ERROR : FST_GIVE_BACK;
    *number = fst_as_double(cell);
    return FST_DONE;
}

/* Settles an argument that has to be an integer. */
FST_INLINE fst_status
fst_integer_argument(fst_machine *machine, fst_cell *cell)
{
    FST_TRY(fst_settle(machine, cell));
    if (cell->type == FST_INT || cell->type == FST_BOOL)
        return FST_DONE;
    return cell->type == FST_FLOAT || cell->type == FST_STR || fst_is_no_number(cell)
        ? FST_TYPE_ERROR
        : FST_GIVE_BACK;
}

FST_INLINE int
fst_is_finite(double number)
{
    return number - number == 0;
}

/* ---------------------------------------------------------------- functions of the C library */

/* An infinite result is an error that Python calls OverflowError, or else ValueError. */
enum { FST_NO_OVERFLOW, FST_OVERFLOW };

FST_INLINE fst_status
fst_result_of(fst_cell *to, double number, double result, int overflow)
{
    if (result != result && number == number)
        return FST_VALUE_ERROR;
    if (!fst_is_finite(result) && fst_is_finite(number))
        return overflow == FST_OVERFLOW ? FST_GIVE_BACK : FST_VALUE_ERROR;
    *to = fst_float(result);
    return FST_DONE;
}

#define FST_LIBRARY_FUNCTIONS(X) \
    X(sqrt, FST_NO_OVERFLOW) \
    X(cbrt, FST_NO_OVERFLOW) \
    X(exp, FST_OVERFLOW) \
    X(expm1, FST_OVERFLOW) \
    X(exp2, FST_OVERFLOW) \
    X(sin, FST_NO_OVERFLOW) \
    X(cos, FST_NO_OVERFLOW) \
    X(tan, FST_NO_OVERFLOW) \
    X(asin, FST_NO_OVERFLOW) \
    X(acos, FST_NO_OVERFLOW) \
    X(atan, FST_NO_OVERFLOW) \
    X(sinh, FST_OVERFLOW) \
    X(cosh, FST_OVERFLOW) \
    X(tanh, FST_NO_OVERFLOW) \
    X(fabs, FST_NO_OVERFLOW)

#define FST_LIBRARY_FUNCTION(name, overflow) \
    FST_NOINLINE fst_status \
    fst_math_##name(fst_machine *machine, fst_cell *to, fst_cell *arguments) \
    { \
        double number; \
        FST_TRY(fst_real_argument(machine, &arguments[0], &number)); \
        return fst_result_of(to, number, name(number), overflow); \
    }
FST_LIBRARY_FUNCTIONS(FST_LIBRARY_FUNCTION)
#undef FST_LIBRARY_FUNCTION

/* ---------------------------------------------------------------- logarithms */

/* A logarithm that is given by one of the C library. */
FST_INLINE fst_status
fst_logarithm(
    fst_machine *machine, fst_cell *cell, double (*library)(double), double *result)
{
    double number;
    FST_TRY(fst_real_argument(machine, cell, &number));
    if (number <= 0)
        return FST_VALUE_ERROR;
    *result = library(number);
    return FST_DONE;
}

/* math.log(x, base?) */
FST_NOINLINE fst_status
fst_math_log(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double number, base;
    FST_TRY(fst_logarithm(machine, &arguments[0], log, &number));
    if (arguments[1].type != FST_UNSET) {
        FST_TRY(fst_logarithm(machine, &arguments[1], log, &base));
        if (base == 0)
            return FST_ZERO_DIVISION;
        number /= base;
    }
    *to = fst_float(number);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_math_log2(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double number;
    FST_TRY(fst_logarithm(machine, &arguments[0], log2, &number));
    *to = fst_float(number);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_math_log10(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double number;
    FST_TRY(fst_logarithm(machine, &arguments[0], log10, &number));
    *to = fst_float(number);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_math_log1p(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double number;
    FST_TRY(fst_real_argument(machine, &arguments[0], &number));
    return fst_result_of(to, number, number == 0 ? number : log1p(number), FST_NO_OVERFLOW);
}

/* ---------------------------------------------------------------- two arguments */

/* Settles two arguments; gives the record back if one is not finite. */
FST_INLINE fst_status
fst_two_reals(fst_machine *machine, fst_cell *arguments, double *a, double *b)
{
    FST_TRY(fst_real_argument(machine, &arguments[0], a));
    FST_TRY(fst_real_argument(machine, &arguments[1], b));
    return fst_is_finite(*a) && fst_is_finite(*b) ? FST_DONE : FST_GIVE_BACK;
}

FST_NOINLINE fst_status
fst_math_pow(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double base, exponent, result;
    FST_TRY(fst_two_reals(machine, arguments, &base, &exponent));
    result = pow(base, exponent);
    if (result != result || (base == 0 && !fst_is_finite(result)))
        return FST_VALUE_ERROR;
    if (!fst_is_finite(result))
        return FST_GIVE_BACK;
    *to = fst_float(result);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_math_fmod(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double a, b;
    FST_TRY(fst_two_reals(machine, arguments, &a, &b));
    if (b == 0)
        return FST_VALUE_ERROR;
    *to = fst_float(fmod(a, b));
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_math_atan2(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double y, x;
    FST_TRY(fst_two_reals(machine, arguments, &y, &x));
    *to = fst_float(atan2(y, x));
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_math_copysign(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double number, sign;
    FST_TRY(fst_two_reals(machine, arguments, &number, &sign));
    *to = fst_float(copysign(number, sign));
    return FST_DONE;
}

/* math.hypot(x, y). Python corrects the root by what is missing in its square, which makes it the
 * nearest double unless the exact length is all but in the middle of two: that is given back. */
FST_NOINLINE fst_status
fst_math_hypot(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double a, b, sum, root, missing, correction;
    volatile double square_a, square_b, square;     /* rounded, not part of a fused operation */
    FST_TRY(fst_two_reals(machine, arguments, &a, &b));
    a = fabs(a);
    b = fabs(b);
    if (a < b) {
        const double larger = b;
        b = a;
        a = larger;
    }
    if (b == 0) {
        *to = fst_float(a);
        return FST_DONE;
    }
    /* Otherwise the errors of the squares might be below the least double. */
    if (a > 1e100 || b < 1e-100)
        return FST_GIVE_BACK;
    square_a = a * a;
    square_b = b * b;
    sum = square_a + square_b;
    root = sqrt(sum);
    square = root * root;
    missing = (square_a - sum) + square_b;
    missing += fma(a, a, -square_a) + fma(b, b, -square_b) - fma(root, root, -square);
    missing += sum - square;
    correction = missing / (2 * root);
    if (root + correction * (1 - 1e-6) != root + correction * (1 + 1e-6))
        return FST_GIVE_BACK;
    *to = fst_float(root + correction);
    return FST_DONE;
}

/* math.isclose(a, b, *, rel_tol, abs_tol) */
FST_NOINLINE fst_status
fst_math_isclose(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double a, b, relative = 1e-9, absolute = 0, difference;
    FST_TRY(fst_two_reals(machine, arguments, &a, &b));
    if (arguments[2].type != FST_UNSET)
        FST_TRY(fst_real_argument(machine, &arguments[2], &relative));
    if (arguments[3].type != FST_UNSET)
        FST_TRY(fst_real_argument(machine, &arguments[3], &absolute));
    if (relative < 0 || absolute < 0)
        return FST_VALUE_ERROR;
    difference = fabs(b - a);
    *to = fst_bool(a == b || difference <= fabs(relative * b) || difference <= fabs(relative * a)
                   || difference <= absolute);
    return FST_DONE;
}

/* ---------------------------------------------------------------- one argument */

FST_NOINLINE fst_status
fst_math_degrees(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double number;
    FST_TRY(fst_real_argument(machine, &arguments[0], &number));
    *to = fst_float(number * (180.0 / FST_PI));
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_math_radians(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double number;
    FST_TRY(fst_real_argument(machine, &arguments[0], &number));
    *to = fst_float(number * (FST_PI / 180.0));
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_math_isnan(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double number;
    FST_TRY(fst_real_argument(machine, &arguments[0], &number));
    *to = fst_bool(number != number);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_math_isinf(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double number;
    FST_TRY(fst_real_argument(machine, &arguments[0], &number));
    *to = fst_bool(number == number && !fst_is_finite(number));
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_math_isfinite(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    double number;
    FST_TRY(fst_real_argument(machine, &arguments[0], &number));
    *to = fst_bool(fst_is_finite(number));
    return FST_DONE;
}

/* ---------------------------------------------------------------- integers */

/* Rounds an argument with a function of the C library to an integer. */
FST_INLINE fst_status
fst_whole(fst_machine *machine, fst_cell *to, fst_cell *cell, double (*library)(double))
{
    double number;
    FST_TRY(fst_real_argument(machine, cell, &number));
    if (cell->type == FST_FLOAT)
        return fst_integer_of_float(to, library(number));
    *to = fst_int(cell->integer);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_math_floor(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_whole(machine, to, &arguments[0], floor);
}

FST_NOINLINE fst_status
fst_math_ceil(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_whole(machine, to, &arguments[0], ceil);
}

FST_NOINLINE fst_status
fst_math_trunc(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_whole(machine, to, &arguments[0], trunc);
}

FST_NOINLINE fst_status
fst_math_isqrt(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    uint64_t number, root;
    FST_TRY(fst_integer_argument(machine, &arguments[0]));
    if (arguments[0].integer < 0)
        return FST_VALUE_ERROR;
    number = (uint64_t)arguments[0].integer;
    root = (uint64_t)sqrt((double)number);
    while (root * root > number)
        root--;
    while ((root + 1) * (root + 1) <= number)
        root++;
    *to = fst_int((int64_t)root);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_math_factorial(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t product = 1, i;
    FST_TRY(fst_integer_argument(machine, &arguments[0]));
    if (arguments[0].integer < 0)
        return FST_VALUE_ERROR;
    if (arguments[0].integer > 20)
        return FST_GIVE_BACK;
    for (i = 2; i <= arguments[0].integer; i++)
        product *= i;
    *to = fst_int(product);
    return FST_DONE;
}

enum { FST_GCD_MOST = 4 };      /* arguments of gcd() and lcm() */

FST_INLINE uint64_t
fst_common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        const uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* math.gcd(*integers) */
FST_NOINLINE fst_status
fst_math_gcd(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    uint64_t divisor = 0;
    int64_t result;
    int i;
    for (i = 0; i < FST_GCD_MOST && arguments[i].type != FST_UNSET; i++) {
        FST_TRY(fst_integer_argument(machine, &arguments[i]));
        divisor = fst_common_divisor(divisor, fst_magnitude(arguments[i].integer));
    }
    if (!fst_with_sign(divisor, 0, &result))
        return FST_GIVE_BACK;
    *to = fst_int(result);
    return FST_DONE;
}

/* math.lcm(*integers) */
FST_NOINLINE fst_status
fst_math_lcm(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    uint64_t multiple = 1, high;
    int64_t result;
    int i;
    for (i = 0; i < FST_GCD_MOST && arguments[i].type != FST_UNSET; i++) {
        uint64_t number;
        FST_TRY(fst_integer_argument(machine, &arguments[i]));
        number = fst_magnitude(arguments[i].integer);
        if (number != 0)
            number /= fst_common_divisor(multiple, number);
        multiple = fst_multiply(multiple, number, &high);
        if (high != 0)
            return FST_GIVE_BACK;
    }
    if (!fst_with_sign(multiple, 0, &result))
        return FST_GIVE_BACK;
    *to = fst_int(result);
    return FST_DONE;
}

#define FST_MATH_FUNCTIONS(X) \
    X("math.sqrt", "x/", fst_math_sqrt) \
    X("math.cbrt", "x/", fst_math_cbrt) \
    X("math.exp", "x/", fst_math_exp) \
    X("math.expm1", "x/", fst_math_expm1) \
    X("math.exp2", "x/", fst_math_exp2) \
    X("math.sin", "x/", fst_math_sin) \
    X("math.cos", "x/", fst_math_cos) \
    X("math.tan", "x/", fst_math_tan) \
    X("math.asin", "x/", fst_math_asin) \
    X("math.acos", "x/", fst_math_acos) \
    X("math.atan", "x/", fst_math_atan) \
    X("math.sinh", "x/", fst_math_sinh) \
    X("math.cosh", "x/", fst_math_cosh) \
    X("math.tanh", "x/", fst_math_tanh) \
    X("math.fabs", "x/", fst_math_fabs) \
    X("math.log", "x/,base/?", fst_math_log) \
    X("math.log2", "x/", fst_math_log2) \
    X("math.log10", "x/", fst_math_log10) \
    X("math.log1p", "x/", fst_math_log1p) \
    X("math.pow", "x/,y/", fst_math_pow) \
    X("math.fmod", "x/,y/", fst_math_fmod) \
    X("math.atan2", "y/,x/", fst_math_atan2) \
    X("math.copysign", "x/,y/", fst_math_copysign) \
    X("math.hypot", "x/,y/", fst_math_hypot) \
    X("math.isclose", "a,b,*,rel_tol?,abs_tol?", fst_math_isclose) \
    X("math.degrees", "x/", fst_math_degrees) \
    X("math.radians", "x/", fst_math_radians) \
    X("math.isnan", "x/", fst_math_isnan) \
    X("math.isinf", "x/", fst_math_isinf) \
    X("math.isfinite", "x/", fst_math_isfinite) \
    X("math.floor", "x/", fst_math_floor) \
    X("math.ceil", "x/", fst_math_ceil) \
    X("math.trunc", "x/", fst_math_trunc) \
    X("math.isqrt", "n/", fst_math_isqrt) \
    X("math.factorial", "n/", fst_math_factorial) \
    X("math.gcd", "a/?,b/?,c/?,d/?", fst_math_gcd) \
    X("math.lcm", "a/?,b/?,c/?,d/?", fst_math_lcm)

#endif
