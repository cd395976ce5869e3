/* durations.h: timedelta, and arithmetic with dates and times. */
#ifndef FST_VM_DURATIONS_H
#define FST_VM_DURATIONS_H

#include "date_values.h"
#include "numbers.h"

/* Durations that Python has end at 86,400,000,000,000,000,000 microseconds, beyond 64 bits; those
 * beyond this are given back. */
#define FST_LONGEST_DURATION (INT64_C(1) << 61)

FST_INLINE fst_status
fst_give_duration(fst_cell *to, int64_t microseconds)
{
    if (microseconds > FST_LONGEST_DURATION || microseconds < -FST_LONGEST_DURATION)
        return FST_GIVE_BACK;
    *to = fst_duration(microseconds);
    return FST_DONE;
}

/* ---------------------------------------------------------------- timedelta() */

/* A sum of durations: fractions of a microsecond stay a double until the end. */
typedef struct fst_duration_sum {
    int64_t microseconds;
    double rest;
} fst_duration_sum;

FST_INLINE fst_status
fst_add_unit(fst_machine *machine, fst_duration_sum *sum, fst_cell *count, int64_t unit)
{
    double whole, fraction;
    int64_t product;
    if (count->type == FST_UNSET)
        return FST_DONE;
    FST_TRY(fst_settle(machine, count));
    if (!fst_is_number(count))
        return FST_GIVE_BACK;
    if (count->type != FST_FLOAT) {
        whole = 0;
        fraction = 0;
        product = count->integer;
    } else {
        fraction = modf(count->number, &whole);
        if (!(fabs(whole) < 9e18))
            return FST_GIVE_BACK;
        product = (int64_t)whole;
    }
    if (!fst_multiply_integers(product, unit, &product)
        || !fst_add_integers(sum->microseconds, product, &sum->microseconds))
        return FST_GIVE_BACK;
    if (fraction == 0)
        return FST_DONE;
    fraction = modf((double)unit * fraction, &whole);
    sum->rest += fraction;
    return fst_add_integers(sum->microseconds, (int64_t)whole, &sum->microseconds) ? FST_DONE
                                                                                   : FST_GIVE_BACK;
}

/* Rounds the rest, ties to the even microsecond. */
FST_INLINE void
fst_round_rest(fst_duration_sum *sum)
{
    double rounded = round(sum->rest);
    if (fabs(rounded - sum->rest) == 0.5) {
        const double odd = (double)(sum->microseconds & 1);
        rounded = 2 * round((sum->rest + odd) * 0.5) - odd;
    }
    sum->microseconds += (int64_t)rounded;
}

/* timedelta(days?, seconds?, microseconds?, milliseconds?, minutes?, hours?, weeks?) */
FST_NOINLINE fst_status
fst_timedelta_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_duration_sum sum = {0, 0};
    FST_TRY(fst_add_unit(machine, &sum, &arguments[2], 1));
    FST_TRY(fst_add_unit(machine, &sum, &arguments[3], 1000));
    FST_TRY(fst_add_unit(machine, &sum, &arguments[1], FST_SECOND));
    FST_TRY(fst_add_unit(machine, &sum, &arguments[4], FST_MINUTE));
    FST_TRY(fst_add_unit(machine, &sum, &arguments[5], FST_HOUR));
    FST_TRY(fst_add_unit(machine, &sum, &arguments[0], FST_DAY));
    FST_TRY(fst_add_unit(machine, &sum, &arguments[6], 7 * FST_DAY));
    if (sum.microseconds > FST_LONGEST_DURATION || sum.microseconds < -FST_LONGEST_DURATION)
        return FST_GIVE_BACK;
    fst_round_rest(&sum);
    return fst_give_duration(to, sum.microseconds);
}

/* ---------------------------------------------------------------- operators */

/* Adds a duration to a date or a time; of a date only whole days count. */
FST_NOINLINE fst_status
fst_move_date(fst_machine *machine, fst_cell *to, const fst_cell *date, int64_t duration)
{
    fst_datetime value = *fst_datetime_of(date);
    if (date->type == FST_DATE)
        duration = fst_divide_down(duration, FST_DAY) * FST_DAY;
    if (!fst_set_microseconds(&value, fst_local_microseconds(&value) + duration))
        return FST_GIVE_BACK;
    value.fold = 0;
    return fst_new_datetime(machine, to, (fst_type)date->type, &value);
}

