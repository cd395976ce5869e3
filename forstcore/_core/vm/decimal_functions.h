/* decimal_functions.h: the methods of decimals, and round(). */
#ifndef FST_VM_DECIMAL_FUNCTIONS_H
#define FST_VM_DECIMAL_FUNCTIONS_H

#include "decimal_text.h"

/* Reads a mode of rounding, which decimal has as text; half to even if there is none. */
FST_NOINLINE fst_status
fst_read_rounding(fst_machine *machine, fst_cell *argument, fst_rounding *rounding)
{
    static const char *const names[] = {
        [FST_ROUND_HALF_EVEN] = "ROUND_HALF_EVEN",  [FST_ROUND_HALF_UP] = "ROUND_HALF_UP",
        [FST_ROUND_HALF_DOWN] = "ROUND_HALF_DOWN",  [FST_ROUND_UP] = "ROUND_UP",
        [FST_ROUND_DOWN] = "ROUND_DOWN",            [FST_ROUND_CEILING] = "ROUND_CEILING",
        [FST_ROUND_FLOOR] = "ROUND_FLOOR",          [FST_ROUND_05UP] = "ROUND_05UP",
    };
    int i;
    *rounding = FST_ROUND_HALF_EVEN;
    FST_TRY(fst_settle(machine, argument));
    if (argument->type == FST_UNSET || argument->type == FST_NONE)
        return FST_DONE;
    if (argument->type != FST_STR)
        return FST_GIVE_BACK;
    for (i = FST_ROUND_HALF_EVEN; i <= FST_ROUND_05UP; i++) {
        if (argument->size == strlen(names[i])
            && memcmp(argument->text, names[i], argument->size) == 0) {
            *rounding = (fst_rounding)i;
            return FST_DONE;
        }
    }
    return FST_GIVE_BACK;
}

/* Makes a decimal of a number with another exponent. */
FST_INLINE fst_status
fst_decimal_rescaled(
    fst_machine *machine, fst_cell *to, fst_scaled *number, int exponent, fst_rounding rounding)
{
    return fst_rescale(number, exponent, rounding) ? fst_decimal_of(machine, to, number)
                                                   : FST_GIVE_BACK;
}

/* decimal.quantize(exp, rounding?) */
FST_NOINLINE fst_status
fst_quantize(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_scaled number, other;
    fst_rounding rounding;
    FST_TRY(fst_settle(machine, &arguments[1]));
    FST_TRY(fst_read_rounding(machine, &arguments[2], &rounding));
    if (!fst_is_decimal(&arguments[0]) || !fst_read_scaled(&arguments[1], &other))
        return FST_GIVE_BACK;
    fst_open_decimal(&arguments[0], &number);
    return fst_decimal_rescaled(machine, to, &number, other.exponent, rounding);
}

/* decimal.to_integral_value(rounding?) */
FST_NOINLINE fst_status
fst_to_integral(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_scaled number;
    fst_rounding rounding;
    FST_TRY(fst_read_rounding(machine, &arguments[1], &rounding));
    if (!fst_is_decimal(&arguments[0]))
        return FST_GIVE_BACK;
    fst_open_decimal(&arguments[0], &number);
    return fst_decimal_rescaled(
        machine, to, &number, number.exponent > 0 ? number.exponent : 0, rounding);
}

/* round(decimal, ndigits?) */
FST_NOINLINE fst_status
fst_round_decimal(fst_machine *machine, fst_cell *to, fst_cell *number, const fst_cell *places)
{
    fst_scaled scaled;
    if (places->type == FST_UNSET || places->type == FST_NONE)
        return fst_integer_of_decimal(to, number, FST_ROUND_HALF_EVEN);
    if (places->type != FST_INT || places->integer > FST_EXPONENT_MOST
        || places->integer < -FST_EXPONENT_MOST)
        return FST_GIVE_BACK;
    fst_open_decimal(number, &scaled);
    return fst_decimal_rescaled(
        machine, to, &scaled, (int)-places->integer, FST_ROUND_HALF_EVEN);
}

/* decimal.normalize() */
FST_NOINLINE fst_status
fst_normalize_decimal(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_scaled number;
    if (!fst_is_decimal(&arguments[0]))
        return FST_GIVE_BACK;
    fst_open_decimal(&arguments[0], &number);
    if (number.coefficient.count == 0)
        number.exponent = 0;
    else
        fst_strip_zeros(&number, FST_CONTEXT_DIGITS);
    return fst_decimal_of(machine, to, &number);
}

/* decimal.is_zero() */
FST_NOINLINE fst_status
fst_is_zero_decimal(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    (void)machine;
    if (!fst_is_decimal(&arguments[0]))
        return FST_GIVE_BACK;
    *to = fst_bool(!fst_truth_of_decimal(&arguments[0]));
    return FST_DONE;
}

/* decimal.is_signed() */
FST_NOINLINE fst_status
fst_is_signed_decimal(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    (void)machine;
    if (!fst_is_decimal(&arguments[0]))
        return FST_GIVE_BACK;
    *to = fst_bool(arguments[0].flags & FST_NEGATIVE);
    return FST_DONE;
}

/* decimal.is_finite() */
FST_NOINLINE fst_status
fst_is_finite_decimal(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    (void)machine;
    *to = fst_bool(1);
    return fst_is_decimal(&arguments[0]) ? FST_DONE : FST_GIVE_BACK;
}

/* decimal.is_nan(), decimal.is_infinite() */
FST_NOINLINE fst_status
fst_is_special_decimal(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    (void)machine;
    *to = fst_bool(0);
    return fst_is_decimal(&arguments[0]) ? FST_DONE : FST_GIVE_BACK;
}

/* decimal.scaleb(places) */
FST_NOINLINE fst_status
fst_scale_decimal(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_scaled number;
    FST_TRY(fst_settle(machine, &arguments[1]));
    if (!fst_is_decimal(&arguments[0]) || arguments[1].type != FST_INT
        || arguments[1].integer > FST_EXPONENT_MOST || arguments[1].integer < -FST_EXPONENT_MOST)
        return FST_GIVE_BACK;
    fst_open_decimal(&arguments[0], &number);
    number.exponent += (int)arguments[1].integer;
    return fst_decimal_of(machine, to, &number);
}

#define FST_DECIMAL_FUNCTIONS(X) \
    X("decimal.Decimal", "value?", fst_decimal_new) \
    X(".quantize", "self,exp,rounding?", fst_quantize) \
    X(".to_integral_value", "self,rounding?", fst_to_integral) \
    X(".to_integral", "self,rounding?", fst_to_integral) \
    X(".normalize", "self", fst_normalize_decimal) \
    X(".is_zero", "self", fst_is_zero_decimal) \
    X(".is_signed", "self", fst_is_signed_decimal) \
    X(".is_finite", "self", fst_is_finite_decimal) \
    X(".is_nan", "self", fst_is_special_decimal) \
    X(".is_infinite", "self", fst_is_special_decimal) \
    X(".scaleb", "self,other", fst_scale_decimal)

#endif
