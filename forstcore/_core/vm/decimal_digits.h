/* decimal_digits.h: doubles with a given number of decimal digits, as printf writes them, but in any
 * locale.
 *
 * A double is a fraction with a power of two below it, which has an end in decimals, too. All its
 * digits are computed, then rounded to the nearest, ties to even, as Python does. For numbers of
 * usual size and few digits behind the point 128 bits are enough. */
#ifndef FST_VM_DECIMAL_DIGITS_H
#define FST_VM_DECIMAL_DIGITS_H

#include <string.h>

#include "../../forstcore.h"
#include "../scan.h"

enum {
    FST_PRECISION_MOST = 300,
    FST_DIGITS_ROOM = 800,      /* for all digits of any double: 767, in groups of nine */
    FST_FLOAT_ROOM = 320 + FST_PRECISION_MOST,
    FST_GROUP = 1000000000      /* nine digits */
};

/* The digits of a positive number, without zeros before them. */
typedef struct fst_digits {
    char digits[FST_DIGITS_ROOM];
    int count;
    int point;                  /* how many are before the point; negative for zeros behind it */
} fst_digits;

/* The parts of a double, whose sign is left out: significand * 2**exponent. */
FST_INLINE uint64_t
fst_split_double(double number, int *exponent)
{
    uint64_t bits;
    int biased;
    memcpy(&bits, &number, sizeof bits);
    biased = (int)(bits >> 52 & 2047);
    bits &= (UINT64_C(1) << 52) - 1;
    *exponent = (biased ? biased : 1) - 1075;
    return biased ? bits | UINT64_C(1) << 52 : bits;
}

/* ---------------------------------------------------------------- all digits */

/* Appends nine digits; zeros before the first other digit only move the point. */
FST_INLINE void
fst_append_group(fst_digits *to, uint32_t group, int is_fraction)
{
    char digits[9];
    int first = 0;
    digits[0] = (char)('0' + group / FST_EIGHT_DIGITS);
    fst_store_eight(digits + 1, fst_split_digits(group % FST_EIGHT_DIGITS) | FST_ASCII_ZEROS);
    if (to->count == 0) {
        while (first < 9 && digits[first] == '0')
            first++;
        to->point -= is_fraction ? first : 0;
    }
    memcpy(to->digits + to->count, digits + first, (size_t)(9 - first));
    to->count += 9 - first;
    to->point += is_fraction ? 0 : 9 - first;
}

/* The digits of number * 2**shift. */
FST_NOINLINE void
fst_expand_integer(fst_digits *to, uint64_t number, int shift)
{
    uint32_t groups[36];
    int count = 0, i;
    for (; number > 0; number /= FST_GROUP)
        groups[count++] = (uint32_t)(number % FST_GROUP);
    while (shift > 0) {
        const int step = shift < 29 ? shift : 29;
        uint64_t carry = 0;
        for (i = 0; i < count; i++) {
            carry += (uint64_t)groups[i] << step;
            groups[i] = (uint32_t)(carry % FST_GROUP);
            carry /= FST_GROUP;
        }
        if (carry > 0)
            groups[count++] = (uint32_t)carry;
        shift -= step;
    }
    while (count > 0)
        fst_append_group(to, groups[--count], 0);
}

/* The digits of number / 2**shift, which is less than one. */
FST_NOINLINE void
fst_expand_fraction(fst_digits *to, uint64_t number, int shift)
{
    uint32_t words[36] = {0};   /* the lowest first; the point is before the highest one */
    const int count = (shift + 31) / 32;
    const int left = 32 * count - shift;
    int lowest = 0, i;
    words[0] = (uint32_t)(number << left);
    words[1] = (uint32_t)(number << left >> 32);
    words[2] = left == 0 ? 0 : (uint32_t)(number >> (64 - left));
    for (;;) {
        uint64_t carry = 0;
        while (lowest < count && words[lowest] == 0)
            lowest++;
        if (lowest == count)
            return;
        for (i = lowest; i < count; i++) {
            carry += (uint64_t)words[i] * FST_GROUP;
            words[i] = (uint32_t)carry;
            carry >>= 32;
        }
        fst_append_group(to, (uint32_t)carry, 1);
    }
}

