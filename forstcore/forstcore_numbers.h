/*
 * forstcore_numbers.h: JSON numbers, from text to integers and doubles and back.
 *
 * Reading rounds to the nearest double, ties to even, for text of any length. Writing takes the
 * fewest digits that are read back as the same double, and of these the closest, in the format of
 * Python's repr. Neither depends on the locale, allocates memory, or needs a library.
 *
 * Sources: Lemire, "Number Parsing at a Gigabyte per Second" (2021); Giulietti, "The Schubfach way
 * to render doubles" (2021). Both multiply by a power of ten with 128 bits; they share one table.
 *
 * Plain C11 or C++11, like forstcore.h, which includes this.
 */
#ifndef FORSTCORE_NUMBERS_H
#define FORSTCORE_NUMBERS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "forstcore_bits.h"
#include "forstcore_digits.h"
#include "forstcore_halfway.h"
#include "forstcore_powers.h"

enum {
    FST_INTEGER_ROOM = 24,  /* bytes that writing an integer may touch */
    FST_NUMBER_ROOM = 40    /* bytes that writing a double may touch */
};

/* ---------------------------------------------------------------- reading */

/* Reads an integer that has neither fraction nor exponent, and fits; returns whether it is one. */
static inline int
fst_read_integer(const char *text, ptrdiff_t size, int64_t *to)
{
    const char *end = text + size;
    const char *start = text + (*text == '-');
    uint64_t sum = 0;
    /* Up to 19 digits the sum is exact; more do not fit, since there are no leading zeros. */
    if (end - start > 19 || fst_read_digits(start, end, &sum) != end
        || sum > (uint64_t)INT64_MAX + (uint64_t)(start - text))
        return 0;
    *to = start > text ? (int64_t)(0 - sum) : (int64_t)sum;
    return 1;
}

/* Returns the bits of the double nearest to digits * 10**exponent. Where 128 bits of the power
 * cannot tell whether that is below, at or above the middle of two doubles, returns the lower one
 * and sets `unsure`. */
static inline uint64_t
fst_round(uint64_t digits, int64_t exponent, int *unsure)
{
    const uint64_t infinity = UINT64_C(2047) << 52;
    const uint64_t *power;
    uint64_t high, middle, low, carry, doubled;
    int top, zeros, shift, biased;
    *unsure = 0;
    /* 2**64 * 10**-343 is less than half of the least double. */
    if (digits == 0 || exponent < FST_LEAST_POWER)
        return 0;
    if (exponent > 308)
        return infinity;
    /* The product is high, middle, low. The power is rounded up by less than one, so that the exact
     * product is smaller by less than 2**64: less than one in `middle`. */
    power = fst_power((int)exponent);
    zeros = fst_leading_zeros(digits);
    digits <<= zeros;
    middle = fst_multiply(digits, power[0], &high);
    low = fst_multiply(digits, power[1], &carry);
    middle += carry;
    high += middle < carry;

    top = (int)(high >> 63);
    shift = 9 + top;
    biased = fst_binary_exponent((int)exponent) - zeros + top + 63 + 1023;
    if (biased >= 2047)
        return infinity;
    if (biased <= 0) {
        /* Subnormal: less digits. */
        shift += 1 - biased;
        biased = 1;
        if (shift > 63)
            return 0;
    }
    /* Twice the significand: the last bit is the half that decides. */
    doubled = high >> shift;
    if ((doubled & 1) && (high << (64 - shift) | middle) == 0) {
        if (exponent < 0 || exponent > FST_LARGEST_EXACT_POWER) {
            *unsure = 1;
            doubled--;
        } else if (low == 0 && !(doubled & 2)) {
            doubled--;
        }
    }
    return ((uint64_t)(biased - 1) << 52) + ((doubled + 1) >> 1);
}

static inline int64_t
fst_read_exponent(const char *at, const char *end)
{
    int64_t exponent = 0;
    int negative = *at == '-';
    for (at += negative || *at == '+'; at < end; at++)
        /* Larger ones make no difference: no line has digits enough to outweigh them. */
        if (exponent < INT64_C(1000000000000))
            exponent = exponent * 10 + (*at - '0');
    return negative ? -exponent : exponent;
}

/* Reads the digits [at, end) if there are too many for 64 bits: the first 19 that count. Returns how
 * many are left, and whether any of these is not zero. */
static inline int64_t
fst_read_first_digits(const char *at, const char *end, uint64_t *digits, int *more)
{
    const uint64_t full = UINT64_C(1000000000000000000);
    int64_t left = 0;
    *digits = 0;
    *more = 0;
    for (; at < end; at++) {
        if (*at == '.')
            continue;
        if (*digits < full) {
            *digits = *digits * 10 + (uint64_t)(*at - '0');
        } else {
            *more |= *at != '0';
            left++;
        }
    }
    return left;
}

/* A number as it is written. */
typedef struct fst_decimal {
    const char *start;      /* of the digits */
    const char *end;        /* of the digits */
    ptrdiff_t count;        /* of the digits */
    ptrdiff_t places;       /* digits after the point */
    uint64_t digits;        /* the digits as an integer, modulo 2**64 */
    int64_t exponent;       /* what the last digit stands for, as a power of ten */
    int negative;
} fst_decimal;