/* + of a date, a time or a duration and another */
FST_NOINLINE fst_status
fst_date_add(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    if (right->type == FST_TIMEDELTA)
        return left->type == FST_TIMEDELTA
            ? fst_give_duration(to, left->integer + right->integer)
            : fst_move_date(machine, to, left, right->integer);
    if (left->type == FST_TIMEDELTA)
        return fst_move_date(machine, to, right, left->integer);
    return FST_TYPE_ERROR;
}

/* - of a date, a time or a duration and another */
FST_NOINLINE fst_status
fst_date_subtract(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    if (right->type == FST_TIMEDELTA) {
        if (left->type == FST_TIMEDELTA)
            return fst_give_duration(to, left->integer - right->integer);
        /* Python takes the days of the duration first. */
        if (left->type == FST_DATE)
            return fst_move_date(
                machine, to, left, -fst_divide_down(right->integer, FST_DAY) * FST_DAY);
        return fst_move_date(machine, to, left, -right->integer);
    }
    if (left->type == FST_TIMEDELTA || !fst_are_comparable(left, right))
        return FST_TYPE_ERROR;
    *to = fst_duration(fst_utc_microseconds(fst_datetime_of(left))
                       - fst_utc_microseconds(fst_datetime_of(right)));
    return FST_DONE;
}

/* timedelta * int */
FST_INLINE fst_status
fst_duration_times(fst_cell *to, const fst_cell *duration, const fst_cell *number)
{
    int64_t product;
    if (number->type == FST_FLOAT
        || !fst_multiply_integers(duration->integer, number->integer, &product))
        return FST_GIVE_BACK;
    return fst_give_duration(to, product);
}

/* timedelta / timedelta */
FST_INLINE fst_status
fst_duration_divide(
    fst_machine *machine, fst_cell *to, const fst_cell *left, const fst_cell *right)
{
    fst_cell a = fst_int(left->integer), b = fst_int(right->integer);
    return fst_true_divide(machine, to, &a, &b);
}

/* timedelta // timedelta, timedelta // int */
FST_INLINE fst_status
fst_duration_floor_divide(
    fst_machine *machine, fst_cell *to, const fst_cell *left, const fst_cell *right)
{
    fst_cell a = fst_int(left->integer), b = fst_int(right->integer);
    if (right->type == FST_FLOAT)
        return FST_GIVE_BACK;
    FST_TRY(fst_floor_divide(machine, to, &a, &b));
    if (right->type != FST_TIMEDELTA)
        to->type = FST_TIMEDELTA;
    return FST_DONE;
}

/* timedelta % timedelta */
FST_INLINE fst_status
fst_duration_modulo(
    fst_machine *machine, fst_cell *to, const fst_cell *left, const fst_cell *right)
{
    fst_cell a = fst_int(left->integer), b = fst_int(right->integer);
    FST_TRY(fst_modulo(machine, to, &a, &b));
    to->type = FST_TIMEDELTA;
    return FST_DONE;
}

/* ---------------------------------------------------------------- methods */

FST_NOINLINE fst_status
fst_total_seconds(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell microseconds = fst_int(arguments[0].integer), million = fst_int(FST_SECOND);
    if (arguments[0].type != FST_TIMEDELTA)
        return FST_GIVE_BACK;
    return fst_true_divide(machine, to, &microseconds, &million);
}

#define FST_DURATION_NUMBERS(X) \
    X(days, days) \
    X(seconds, rest / FST_SECOND) \
    X(microseconds, rest % FST_SECOND)

#define FST_DURATION_NUMBER(name, number) \
    FST_NOINLINE fst_status fst_duration_##name( \
        fst_machine *machine, fst_cell *to, fst_cell *arguments) \
    { \
        const int64_t days = fst_divide_down(arguments[0].integer, FST_DAY); \
        const int64_t rest = arguments[0].integer - days * FST_DAY; \
        (void)machine; \
        (void)rest; \
        if (arguments[0].type != FST_TIMEDELTA) \
            return FST_GIVE_BACK; \
        *to = fst_int(number); \
        return FST_DONE; \
    }
FST_DURATION_NUMBERS(FST_DURATION_NUMBER)
#undef FST_DURATION_NUMBER

#define FST_DURATION_FUNCTIONS(X) \
    X("datetime.timedelta", \
      "days?,seconds?,microseconds?,milliseconds?,minutes?,hours?,weeks?", fst_timedelta_new) \
    X(".total_seconds", "self", fst_total_seconds) \
    X("@days", "self", fst_duration_days) \
    X("@seconds", "self", fst_duration_seconds) \
    X("@microseconds", "self", fst_duration_microseconds)

#endif
