/* statistics.h: mean, fmean and median of statistics, and math.fsum.
 *
 * Python adds exactly, and rounds once. Here a sum has 128 bits above the lowest bit of its numbers;
 * where that is too little the record is given back. */
#ifndef FST_VM_STATISTICS_H
#define FST_VM_STATISTICS_H

#include <math.h>

#include "arithmetic.h"
#include "sort.h"

enum { FST_EXACT_BITS = 100 };      /* between the highest and the lowest bit of all numbers */

/* An exact sum: a two's complement of 128 bits, times a power of two. */
typedef struct fst_exact {
    uint64_t low;
    uint64_t high;
    int exponent;
} fst_exact;

/* Splits a finite double that is not 0 into an integer of 53 bits and a power of two. */
FST_INLINE int64_t
fst_take_apart(double number, int *exponent)
{
    const double fraction = frexp(number, exponent);
    *exponent -= 53;
    return (int64_t)ldexp(fraction, 53);
}

/* Collects the numbers of an argument; integers have to be exact as doubles. */
FST_NOINLINE fst_status
fst_collect_doubles(
    fst_machine *machine, fst_cell *from, fst_list **list, int *integers, fst_exact *sum)
{
    fst_cell collected;
    int lowest = 0, highest = 0, exponent, some = 0;
    uint32_t i;
    FST_TRY(fst_collect(machine, &collected, FST_LIST, from, 0));
    *list = (fst_list *)collected.object;
    *integers = 1;
    for (i = 0; i < (*list)->count; i++) {
        fst_cell *item = &(*list)->items[i];
        double number;
        FST_TRY(fst_settle(machine, item));
        if (item->type != FST_INT && item->type != FST_FLOAT)
            return FST_GIVE_BACK;
        /* The double nearest to an integer may be in the range when that is not. */
        if (item->type == FST_INT && fst_magnitude(item->integer) > FST_EXACT_INTEGERS)
            return FST_GIVE_BACK;
        number = item->type == FST_INT ? (double)item->integer : item->number;
        if (number - number != 0 || fabs(number) > (double)FST_EXACT_INTEGERS)
            return FST_GIVE_BACK;
        *integers &= item->type == FST_INT;
        if (number == 0)
            continue;
        fst_take_apart(number, &exponent);
        lowest = !some || exponent < lowest ? exponent : lowest;
        highest = !some || exponent > highest ? exponent : highest;
        some = 1;
    }
    /* Twenty bits are for the number of items. */
    if (highest - lowest > FST_EXACT_BITS - 53 || (*list)->count >= 1 << 20)
        return FST_GIVE_BACK;
    sum->low = sum->high = 0;
    sum->exponent = lowest;
    for (i = 0; i < (*list)->count; i++) {
        const fst_cell *item = &(*list)->items[i];
        const double number = item->type == FST_INT ? (double)item->integer : item->number;
        uint64_t low, high;
        int64_t whole;
        if (number == 0)
            continue;
        whole = fst_take_apart(number, &exponent);
        exponent -= lowest;
        low = (uint64_t)whole << exponent;
        high = exponent == 0 ? (uint64_t)(whole >> 63)
                             : (uint64_t)(whole >> 1 >> (63 - exponent));
        sum->low += low;
        sum->high += high + (sum->low < low);
    }
    return FST_DONE;
}

