/* decimal_text.h: decimals and text: decimal.Decimal(text), str() and formats. */
#ifndef FST_VM_DECIMAL_TEXT_H
#define FST_VM_DECIMAL_TEXT_H

#include "decimals.h"
#include "format_spec.h"
#include "number_text.h"

enum { FST_PLAIN_MOST = 64 };   /* zeros that a decimal is written with; more are given back */

/* ---------------------------------------------------------------- reading */

/* Reads digits into a coefficient, of which `count` tells how many there are from the first that is
 * not zero; returns where they end, NULL if they are too many. */
FST_INLINE const char *
fst_read_coefficient(const char *at, const char *end, fst_words *to, int *count)
{
    for (; at < end && fst_is_decimal_digit(*at); at++) {
        if (to->count == 0 && *at == '0')
            continue;
        if (++*count > FST_CONTEXT_DIGITS)
            return NULL;
        fst_times_word(to, 10, (uint64_t)(*at - '0'));
    }
    return at;
}

/* Whether text may be a number beyond these: NaN, Infinity, or one with underscores or spaces that
 * other functions do not strip. */
FST_INLINE int
fst_may_be_other_decimal(const char *at, const char *end)
{
    if (at < end && (*at == '+' || *at == '-'))
        at++;
    if (at < end && strchr("nNsSiI", *at) != NULL)
        return 1;
    for (; at < end; at++)
        if (*at == '_' || (*at >= 0x1c && *at < 0x20))
            return 1;
    return 0;
}

/* decimal.Decimal(text) */
FST_NOINLINE fst_status
fst_decimal_of_text(fst_machine *machine, fst_cell *to, fst_cell *str)
{
    const char *at, *end, *start, *point;
    fst_scaled number;
    int count = 0, exponent = 0, digits;
    FST_TRY(fst_strip_number(str, &at, &end));
    if (fst_may_be_other_decimal(at, end))
        return FST_GIVE_BACK;
    number.negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    number.coefficient.count = 0;
    number.exponent = 0;
    start = at;
    at = fst_read_coefficient(at, end, &number.coefficient, &count);
    if (at == NULL)
        return FST_GIVE_BACK;
    digits = at > start;
    if (at < end && *at == '.') {
        point = ++at;
        at = fst_read_coefficient(at, end, &number.coefficient, &count);
        if (at == NULL || at - point > FST_EXPONENT_MOST)
            return FST_GIVE_BACK;
        digits |= at > point;
        number.exponent = -(int)(at - point);
    }
    if (!digits)
        return FST_DECIMAL_ERROR;
    if (at < end && (*at | 0x20) == 'e') {
        const int negative = end - at > 1 && at[1] == '-';
        at += 1 + (negative || (end - at > 1 && at[1] == '+'));
        if (at == end || !fst_is_decimal_digit(*at))
            return FST_DECIMAL_ERROR;
        at = fst_read_width(at, end, &exponent);
        if (at == NULL)
            return FST_GIVE_BACK;
        number.exponent += negative ? -exponent : exponent;
    }
    return at == end ? fst_decimal_of(machine, to, &number) : FST_DECIMAL_ERROR;
}

/* decimal.Decimal(value?) */
FST_NOINLINE fst_status
fst_decimal_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *value = &arguments[0];
    fst_scaled number;
    FST_TRY(fst_settle(machine, value));
    switch (value->type) {
    case FST_UNSET:
        number.coefficient.count = 0;
        number.exponent = number.negative = 0;
        return fst_decimal_of(machine, to, &number);
    case FST_STR:
        return fst_decimal_of_text(machine, to, value);
    case FST_FLOAT:
        return fst_scaled_of_float(value->number, &number) ? fst_decimal_of(machine, to, &number)
                                                          : FST_GIVE_BACK;
    case FST_NONE:
    case FST_DICT:
    case FST_OBJECT_TEXT:
        return FST_TYPE_ERROR;
    default:
        break;
    }
    return fst_read_scaled(value, &number) ? fst_decimal_of(machine, to, &number) : FST_GIVE_BACK;
}

/* ---------------------------------------------------------------- writing */

/* Writes digits with a point `before` of them, or zeros between; returns the end. */
FST_INLINE char *
fst_write_with_point(char *at, const char *digits, int count, int before)
{
    int i;
    if (before <= 0)
        *at++ = '0';
    for (i = 0; i < before; i++)
        *at++ = i < count ? digits[i] : '0';
    if (before >= count)
        return at;
    *at++ = '.';
    for (i = before; i < count; i++)
        *at++ = i < 0 ? '0' : digits[i];
    return at;
}

/* str(decimal) */
FST_NOINLINE fst_status
fst_decimal_text(fst_machine *machine, fst_cell *to, const fst_cell *cell)
{
    enum { ROOM = 2 * FST_DECIMAL_ROOM };
    char digits[FST_DECIMAL_ROOM];
    fst_scaled number;
    int count, before;
    char *text = (char *)fst_take(machine, ROOM), *at = text;
    if (text == NULL)
        return FST_NO_MEMORY;
    if (machine->other_context)
        return FST_GIVE_BACK;
    fst_open_decimal(cell, &number);
    count = fst_write_coefficient(digits, &number.coefficient);
    before = count + number.exponent;
    if (number.negative)
        *at++ = '-';
    if (number.exponent <= 0 && before > -6) {
        at = fst_write_with_point(at, digits, count, before);
    } else {
        at = fst_write_with_point(at, digits, count, 1);
        *at++ = 'E';
        if (before > 0)
            *at++ = '+';
        at = fst_write_integer(at, before - 1);
    }
    *to = fst_str(text, (size_t)(at - text), FST_ASCII | FST_CLEAN);
    return FST_DONE;
}

/* A decimal as a specification says: of the types only f, % and none, without an exponent. */
FST_NOINLINE fst_status
fst_format_decimal(fst_machine *machine, fst_cell *to, const fst_cell *cell, const fst_spec *spec)
{
    enum { ROOM = FST_DECIMAL_ROOM + FST_PLAIN_MOST };
    fst_number_text text = {{0}, 0, NULL, 0, 0, 3};
    char digits[FST_DECIMAL_ROOM], written[ROOM];
    fst_scaled number;
    int count, before, is_fixed;
    char *end;
    fst_open_decimal(cell, &number);
    is_fixed = spec->type == 'f' || spec->type == 'F' || spec->type == '%';
    if ((!is_fixed && (spec->type != 0 || spec->precision >= 0)) || spec->alternate
        || spec->align == '=' || (spec->align && spec->zero) || spec->grouping == '_'
        || machine->other_context)
        return FST_GIVE_BACK;
    if (spec->type == '%')
        number.exponent += 2;
    if (spec->precision >= 0) {
        if (!fst_rescale(&number, -spec->precision, FST_ROUND_HALF_EVEN))
            return FST_GIVE_BACK;
    }
    count = fst_write_coefficient(digits, &number.coefficient);
    before = count + number.exponent;
    if (number.exponent > 0 || before < (is_fixed ? -FST_PLAIN_MOST : -5))
        return FST_GIVE_BACK;
    end = fst_write_with_point(written, digits, count, before);
    text.digits = written;
    text.whole = before > 0 ? before : 1;
    if (spec->type == '%')
        *end++ = '%';
    text.size = (int)(end - written);
    fst_put_sign(&text, number.negative, spec->sign);
    return fst_format_digits(machine, to, &text, spec);
}

#endif
