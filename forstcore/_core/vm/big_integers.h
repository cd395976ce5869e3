/* big_integers.h: integers beyond 64 bits, as hexadecimal digits: of a digest, or constants.
 *
 * A positive one chooses a bucket, or a share of all records: its remainder, its last bits, and
 * its quotient by a float are known; so is its order among other integers, see compare.h. For
 * anything else the record is given back. */
#ifndef FST_VM_BIG_INTEGERS_H
#define FST_VM_BIG_INTEGERS_H

#include <math.h>

#include "number_text.h"
#include "opcodes.h"

enum { FST_BIG_CHUNK = 7 };     /* digits that are added to a remainder of 32 bits at once */

FST_INLINE uint64_t
fst_remainder_of_big(const fst_cell *big, uint64_t divisor)
{
    const char *at = big->text, *end = at + big->size;
    uint64_t rest = 0;
    int i;
    if (divisor <= UINT32_MAX) {
        while (at < end) {
            const int digits = end - at < FST_BIG_CHUNK ? (int)(end - at) : FST_BIG_CHUNK;
            for (i = 0; i < digits; i++)
                rest = rest << 4 | (uint64_t)fst_digit_of(*at++);
            rest %= divisor;
        }
        return rest;
    }
    for (; at < end; at++)
        for (i = 3; i >= 0; i--) {
            rest = rest << 1 | (uint64_t)(fst_digit_of(*at) >> i & 1);
            if (rest >= divisor)
                rest -= divisor;
        }
    return rest;
}

/* The double that is nearest; of two, the even one. */
FST_INLINE double
fst_double_of_big(const fst_cell *big)
{
    const char *at = big->text, *end = at + big->size;
    uint64_t most = 0;
    int left;
    /* Its first digit is not 0, so that 61 bits or more are kept; the last one says whether there
     * are others behind them. */
    for (; at < end && most >> 60 == 0; at++)
        most = most << 4 | (uint64_t)fst_digit_of(*at);
    left = 4 * (int)(end - at);
    for (; at < end; at++)
        most |= *at != '0';
    return ldexp((double)most, left);
}

/* The last 63 bits. */
FST_INLINE int64_t
fst_low_bits_of_big(const fst_cell *big)
{
    fst_cell low = *big;
    low.text += low.size > 16 ? low.size - 16 : 0;
    low.size = low.size > 16 ? 16 : low.size;
    return (int64_t)fst_remainder_of_big(&low, UINT64_C(1) << 63);
}

/* An integer of 64 bits that is not negative, and one beyond: x % 2**64, x & (2**64 - 1). */
FST_COLD fst_status
fst_operate_by_big(int code, fst_cell *to, const fst_cell *left, const fst_cell *right)
{
    if (left->type != FST_INT || left->integer < 0 || (right->flags & FST_NEGATIVE))
        return FST_GIVE_BACK;
    if (code == FST_OP_AND)
        *to = fst_int(left->integer & fst_low_bits_of_big(right));
    else if (code == FST_OP_MODULO && fst_is_beyond_64_bits(right))
        *to = fst_int(left->integer);
    else
        return FST_GIVE_BACK;
    return FST_DONE;
}

FST_COLD fst_status
fst_operate_on_big(
    fst_machine *machine, int code, fst_cell *to, const fst_cell *left, const fst_cell *right)
{
    double quotient;
    (void)machine;
    if (left->flags & FST_NEGATIVE)
        return FST_GIVE_BACK;
    if (code == FST_OP_DIVIDE && right->type == FST_FLOAT) {
        /* Larger integers cannot be converted. */
        if (left->size > 255 || right->number == 0)
            return FST_GIVE_BACK;
        quotient = fst_double_of_big(left) / right->number;
        *to = fst_float(quotient);
        return FST_DONE;
    }
    if (right->type != FST_INT || right->integer <= 0)
        return FST_GIVE_BACK;
    if (code == FST_OP_MODULO) {
        *to = fst_int((int64_t)fst_remainder_of_big(left, (uint64_t)right->integer));
        return FST_DONE;
    }
    if (code == FST_OP_AND) {
        *to = fst_int(fst_low_bits_of_big(left) & right->integer);
        return FST_DONE;
    }
    return FST_GIVE_BACK;
}

#endif
