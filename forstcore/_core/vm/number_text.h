/* number_text.h: int() and float() of text, and integers as text in other bases. */
#ifndef FST_VM_NUMBER_TEXT_H
#define FST_VM_NUMBER_TEXT_H

#include "decimals.h"

/* The ASCII characters that Python strips around numbers. */
FST_INLINE int
fst_is_number_space(char character)
{
    return character == ' ' || (character >= '\t' && character <= '\r');
}

/* Strips white space from a str. Beyond ASCII there are more digits and spaces: given back. */
FST_INLINE fst_status
fst_strip_number(fst_cell *str, const char **start, const char **end)
{
    if (!fst_is_ascii(str))
        return FST_GIVE_BACK;
    *start = str->text;
    *end = str->text + str->size;
    while (*start < *end && fst_is_number_space(**start))
        ++*start;
    while (*start < *end && fst_is_number_space((*end)[-1]))
        --*end;
    return FST_DONE;
}

/* ---------------------------------------------------------------- int() */

/* Python can be told to refuse longer text, even if it is all zeros. */
enum { FST_INTEGER_TEXT_MOST = 640 };

/* The value of a character as a digit; 36 if it is none. */
FST_INLINE int
fst_digit_of(char character)
{
    const char lower = (char)(character | 0x20);
    if (character >= '0' && character <= '9')
        return character - '0';
    return lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 36;
}

/* Skips 0x, 0o or 0b where it belongs to the base, and one underscore behind it. */
FST_INLINE const char *
fst_skip_base(const char *at, const char *end, int base)
{
    const char letter = base == 16 ? 'x' : base == 8 ? 'o' : base == 2 ? 'b' : 0;
    if (letter == 0 || end - at < 2 || at[0] != '0' || (at[1] | 0x20) != letter)
        return at;
    at += 2;
    return at + (at < end && *at == '_');
}

/* Makes an integer of hexadecimal digits; gives back text that has anything else. */
FST_INLINE fst_status
fst_integer_of_hex(fst_machine *machine, fst_cell *to, const char *text, size_t size)
{
    fst_words words = {{0}, (uint32_t)((size + 15) / 16)};
    size_t i;
    if (words.count > FST_BIG_WORDS)
        return FST_GIVE_BACK;
    for (i = 0; i < size; i++) {
        const int digit = fst_digit_of(text[size - 1 - i]);
        if (digit > 15)
            return FST_GIVE_BACK;
        words.words[i / 16] |= (uint64_t)digit << 4 * (i % 16);
    }
    return fst_integer_of_words(machine, to, &words);
}

/* int(text, base) */
FST_INLINE fst_status
fst_integer_of_text(fst_machine *machine, fst_cell *to, fst_cell *str, int base)
{
    const char *at, *end, *sign;
    uint64_t sum = 0;
    int64_t result;
    fst_words words;
    int beyond = 0, negative;
    if (str->size > FST_INTEGER_TEXT_MOST)
        return FST_GIVE_BACK;
    FST_TRY(fst_strip_number(str, &at, &end));
    sign = at;
    negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    if (base != 10)
        at = fst_skip_base(at, end, base);
    if (at == end)
        return FST_VALUE_ERROR;
    for (; at < end; at++) {
        const int digit = fst_digit_of(*at);
        if (digit < base) {
            beyond |= sum > (UINT64_MAX - (uint64_t)digit) / (uint64_t)base;
            sum = sum * (uint64_t)base + (uint64_t)digit;
        } else if (*at != '_' || at == sign || at[-1] == '_' || at + 1 == end
                   || fst_digit_of(at[-1]) >= base) {
            return FST_VALUE_ERROR;
        }
    }
    if (beyond)
        return base == 16 ? fst_integer_of_hex(machine, to, str->text, str->size) : FST_GIVE_BACK;
    if (fst_with_sign(sum, negative, &result)) {
        *to = fst_int(result);
        return FST_DONE;
    }
    words.words[0] = sum;
    words.count = 1;
    return negative ? FST_GIVE_BACK : fst_integer_of_words(machine, to, &words);
}

FST_INLINE fst_status
fst_integer_of_float(fst_cell *to, double number)
{
    if (number != number)
        return FST_VALUE_ERROR;
    if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0))
        return FST_GIVE_BACK;
    *to = fst_int((int64_t)number);
    return FST_DONE;
}

/* Whether a value is surely neither text nor a number. */
FST_INLINE int
fst_is_no_number(const fst_cell *cell)
{
    switch (cell->type) {
    case FST_NONE:
    case FST_ARRAY_TEXT:
    case FST_OBJECT_TEXT:
    case FST_LIST:
    case FST_TUPLE:
    case FST_DICT:
    case FST_SET:
        return 1;
    default:
        return 0;
    }
}

/* int(x?, base?) */
FST_NOINLINE fst_status
fst_int_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *value = &arguments[0], *base = &arguments[1];
    FST_TRY(fst_settle(machine, value));
    FST_TRY(fst_settle(machine, base));
    if (base->type != FST_UNSET) {
        if (value->type != FST_STR || base->type != FST_INT || base->integer < 2
            || base->integer > 36)
            return FST_GIVE_BACK;
        return fst_integer_of_text(machine, to, value, (int)base->integer);
    }
    switch (value->type) {
    case FST_UNSET:
        *to = fst_int(0);
        return FST_DONE;
    case FST_BOOL:
    case FST_INT:
        *to = fst_int(value->integer);
        return FST_DONE;
    case FST_BIG:
        *to = *value;
        return FST_DONE;
    case FST_FLOAT:
        return fst_integer_of_float(to, value->number);
    case FST_STR:
        return fst_integer_of_text(machine, to, value, 10);
    case FST_DECIMAL:
        return fst_integer_of_decimal(to, value, FST_ROUND_DOWN);
    default:
        return fst_is_no_number(value) ? FST_TYPE_ERROR : FST_GIVE_BACK;
    }
}