/* All digits of the absolute value of a finite double: none of zero. */
FST_NOINLINE void
fst_expand(fst_digits *to, double number)
{
    int exponent;
    const uint64_t significand = fst_split_double(number, &exponent);
    to->count = to->point = 0;
    if (exponent >= 0) {
        fst_expand_integer(to, significand, exponent);
        return;
    }
    if (exponent > -64) {
        fst_expand_integer(to, significand >> -exponent, 0);
        fst_expand_fraction(
            to, significand & ((UINT64_C(1) << -exponent) - 1), -exponent);
    } else {
        fst_expand_fraction(to, significand, -exponent);
    }
}

/* Rounds to so many digits, or one more where they become a power of ten. */
FST_NOINLINE void
fst_round_digits(fst_digits *to, int keep)
{
    int i, up;
    if (keep >= to->count)
        return;
    if (keep < 0) {
        to->count = 0;
        return;
    }
    up = to->digits[keep] >= '5';
    if (to->digits[keep] == '5') {
        for (i = keep + 1; i < to->count && to->digits[i] == '0'; i++)
            ;
        if (i == to->count)
            up = keep > 0 && (to->digits[keep - 1] & 1);
    }
    to->count = keep;
    if (!up)
        return;
    for (i = keep - 1; i >= 0 && to->digits[i] == '9'; i--)
        to->digits[i] = '0';
    if (i >= 0) {
        to->digits[i]++;
        return;
    }
    to->digits[0] = '1';
    if (keep > 0)
        to->digits[keep] = '0';
    to->count++;
    to->point++;
}

/* Rounds to so many digits by way of the shortest number that is read as the same double; returns
 * whether that can be done.
 *
 * The shortest number is on the same side of each middle between two results as the double itself, or
 * else that middle would have been the shorter or nearer one. Only a number that is a middle tells
 * nothing. Up to 15 digits, a number with no more of them is the nearest to its double. */
FST_INLINE int
fst_round_shortest(fst_digits *to, double number, int keep)
{
    char digits[24];
    uint64_t bits;
    int exponent;
    memcpy(&bits, &number, sizeof bits);
    bits &= UINT64_MAX >> 1;
    if (keep > 15 || bits >> 52 == 0)
        return 0;
    to->count = (int)(fst_write_unsigned(digits, fst_shortest(bits, &exponent)) - digits);
    to->point = to->count + exponent;
    while (digits[to->count - 1] == '0')
        to->count--;
    if (to->count == keep + 1 && digits[keep] == '5')
        return 0;
    memcpy(to->digits, digits, sizeof digits);
    fst_round_digits(to, keep);
    return 1;
}

/* The digits of the absolute value of a finite double, rounded to so many. */
FST_INLINE void
fst_round_to_digits(fst_digits *to, double number, int keep)
{
    if (fst_round_shortest(to, number, keep))
        return;
    fst_expand(to, number);
    fst_round_digits(to, keep);
}

/* Copies digits from a place on, which may be before the first one or behind the last one. */
FST_INLINE char *
fst_copy_digits(char *at, const fst_digits *digits, int place, int count)
{
    for (; count > 0; count--, place++)
        *at++ = place >= 0 && place < digits->count ? digits->digits[place] : '0';
    return at;
}

/* ---------------------------------------------------------------- formats */

/* Digits before the point, at least one; returns their end. */
FST_INLINE char *
fst_copy_whole(char *at, const fst_digits *digits)
{
    return digits->point <= 0 ? fst_copy_digits(at, digits, -1, 1)
                              : fst_copy_digits(at, digits, 0, digits->point);
}

/* Writes the digits of a number below 10**count, with zeros before them. */
FST_INLINE char *
fst_write_padded(char *at, uint64_t number, int count)
{
    int i;
    for (i = count; i > 0; i--, number /= 10)
        at[i - 1] = (char)('0' + number % 10);
    return at + count;
}

/* Rounds a fraction / 2**shift to an integer; a tie is rounded up if `odd` is set, or the integer is
 * odd. The fraction has two words of 64 bits, shift is 1 to 127. */
