/* date_text.h: dates, times and durations as text in the ISO 8601 format, and back. */
#ifndef FST_VM_DATE_TEXT_H
#define FST_VM_DATE_TEXT_H

#include "date_values.h"

enum { FST_DATE_ROOM = 48 };    /* bytes that writing a date, a time or a duration may touch */

/* ---------------------------------------------------------------- writing */

/* Writes a number with so many digits; returns its end. */
FST_INLINE char *
fst_put_digits(char *to, int64_t number, int digits)
{
    int i;
    for (i = digits - 1; i >= 0; i--) {
        to[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return to + digits;
}

FST_INLINE char *
fst_put_date(char *to, const fst_datetime *date, const char *separator)
{
    to = fst_put_digits(to, date->year, 4);
    *to = *separator;
    to = fst_put_digits(to + (*separator != 0), date->month, 2);
    *to = *separator;
    return fst_put_digits(to + (*separator != 0), date->day, 2);
}

/* How much of a time isoformat() writes; the numbers of digits of a fraction of seconds, too. */
enum {
    FST_MILLISECONDS = 3,
    FST_MICROSECONDS = 6,
    FST_AUTO,                   /* microseconds if there are any */
    FST_HOURS,
    FST_MINUTES,
    FST_SECONDS
};

FST_INLINE char *
fst_put_time(char *to, const fst_datetime *time, int precision)
{
    to = fst_put_digits(to, time->hour, 2);
    if (precision == FST_HOURS)
        return to;
    *to++ = ':';
    to = fst_put_digits(to, time->minute, 2);
    if (precision == FST_MINUTES)
        return to;
    *to++ = ':';
    to = fst_put_digits(to, time->second, 2);
    if (precision == FST_SECONDS || (precision == FST_AUTO && time->microsecond == 0))
        return to;
    *to++ = '.';
    if (precision == FST_MILLISECONDS)
        return fst_put_digits(to, time->microsecond / 1000, 3);
    return fst_put_digits(to, time->microsecond, 6);
}

/* Writes an offset of a zone in seconds as +HH:MM, with another separator or none. */
FST_INLINE char *
fst_put_offset(char *to, int64_t offset, const char *separator)
{
    *to++ = offset < 0 ? '-' : '+';
    offset = offset < 0 ? -offset : offset;
    to = fst_put_digits(to, offset / 3600, 2);
    *to = *separator;
    to = fst_put_digits(to + (*separator != 0), offset / 60 % 60, 2);
    if (offset % 60 == 0)
        return to;
    *to = *separator;
    return fst_put_digits(to + (*separator != 0), offset % 60, 2);
}

FST_INLINE char *
fst_put_datetime(char *to, const fst_datetime *value, char separator, int precision)
{
    to = fst_put_date(to, value, "-");
    *to++ = separator;
    to = fst_put_time(to, value, precision);
    return value->has_zone ? fst_put_offset(to, value->offset, ":") : to;
}

FST_NOINLINE char *
fst_put_duration(char *to, int64_t microseconds)
{
    const int64_t days = fst_divide_down(microseconds, FST_DAY);
    const int64_t rest = microseconds - days * FST_DAY;
    if (days != 0) {
        to = fst_write_integer(to, days);
        memcpy(to, " days, ", 7);
        to += 4;
        if (days != 1 && days != -1)
            to++;
        memcpy(to, ", ", 2);
        to += 2;
    }
    to = fst_write_integer(to, rest / FST_HOUR);
    *to++ = ':';
    to = fst_put_digits(to, rest / FST_MINUTE % 60, 2);
    *to++ = ':';
    to = fst_put_digits(to, rest / FST_SECOND % 60, 2);
    if (rest % FST_SECOND == 0)
        return to;
    *to++ = '.';
    return fst_put_digits(to, rest % FST_SECOND, 6);
}

/* Writes the name that Python gives a zone. */
FST_INLINE char *
fst_put_zone(char *to, int64_t offset)
{
    memcpy(to, "UTC", 3);
    return offset == 0 ? to + 3 : fst_put_offset(to + 3, offset, ":");
}

/* str() of a date, a time, a time of day, a duration or a zone. */
FST_NOINLINE fst_status
fst_date_text(fst_machine *machine, fst_cell *to, const fst_cell *cell)
{
    char *text = (char *)fst_take(machine, FST_DATE_ROOM), *end;
    if (text == NULL)
        return FST_NO_MEMORY;
    switch (cell->type) {
    case FST_DATETIME:
    case FST_ZONED:
        end = fst_put_datetime(text, fst_datetime_of(cell), ' ', FST_AUTO);
        break;
    case FST_DATE:
        end = fst_put_date(text, fst_datetime_of(cell), "-");
        break;
    case FST_CLOCK:
        end = fst_put_time(text, fst_datetime_of(cell), FST_AUTO);
        break;
    case FST_TIMEDELTA:
        end = fst_put_duration(text, cell->integer);
        break;
    default:
        end = fst_put_zone(text, cell->integer);
        break;
    }
    *to = fst_str(text, (size_t)(end - text), FST_ASCII | FST_CLEAN);
    return FST_DONE;
}

/* Writes a date or a time as JSON, to a place with FST_DATE_ROOM. */
FST_NOINLINE char *
fst_put_json_date(char *to, const fst_cell *cell)
{
    *to++ = '"';
    if (cell->type == FST_DATE)
        to = fst_put_date(to, fst_datetime_of(cell), "-");
    else
        to = fst_put_datetime(to, fst_datetime_of(cell), 'T', FST_AUTO);
    *to++ = '"';
    return to;
}

/* ---------------------------------------------------------------- reading */

/* Reads so many digits at `at`, which moves on; returns whether they are there. */
FST_INLINE int
fst_take_digits(const char **at, const char *end, int digits, int32_t *number)
{
    *number = 0;
    if (end - *at < digits)
        return 0;
    for (; digits > 0; digits--, ++*at) {
        if (**at < '0' || **at > '9')
            return 0;
        *number = 10 * *number + (**at - '0');
    }
    return 1;
}

FST_INLINE int
fst_take_character(const char **at, const char *end, char character)
{
    if (*at == end || **at != character)
        return 0;
    ++*at;
    return 1;
}

/* Reads YYYY-MM-DD without checking the ranges of the numbers. */
FST_INLINE int
fst_take_date(const char **at, const char *end, fst_datetime *date)
{
    return fst_take_digits(at, end, 4, &date->year) && fst_take_character(at, end, '-')
           && fst_take_digits(at, end, 2, &date->month) && fst_take_character(at, end, '-')
           && fst_take_digits(at, end, 2, &date->day);
}

/* Reads a fraction of a second, and truncates it to six digits. */
FST_INLINE int
fst_take_fraction(const char **at, const char *end, int32_t *microseconds)
{
    int digits = 0;
    *microseconds = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at, digits++)
        if (digits < 6)
            *microseconds = 10 * *microseconds + (**at - '0');
    if (digits == 0)
        return 0;
    for (; digits < 6; digits++)
        *microseconds *= 10;
    return 1;
}

/* Reads HH, HH:MM or HH:MM:SS with a fraction. */
FST_INLINE int
fst_take_time(const char **at, const char *end, fst_datetime *time)
{
    if (!fst_take_digits(at, end, 2, &time->hour))
        return 0;
    if (!fst_take_character(at, end, ':'))
        return 1;
    if (!fst_take_digits(at, end, 2, &time->minute))
        return 0;
    if (!fst_take_character(at, end, ':'))
        return 1;
    if (!fst_take_digits(at, end, 2, &time->second))
        return 0;
    return !fst_take_character(at, end, '.') || fst_take_fraction(at, end, &time->microsecond);
}

/* Reads Z, or an offset as +HH, +HH:MM, +HHMM or +HH:MM:SS. */
FST_INLINE int
fst_take_zone(const char **at, const char *end, fst_datetime *time)
{
    int32_t hours, minutes = 0, seconds = 0;
    const int negative = *at < end && **at == '-';
    time->has_zone = 1;
    if (fst_take_character(at, end, 'Z'))
        return 1;
    if (!fst_take_character(at, end, '+') && !fst_take_character(at, end, '-'))
        return 0;
    if (!fst_take_digits(at, end, 2, &hours))
        return 0;
    if (fst_take_character(at, end, ':')) {
        if (!fst_take_digits(at, end, 2, &minutes))
            return 0;
        if (fst_take_character(at, end, ':') && !fst_take_digits(at, end, 2, &seconds))
            return 0;
    } else if (*at < end && !fst_take_digits(at, end, 2, &minutes)) {
        return 0;
    }
    time->offset = 3600 * hours + 60 * minutes + seconds;
    time->offset = negative ? -time->offset : time->offset;
    return hours < 24 && minutes < 60 && seconds < 60;
}

/* The text is in no known format: certainly an error if it does not start with a year. */
FST_INLINE fst_status
fst_not_read(const fst_cell *text)
{
    uint32_t i;
    if (text->size < 7)
        return FST_VALUE_ERROR;
    for (i = 0; i < 4; i++)
        if (text->text[i] < '0' || text->text[i] > '9')
            return FST_VALUE_ERROR;
    return FST_GIVE_BACK;
}

/* date.fromisoformat(text) of a str */
FST_INLINE fst_status
fst_read_date(fst_machine *machine, fst_cell *to, const fst_cell *text)
{
    const char *at = text->text, *end = at + text->size;
    fst_datetime value = {0};
    if (!fst_take_date(&at, end, &value) || at < end)
        return fst_not_read(text);
    if (!fst_is_valid_date(value.year, value.month, value.day))
        return FST_VALUE_ERROR;
    return fst_new_datetime(machine, to, FST_DATE, &value);
}

/* datetime.fromisoformat(text) of a str. Less usual forms, some of which not all versions of Python
 * read, are given back. */
FST_INLINE fst_status
fst_read_datetime(fst_machine *machine, fst_cell *to, const fst_cell *text)
{
    const char *at = text->text, *end = at + text->size;
    fst_datetime value = {0};
    if (!fst_take_date(&at, end, &value))
        return fst_not_read(text);
    if (at < end) {
        if (!fst_take_character(&at, end, 'T') && !fst_take_character(&at, end, ' '))
            return FST_GIVE_BACK;
        if (!fst_take_time(&at, end, &value) || (at < end && !fst_take_zone(&at, end, &value))
            || at < end)
            return FST_GIVE_BACK;
    }
    if (value.hour == 24)       /* midnight, for newer versions */
        return FST_GIVE_BACK;
    if (!fst_is_valid_date(value.year, value.month, value.day)
        || !fst_is_valid_time(value.hour, value.minute, value.second, value.microsecond))
        return FST_VALUE_ERROR;
    return fst_new_datetime(machine, to, FST_DATETIME, &value);
}

#endif
