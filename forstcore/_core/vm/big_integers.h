/* big_integers.h: integers beyond 64 bits: products that a mask cuts, digests, constants.
 *
 * Their words stand in the arena. Only constants are negative; they are compared, see compare.h. For
 * larger integers than these, and operators that are not here, the record is given back. */
#ifndef FST_VM_BIG_INTEGERS_H
#define FST_VM_BIG_INTEGERS_H

#include <math.h>

#include "arithmetic.h"
#include "opcodes.h"

enum { FST_BIG_WORDS = 40 };    /* most words of one; the digits that int() takes have as many */

/* An integer that is not negative. */
typedef struct fst_words {
    uint64_t words[FST_BIG_WORDS];      /* the lowest first */
    uint32_t count;                     /* without zeros at the top */
} fst_words;

/* ---------------------------------------------------------------- values */

FST_INLINE uint64_t
fst_word_of_big(const fst_cell *big, uint32_t i)
{
    return fst_load_eight(big->text + 8 * (size_t)i);
}

/* Reads an integer; returns 0 for a negative one, for a constant that is too large, and for what is
 * no integer. */
FST_INLINE int
fst_read_words(const fst_cell *cell, fst_words *to)
{
    uint32_t i;
    if (cell->type == FST_BIG) {
        if (cell->size > FST_BIG_WORDS)
            return 0;
        to->count = cell->size;
        for (i = 0; i < to->count; i++)
            to->words[i] = fst_word_of_big(cell, i);
        return !(cell->flags & FST_NEGATIVE);
    }
    to->words[0] = (uint64_t)cell->integer;
    to->count = cell->integer != 0;
    return (cell->type == FST_INT || cell->type == FST_BOOL) && cell->integer >= 0;
}

FST_INLINE fst_status
fst_integer_of_words(fst_machine *machine, fst_cell *to, const fst_words *from)
{
    uint32_t count = from->count, i;
    char *text;
    while (count > 0 && from->words[count - 1] == 0)
        count--;
    if (count == 0 || (count == 1 && from->words[0] <= INT64_MAX)) {
        *to = fst_int(count == 0 ? 0 : (int64_t)from->words[0]);
        return FST_DONE;
    }
    text = (char *)fst_take(machine, 8 * (size_t)count);
    if (text == NULL)
        return FST_NO_MEMORY;
    for (i = 0; i < count; i++)
        fst_store_eight(text + 8 * (size_t)i, from->words[i]);
    *to = fst_big_integer(text, count, 0);
    return FST_DONE;
}

/* Makes an integer of bytes without sign. */
FST_NOINLINE fst_status
fst_integer_of_bytes(
    fst_machine *machine, fst_cell *to, const char *bytes, uint32_t size, int is_little)
{
    fst_words words = {{0}, (size + 7) / 8};
    uint32_t i;
    if (words.count > FST_BIG_WORDS)
        return FST_GIVE_BACK;
    for (i = 0; i < size; i++)
        words.words[i / 8] |= (uint64_t)(unsigned char)bytes[is_little ? i : size - 1 - i]
                              << 8 * (i % 8);
    return fst_integer_of_words(machine, to, &words);
}

/* Reads an integer whose magnitude has 64 bits; gives back others. */
FST_INLINE fst_status
fst_read_magnitude(const fst_cell *cell, uint64_t *magnitude, int *negative)
{
    if (cell->type == FST_BIG && cell->size == 1) {
        *magnitude = fst_word_of_big(cell, 0);
        *negative = (cell->flags & FST_NEGATIVE) != 0;
        return FST_DONE;
    }
    if (cell->type != FST_INT && cell->type != FST_BOOL)
        return FST_GIVE_BACK;
    *magnitude = fst_magnitude(cell->integer);
    *negative = cell->integer < 0;
    return FST_DONE;
}

/* The first 64 bits of a number that is not 0, the last of which is set if `more`, or others that are
 * not 0 follow: enough to round it to a double. Their power of two is in `exponent`. */
FST_INLINE uint64_t
fst_highest_bits(const fst_words *number, int more, int *exponent)
{
    const uint32_t top = number->count - 1;
    const int shift = fst_leading_zeros(number->words[top]);
    const uint64_t next = top > 0 ? number->words[top - 1] : 0;
    uint32_t i;
    more |= next << shift != 0;
    for (i = 0; i + 1 < top; i++)
        more |= number->words[i] != 0;
    *exponent = 64 * (int)top - shift;
    return number->words[top] << shift | next >> 1 >> (63 - shift) | (uint64_t)(more != 0);
}

/* ---------------------------------------------------------------- + - * */

/* Leaves out words at the top that are 0. */
FST_INLINE void
fst_trim_words(fst_words *number)
{
    while (number->count > 0 && number->words[number->count - 1] == 0)
        number->count--;
}