FST_INLINE uint64_t
fst_round_shifted(uint64_t high, uint64_t low, int shift, int odd)
{
    uint64_t whole, rest;       /* the rest as a fraction of 64 bits, the last one for lower ones */
    if (shift < 64) {
        whole = high << (64 - shift) | low >> shift;
        rest = low << (64 - shift);
    } else if (shift == 64) {
        whole = high;
        rest = low;
    } else {
        whole = high >> (shift - 64);
        rest = high << (128 - shift) | (low != 0);
    }
    return whole + (rest > UINT64_C(1) << 63
                    || (rest == UINT64_C(1) << 63 && (odd || (whole & 1))));
}

/* Writes a number below 2**64 with up to 19 digits behind the point; returns NULL for others. */
FST_INLINE char *
fst_write_short_fixed(char *at, double number, int precision)
{
    uint64_t power = 1, whole, fraction, high, low;
    int exponent, i;
    const uint64_t significand = fst_split_double(number, &exponent);
    if (precision > 19 || exponent > 11)
        return NULL;
    for (i = 0; i < precision; i++)
        power *= 10;
    whole = fraction = 0;
    if (exponent >= 0) {
        whole = significand << exponent;
    } else if (exponent > -128) {
        /* All digits of a smaller one are zeros. */
        const uint64_t below = exponent > -64 ? significand & ((UINT64_C(1) << -exponent) - 1)
                                              : significand;
        whole = exponent > -64 ? significand >> -exponent : 0;
        low = fst_multiply(below, power, &high);
        fraction = fst_round_shifted(high, low, -exponent, precision == 0 && (whole & 1));
        if (fraction == power) {
            fraction = 0;
            whole++;
        }
    }
    at = fst_write_unsigned(at, whole);
    if (precision == 0)
        return at;
    *at++ = '.';
    return fst_write_padded(at, fraction, precision);
}

/* Writes the absolute value of a finite double as format 'f' does. */
FST_INLINE char *
fst_write_fixed(char *at, double number, int precision)
{
    fst_digits digits;
    char *end = fst_write_short_fixed(at, number, precision);
    if (end != NULL)
        return end;
    fst_expand(&digits, number);
    fst_round_digits(&digits, digits.point + precision);
    at = fst_copy_whole(at, &digits);
    if (precision > 0) {
        *at++ = '.';
        at = fst_copy_digits(at, &digits, digits.point, precision);
    }
    return at;
}

FST_INLINE char *
fst_write_exponent(char *at, int exponent, char letter)
{
    *at++ = letter;
    *at++ = exponent < 0 ? '-' : '+';
    exponent = exponent < 0 ? -exponent : exponent;
    return fst_write_padded(at, (uint64_t)exponent, exponent < 100 ? 2 : 3);
}

/* Writes digits with an exponent, so many behind the point. */
FST_INLINE char *
fst_copy_scientific(char *at, const fst_digits *digits, int precision, char letter)
{
    at = fst_copy_digits(at, digits, 0, 1);
    if (precision > 0) {
        *at++ = '.';
        at = fst_copy_digits(at, digits, 1, precision);
    }
    return fst_write_exponent(at, digits->count == 0 ? 0 : digits->point - 1, letter);
}

/* Writes the absolute value of a finite double as format 'e' does. */
FST_NOINLINE char *
fst_write_scientific(char *at, double number, int precision, char letter)
{
    fst_digits digits;
    fst_round_to_digits(&digits, number, precision + 1);
    return fst_copy_scientific(at, &digits, precision, letter);
}

/* Writes the absolute value of a finite double as format 'g' does; as no format does, with a digit
 * behind the point, if `with_point` is set. */
FST_NOINLINE char *
fst_write_general(char *at, double number, int precision, char letter, int with_point)
{
    fst_digits digits;
    int behind;
    if (precision == 0)
        precision = 1;
    fst_round_to_digits(&digits, number, precision);
    while (digits.count > 0 && digits.digits[digits.count - 1] == '0')
        digits.count--;
    if (digits.count == 0)
        digits.point = 1;
    if (digits.point <= -4 || digits.point > precision - with_point)
        return fst_copy_scientific(at, &digits, digits.count > 1 ? digits.count - 1 : 0, letter);
    at = fst_copy_whole(at, &digits);
    behind = digits.count - digits.point;
    if (behind < with_point)
        behind = with_point;
    if (behind > 0) {
        *at++ = '.';
        at = fst_copy_digits(at, &digits, digits.point, behind);
    }
    return at;
}

#endif
