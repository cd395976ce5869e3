/* decimals.h: decimal.Decimal in the context that Python begins with: 28 digits, ties to even.
 *
 * The cell has the coefficient, of 94 bits at most, the exponent and the sign. What a Decimal of Python
 * has besides is given back: NaN and infinities, more digits or larger exponents than here, results
 * that raise an exception, and all of them where the context of the thread is another one. */
#ifndef FST_VM_DECIMALS_H
#define FST_VM_DECIMALS_H

#include "big_integers.h"
#include "decimal_digits.h"
#include "rounding.h"

enum {
    FST_CONTEXT_DIGITS = 28,
    FST_DECIMAL_ROOM = 32,          /* for the digits of a coefficient */
    FST_EXPONENT_MOST = 6000,       /* or the least, negative */
    FST_SHIFT_MOST = 60             /* powers of ten by which two exponents may differ */
};

/* A decimal that is computed: negative or not, coefficient * 10**exponent. */
typedef struct fst_scaled {
    fst_words coefficient;
    int exponent;
    int negative;
} fst_scaled;

/* What was cut off behind the last digit that is kept. */
typedef enum fst_tail {
    FST_TAIL_NONE,
    FST_TAIL_BELOW_HALF,
    FST_TAIL_HALF,
    FST_TAIL_ABOVE_HALF
} fst_tail;

/* The modes of rounding; see fst_read_rounding. */
typedef enum fst_rounding {
    FST_ROUND_HALF_EVEN,
    FST_ROUND_HALF_UP,
    FST_ROUND_HALF_DOWN,
    FST_ROUND_UP,
    FST_ROUND_DOWN,
    FST_ROUND_CEILING,
    FST_ROUND_FLOOR,
    FST_ROUND_05UP
} fst_rounding;

/* ---------------------------------------------------------------- powers of ten */

/* Computes number * factor + carry in place; returns 0 if that is too large. */
FST_INLINE int
fst_times_word(fst_words *number, uint64_t factor, uint64_t carry)
{
    uint64_t high;
    uint32_t i;
    for (i = 0; i < number->count; i++) {
        const uint64_t low = fst_multiply(number->words[i], factor, &high);
        number->words[i] = low + carry;
        carry = high + (number->words[i] < carry);
    }
    if (carry == 0)
        return 1;
    if (number->count == FST_BIG_WORDS)
        return 0;
    number->words[number->count++] = carry;
    return 1;
}

FST_INLINE int
fst_times_tens(fst_words *number, int places)
{
    for (; places > FST_LARGEST_TEN; places -= FST_LARGEST_TEN)
        if (!fst_times_word(number, FST_TENS[FST_LARGEST_TEN], 0))
            return 0;
    return fst_times_word(number, FST_TENS[places], 0);
}

/* Whether a number is at least 10**28. */
FST_INLINE int
fst_has_more_digits(const fst_words *number)
{
    const uint64_t high = UINT64_C(542101086), low = UINT64_C(4477988020393345024);
    if (number->count != 2)
        return number->count > 2;
    return number->words[1] > high || (number->words[1] == high && number->words[0] >= low);
}

/* How many decimal digits a number has: 1 for zero. It has up to 28. */
FST_INLINE int
fst_count_digits(const fst_words *number)
{
    fst_words upper = {{0}, 0};
    int digits = 1, i;
    uint64_t top = number->count > 0 ? number->words[0] : 0;
    if (number->count > 1) {
        upper.words[0] = number->words[0];
        upper.words[1] = number->words[1];
        upper.count = 2;
        fst_divide_words(&upper, &upper, FST_GROUP);
        digits += 9;
        top = upper.words[0];
    }
    for (i = 1; i <= FST_LARGEST_TEN && top >= FST_TENS[i]; i++)
        digits++;
    return digits;
}

/* ---------------------------------------------------------------- rounding */

/* Cuts digits off, behind which `tail` was cut off before. */
FST_NOINLINE fst_tail
fst_cut_digits(fst_words *number, int digits, fst_tail tail)
{
    int more = tail != FST_TAIL_NONE;
    uint64_t digit;
    for (; digits > 10; digits -= 9)
        more |= fst_divide_words(number, number, FST_GROUP) != 0;
    if (digits > 1)
        more |= fst_divide_words(number, number, FST_TENS[digits - 1]) != 0;
    digit = fst_divide_words(number, number, 10);
    if (digit == 5)
        return more ? FST_TAIL_ABOVE_HALF : FST_TAIL_HALF;
    if (digit > 5)
        return FST_TAIL_ABOVE_HALF;
    return digit != 0 || more ? FST_TAIL_BELOW_HALF : FST_TAIL_NONE;
}

