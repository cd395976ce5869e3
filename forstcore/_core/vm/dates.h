/* dates.h: the types datetime, date, timedelta and timezone of the module datetime. */
#ifndef FST_VM_DATES_H
#define FST_VM_DATES_H

#include "date_reading.h"
#include "durations.h"
#include "zone_rules.h"

FST_INLINE fst_status
fst_expect_text(fst_machine *machine, fst_cell *cell)
{
    FST_TRY(fst_settle(machine, cell));
    if (cell->type == FST_STR)
        return FST_DONE;
    return fst_is_number(cell) || fst_is_no_number(cell) ? FST_TYPE_ERROR : FST_GIVE_BACK;
}

/* Sets a field to an argument, if it is given. */
FST_INLINE fst_status
fst_field_argument(fst_machine *machine, fst_cell *cell, int32_t *field)
{
    if (cell->type == FST_UNSET)
        return FST_DONE;
    FST_TRY(fst_settle(machine, cell));
    if (cell->type != FST_INT && cell->type != FST_BOOL)
        return FST_GIVE_BACK;
    if (cell->integer > INT32_MAX || cell->integer < INT32_MIN)
        return FST_GIVE_BACK;
    *field = (int32_t)cell->integer;
    return FST_DONE;
}

FST_INLINE fst_status
fst_zone_argument(const fst_cell *cell, fst_datetime *value)
{
    if (cell->type == FST_UNSET)
        return FST_DONE;
    value->rules = cell->type == FST_RULES ? (const fst_list *)cell->object : NULL;
    value->has_zone = cell->type == FST_ZONE || value->rules != NULL;
    value->offset = cell->type == FST_ZONE ? (int32_t)cell->integer : 0;
    return value->has_zone || cell->type == FST_NONE ? FST_DONE : FST_GIVE_BACK;
}

/* Sets what is given of year, month, day, hour, minute, second, microsecond, tzinfo and fold. */
FST_INLINE fst_status
fst_set_fields(fst_machine *machine, fst_cell *arguments, fst_datetime *value)
{
    FST_TRY(fst_field_argument(machine, &arguments[0], &value->year));
    FST_TRY(fst_field_argument(machine, &arguments[1], &value->month));
    FST_TRY(fst_field_argument(machine, &arguments[2], &value->day));
    FST_TRY(fst_field_argument(machine, &arguments[3], &value->hour));
    FST_TRY(fst_field_argument(machine, &arguments[4], &value->minute));
    FST_TRY(fst_field_argument(machine, &arguments[5], &value->second));
    FST_TRY(fst_field_argument(machine, &arguments[6], &value->microsecond));
    FST_TRY(fst_zone_argument(&arguments[7], value));
    FST_TRY(fst_field_argument(machine, &arguments[8], &value->fold));
    if (!fst_is_valid_date(value->year, value->month, value->day)
        || !fst_is_valid_time(value->hour, value->minute, value->second, value->microsecond)
        || value->fold < 0 || value->fold > 1)
        return FST_VALUE_ERROR;
    return FST_DONE;
}

/* ---------------------------------------------------------------- making */

/* Makes a time whose fields are set; in a zone with rules its offset is not. */
FST_INLINE fst_status
fst_new_time(fst_machine *machine, fst_cell *to, fst_datetime *value)
{
    if (value->rules == NULL)
        return fst_new_datetime(machine, to, FST_DATETIME, value);
    FST_TRY(fst_put_in_zone(value, value->rules));
    return fst_new_datetime(machine, to, FST_ZONED, value);
}

FST_NOINLINE fst_status
fst_datetime_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_datetime value = {0};
    FST_TRY(fst_set_fields(machine, arguments, &value));
    return fst_new_time(machine, to, &value);
}

FST_NOINLINE fst_status
fst_date_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_datetime value = {0};
    FST_TRY(fst_field_argument(machine, &arguments[0], &value.year));
    FST_TRY(fst_field_argument(machine, &arguments[1], &value.month));
    FST_TRY(fst_field_argument(machine, &arguments[2], &value.day));
    if (!fst_is_valid_date(value.year, value.month, value.day))
        return FST_VALUE_ERROR;
    return fst_new_datetime(machine, to, FST_DATE, &value);
}

/* timezone(offset) */
FST_NOINLINE fst_status
fst_zone_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    (void)machine;
    if (arguments[0].type != FST_TIMEDELTA || arguments[0].integer % FST_SECOND != 0)
        return FST_GIVE_BACK;
    if (arguments[0].integer <= -FST_DAY || arguments[0].integer >= FST_DAY)
        return FST_VALUE_ERROR;
    *to = fst_zone(arguments[0].integer / FST_SECOND);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_datetime_from_text(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_expect_text(machine, &arguments[0]));
    return fst_read_datetime(machine, to, &arguments[0]);
}