/* ---------------------------------------------------------------- float() */

/* Whether [at, end) is a word, given in lower case. */
FST_INLINE int
fst_is_word(const char *at, const char *end, const char *word)
{
    for (; at < end && *word != 0; at++, word++)
        if ((*at | 0x20) != *word)
            return 0;
    return at == end && *word == 0;
}

FST_INLINE int
fst_is_decimal_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* Skips digits, with single underscores between them; tells if there are some of those. */
FST_INLINE const char *
fst_skip_digits(const char *at, const char *end, int *underscores)
{
    const char *start = at;
    for (; at < end; at++) {
        if (fst_is_decimal_digit(*at))
            continue;
        if (*at != '_' || at == start || at[-1] == '_' || end - at < 2
            || !fst_is_decimal_digit(at[1]))
            break;
        *underscores = 1;
    }
    return at;
}

/* Whether Python takes [at, end) for a decimal number without a sign. */
FST_INLINE int
fst_is_decimal_number(const char *at, const char *end, int *underscores)
{
    const char *start = at, *exponent;
    ptrdiff_t digits;
    at = fst_skip_digits(at, end, underscores);
    digits = at - start;
    if (at < end && *at == '.') {
        start = ++at;
        at = fst_skip_digits(at, end, underscores);
        digits += at - start;
    }
    if (digits == 0)
        return 0;
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        exponent = at;
        at = fst_skip_digits(at, end, underscores);
        if (at == exponent)
            return 0;
    }
    return at == end;
}

FST_NOINLINE fst_status
fst_read_without_underscores(
    fst_machine *machine, const char *at, const char *end, double *number)
{
    char *text = (char *)fst_take(machine, (size_t)(end - at) + 8), *to = text;
    if (text == NULL)
        return FST_NO_MEMORY;
    for (; at < end; at++)
        if (*at != '_')
            *to++ = *at;
    *number = fst_read_number(text, to - text);
    return FST_DONE;
}

/* float(text) */
FST_INLINE fst_status
fst_float_of_text(fst_machine *machine, fst_cell *to, fst_cell *str)
{
    const char *at, *end;
    double number;
    int underscores = 0, negative;
    FST_TRY(fst_strip_number(str, &at, &end));
    negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    if (fst_is_decimal_number(at, end, &underscores)) {
        if (underscores)
            FST_TRY(fst_read_without_underscores(machine, at, end, &number));
        else
            number = fst_read_number(at, end - at);
    } else if (fst_is_word(at, end, "inf") || fst_is_word(at, end, "infinity")) {
        number = HUGE_VAL;
    } else if (fst_is_word(at, end, "nan")) {
        number = fabs((double)NAN);
    } else {
        return FST_VALUE_ERROR;
    }
    *to = fst_float(negative ? -number : number);
    return FST_DONE;
}

/* float(x?) */
FST_NOINLINE fst_status
fst_float_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *value = &arguments[0];
    FST_TRY(fst_settle(machine, value));
    switch (value->type) {
    case FST_UNSET:
        *to = fst_float(0.0);
        return FST_DONE;
    case FST_BOOL:
    case FST_INT:
    case FST_FLOAT:
        *to = fst_float(fst_as_double(value));
        return FST_DONE;
    case FST_STR:
        return fst_float_of_text(machine, to, value);
    case FST_DECIMAL:
        *to = fst_float(fst_double_of_decimal(value));
        return FST_DONE;
    default:
        return fst_is_no_number(value) ? FST_TYPE_ERROR : FST_GIVE_BACK;
    }
}

/* ---------------------------------------------------------------- bin(), oct(), hex() */

/* Writes an integer with a prefix, `bits` of it in each digit. */
FST_NOINLINE fst_status
fst_write_in_base(fst_machine *machine, fst_cell *to, fst_cell *number, char letter, int bits)
{
    enum { ROOM = 64 + 3 };
    uint64_t magnitude;
    int negative;
    char *end, *at;
    FST_TRY(fst_settle(machine, number));
    FST_TRY(fst_read_magnitude(number, &magnitude, &negative));
    at = (char *)fst_take(machine, ROOM);
    if (at == NULL)
        return FST_NO_MEMORY;
    at = end = at + ROOM;
    do {
        *--at = "0123456789abcdef"[magnitude & ((1u << bits) - 1)];
        magnitude >>= bits;
    } while (magnitude != 0);
    *--at = letter;
    *--at = '0';
    if (negative)
        *--at = '-';
    *to = fst_str(at, (size_t)(end - at), FST_ASCII | FST_CLEAN);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_bin(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_write_in_base(machine, to, &arguments[0], 'b', 1);
}

FST_NOINLINE fst_status
fst_oct(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_write_in_base(machine, to, &arguments[0], 'o', 3);
}

FST_NOINLINE fst_status
fst_hex(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_write_in_base(machine, to, &arguments[0], 'x', 4);
}

#endif
