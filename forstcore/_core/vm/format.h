/* format.h: f-strings and format(): values as a specification says. */
#ifndef FST_VM_FORMAT_H
#define FST_VM_FORMAT_H

#include "date_format.h"
#include "decimal_digits.h"
#include "format_spec.h"
#include "repr.h"

/* ---------------------------------------------------------------- numbers */

/* Writes digits of a base that is a power of two, up to 64; returns their end. */
FST_INLINE char *
fst_write_bits(char *at, uint64_t number, int bits, int upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    int count = number == 0 ? 1 : (64 - fst_leading_zeros(number) + bits - 1) / bits, i;
    for (i = count; i > 0; i--, number >>= bits)
        at[i - 1] = digits[number & ((1u << bits) - 1)];
    return at + count;
}

FST_NOINLINE fst_status
fst_format_integer(
    fst_machine *machine, fst_cell *to, const fst_cell *integer, const fst_spec *spec)
{
    uint64_t magnitude;
    fst_number_text number = {{0}, 0, NULL, 0, 0, 3};
    char digits[72];
    char *end;
    int bits = 0, negative;
    FST_TRY(fst_read_magnitude(integer, &magnitude, &negative));
    switch (spec->type) {
    case 0:
    case 'd':
        break;
    case 'b':
        bits = 1;
        break;
    case 'o':
        bits = 3;
        break;
    case 'x':
    case 'X':
        bits = 4;
        break;
    default:
        return FST_GIVE_BACK;
    }
    if (spec->precision >= 0 || (bits > 0 && spec->grouping == ','))
        return FST_GIVE_BACK;
    fst_put_sign(&number, negative, spec->sign);
    if (bits > 0) {
        number.group = 4;
        if (spec->alternate) {
            number.prefix[number.prefix_size++] = '0';
            number.prefix[number.prefix_size++] = spec->type;
        }
        end = fst_write_bits(digits, magnitude, bits, spec->type == 'X');
    } else {
        end = fst_write_unsigned(digits, magnitude);
    }
    number.digits = digits;
    number.whole = number.size = (int)(end - digits);
    return fst_format_digits(machine, to, &number, spec);
}

/* Writes the absolute value of a finite double; returns its end, NULL for a type that is not known. */
FST_INLINE char *
fst_write_typed(char *at, double number, const fst_spec *spec)
{
    const int precision = spec->precision < 0 ? 6 : spec->precision;
    switch (spec->type) {
    case 'f':
    case 'F':
        return fst_write_fixed(at, number, precision);
    case '%':
        at = fst_write_fixed(at, number, precision);
        *at++ = '%';
        return at;
    case 'e':
    case 'E':
        return fst_write_scientific(at, number, precision, spec->type);
    case 'g':
    case 'G':
        return fst_write_general(at, number, precision, (char)(spec->type - 'g' + 'e'), 0);
    case 0:
        if (spec->precision < 0)
            return fst_write_number(at, number < 0 ? -number : number);
        return fst_write_general(at, number, precision, 'e', 1);
    default:
        return NULL;
    }
}

FST_NOINLINE fst_status
fst_format_float(fst_machine *machine, fst_cell *to, double value, const fst_spec *spec)
{
    fst_number_text number = {{0}, 0, NULL, 0, 0, 3};
    char digits[FST_FLOAT_ROOM];
    const char *end;
    uint64_t bits;
    if (spec->type == '%')
        value *= 100;
    if (value - value != 0 || spec->alternate || spec->precision > FST_PRECISION_MOST)
        return FST_GIVE_BACK;
    memcpy(&bits, &value, sizeof bits);
    fst_put_sign(&number, (int)(bits >> 63), spec->sign);
    bits &= UINT64_MAX >> 1;
    memcpy(&value, &bits, sizeof value);
    end = fst_write_typed(digits, value, spec);
    if (end == NULL)
        return FST_GIVE_BACK;
    number.digits = digits;
    number.size = (int)(end - digits);
    while (number.whole < number.size && digits[number.whole] >= '0'
           && digits[number.whole] <= '9')
        number.whole++;
    return fst_format_digits(machine, to, &number, spec);
}