FST_NOINLINE fst_status
fst_date_from_text(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_expect_text(machine, &arguments[0]));
    return fst_read_date(machine, to, &arguments[0]);
}

/* Takes the time behind a date in RFC 3339. */
FST_NOINLINE int
fst_take_declared_time(const char **at, const char *end, fst_datetime *value)
{
    const char *start;
    if (!fst_take_character(at, end, 'T') || !fst_take_digits(at, end, 2, &value->hour)
        || !fst_take_character(at, end, ':') || !fst_take_digits(at, end, 2, &value->minute)
        || !fst_take_character(at, end, ':') || !fst_take_digits(at, end, 2, &value->second))
        return 0;
    start = *at + 1;
    if (fst_take_character(at, end, '.')
        && (!fst_take_fraction(at, end, &value->microsecond) || *at - start > 6))
        return 0;
    start = *at;
    return *at == end
           || (fst_take_zone(at, end, value) && (*at - start == 1 || *at - start == 6));
}

/* A text that a field of a declared type was read from: a date, or a time in RFC 3339. What msgspec
 * may read otherwise, or refuse, is given back. */
FST_NOINLINE fst_status
fst_read_declared(fst_machine *machine, fst_cell *to, fst_cell *text, fst_type type)
{
    const char *at, *end;
    fst_datetime value = {0};
    *to = fst_none();
    if (text->type == FST_NONE)
        return FST_DONE;
    FST_TRY(fst_expect_text(machine, text));
    at = text->text;
    end = at + text->size;
    if (!fst_take_date(&at, end, &value)
        || (type == FST_DATETIME && !fst_take_declared_time(&at, end, &value)) || at < end
        || !fst_is_valid_date(value.year, value.month, value.day)
        || !fst_is_valid_time(value.hour, value.minute, value.second, value.microsecond))
        return FST_GIVE_BACK;
    return fst_new_datetime(machine, to, type, &value);
}

FST_NOINLINE fst_status
fst_declared_date(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_read_declared(machine, to, &arguments[0], FST_DATE);
}

FST_NOINLINE fst_status
fst_declared_time(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_read_declared(machine, to, &arguments[0], FST_DATETIME);
}

FST_NOINLINE fst_status
fst_datetime_strptime(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_expect_text(machine, &arguments[0]));
    FST_TRY(fst_expect_text(machine, &arguments[1]));
    return fst_date_read(machine, to, &arguments[0], &arguments[1]);
}

/* datetime.fromtimestamp(timestamp, tz); local time is given back. */
FST_NOINLINE fst_status
fst_datetime_from_timestamp(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const double most = 2.6e11;     /* seconds, beyond the year 9999 */
    fst_cell *timestamp = &arguments[0];
    fst_datetime value = {0};
    int64_t microseconds;
    double seconds, rounded;
    volatile double fraction;       /* rounded, not part of a fused operation */
    FST_TRY(fst_zone_argument(&arguments[1], &value));
    FST_TRY(fst_settle(machine, timestamp));
    if (!value.has_zone || !fst_is_number(timestamp))
        return FST_GIVE_BACK;
    /* Python may also raise OverflowError or OSError here, and some systems accept nothing
     * before 1970. */
    seconds = fst_as_double(timestamp);
    if (!(seconds >= 0 && seconds < most))
        return FST_GIVE_BACK;
    if (timestamp->type == FST_FLOAT) {
        fraction = modf(seconds, &seconds) * 1e6;
        rounded = round(fraction);
        if (fabs(fraction - rounded) == 0.5)
            rounded = 2 * round(fraction / 2);
        microseconds = (int64_t)seconds * FST_SECOND + (int64_t)rounded;
    } else {
        microseconds = timestamp->integer * FST_SECOND;
    }
    if (value.rules != NULL) {
        FST_TRY(fst_set_in_zone(&value, value.rules, microseconds));
        return fst_new_datetime(machine, to, FST_ZONED, &value);
    }
    /* Both the time in UTC and that in the zone have to be between the years 1 and 9999. */
    if (!fst_set_microseconds(&value, microseconds)
        || !fst_set_microseconds(&value, microseconds + value.offset * FST_SECOND))
        return FST_GIVE_BACK;
    return fst_new_datetime(machine, to, FST_DATETIME, &value);
}

/* ---------------------------------------------------------------- methods */