FST_INLINE int
fst_is_rounded_up(const fst_scaled *number, fst_tail tail, fst_rounding rounding)
{
    const uint64_t last = number->coefficient.count == 0 ? 0 : number->coefficient.words[0];
    fst_words rest;
    if (tail == FST_TAIL_NONE)
        return 0;
    switch (rounding) {
    case FST_ROUND_HALF_EVEN:
        return tail == FST_TAIL_ABOVE_HALF || (tail == FST_TAIL_HALF && (last & 1));
    case FST_ROUND_HALF_UP:
        return tail >= FST_TAIL_HALF;
    case FST_ROUND_HALF_DOWN:
        return tail == FST_TAIL_ABOVE_HALF;
    case FST_ROUND_UP:
        return 1;
    case FST_ROUND_CEILING:
        return !number->negative;
    case FST_ROUND_FLOOR:
        return number->negative;
    case FST_ROUND_05UP:
        rest = number->coefficient;
        return fst_divide_words(&rest, &rest, 5) == 0;
    default:
        return 0;
    }
}

/* Cuts digits off and rounds. */
FST_INLINE void
fst_round_scaled(fst_scaled *number, int digits, fst_rounding rounding, fst_tail tail)
{
    tail = fst_cut_digits(&number->coefficient, digits, tail);
    number->exponent += digits;
    if (fst_is_rounded_up(number, tail, rounding))
        fst_times_word(&number->coefficient, 1, 1);
}

/* ---------------------------------------------------------------- cells */

FST_INLINE int
fst_is_decimal(const fst_cell *cell)
{
    return cell->type == FST_DECIMAL;
}

/* A decimal whose coefficient has these words, the lower one first. */
FST_INLINE fst_cell
fst_decimal_of_parts(uint64_t low, uint32_t high, int exponent, int negative)
{
    fst_cell cell = fst_int((int64_t)low);
    cell.type = FST_DECIMAL;
    cell.flags = negative ? FST_NEGATIVE : 0;
    cell.exponent = (int16_t)exponent;
    cell.size = high;
    return cell;
}

/* A decimal whose coefficient is below 10**28; gives back exponents that are too large. */
FST_INLINE fst_status
fst_decimal_of(fst_machine *machine, fst_cell *to, const fst_scaled *from)
{
    const fst_words *words = &from->coefficient;
    if (from->exponent > FST_EXPONENT_MOST || from->exponent < -FST_EXPONENT_MOST
        || machine->other_context)
        return FST_GIVE_BACK;
    *to = fst_decimal_of_parts(
        words->count > 0 ? words->words[0] : 0, words->count > 1 ? (uint32_t)words->words[1] : 0,
        from->exponent, from->negative);
    return FST_DONE;
}

/* As fst_decimal_of, of any coefficient: the context rounds it to 28 digits. */
FST_INLINE fst_status
fst_decimal_in_context(fst_machine *machine, fst_cell *to, fst_scaled *from, fst_tail tail)
{
    fst_trim_words(&from->coefficient);
    if (fst_has_more_digits(&from->coefficient)) {
        /* Each word has 19 digits at least. */
        fst_words rest = from->coefficient;
        int digits = 0;
        while (fst_has_more_digits(&rest)) {
            const int step = rest.count > 2 ? 9 : 1;
            fst_divide_words(&rest, &rest, FST_TENS[step]);
            digits += step;
        }
        fst_round_scaled(from, digits, FST_ROUND_HALF_EVEN, tail);
        if (fst_has_more_digits(&from->coefficient))
            fst_round_scaled(from, 1, FST_ROUND_HALF_EVEN, FST_TAIL_NONE);
    }
    return fst_decimal_of(machine, to, from);
}

FST_INLINE void
fst_open_decimal(const fst_cell *cell, fst_scaled *to)
{
    to->negative = (cell->flags & FST_NEGATIVE) != 0;
    to->exponent = cell->exponent;
    to->coefficient.words[0] = (uint64_t)cell->integer;
    to->coefficient.words[1] = cell->size;
    to->coefficient.count = cell->size > 0 ? 2 : cell->integer != 0;
}

