/* date_values.h: dates and times of the proleptic Gregorian calendar, as Python has them.
 *
 * A time zone is a fixed offset from UTC, rules for one (see zone_rules.h), or none at all: local
 * time is given back. */
#ifndef FST_VM_DATE_VALUES_H
#define FST_VM_DATE_VALUES_H

#include "arena.h"

#define FST_SECOND INT64_C(1000000)             /* in microseconds, as these are */
#define FST_MINUTE (60 * FST_SECOND)
#define FST_HOUR (60 * FST_MINUTE)
#define FST_DAY (24 * FST_HOUR)

enum {
    FST_EPOCH_DAY = 719163,     /* 1970-01-01, where 0001-01-01 is day 1 */
    FST_LAST_DAY = 3652059      /* 9999-12-31 */
};

/* Of a date the time is zero. */
typedef struct fst_datetime {
    int32_t year, month, day;
    int32_t hour, minute, second, microsecond;
    int32_t fold;
    int32_t has_zone;
    int32_t offset;             /* of the zone from UTC, in seconds */
    const fst_list *rules;      /* of FST_ZONED: its zone, and the name that this has then */
    const fst_cell *zone_name;
} fst_datetime;

/* Whether a value is a time, in whatever zone. */
FST_INLINE int
fst_is_time(const fst_cell *cell)
{
    return cell->type == FST_DATETIME || cell->type == FST_ZONED;
}

/* Whether a value has an hour, a minute and so on. */
FST_INLINE int
fst_has_clock(const fst_cell *cell)
{
    return fst_is_time(cell) || cell->type == FST_CLOCK;
}

FST_INLINE const fst_datetime *
fst_datetime_of(const fst_cell *cell)
{
    return (const fst_datetime *)cell->object;
}

FST_INLINE fst_status
fst_new_datetime(fst_machine *machine, fst_cell *to, fst_type type, const fst_datetime *value)
{
    fst_datetime *copy = (fst_datetime *)fst_take(machine, sizeof *copy);
    if (copy == NULL)
        return FST_NO_MEMORY;
    *copy = *value;
    *to = fst_object(type, copy);
    return FST_DONE;
}

FST_INLINE fst_cell
fst_duration(int64_t microseconds)
{
    fst_cell cell = fst_int(microseconds);
    cell.type = FST_TIMEDELTA;
    return cell;
}

/* The zone with an offset in seconds. */
FST_INLINE fst_cell
fst_zone(int64_t offset)
{
    fst_cell cell = fst_int(offset);
    cell.type = FST_ZONE;
    return cell;
}

/* Divides and rounds down; the divisor is positive. */
FST_INLINE int64_t
fst_divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* ---------------------------------------------------------------- calendar */

FST_INLINE int
fst_is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* The days of a common year before a month. */
FST_INLINE int
fst_days_before(int year, int month)
{
    static const int days[] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    return days[month] + (month > 2 && fst_is_leap(year));
}

FST_INLINE int
fst_days_in(int year, int month)
{
    static const int days[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month] + (month == 2 && fst_is_leap(year));
}

FST_INLINE int
fst_is_valid_date(int64_t year, int64_t month, int64_t day)
{
    return year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1
           && day <= fst_days_in((int)year, (int)month);
}

FST_INLINE int
fst_is_valid_time(int64_t hour, int64_t minute, int64_t second, int64_t microsecond)
{
    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 59
           && microsecond >= 0 && microsecond <= 999999;
}

/* The number of a day, where 0001-01-01 is 1. */
FST_INLINE int64_t
fst_day_of(const fst_datetime *date)
{
    const int64_t before = date->year - 1;
    return 365 * before + before / 4 - before / 100 + before / 400
           + fst_days_before(date->year, date->month) + date->day;
}

/* Sets the date to a day with a number from 1 to FST_LAST_DAY. */
FST_INLINE void
fst_set_day(fst_datetime *date, int64_t number)
{
    int64_t days = number - 1, centuries, fours, years;
    const int64_t eras = days / 146097;
    days %= 146097;
    centuries = days / 36524 - days / 146096;   /* the last day of 400 years is in the fourth one */
    days -= 36524 * centuries;
    fours = days / 1461;
    days %= 1461;
    years = days / 365 - days / 1460;           /* as is the last day of four years */
    days -= 365 * years;
    date->year = (int32_t)(400 * eras + 100 * centuries + 4 * fours + years + 1);
    date->month = (int32_t)(days / 32 + 1);
    if (date->month < 12 && days >= fst_days_before(date->year, date->month + 1))
        date->month++;
    date->day = (int32_t)(days - fst_days_before(date->year, date->month) + 1);
}

/* Monday is 0. */
FST_INLINE int
fst_weekday_of(const fst_datetime *date)
{
    return (int)((fst_day_of(date) + 6) % 7);
}

/* ---------------------------------------------------------------- microseconds */

/* Microseconds since 1970-01-01T00:00:00 of the same zone. */
FST_INLINE int64_t
fst_local_microseconds(const fst_datetime *value)
{
    return (fst_day_of(value) - FST_EPOCH_DAY) * FST_DAY + value->hour * FST_HOUR
           + value->minute * FST_MINUTE + value->second * FST_SECOND + value->microsecond;
}

/* Sets date and time; returns whether that is between the years 1 and 9999. */
FST_INLINE int
fst_set_microseconds(fst_datetime *value, int64_t microseconds)
{
    const int64_t days = fst_divide_down(microseconds, FST_DAY);
    int64_t rest = microseconds - days * FST_DAY;
    if (days + FST_EPOCH_DAY < 1 || days + FST_EPOCH_DAY > FST_LAST_DAY)
        return 0;
    fst_set_day(value, days + FST_EPOCH_DAY);
    value->hour = (int32_t)(rest / FST_HOUR);
    rest %= FST_HOUR;
    value->minute = (int32_t)(rest / FST_MINUTE);
    rest %= FST_MINUTE;
    value->second = (int32_t)(rest / FST_SECOND);
    value->microsecond = (int32_t)(rest % FST_SECOND);
    return 1;
}

FST_INLINE int64_t
fst_utc_microseconds(const fst_datetime *value)
{
    return fst_local_microseconds(value) - value->offset * FST_SECOND;
}

/* ---------------------------------------------------------------- comparison */

/* Whether two dates, or two times of which both or none have a zone, can be compared. */
FST_INLINE int
fst_are_comparable(const fst_cell *a, const fst_cell *b)
{
    return a->type == b->type && fst_datetime_of(a)->has_zone == fst_datetime_of(b)->has_zone;
}

/* The order of two values that can be compared: -1, 0 or 1. */
FST_INLINE int
fst_order_dates(const fst_cell *a, const fst_cell *b)
{
    const int64_t left = fst_utc_microseconds(fst_datetime_of(a));
    const int64_t right = fst_utc_microseconds(fst_datetime_of(b));
    return (left > right) - (left < right);
}

#endif