/* datetime.isoformat(sep?, timespec?), date.isoformat(), time.isoformat(*, timespec?) */
FST_NOINLINE fst_status
fst_isoformat(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    static const char *const names[] = {
        "milliseconds", "microseconds", "auto", "hours", "minutes", "seconds"};
    static const int precisions[] = {
        FST_MILLISECONDS, FST_MICROSECONDS, FST_AUTO, FST_HOURS, FST_MINUTES, FST_SECONDS};
    fst_cell *separator = &arguments[1], *precision = &arguments[2];
    char *text, *end;
    int chosen = 2;
    if (arguments[0].type == FST_DATE)
        return separator->type == FST_UNSET && precision->type == FST_UNSET
            ? fst_date_text(machine, to, &arguments[0])
            : FST_TYPE_ERROR;
    /* What a time of day takes first is not the separator, but the precision. */
    if (!fst_has_clock(&arguments[0])
        || (arguments[0].type == FST_CLOCK && separator->type != FST_UNSET))
        return FST_GIVE_BACK;
    if (separator->type != FST_UNSET) {
        FST_TRY(fst_expect_text(machine, separator));
        if (separator->size != 1 || separator->text[0] < 0x20 || separator->text[0] == '"'
            || separator->text[0] == '\\')
            return FST_GIVE_BACK;
    }
    if (precision->type != FST_UNSET) {
        FST_TRY(fst_expect_text(machine, precision));
        for (chosen = 0; chosen < 6; chosen++)
            if (precision->size == strlen(names[chosen])
                && memcmp(precision->text, names[chosen], precision->size) == 0)
                break;
        if (chosen == 6)
            return FST_VALUE_ERROR;
    }
    text = (char *)fst_take(machine, FST_DATE_ROOM);
    if (text == NULL)
        return FST_NO_MEMORY;
    end = arguments[0].type == FST_CLOCK
        ? fst_put_time(text, fst_datetime_of(&arguments[0]), precisions[chosen])
        : fst_put_datetime(
              text, fst_datetime_of(&arguments[0]),
              separator->type == FST_UNSET ? 'T' : separator->text[0], precisions[chosen]);
    *to = fst_str(text, (size_t)(end - text), FST_ASCII | FST_CLEAN);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_strftime(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (!fst_has_clock(&arguments[0]) && arguments[0].type != FST_DATE)
        return FST_GIVE_BACK;
    FST_TRY(fst_expect_text(machine, &arguments[1]));
    return fst_date_format(machine, to, &arguments[0], &arguments[1]);
}

FST_NOINLINE fst_status
fst_timestamp(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell microseconds, million = fst_int(FST_SECOND);
    if (!fst_is_time(&arguments[0]) || !fst_datetime_of(&arguments[0])->has_zone)
        return FST_GIVE_BACK;
    microseconds = fst_int(fst_utc_microseconds(fst_datetime_of(&arguments[0])));
    return fst_true_divide(machine, to, &microseconds, &million);
}

/* datetime.date() */
FST_NOINLINE fst_status
fst_datetime_date(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_datetime value = {0};
    if (!fst_is_time(&arguments[0]))
        return FST_GIVE_BACK;
    value.year = fst_datetime_of(&arguments[0])->year;
    value.month = fst_datetime_of(&arguments[0])->month;
    value.day = fst_datetime_of(&arguments[0])->day;
    return fst_new_datetime(machine, to, FST_DATE, &value);
}

FST_NOINLINE fst_status
fst_astimezone(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_datetime value;
    int64_t utc;
    if (!fst_is_time(&arguments[0]) || !fst_datetime_of(&arguments[0])->has_zone
        || (arguments[1].type != FST_ZONE && arguments[1].type != FST_RULES))
        return FST_GIVE_BACK;
    value = *fst_datetime_of(&arguments[0]);
    if (value.fold != 0)        /* which depends on whether it is the same object */
        return FST_GIVE_BACK;
    utc = fst_utc_microseconds(&value);
    if (arguments[1].type == FST_RULES) {
        if (value.rules != NULL) {
            /* It stays as it is in its own zone, even if the clocks leave it out; the zone may be
             * a constant twice. */
            fst_datetime real = value;
            FST_TRY(fst_set_in_zone(&real, value.rules, utc));
            if (real.offset != value.offset)
                return FST_GIVE_BACK;
        }
        FST_TRY(fst_set_in_zone(&value, (const fst_list *)arguments[1].object, utc));
        return fst_new_datetime(machine, to, FST_ZONED, &value);
    }
    value.rules = NULL;
    value.offset = (int32_t)arguments[1].integer;
    if (!fst_set_microseconds(&value, utc)
        || !fst_set_microseconds(&value, utc + value.offset * FST_SECOND))
        return FST_GIVE_BACK;
    return fst_new_datetime(machine, to, FST_DATETIME, &value);
}

/* replace() of a date or a time, with the fields of fst_set_fields */
FST_NOINLINE fst_status
fst_date_replace(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_datetime value;
    int i;
    if (arguments[0].type != FST_DATE && !fst_is_time(&arguments[0]))
        return FST_GIVE_BACK;
    if (arguments[0].type == FST_DATE)
        for (i = 4; i <= 9; i++)
            if (arguments[i].type != FST_UNSET)
                return FST_TYPE_ERROR;
    value = *fst_datetime_of(&arguments[0]);
    FST_TRY(fst_set_fields(machine, &arguments[1], &value));
    return arguments[0].type == FST_DATE ? fst_new_datetime(machine, to, FST_DATE, &value)
                                         : fst_new_time(machine, to, &value);
}

FST_NOINLINE fst_status
fst_utcoffset(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_datetime *value = fst_datetime_of(&arguments[0]);
    (void)machine;
    if (!fst_is_time(&arguments[0]))
        return FST_GIVE_BACK;
    *to = value->has_zone ? fst_duration(value->offset * FST_SECOND) : fst_none();
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_tzinfo(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_datetime *value = fst_datetime_of(&arguments[0]);
    (void)machine;
    if (arguments[0].type != FST_DATETIME)
        return FST_GIVE_BACK;
    *to = value->has_zone ? fst_zone(value->offset) : fst_none();
    return FST_DONE;
}

/* ---------------------------------------------------------------- numbers */

FST_INLINE fst_status
fst_expect_date(const fst_cell *cell)
{
    return fst_is_time(cell) || cell->type == FST_DATE ? FST_DONE : FST_GIVE_BACK;
}

#define FST_DATE_NUMBERS(X) \
    X(weekday, fst_weekday_of(value)) \
    X(isoweekday, fst_weekday_of(value) + 1) \
    X(toordinal, fst_day_of(value)) \
    X(year, value->year) \
    X(month, value->month) \
    X(day, value->day)

#define FST_DATE_NUMBER(name, number) \
    FST_NOINLINE fst_status \
    fst_date_##name(fst_machine *machine, fst_cell *to, fst_cell *arguments) \
    { \
        const fst_datetime *value = fst_datetime_of(&arguments[0]); \
        (void)machine; \
        FST_TRY(fst_expect_date(&arguments[0])); \
        *to = fst_int(number); \
        return FST_DONE; \
    }
FST_DATE_NUMBERS(FST_DATE_NUMBER)
#undef FST_DATE_NUMBER

#define FST_TIME_NUMBER(name) \
    FST_NOINLINE fst_status \
    fst_time_##name(fst_machine *machine, fst_cell *to, fst_cell *arguments) \
    { \
        (void)machine; \
        if (!fst_has_clock(&arguments[0])) \
            return FST_GIVE_BACK; \
        *to = fst_int(fst_datetime_of(&arguments[0])->name); \
        return FST_DONE; \
    }
FST_TIME_NUMBER(hour)
FST_TIME_NUMBER(minute)
FST_TIME_NUMBER(second)
FST_TIME_NUMBER(microsecond)
FST_TIME_NUMBER(fold)
#undef FST_TIME_NUMBER

#define FST_DATE_FUNCTIONS(X) \
    FST_DURATION_FUNCTIONS(X) \
    X("datetime.datetime", \
      "year,month,day,hour?,minute?,second?,microsecond?,tzinfo?,*,fold?", fst_datetime_new) \
    X("datetime.date", "year,month,day", fst_date_new) \
    X("datetime.timezone", "offset", fst_zone_new) \
    X("datetime.datetime.fromisoformat", "string/", fst_datetime_from_text) \
    X("datetime.date.fromisoformat", "string/", fst_date_from_text) \
    X("datetime.datetime.fromtimestamp", "timestamp,tz?", fst_datetime_from_timestamp) \
    X("datetime.datetime.strptime", "string/,format/", fst_datetime_strptime) \
    X("<declared date>", "text", fst_declared_date) \
    X("<declared time>", "text", fst_declared_time) \
    X(".isoformat", "self,sep?,timespec?", fst_isoformat) \
    X(".strftime", "self,format", fst_strftime) \
    X(".timestamp", "self", fst_timestamp) \
    X(".date", "self", fst_datetime_date) \
    X(".astimezone", "self,tz?", fst_astimezone) \
    X("<replace fields>", \
      "self,*,year?,month?,day?,hour?,minute?,second?,microsecond?,tzinfo?,fold?", \
      fst_date_replace) \
    X(".utcoffset", "self", fst_utcoffset) \
    X(".weekday", "self", fst_date_weekday) \
    X(".isoweekday", "self", fst_date_isoweekday) \
    X(".toordinal", "self", fst_date_toordinal) \
    X("@tzinfo", "self", fst_tzinfo) \
    X("@month", "self", fst_date_month) \
    X("@day", "self", fst_date_day) \
    X("@hour", "self", fst_time_hour) \
    X("@minute", "self", fst_time_minute) \
    X("@second", "self", fst_time_second) \
    X("@microsecond", "self", fst_time_microsecond) \
    X("@fold", "self", fst_time_fold)

#endif