FST_INLINE int
fst_add_words(fst_words *to, const fst_words *a, const fst_words *b)
{
    uint64_t carry = 0;
    uint32_t i;
    to->count = a->count > b->count ? a->count : b->count;
    for (i = 0; i < to->count; i++) {
        const uint64_t one = i < a->count ? a->words[i] : 0;
        const uint64_t sum = one + (i < b->count ? b->words[i] : 0);
        to->words[i] = sum + carry;
        carry = (sum < one) | (to->words[i] < carry);
    }
    if (carry == 0)
        return 1;
    if (to->count == FST_BIG_WORDS)
        return 0;
    to->words[to->count++] = carry;
    return 1;
}

/* Returns 0 if the difference is negative. */
FST_INLINE int
fst_subtract_words(fst_words *to, const fst_words *a, const fst_words *b)
{
    uint64_t borrow = 0;
    uint32_t i;
    if (b->count > a->count)
        return 0;
    to->count = a->count;
    for (i = 0; i < a->count; i++) {
        const uint64_t other = i < b->count ? b->words[i] : 0;
        const uint64_t difference = a->words[i] - other;
        to->words[i] = difference - borrow;
        borrow = (a->words[i] < other) | (difference < borrow);
    }
    return borrow == 0;
}

FST_INLINE int
fst_multiply_words(fst_words *to, const fst_words *a, const fst_words *b)
{
    uint32_t i, k;
    if (a->count + b->count > FST_BIG_WORDS)
        return 0;
    to->count = a->count + b->count;
    for (i = 0; i < to->count; i++)
        to->words[i] = 0;
    for (i = 0; i < a->count; i++) {
        uint64_t carry = 0;
        for (k = 0; k < b->count; k++) {
            uint64_t high, low = fst_multiply(a->words[i], b->words[k], &high);
            low += carry;
            high += low < carry;
            to->words[i + k] += low;
            carry = high + (to->words[i + k] < low);
        }
        to->words[i + b->count] = carry;
    }
    fst_trim_words(to);
    return 1;
}

/* ---------------------------------------------------------------- // and % */

/* Divides by a number of up to 64 bits that is not 0, in place if `to` is `a`; returns the
 * remainder. */
FST_INLINE uint64_t
fst_divide_words(fst_words *to, const fst_words *a, uint64_t divisor)
{
    uint64_t rest = 0;
    uint32_t i = to->count = a->count;
    while (i-- > 0) {
        const uint64_t word = a->words[i];
        uint64_t quotient = 0;
        int bit;
        if (divisor <= UINT32_MAX) {
            rest = rest << 32 | word >> 32;
            quotient = rest / divisor << 32;
            rest = rest % divisor << 32 | (word & UINT32_MAX);
            quotient |= rest / divisor;
            rest %= divisor;
        } else {
            for (bit = 63; bit >= 0; bit--) {
                const uint64_t above = rest >> 63;
                rest = rest << 1 | (word >> bit & 1);
                quotient <<= 1;
                if (above || rest >= divisor) {
                    rest -= divisor;
                    quotient |= 1;
                }
            }
        }
        to->words[i] = quotient;
    }
    fst_trim_words(to);
    return rest;
}

/* Sets all bits below the only one of a power of two; returns 0 for other numbers. */
FST_INLINE int
fst_mask_of_power(fst_words *to, const fst_words *power)
{
    const fst_words one = {{1}, 1};
    uint32_t i;
    if (power->count == 0)
        return 0;
    fst_subtract_words(to, power, &one);
    for (i = 0; i < power->count; i++)
        if (power->words[i] & to->words[i])
            return 0;
    return 1;
}

/* ---------------------------------------------------------------- bits */

FST_INLINE void
fst_combine_bits(int code, fst_words *to, const fst_words *a, const fst_words *b)
{
    uint32_t i;
    to->count = a->count > b->count ? a->count : b->count;
    for (i = 0; i < to->count; i++) {
        const uint64_t one = i < a->count ? a->words[i] : 0;
        const uint64_t other = i < b->count ? b->words[i] : 0;
        to->words[i] = code == FST_OP_AND  ? one & other
                       : code == FST_OP_OR ? one | other
                                           : one ^ other;
    }
}

FST_INLINE int
fst_shift_words(int code, fst_words *to, const fst_words *a, const fst_words *places)
{
    uint32_t words, bits, i;
    if (places->count > 1)
        return 0;
    words = places->count == 0 ? 0
            : places->words[0] >> 6 > FST_BIG_WORDS
                ? FST_BIG_WORDS
                : (uint32_t)(places->words[0] >> 6);
    bits = places->count == 0 ? 0 : (uint32_t)(places->words[0] & 63);
    if (code == FST_OP_SHIFT_RIGHT) {
        to->count = a->count > words ? a->count - words : 0;
        for (i = 0; i < to->count; i++) {
            const uint64_t next = i + words + 1 < a->count ? a->words[i + words + 1] : 0;
            to->words[i] = a->words[i + words] >> bits | next << 1 << (63 - bits);
        }
        return 1;
    }
    if (a->count + words + 1 > FST_BIG_WORDS)
        return 0;
    to->count = a->count + words + 1;
    for (i = 0; i < to->count; i++) {
        const uint64_t word = i >= words && i - words < a->count ? a->words[i - words] : 0;
        const uint64_t below = i > words ? a->words[i - words - 1] : 0;
        to->words[i] = word << bits | below >> 1 >> (63 - bits);
    }
    return 1;
}

