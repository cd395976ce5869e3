/* date_format.h: strftime() with the directives that mean the same everywhere.
 *
 * Names of days and months depend on the locale, and the C library is asked for them, as Python
 * does. Other directives are given back. */
#ifndef FST_VM_DATE_FORMAT_H
#define FST_VM_DATE_FORMAT_H

#include <time.h>

#include "date_text.h"

enum { FST_DIRECTIVE_ROOM = 64 };   /* bytes that writing one directive may touch */

FST_INLINE int
fst_day_of_year(const fst_datetime *date)
{
    return fst_days_before(date->year, date->month) + date->day;
}

/* Writes what the C library has for a directive in the current locale, if it is ASCII; returns its
 * end, or NULL. */
FST_NOINLINE char *
fst_put_locale_directive(char *to, const fst_datetime *value, char directive)
{
    const char format[] = {'%', directive, 0};
    struct tm time;
    size_t size, i;
    memset(&time, 0, sizeof time);
    time.tm_year = value->year - 1900;
    time.tm_mon = value->month - 1;
    time.tm_mday = value->day;
    time.tm_hour = value->hour;
    time.tm_min = value->minute;
    time.tm_sec = value->second;
    time.tm_wday = (fst_weekday_of(value) + 1) % 7;
    time.tm_yday = fst_day_of_year(value) - 1;
    time.tm_isdst = -1;
    size = strftime(to, FST_DIRECTIVE_ROOM, format, &time);
    if (size == 0)
        return NULL;
    for (i = 0; i < size; i++)
        if ((unsigned char)to[i] >= 0x80)
            return NULL;
    return to + size;
}

/* Writes a directive of strftime(); returns its end, or NULL for an unknown one. */
FST_INLINE char *
fst_put_directive(char *to, const fst_datetime *value, char directive)
{
    switch (directive) {
    case 'Y':
        return fst_put_digits(to, value->year, 4);
    case 'y':
        return fst_put_digits(to, value->year % 100, 2);
    case 'm':
        return fst_put_digits(to, value->month, 2);
    case 'd':
        return fst_put_digits(to, value->day, 2);
    case 'H':
        return fst_put_digits(to, value->hour, 2);
    case 'I':
        return fst_put_digits(to, (value->hour + 11) % 12 + 1, 2);
    case 'M':
        return fst_put_digits(to, value->minute, 2);
    case 'S':
        return fst_put_digits(to, value->second, 2);
    case 'f':
        return fst_put_digits(to, value->microsecond, 6);
    case 'j':
        return fst_put_digits(to, fst_day_of_year(value), 3);
    case 'u':
        return fst_put_digits(to, fst_weekday_of(value) + 1, 1);
    case 'w':
        return fst_put_digits(to, (fst_weekday_of(value) + 1) % 7, 1);
    case 'U':   /* weeks from the first Sunday on */
        return fst_put_digits(
            to, (fst_day_of_year(value) + 6 - (fst_weekday_of(value) + 1) % 7) / 7, 2);
    case 'W':   /* weeks from the first Monday on */
        return fst_put_digits(to, (fst_day_of_year(value) + 6 - fst_weekday_of(value)) / 7, 2);
    case 'F':
        return fst_put_date(to, value, "-");
    case 'T':
        return fst_put_time(to, value, FST_SECONDS);
    case 'R':
        return fst_put_time(to, value, FST_MINUTES);
    case 'z':
        return value->has_zone ? fst_put_offset(to, value->offset, "") : to;
    case 'Z':
        if (value->rules != NULL) {
            if (value->zone_name->size > FST_DIRECTIVE_ROOM)
                return NULL;
            memcpy(to, value->zone_name->text, value->zone_name->size);
            return to + value->zone_name->size;
        }
        return value->has_zone ? fst_put_zone(to, value->offset) : to;
    case '%':
        *to = '%';
        return to + 1;
    case 'a':
    case 'A':
    case 'b':
    case 'B':
    case 'p':
        return fst_put_locale_directive(to, value, directive);
    default:
        return NULL;
    }
}

/* strftime(format) of a date or a time */
FST_NOINLINE fst_status
fst_date_format(fst_machine *machine, fst_cell *to, const fst_cell *cell, fst_cell *format)
{
    const fst_datetime *value = fst_datetime_of(cell);
    const char *at = format->text, *end = at + format->size;
    char *text, *put;
    size_t room = 1;
    /* Years before 1000 are padded on some systems only. */
    if (value->year < 1000 || !fst_is_ascii(format) || memchr(at, 0, format->size) != NULL)
        return FST_GIVE_BACK;
    for (; at < end; at++)
        room += *at == '%' ? FST_DIRECTIVE_ROOM : 1;
    put = text = (char *)fst_take(machine, room);
    if (text == NULL)
        return FST_NO_MEMORY;
    for (at = format->text; at < end; at++) {
        if (*at != '%') {
            *put++ = *at;
            continue;
        }
        if (++at == end)
            return FST_GIVE_BACK;
        put = fst_put_directive(put, value, *at);
        if (put == NULL)
            return FST_GIVE_BACK;
    }
    fst_keep(machine, text, (size_t)(put - text));
    *to = fst_str(text, (size_t)(put - text), FST_ASCII);
    return FST_DONE;
}

#endif