/* The double nearest to the sum divided by a number of items; FST_GIVE_BACK if it may be subnormal. */
FST_NOINLINE fst_status
fst_divide_exactly(const fst_exact *sum, uint32_t divisor, double *result, int *is_whole)
{
    const int negative = sum->high >> 63;
    uint64_t low = negative ? 0 - sum->low : sum->low;
    uint64_t high = negative ? ~sum->high + (sum->low == 0) : sum->high;
    uint64_t digits[4], quotient[4], rest = 0, bits = 0;
    int i, top, dropped, exponent = sum->exponent;
    if ((low | high) == 0) {
        *result = 0.0;
        *is_whole = 1;
        return FST_DONE;
    }
    /* Move it up, so that the quotient has 64 bits and more. */
    while (high >> 62 == 0) {
        high = high << 1 | low >> 63;
        low <<= 1;
        exponent--;
    }
    digits[0] = high >> 32;
    digits[1] = high & UINT32_MAX;
    digits[2] = low >> 32;
    digits[3] = low & UINT32_MAX;
    for (i = 0; i < 4; i++) {
        rest = rest << 32 | digits[i];
        quotient[i] = rest / divisor;
        rest %= divisor;
    }
    high = quotient[0] << 32 | quotient[1];
    low = quotient[2] << 32 | quotient[3];
    for (top = 0; high >> 63 == 0; top++) {
        high = high << 1 | low >> 63;
        low <<= 1;
    }
    /* Now the highest bit is that of `high`: 53 bits are kept, rounded half to even. */
    bits = high >> 11;
    dropped = (int)(high >> 10 & 1);
    if (dropped && ((high & 0x3ff) | low | rest || (bits & 1)))
        bits++;
    exponent += 64 - top + 11;
    if (exponent < -1000 || exponent > 900)
        return FST_GIVE_BACK;
    *result = ldexp((double)bits, exponent);
    if (negative)
        *result = -*result;
    *is_whole = rest == 0 && *result == floor(*result) && (high & 0x7ff) == 0 && low == 0;
    return FST_DONE;
}

/* The result of a sum or a mean. */
typedef struct fst_quotient {
    double number;              /* rounded once */
    uint32_t count;             /* of the numbers that were added */
    int is_integer;             /* whether they all were integers, and `number` is exact */
} fst_quotient;

/* The sum of the numbers of an argument, divided by how many there are if `is_mean`. */
FST_NOINLINE fst_status
fst_add_exactly(fst_machine *machine, fst_cell *from, int is_mean, fst_quotient *quotient)
{
    fst_exact sum;
    fst_list *list;
    int integers, is_whole;
    FST_TRY(fst_collect_doubles(machine, from, &list, &integers, &sum));
    quotient->count = list->count;
    FST_TRY(fst_divide_exactly(&sum, is_mean ? list->count : 1, &quotient->number, &is_whole));
    quotient->is_integer = integers && is_whole;
    return FST_DONE;
}

/* statistics.mean(data): of integers it is one if it can be. */
FST_NOINLINE fst_status
fst_mean(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_quotient mean;
    FST_TRY(fst_add_exactly(machine, &arguments[0], 1, &mean));
    if (mean.count == 0)
        return FST_GIVE_BACK;
    *to = mean.is_integer ? fst_int((int64_t)mean.number) : fst_float(mean.number);
    return FST_DONE;
}

/* math.fsum(data) */
FST_NOINLINE fst_status
fst_fsum(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_quotient sum;
    FST_TRY(fst_add_exactly(machine, &arguments[0], 0, &sum));
    *to = fst_float(sum.number);
    return FST_DONE;
}

/* statistics.fmean(data): it rounds the sum, and then the mean. */
FST_NOINLINE fst_status
fst_fmean(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_quotient sum;
    FST_TRY(fst_add_exactly(machine, &arguments[0], 0, &sum));
    if (sum.count == 0)
        return FST_GIVE_BACK;
    *to = fst_float(sum.number / sum.count);
    return FST_DONE;
}

/* statistics.median(data) */
FST_NOINLINE fst_status
fst_median(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell collected, sum, two = fst_int(2);
    fst_list *list;
    uint32_t i;
    FST_TRY(fst_collect(machine, &collected, FST_LIST, &arguments[0], 0));
    list = (fst_list *)collected.object;
    for (i = 0; i < list->count; i++) {
        FST_TRY(fst_settle(machine, &list->items[i]));
        if (!fst_is_number(&list->items[i]))
            return FST_GIVE_BACK;
    }
    if (list->count == 0)
        return FST_GIVE_BACK;
    FST_TRY(fst_sort_by(machine, list, list->items, 0));
    i = list->count / 2;
    if (list->count % 2 == 1) {
        *to = list->items[i];
        return FST_DONE;
    }
    FST_TRY(fst_add(machine, &sum, &list->items[i - 1], &list->items[i]));
    return fst_true_divide(machine, to, &sum, &two);
}

#define FST_STATISTICS_FUNCTIONS(X) \
    X("statistics.mean", "data", fst_mean) \
    X("statistics.fmean", "data", fst_fmean) \
    X("statistics.median", "data", fst_median) \
    X("math.fsum", "seq/", fst_fsum)

#endif
