/* clocks.h: the type time of the module datetime, and the calendar of weeks.
 *
 * A time of day is an fst_datetime on the day that strftime() takes for it, 1900-01-01. It has no
 * zone, and its fold is 0: others are given back. */
#ifndef FST_VM_CLOCKS_H
#define FST_VM_CLOCKS_H

#include "dates.h"
#include "iterate.h"

FST_INLINE fst_status
fst_new_clock(fst_machine *machine, fst_cell *to, fst_datetime *value)
{
    value->year = 1900;
    value->month = value->day = 1;
    value->has_zone = value->offset = 0;
    value->rules = NULL;
    value->zone_name = NULL;
    return value->fold ? FST_GIVE_BACK : fst_new_datetime(machine, to, FST_CLOCK, value);
}

/* time(hour?, minute?, second?, microsecond?) */
FST_NOINLINE fst_status
fst_clock_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_datetime value = {0};
    FST_TRY(fst_field_argument(machine, &arguments[0], &value.hour));
    FST_TRY(fst_field_argument(machine, &arguments[1], &value.minute));
    FST_TRY(fst_field_argument(machine, &arguments[2], &value.second));
    FST_TRY(fst_field_argument(machine, &arguments[3], &value.microsecond));
    if (!fst_is_valid_time(value.hour, value.minute, value.second, value.microsecond))
        return FST_VALUE_ERROR;
    return fst_new_clock(machine, to, &value);
}

/* datetime.time() */
FST_NOINLINE fst_status
fst_datetime_time(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_datetime value;
    if (!fst_is_time(&arguments[0]))
        return FST_GIVE_BACK;
    value = *fst_datetime_of(&arguments[0]);
    return fst_new_clock(machine, to, &value);
}

/* datetime.combine(date, time, tzinfo?) */
FST_NOINLINE fst_status
fst_datetime_combine(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_datetime *day = fst_datetime_of(&arguments[0]);
    fst_datetime value;
    FST_TRY(fst_expect_date(&arguments[0]));
    if (arguments[1].type != FST_CLOCK)
        return FST_GIVE_BACK;
    value = *fst_datetime_of(&arguments[1]);
    value.year = day->year;
    value.month = day->month;
    value.day = day->day;
    FST_TRY(fst_zone_argument(&arguments[2], &value));
    return fst_new_time(machine, to, &value);
}

/* ---------------------------------------------------------------- weeks */

/* The day on which the first week of a year begins, that of its 4th of January. */
FST_INLINE int64_t
fst_first_week_of(int year)
{
    const fst_datetime fourth = {.year = year, .month = 1, .day = 4};
    return fst_day_of(&fourth) - fst_weekday_of(&fourth);
}

/* date.isocalendar() */
FST_NOINLINE fst_status
fst_isocalendar(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_datetime *value = fst_datetime_of(&arguments[0]);
    fst_cell *items;
    int64_t day;
    int year;
    FST_TRY(fst_expect_date(&arguments[0]));
    day = fst_day_of(value);
    year = value->year;
    if (year <= 1 || year >= 9999)
        return FST_GIVE_BACK;
    if (day < fst_first_week_of(year))
        year--;
    else if (day >= fst_first_week_of(year + 1))
        year++;
    items = fst_make_tuple(machine, to, 3);
    if (items == NULL)
        return FST_NO_MEMORY;
    to->flags = FST_NAMED;
    items[0] = fst_int(year);
    items[1] = fst_int((day - fst_first_week_of(year)) / 7 + 1);
    items[2] = fst_int(fst_weekday_of(value) + 1);
    return FST_DONE;
}

/* The item of what isocalendar() returns: no other named tuple that is not of a user's class has
 * three. */
FST_INLINE fst_status
fst_week_item(fst_cell *to, const fst_cell *cell, int place)
{
    const fst_list *list = (const fst_list *)cell->object;
    if (!fst_is_named(cell) || cell->size > 0 || list->count != 3)
        return FST_GIVE_BACK;
    *to = list->items[place];
    return FST_DONE;
}

/* isocalendar().year, date.year */
FST_NOINLINE fst_status
fst_year(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_is_named(&arguments[0]) ? fst_week_item(to, &arguments[0], 0)
                                       : fst_date_year(machine, to, arguments);
}

FST_NOINLINE fst_status
fst_week(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    (void)machine;
    return fst_week_item(to, &arguments[0], 1);
}

FST_NOINLINE fst_status
fst_weekday(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    (void)machine;
    return fst_week_item(to, &arguments[0], 2);
}

#define FST_CLOCK_FUNCTIONS(X) \
    X("datetime.time", "hour?,minute?,second?,microsecond?", fst_clock_new) \
    X("datetime.datetime.combine", "date,time,tzinfo?", fst_datetime_combine) \
    X(".time", "self", fst_datetime_time) \
    X(".isocalendar", "self", fst_isocalendar) \
    X("@year", "self", fst_year) \
    X("@week", "self", fst_week) \
    X("@weekday", "self", fst_weekday)

#endif