/* ---------------------------------------------------------------- values */

/* format(value, spec), of a value that is settled and a specification that is not empty. */
FST_NOINLINE fst_status
fst_format_by(fst_machine *machine, fst_cell *to, fst_cell *value, const fst_spec *spec)
{
    switch (value->type) {
    case FST_STR:
        return fst_format_str(machine, to, value, spec);
    case FST_BOOL:
    case FST_INT:
        if (spec->type != 0 && strchr("eEfFgG%", spec->type) != NULL)
            return fst_format_float(machine, to, (double)value->integer, spec);
        return fst_format_integer(machine, to, value, spec);
    case FST_BIG:
        return fst_format_integer(machine, to, value, spec);
    case FST_FLOAT:
        return fst_format_float(machine, to, value->number, spec);
    case FST_DECIMAL:
        return fst_format_decimal(machine, to, value, spec);
    case FST_NONE:
    case FST_LIST:
    case FST_TUPLE:
    case FST_DICT:
    case FST_SET:
    case FST_ARRAY_TEXT:
    case FST_OBJECT_TEXT:
        return FST_TYPE_ERROR;
    default:
        return FST_GIVE_BACK;
    }
}

FST_NOINLINE fst_status
fst_format_by_text(
    fst_machine *machine, fst_cell *to, fst_cell *value, int conversion, const fst_cell *text)
{
    fst_cell converted;
    fst_spec spec;
    if (conversion == 'r' || conversion == 'a')
        FST_TRY(fst_repr_of(machine, &converted, value, conversion == 'a'));
    else if (conversion == 's')
        FST_TRY(fst_str_of(machine, &converted, value));
    else
        converted = *value;
    FST_TRY(fst_settle(machine, &converted));
    if (text->size == 0)
        return fst_str_of(machine, to, &converted);
    if (fst_has_clock(&converted) || converted.type == FST_DATE) {
        fst_cell format = *text;
        return fst_date_format(machine, to, &converted, &format);
    }
    FST_TRY(fst_read_spec(text->text, text->size, &spec));
    return fst_format_by(machine, to, &converted, &spec);
}

/* A field of an f-string. `to` has the specification before; `conversion` is 's', 'r', 'a' or 0. */
FST_INLINE fst_status
fst_format(fst_machine *machine, fst_cell *to, fst_cell *value, int conversion)
{
    const fst_cell spec = *to;
    if (spec.size == 0 && conversion == 0)
        return fst_str_of(machine, to, value);
    return fst_format_by_text(machine, to, value, conversion, &spec);
}

/* ---------------------------------------------------------------- functions */

/* value, spec? */
FST_NOINLINE fst_status
fst_format_function(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (arguments[1].type == FST_UNSET)
        return fst_str_of(machine, to, &arguments[0]);
    FST_TRY(fst_settle_text(machine, &arguments[1]));
    return fst_format_by_text(machine, to, &arguments[0], 0, &arguments[1]);
}

FST_NOINLINE fst_status
fst_str_function(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (arguments[0].type != FST_UNSET)
        return fst_str_of(machine, to, &arguments[0]);
    *to = fst_empty_str();
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_repr_function(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_repr_of(machine, to, &arguments[0], 0);
}

FST_NOINLINE fst_status
fst_ascii_function(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_repr_of(machine, to, &arguments[0], 1);
}

#define FST_FORMAT_FUNCTIONS(X) \
    X("format", "value/,format_spec/?", fst_format_function) \
    X("str", "object?", fst_str_function) \
    X("repr", "obj/", fst_repr_function) \
    X("ascii", "obj/", fst_ascii_function)

#endif
