/* The exact comparison that forstcore_numbers.h makes where a number is so close to the middle of two
 * doubles that a product of 128 bits cannot tell which of them is nearer.
 */
#ifndef FORSTCORE_HALFWAY_H
#define FORSTCORE_HALFWAY_H

#include <stdint.h>

#include "forstcore_bits.h"

/* An integer of any size that the comparison below needs: a number of 769 digits times the power of
 * five or two that makes it comparable with a double takes less than 2700 bits. */
typedef struct fst_big {
    int count;
    uint64_t words[48];     /* the lowest first */
} fst_big;

static inline void
fst_big_multiply(fst_big *big, uint64_t factor, uint64_t addend)
{
    int i;
    for (i = 0; i < big->count; i++) {
        uint64_t high, low = fst_multiply(big->words[i], factor, &high);
        low += addend;
        addend = high + (low < addend);
        big->words[i] = low;
    }
    if (addend)
        big->words[big->count++] = addend;
}

static inline void
fst_big_multiply_power(fst_big *big, int fives, int twos)
{
    const uint64_t five_to_27 = UINT64_C(7450580596923828125);
    for (; fives >= 27; fives -= 27)
        fst_big_multiply(big, five_to_27, 0);
    for (; fives > 0; fives--)
        fst_big_multiply(big, 5, 0);
    for (; twos >= 63; twos -= 63)
        fst_big_multiply(big, UINT64_C(1) << 63, 0);
    fst_big_multiply(big, UINT64_C(1) << twos, 0);
}

static inline int
fst_big_compare(const fst_big *a, const fst_big *b)
{
    int i;
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (i = a->count - 1; i >= 0; i--)
        if (a->words[i] != b->words[i])
            return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

/* Compares a number with the middle of the double with these bits and the next one, exactly. The
 * digits of the number start at `at`; the last one before `end` stands for 10**exponent. */
static inline int
fst_compare_middle(const char *at, const char *end, int64_t exponent, uint64_t bits)
{
    enum { MOST = 768 };    /* the middle of two doubles has fewer digits that are not zero */
    fst_big number = {0, {0}}, middle = {1, {0}};
    uint64_t chunk = 0, scale = 1;
    int biased = (int)(bits >> 52), twos = (biased ? biased : 1) - 1076;
    int count = 0, more = 0, fives;
    for (; at < end; at++) {
        if (*at == '.')
            continue;
        if (count == MOST) {
            more |= *at != '0';
            exponent++;
            continue;
        }
        chunk = chunk * 10 + (uint64_t)(*at - '0');
        scale *= 10;
        count += count > 0 || chunk > 0;
        if (scale == UINT64_C(10000000000000000000)) {
            fst_big_multiply(&number, scale, chunk);
            chunk = 0;
            scale = 1;
        }
    }
    fst_big_multiply(&number, scale, chunk);
    if (more) {
        /* Whatever follows, it is less than one and more than nothing. */
        fst_big_multiply(&number, 10, 1);
        exponent--;
    }
    middle.words[0] = (bits & ((UINT64_C(1) << 52) - 1)) << 1 | 1;
    if (biased)
        middle.words[0] += UINT64_C(1) << 53;

    /* number * 10**exponent and middle * 2**twos, both made integers. */
    fives = (int)exponent;
    twos -= fives;
    fst_big_multiply_power(&number, fives > 0 ? fives : 0, twos < 0 ? -twos : 0);
    fst_big_multiply_power(&middle, fives < 0 ? -fives : 0, twos > 0 ? twos : 0);
    return fst_big_compare(&number, &middle);
}

#endif
