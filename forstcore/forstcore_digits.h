/* Decimal digits, eight at a time: what forstcore_numbers.h reads and writes numbers with.
 */
#ifndef FORSTCORE_DIGITS_H
#define FORSTCORE_DIGITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "forstcore_bits.h"

#define FST_EIGHT_DIGITS 100000000u
#define FST_ASCII_ZEROS 0x3030303030303030u

/* Returns the number with these eight digits, the first one in the lowest byte. */
static inline uint64_t
fst_join_digits(uint64_t digits)
{
    const uint64_t mask = 0x000000ff000000ffu;
    digits = digits * 10 + (digits >> 8);
    return ((digits & mask) * (100 + (UINT64_C(1000000) << 32))
            + (digits >> 16 & mask) * (1 + (UINT64_C(10000) << 32))) >> 32;
}

/* Whether all eight bytes are digits; '0' has been taken from each. */
static inline int
fst_are_digits(uint64_t digits)
{
    /* Below ten a digit has no high bit, with 0x76 added neither. */
    return (((digits + FST_EACH_BYTE * 0x76) | digits) & FST_EACH_BYTE * 0x80) == 0;
}

/* Appends the digits at `at` to `sum`, modulo 2**64; returns where they end. */
static inline const char *
fst_read_digits(const char *at, const char *end, uint64_t *sum)
{
    for (; end - at >= 8; at += 8) {
        const uint64_t digits = fst_load_eight(at) ^ FST_ASCII_ZEROS;
        if (!fst_are_digits(digits))
            break;
        *sum = *sum * FST_EIGHT_DIGITS + fst_join_digits(digits);
    }
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        *sum = *sum * 10 + (uint64_t)(*at - '0');
    return at;
}

/* Loads up to eight bytes, and zeros behind them. */
static inline uint64_t
fst_load_up_to_eight(const char *text, ptrdiff_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (size >= 8)
        return fst_load_eight(text);
    /* Where two loads overlap they are equal. */
    if (size >= 4)
        return fst_load_four(text) | (uint64_t)fst_load_four(text + size - 4) << 8 * (size - 4);
    if (size <= 0)
        return 0;
    return bytes[0] | (uint64_t)bytes[size / 2] << 8 * (size / 2)
           | (uint64_t)bytes[size - 1] << 8 * (size - 1);
}

/* Reads up to eight bytes, which have to be digits; returns whether they are. */
static inline int
fst_read_eight_digits(const char *text, ptrdiff_t size, uint64_t *number)
{
    uint64_t digits;
    if ((size_t)(size - 1) >= 8)
        return 0;
    /* The last digit moves to the last byte, zeros to the first ones. */
    digits = (fst_load_up_to_eight(text, size) ^ FST_ASCII_ZEROS) << 8 * (8 - size);
    if (!fst_are_digits(digits))
        return 0;
    *number = fst_join_digits(digits);
    return 1;
}

/* Reads what most numbers are: up to 16 bytes, digits with at most one point among them, and no sign.
 * Returns how many digits there are, and how many of them are behind the point; 0 for anything else.
 * No branch depends on single bytes, since the lengths of numbers cannot be foretold. */
static inline int
fst_read_few_digits(const char *text, ptrdiff_t size, uint64_t *digits, int *places)
{
    const unsigned char point = '.' ^ '0';
    uint64_t low, high = 0, before;
    int at, count = (int)size;
    if (size > 16)
        return 0;
    low = fst_load_up_to_eight(text, size) ^ FST_ASCII_ZEROS;
    if (size > 8)
        high = (fst_load_eight(text + size - 8) ^ FST_ASCII_ZEROS) >> 4 * (16 - size) >> 4 * (16 - size);
    else if (size < 8)
        low &= (UINT64_C(1) << 8 * size) - 1;
    *places = 0;
    /* What is behind a point moves to its place. */
    if (fst_find_in_eight(low, point, &at)) {
        before = (UINT64_C(1) << 8 * at) - 1;
        low = (low & before) | ((low >> 8 | high << 56) & ~before);
        high >>= 8;
        *places = --count - at;
    } else if (size > 8 && fst_find_in_eight(high, point, &at)) {
        before = (UINT64_C(1) << 8 * at) - 1;
        high = (high & before) | (high >> 8 & ~before);
        *places = --count - at - 8;
    }
    if (!(fst_are_digits(low) & fst_are_digits(high)))
        return 0;
    /* The last digit moves to the last byte, zeros to the first ones. */
    if (count <= 8) {
        *digits = fst_join_digits(low << 4 * (8 - count) << 4 * (8 - count));
        return count;
    }
    at = 8 * (16 - count);
    high = high << at | low >> 1 >> (63 - at);
    *digits = fst_join_digits(low << at) * FST_EIGHT_DIGITS + fst_join_digits(high);
    return count;
}

/* Returns the eight digits of a number below 10**8, the first one in the lowest byte. */
static inline uint64_t
fst_split_digits(uint32_t number)
{
    uint64_t fours = number / 10000 | (uint64_t)(number % 10000) << 32;
    uint64_t hundreds = (fours * 10486) >> 20 & 0x0000007f0000007fu;
    uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
    uint64_t tens = (twos * 103) >> 10 & 0x000f000f000f000fu;
    return tens | (twos - tens * 10) << 8;
}

static inline char *
fst_write_unsigned(char *to, uint64_t number)
{
    uint64_t digits;
    int zeros;
    if (number >= FST_EIGHT_DIGITS) {
        to = fst_write_unsigned(to, number / FST_EIGHT_DIGITS);
        fst_store_eight(to, fst_split_digits((uint32_t)(number % FST_EIGHT_DIGITS)) | FST_ASCII_ZEROS);
        return to + 8;
    }
    digits = fst_split_digits((uint32_t)number);
    /* One digit of zero stays. */
    zeros = fst_trailing_zeros(digits | UINT64_C(1) << 56) >> 3;
    fst_store_eight(to, digits >> 8 * zeros | FST_ASCII_ZEROS);
    return to + 8 - zeros;
}

#endif