/* ---------------------------------------------------------------- operators */

/* A negative integer of 64 bits has all bits above: x & (2**64 - 1), x % 2**64. */
FST_NOINLINE fst_status
fst_cut_negative(
    fst_machine *machine, int code, fst_cell *to, const fst_cell *negative, fst_words *mask)
{
    fst_words power = *mask;
    if (code == FST_OP_MODULO && !fst_mask_of_power(mask, &power))
        return FST_GIVE_BACK;
    if (mask->count > 0)
        mask->words[0] &= (uint64_t)negative->integer;
    return fst_integer_of_words(machine, to, mask);
}

FST_NOINLINE fst_status
fst_divide_big(fst_cell *to, const fst_cell *big, const fst_cell *divisor)
{
    enum { MOST = 15 };         /* words; larger integers cannot be converted to floats */
    fst_words number;
    uint64_t bits;
    int exponent;
    if (divisor->type != FST_FLOAT || divisor->number == 0 || !fst_read_words(big, &number)
        || number.count > MOST)
        return FST_GIVE_BACK;
    bits = fst_highest_bits(&number, 0, &exponent);
    *to = fst_float(ldexp((double)bits, exponent) / divisor->number);
    return FST_DONE;
}

/* The operators on integers one of which, or whose result, is beyond 64 bits. */
FST_NOINLINE fst_status
fst_operate_on_big(
    fst_machine *machine, int code, fst_cell *to, const fst_cell *left, const fst_cell *right)
{
    fst_words a, b, result;
    int fits = 0;
    if (code == FST_OP_DIVIDE && left->type == FST_BIG)
        return fst_divide_big(to, left, right);
    if (!fst_read_words(right, &b))
        return FST_GIVE_BACK;
    if (!fst_read_words(left, &a)) {
        if (left->type == FST_INT && (code == FST_OP_AND || code == FST_OP_MODULO))
            return fst_cut_negative(machine, code, to, left, &b);
        return FST_GIVE_BACK;
    }
    switch (code) {
    case FST_OP_ADD:
        fits = fst_add_words(&result, &a, &b);
        break;
    case FST_OP_SUBTRACT:
        fits = fst_subtract_words(&result, &a, &b);
        break;
    case FST_OP_MULTIPLY:
        fits = fst_multiply_words(&result, &a, &b);
        break;
    case FST_OP_AND:
    case FST_OP_OR:
    case FST_OP_XOR:
        fst_combine_bits(code, &result, &a, &b);
        fits = 1;
        break;
    case FST_OP_SHIFT_LEFT:
    case FST_OP_SHIFT_RIGHT:
        fits = fst_shift_words(code, &result, &a, &b);
        break;
    case FST_OP_FLOOR_DIVIDE:
        if (b.count == 0)
            return FST_ZERO_DIVISION;
        fits = b.count == 1;
        if (fits)
            fst_divide_words(&result, &a, b.words[0]);
        break;
    case FST_OP_MODULO:
        if (b.count == 0)
            return FST_ZERO_DIVISION;
        fits = 1;
        if (b.count == 1) {
            b.words[0] = fst_divide_words(&result, &a, b.words[0]);
            result = b;
        } else if (a.count < b.count) {
            result = a;
        } else if (fst_mask_of_power(&result, &b)) {
            b = result;
            fst_combine_bits(FST_OP_AND, &result, &a, &b);
        } else {
            fits = 0;
        }
        break;
    default:
        break;
    }
    return fits ? fst_integer_of_words(machine, to, &result) : FST_GIVE_BACK;
}

/* Compares integers one of which is beyond 64 bits; returns 0 for anything else. */
FST_NOINLINE int
fst_order_with_big(const fst_cell *a, const fst_cell *b, int *order)
{
    const int is_big = a->type == FST_BIG, are_both = is_big && b->type == FST_BIG;
    const fst_cell *big = is_big ? a : b, *other = is_big ? b : a;
    const int sign = big->flags & FST_NEGATIVE ? -1 : 1;
    uint32_t i = big->size;
    if (big->type != FST_BIG || !(are_both || other->type == FST_INT || other->type == FST_BOOL))
        return 0;
    *order = is_big ? sign : -sign;
    if (!are_both || (b->flags & FST_NEGATIVE) != (a->flags & FST_NEGATIVE))
        return 1;
    if (a->size != b->size) {
        *order = a->size > b->size ? sign : -sign;
        return 1;
    }
    for (; i > 0; i--) {
        const uint64_t one = fst_word_of_big(a, i - 1), two = fst_word_of_big(b, i - 1);
        if (one != two) {
            *order = one > two ? sign : -sign;
            return 1;
        }
    }
    *order = 0;
    return 1;
}

#endif