/* Reads a decimal or an integer of 64 bits; returns 0 for anything else. */
FST_INLINE int
fst_read_scaled(const fst_cell *cell, fst_scaled *to)
{
    uint64_t magnitude;
    if (cell->type == FST_DECIMAL) {
        fst_open_decimal(cell, to);
        return 1;
    }
    if (fst_read_magnitude(cell, &magnitude, &to->negative) != FST_DONE)
        return 0;
    to->exponent = 0;
    to->coefficient.words[0] = magnitude;
    to->coefficient.count = magnitude != 0;
    return 1;
}

/* The value of a float, whose digits all count; returns 0 if it has more than 28. */
FST_NOINLINE int
fst_scaled_of_float(double number, fst_scaled *to)
{
    fst_digits digits;
    int i;
    if (number - number != 0)
        return 0;
    fst_expand(&digits, number);
    while (digits.count > 0 && digits.count > digits.point
           && digits.digits[digits.count - 1] == '0')
        digits.count--;
    if (digits.count > FST_CONTEXT_DIGITS)
        return 0;
    to->coefficient.count = 0;
    for (i = 0; i < digits.count; i++)
        fst_times_word(&to->coefficient, 10, (uint64_t)(digits.digits[i] - '0'));
    to->exponent = digits.point - digits.count;
    to->negative = signbit(number) != 0;
    return 1;
}

/* ---------------------------------------------------------------- conversions */

FST_INLINE int
fst_truth_of_decimal(const fst_cell *cell)
{
    return cell->integer != 0 || cell->size != 0;
}

/* An integer of 64 bits, of a number without digits behind the point. */
FST_INLINE fst_status
fst_integer_of_scaled(fst_cell *to, const fst_scaled *number)
{
    const fst_words *words = &number->coefficient;
    int64_t integer;
    if (words->count > 1
        || !fst_with_sign(words->count == 0 ? 0 : words->words[0], number->negative, &integer))
        return FST_GIVE_BACK;
    *to = fst_int(integer);
    return FST_DONE;
}

/* Rounds to an exponent that is not less than that of the number, or adds zeros. Returns 0 if it has
 * more than 28 digits then. */
FST_INLINE int
fst_rescale(fst_scaled *number, int exponent, fst_rounding rounding)
{
    int places = exponent - number->exponent;
    if (number->coefficient.count == 0)
        places = 0;
    if (places < -FST_SHIFT_MOST)
        return 0;
    if (places > 0)     /* Behind the first digit all are cut off alike. */
        fst_round_scaled(
            number, places < FST_SHIFT_MOST ? places : FST_SHIFT_MOST, rounding, FST_TAIL_NONE);
    else
        fst_times_tens(&number->coefficient, -places);
    number->exponent = exponent;
    return !fst_has_more_digits(&number->coefficient);
}

/* int(decimal), and the same with other roundings. */
FST_NOINLINE fst_status
fst_integer_of_decimal(fst_cell *to, const fst_cell *from, fst_rounding rounding)
{
    fst_scaled number;
    fst_open_decimal(from, &number);
    return fst_rescale(&number, 0, rounding) ? fst_integer_of_scaled(to, &number) : FST_GIVE_BACK;
}

/* Writes the digits of a coefficient; returns their number. */
FST_INLINE int
fst_write_coefficient(char *to, const fst_words *coefficient)
{
    char reversed[FST_DECIMAL_ROOM];
    fst_words rest = *coefficient;
    int count = 0, i;
    do
        reversed[count++] = (char)('0' + fst_divide_words(&rest, &rest, 10));
    while (rest.count > 0);
    for (i = 0; i < count; i++)
        to[i] = reversed[count - 1 - i];
    return count;
}

/* The double nearest to a decimal. */
FST_NOINLINE double
fst_double_of_decimal(const fst_cell *cell)
{
    char text[FST_DECIMAL_ROOM + FST_INTEGER_ROOM];
    char *at = text;
    fst_scaled number;
    fst_open_decimal(cell, &number);
    if (number.negative)
        *at++ = '-';
    at += fst_write_coefficient(at, &number.coefficient);
    *at++ = 'e';
    at = fst_write_integer(at, number.exponent);
    return fst_read_number(text, at - text);
}

#endif