static inline fst_decimal
fst_read_decimal(const char *text, ptrdiff_t size)
{
    const char *end = text + size;
    fst_decimal number = {text, NULL, 0, 0, 0, 0, *text == '-'};
    number.start += number.negative;
    number.end = fst_read_digits(number.start, end, &number.digits);
    number.count = number.end - number.start;
    if (number.end < end && *number.end == '.') {
        const char *places = number.end + 1;
        number.end = fst_read_digits(places, end, &number.digits);
        number.places = number.end - places;
        number.count += number.places;
        number.exponent = -number.places;
    }
    if (number.end < end)
        number.exponent += fst_read_exponent(number.end + 1, end);
    return number;
}

/* Returns the bits of the double nearest to the absolute value of a number. */
static inline uint64_t
fst_nearest(const fst_decimal *number)
{
    uint64_t digits = number->digits, bits;
    int64_t exponent = number->exponent;
    int unsure, more = 0;
    if (number->count > 19)
        exponent += fst_read_first_digits(number->start, number->end, &digits, &more);
    bits = fst_round(digits, exponent, &unsure);
    if (more) {
        /* It is between two numbers of 19 digits. */
        uint64_t above = fst_round(digits + 1, exponent, &unsure);
        unsure |= bits != above;
    }
    if (unsure) {
        int order = fst_compare_middle(number->start, number->end, number->exponent, bits);
        bits += order > 0 || (order == 0 && (bits & 1));
    }
    return bits;
}

/* Integers up to this, and these powers of ten, are exact as doubles, so that one operation on both
 * rounds once. */
