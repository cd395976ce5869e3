/* spread.h: variance, pvariance, stdev and pstdev of statistics.
 *
 * Python computes them with fractions, and rounds once. So does this, with integers of many words:
 * of n numbers, the sum of the squares of their distances from the mean is, times n, n times the sum
 * of their squares less the square of their sum. */
#ifndef FST_VM_SPREAD_H
#define FST_VM_SPREAD_H

#include "big_integers.h"
#include "statistics.h"

/* A fraction, times a power of two. */
typedef struct fst_fraction {
    fst_words numerator;
    uint64_t denominator;
    int exponent;
    int integers;           /* whether all numbers are integers */
} fst_fraction;

/* The magnitude of a number as a multiple of a power of two, which it has to be. */
FST_INLINE void
fst_scale_number(fst_words *to, double number, int lowest)
{
    int exponent, shift;
    uint64_t whole;
    to->count = 0;
    if (number == 0)
        return;
    whole = fst_magnitude(fst_take_apart(number, &exponent));
    shift = exponent - lowest;
    to->words[0] = whole << shift;
    to->words[1] = whole >> 1 >> (63 - shift);
    to->count = 1 + (to->words[1] != 0);
}

/* The variance of the numbers of an argument; `is_sample` divides by one less than their count. */
FST_NOINLINE fst_status
fst_variance(fst_machine *machine, fst_cell *from, int is_sample, fst_fraction *to)
{
    fst_words squares = {{0}, 0}, sum, one, other;
    fst_exact exact;
    fst_list *list;
    uint64_t count;
    uint32_t i;
    FST_TRY(fst_collect_doubles(machine, from, &list, &to->integers, &exact));
    count = list->count;
    if (count < 1 + (uint64_t)is_sample)
        return FST_GIVE_BACK;
    for (i = 0; i < list->count; i++) {
        const fst_cell *item = &list->items[i];
        fst_scale_number(&one, fst_as_double(item), exact.exponent);
        sum = squares;
        if (!fst_multiply_words(&other, &one, &one) || !fst_add_words(&squares, &sum, &other))
            return FST_GIVE_BACK;
    }
    if (exact.high >> 63) {
        exact.high = ~exact.high + (exact.low == 0);
        exact.low = 0 - exact.low;
    }
    sum.words[0] = exact.low;
    sum.words[1] = exact.high;
    sum.count = 2;
    one.words[0] = count;
    one.count = 1;
    if (!fst_multiply_words(&other, &squares, &one) || !fst_multiply_words(&squares, &sum, &sum)
        || !fst_subtract_words(&to->numerator, &other, &squares))
        return FST_GIVE_BACK;
    to->denominator = count * (count - (uint64_t)is_sample);
    to->exponent = 2 * exact.exponent;
    return FST_DONE;
}

/* Divides; the quotient has more than 128 bits, unless it is 0. Sets `more` if it is not exact. */
FST_NOINLINE void
fst_divide_fraction(const fst_fraction *fraction, fst_words *quotient, int *exponent, int *more)
{
    enum { ADDED = 4 };     /* words */
    fst_words moved = {{0}, 0};
    uint32_t i;
    for (i = 0; i < fraction->numerator.count; i++)
        moved.words[i + ADDED] = fraction->numerator.words[i];
    moved.count = fraction->numerator.count + ADDED;
    *more = fst_divide_words(quotient, &moved, fraction->denominator) != 0;
    *exponent = fraction->exponent - 64 * ADDED;
}

FST_INLINE fst_status
fst_finish_double(uint64_t bits, int exponent, double *result)
{
    if (exponent < -1000 || exponent > 900)
        return FST_GIVE_BACK;       /* it may be too large, or subnormal */
    *result = ldexp((double)bits, exponent);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_variance_of(fst_machine *machine, fst_cell *to, fst_cell *from, int is_sample)
{
    fst_fraction fraction;
    fst_words quotient;
    double result = 0;
    uint64_t bits = 0;
    int exponent, more, above;
    FST_TRY(fst_variance(machine, from, is_sample, &fraction));
    fst_divide_fraction(&fraction, &quotient, &exponent, &more);
    if (quotient.count > 0) {
        bits = fst_highest_bits(&quotient, more, &above);
        FST_TRY(fst_finish_double(bits, exponent + above, &result));
    }
    *to = fst_float(result);
    if (fraction.integers && result == floor(result)) {
        /* An integer, unless it was rounded to one. */
        if (result >= 9007199254740992.0)
            return FST_GIVE_BACK;
        if ((bits & 0x7ff) == 0)
            *to = fst_int((int64_t)result);
    }
    return FST_DONE;
}

/* The first 64 bits of the square root of a number of more than 128 bits, the last of which is set
 * if others follow. */
FST_NOINLINE uint64_t
fst_root_of_words(const fst_words *number, int more, int *exponent)
{
    const uint32_t count = number->count;
    const int shift = fst_leading_zeros(number->words[count - 1]) & ~1;
    const uint64_t last = number->words[count - 3];
    const uint64_t middle = number->words[count - 2];
    const uint64_t high = number->words[count - 1] << shift | middle >> 1 >> (63 - shift);
    const uint64_t low = middle << shift | last >> 1 >> (63 - shift);
    uint64_t root = 0, above, below;
    uint32_t i;
    int bit;
    for (bit = 63; bit >= 0; bit--) {
        const uint64_t next = root | UINT64_C(1) << bit;
        below = fst_multiply(next, next, &above);
        if (above < high || (above == high && below <= low))
            root = next;
    }
    below = fst_multiply(root, root, &above);
    more |= above != high || below != low || last << shift != 0;
    for (i = 0; i + 3 < count; i++)
        more |= number->words[i] != 0;
    *exponent = (64 * ((int)count - 2) - shift) / 2;
    return root | (uint64_t)more;
}

FST_NOINLINE fst_status
fst_deviation_of(fst_machine *machine, fst_cell *to, fst_cell *from, int is_sample)
{
    fst_fraction fraction;
    fst_words quotient;
    double result = 0;
    uint64_t root;
    int exponent, more, above;
    FST_TRY(fst_variance(machine, from, is_sample, &fraction));
    fst_divide_fraction(&fraction, &quotient, &exponent, &more);
    if (quotient.count > 0) {
        root = fst_root_of_words(&quotient, more, &above);
        FST_TRY(fst_finish_double(root, exponent / 2 + above, &result));
    }
    *to = fst_float(result);
    return FST_DONE;
}

/* statistics.variance(data) */
FST_NOINLINE fst_status
fst_sample_variance(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_variance_of(machine, to, &arguments[0], 1);
}

/* statistics.pvariance(data) */
FST_NOINLINE fst_status
fst_population_variance(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_variance_of(machine, to, &arguments[0], 0);
}

/* statistics.stdev(data) */
FST_NOINLINE fst_status
fst_sample_deviation(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_deviation_of(machine, to, &arguments[0], 1);
}

/* statistics.pstdev(data) */
FST_NOINLINE fst_status
fst_population_deviation(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_deviation_of(machine, to, &arguments[0], 0);
}

#define FST_SPREAD_FUNCTIONS(X) \
    X("statistics.variance", "data", fst_sample_variance) \
    X("statistics.pvariance", "data", fst_population_variance) \
    X("statistics.stdev", "data", fst_sample_deviation) \
    X("statistics.pstdev", "data", fst_population_deviation)

#endif