#define FST_EXACT_INTEGERS (UINT64_C(1) << 53)
enum { FST_EXACT_POWERS = 22 };
static const double FST_POWERS[FST_EXACT_POWERS + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static inline double
fst_double_of(const fst_decimal *number)
{
    double result;
    uint64_t bits;
    if (number->count <= 19 && number->digits <= FST_EXACT_INTEGERS
        && number->exponent >= -FST_EXACT_POWERS && number->exponent <= FST_EXACT_POWERS) {
        result = (double)(int64_t)number->digits;
        if (number->exponent < 0)
            result /= FST_POWERS[-number->exponent];
        else
            result *= FST_POWERS[number->exponent];
        return number->negative ? -result : result;
    }
    bits = fst_nearest(number) | (uint64_t)number->negative << 63;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/* Reads a valid number as the nearest double. */
static inline double
fst_read_number(const char *text, ptrdiff_t size)
{
    const int negative = *text == '-';
    fst_decimal number;
    uint64_t digits;
    int places;
    if (fst_read_few_digits(text + negative, size - negative, &digits, &places)
        && digits <= FST_EXACT_INTEGERS) {
        const double result = (double)(int64_t)digits / FST_POWERS[places];
        return negative ? -result : result;
    }
    number = fst_read_decimal(text, size);
    return fst_double_of(&number);
}

/* ---------------------------------------------------------------- writing */

/* Writes an integer; returns its end. `to` has room for FST_INTEGER_ROOM bytes. */
static inline char *
fst_write_integer(char *to, int64_t number)
{
    *to = '-';
    return fst_write_unsigned(to + (number < 0), number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

/* Returns a product with a power of ten without its lowest 128 bits; the last bit of the result is
 * set where they are not zero. */
static inline uint64_t
fst_round_to_odd(const uint64_t *power, uint64_t number)
{
    uint64_t high, middle, carry;
    middle = fst_multiply(power[0], number, &high);
    (void)fst_multiply(power[1], number, &carry);
    middle += carry;
    high += middle < carry;
    /* The power may be rounded up, which makes less than one in `middle`. */
    return high | (middle > 1);
}

/* Returns the digits of the shortest decimal number that is read as the double with these bits, which
 * is positive, and their power of ten in `exponent`. May end with zeros. (Schubfach, with the names
 * of the paper.) */
static inline uint64_t
fst_shortest(uint64_t bits, int *exponent)
{
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52);
    uint64_t c = biased ? fraction | UINT64_C(1) << 52 : fraction;
    int q = (biased ? biased : 1) - 1075;
    int regular = fraction != 0 || biased <= 1;     /* the double below is as far as the one above */
    int odd = (int)(c & 1);                         /* the middles are read as its even neighbours */
    int k, h;
    const uint64_t *g;
    uint64_t low, value, high, s, tenth;
    if (q <= 0 && q > -53 && (c & ((UINT64_C(1) << -q) - 1)) == 0) {
        *exponent = 0;
        return c >> -q;
    }
    k = (q * 1262611 - (regular ? 0 : 524031)) >> 22;
    h = q + fst_binary_exponent(-k) + 1;
    g = fst_power(-k);
    low = fst_round_to_odd(g, (4 * c - (regular ? 2 : 1)) << h) + (uint64_t)odd;
    value = fst_round_to_odd(g, 4 * c << h);
    high = fst_round_to_odd(g, (4 * c + 2) << h) - (uint64_t)odd;

    s = value / 4;
    *exponent = k;
    if (s >= 10) {
        /* At most one number with one digit less is between the middles. */
        tenth = s / 10;
        int below = low <= 40 * tenth, above = 40 * tenth + 40 <= high;
        if (below != above) {
            *exponent = k + 1;
            return tenth + (uint64_t)above;
        }
    }
    {
        int below = low <= 4 * s, above = 4 * s + 4 <= high;
        if (below != above)
            return s + (uint64_t)above;
    }
    return s + (value > 4 * s + 2 || (value == 4 * s + 2 && (s & 1)));
}

/* Writes a finite double; returns its end. `to` has room for FST_NUMBER_ROOM bytes. */
static inline char *
fst_write_number(char *to, double number)
{
    char buffer[48];        /* 17 digits, and zeros to copy */
    const char *first;
    uint64_t bits, digits, eight, last;
    int exponent, leading, trailing, count, point;
    memcpy(&bits, &number, sizeof bits);
    *to = '-';
    to += bits >> 63;
    bits &= UINT64_MAX >> 1;
    if (bits == 0) {
        memcpy(to, "0.0", 3);
        return to + 3;
    }
    digits = fst_shortest(bits, &exponent);
    last = fst_split_digits((uint32_t)(digits % FST_EIGHT_DIGITS));
    digits /= FST_EIGHT_DIGITS;
    eight = fst_split_digits((uint32_t)(digits % FST_EIGHT_DIGITS));
    digits /= FST_EIGHT_DIGITS;
    buffer[0] = (char)('0' + digits);
    fst_store_eight(buffer + 1, eight | FST_ASCII_ZEROS);
    fst_store_eight(buffer + 9, last | FST_ASCII_ZEROS);
    memset(buffer + 17, '0', sizeof buffer - 17);
    leading = digits ? 0 : eight ? 1 + (fst_trailing_zeros(eight) >> 3)
                                 : 9 + (fst_trailing_zeros(last) >> 3);
    trailing = last ? fst_leading_zeros(last) >> 3 : eight ? 8 + (fst_leading_zeros(eight) >> 3) : 16;

    /* The digits without zeros around them, and the place of the point among them. */
    first = buffer + leading;
    count = 17 - leading - trailing;
    point = 17 - leading + exponent;
    if (point > 0 && point <= 16) {
        memcpy(to, first, 16);
        to[point] = '.';
        memcpy(to + point + 1, first + point, 16);
        return to + (count > point ? count + 1 : point + 2);
    }
    if (point <= 0 && point > -4) {
        memcpy(to, "0.000", 5);
        memcpy(to + 2 - point, first, 17);
        return to + 2 - point + count;
    }
    to[0] = first[0];
    to[1] = '.';
    memcpy(to + 2, first + 1, 16);
    to += count > 1 ? count + 1 : 1;
    point--;
    to[0] = 'e';
    to[1] = point < 0 ? '-' : '+';
    point = point < 0 ? -point : point;
    to[2] = '0';
    return fst_write_unsigned(to + 2 + (point < 10), (uint64_t)point);
}

/* Tells whether fst_write_number would write a number just as it is written, of which the digits
 * begin at `start`, some of them behind the point, and which has no exponent: those with up to 15
 * digits and no zeros at their end. */
static inline int
fst_is_shortest(const char *start, const char *end, ptrdiff_t count, ptrdiff_t places)
{
    if (count > 15 || (end[-1] == '0' && places > 1))
        return 0;
    /* From 0.0001 on there is no exponent. */
    return *start != '0' || places < 5 || memcmp(start + 2, "0000", 4) != 0;
}

/* As fst_write_normalized, for numbers with more than a few digits. */
static inline char *
fst_write_long_normalized(char *to, const char *text, ptrdiff_t size)
{
    const char *end = text + size;
    const fst_decimal number = fst_read_decimal(text, size);
    if (number.end < end
        || (number.places > 0 && !fst_is_shortest(number.start, end, number.count, number.places)))
        return fst_write_number(to, fst_double_of(&number));
    /* There is no negative zero among integers. */
    if (number.places == 0 && *number.start == '0')
        text = number.start;
    memcpy(to, text, (size_t)(end - text));
    return to + (end - text);
}

/* Writes a valid number as Python writes what it reads: integers with all digits, other numbers as
 * doubles. Returns its end. `to` has room for `size` and for FST_NUMBER_ROOM bytes. */
static inline char *
fst_write_normalized(char *to, const char *text, ptrdiff_t size)
{
    const char *start = text + (*text == '-'), *end = text + size;
    uint64_t digits;
    int places;
    const int count = fst_read_few_digits(start, end - start, &digits, &places);
    if (count == 0 || digits == 0
        || (places > 0 && !fst_is_shortest(start, end, count, places)))
        return fst_write_long_normalized(to, text, size);
    *to = '-';
    to += start - text;
    fst_store_eight(to, fst_load_up_to_eight(start, end - start));
    if (end - start > 8)
        memcpy(to + (end - start) - 8, end - 8, 8);
    return to + (end - start);
}

#endif
