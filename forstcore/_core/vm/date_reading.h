/* date_reading.h: strptime().
 *
 * Python makes a regular expression of the format, whose parts try several lengths in an order of
 * their own; so does this. What the text would have to be in another locale or version of Python,
 * and directives that change the meaning of others, are given back. */
#ifndef FST_VM_DATE_READING_H
#define FST_VM_DATE_READING_H

#include "date_format.h"

enum {
    FST_MOST_PARTS = 48,        /* of a format */
    FST_MOST_LENGTHS = 8,       /* that a part can have at one place */
    FST_MOST_TRIES = 4096       /* to match a part, for one text */
};

/* A part of a format: a directive, ' ' for white space, or 0 for a character. */
typedef struct fst_format_part {
    char directive, character;
    int size;                   /* of the text that it has matched */
    int32_t number;             /* what a directive stands for */
} fst_format_part;

typedef struct fst_date_format_parts {
    fst_format_part parts[FST_MOST_PARTS];
    int count;
    int tries;
    int unsure;                 /* whether Python may read the text in another way */
    uint64_t seen;              /* the directives that there are; see FST_DIRECTIVE */
} fst_date_format_parts;

#define FST_DIRECTIVE(letter) (UINT64_C(1) << ((letter) - 'A'))

FST_INLINE int
fst_is_white(char character)
{
    return character == ' ' || (character >= '\t' && character <= '\r')
           || (character >= 0x1c && character <= 0x1f);
}

FST_INLINE int
fst_is_digit_from(const char *at, const char *end, char first, char last)
{
    return at < end && *at >= first && *at <= last;
}

FST_INLINE char
fst_lower_letter(char character)
{
    return (char)(character >= 'A' && character <= 'Z' ? character | 0x20 : character);
}

/* ---------------------------------------------------------------- names */

static const char *const FST_MONTHS[] = {
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december", NULL};
static const char *const FST_DAYS[] = {
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", NULL};
static const char *const FST_HALVES[] = {"am", "pm", NULL};

/* Whether the locale has an English name, which may be abbreviated to so many letters. */
FST_NOINLINE int
fst_has_name(char directive, int number, const char *name, size_t size)
{
    char local[FST_DIRECTIVE_ROOM];
    fst_datetime value = {2001, 1, 1, 1};
    size_t i;
    if (directive == 'p')
        value.hour = 1 + 12 * number;
    else if (directive == 'a' || directive == 'A')
        value.day = 1 + number;         /* the first was a Monday */
    else
        value.month = 1 + number;
    if (fst_put_locale_directive(local, &value, directive) != local + size)
        return 0;
    for (i = 0; i < size; i++)
        if (fst_lower_letter(local[i]) != name[i])
            return 0;
    return 1;
}

/* Finds the name at `at`; returns its length, 0 if there is none, or -1 if that depends on the
 * locale. */
FST_NOINLINE int
fst_take_name(const char *at, const char *end, char directive, int32_t *number)
{
    const char *const *names = directive == 'p' ? FST_HALVES
        : directive == 'a' || directive == 'A'  ? FST_DAYS
                                                : FST_MONTHS;
    const int is_short = directive == 'a' || directive == 'b';
    size_t size, k;
    int i;
    for (i = 0; names[i] != NULL; i++) {
        size = is_short ? 3 : strlen(names[i]);
        for (k = 0; k < size && at + k < end && fst_lower_letter(at[k]) == names[i][k]; k++)
            ;
        if (k == size) {
            *number = i;
            return fst_has_name(directive, i, names[i], size) ? (int)size : -1;
        }
    }
    for (i = 0; names[i] != NULL; i++)
        if (!fst_has_name(directive, i, names[i], is_short ? 3 : strlen(names[i])))
            return -1;
    return 0;
}

/* ---------------------------------------------------------------- zones */

/* Reads Z or an offset without seconds; returns its length, 0 if there is none, or -1. */
FST_INLINE int
fst_take_offset(const char *at, const char *end, int32_t *offset)
{
    const char *start = at;
    int32_t hours, minutes;
    if (at == end || (*at != '+' && *at != '-' && fst_lower_letter(*at) != 'z'))
        return 0;
    *offset = 0;
    if (*at == 'Z')
        return 1;
    at++;
    if (*start == 'z' || !fst_take_digits(&at, end, 2, &hours))
        return -1;
    fst_take_character(&at, end, ':');
    if (!fst_take_digits(&at, end, 2, &minutes) || hours > 23 || minutes > 59
        || fst_is_digit_from(at, end, '0', ':'))
        return -1;
    *offset = (*start == '-' ? -60 : 60) * (60 * hours + minutes);
    return (int)(at - start);
}

/* Reads UTC or GMT, which have no effect; returns the length, or -1 for what may be another. */
FST_INLINE int
fst_take_zone_name(const char *at, const char *end)
{
    char name[3];
    int i;
    if (end - at < 3)
        return -1;
    for (i = 0; i < 3; i++)
        name[i] = fst_lower_letter(at[i]);
    if (memcmp(name, "utc", 3) != 0 && memcmp(name, "gmt", 3) != 0)
        return -1;
    /* Names of zones may have several words. */
    at += 3;
    if (at < end && *at == ' ')
        at++;
    return at == end || fst_is_digit_from(at, end, '0', '9') ? 3 : -1;
}

/* ---------------------------------------------------------------- directives */

FST_INLINE int
fst_add_lengths(int *lengths, int count, int one)
{
    if (one)
        lengths[count++] = one;
    return count;
}

/* Sets how much of the text a directive may match, in the order in which Python tries it; returns
 * the number of lengths, or -1 if that is not certain. */
FST_INLINE int
fst_find_lengths(const char *at, const char *end, fst_format_part *part, int *lengths)
{
    const int digits = fst_is_digit_from(at, end, '0', '9')
        ? 1 + fst_is_digit_from(at + 1, end, '0', '9') : 0;
    const char first = at < end ? *at : 0;
    const char second = digits == 2 ? at[1] : 0;
    int count = 0, size;
    switch (part->directive) {
    case 'Y':
        for (size = 0; size < 4 && fst_is_digit_from(at + size, end, '0', '9'); size++)
            ;
        return fst_add_lengths(lengths, 0, size == 4 ? 4 : 0);
    case 'y':
        return fst_add_lengths(lengths, 0, digits == 2 ? 2 : 0);
    case 'm':
    case 'I':
        if (first == ' ')
            return -1;          /* newer versions may read it */
        if ((first == '1' && second >= '0' && second <= '2') || (first == '0' && second >= '1'))
            count = fst_add_lengths(lengths, count, 2);
        return fst_add_lengths(lengths, count, first >= '1' && first <= '9');
    case 'd':
        if (first == ' ')
            return fst_add_lengths(lengths, 0, fst_is_digit_from(at + 1, end, '1', '9') ? 2 : 0);
        if ((first == '3' && second && second <= '1') || (first == '0' && second >= '1')
            || ((first == '1' || first == '2') && second))
            count = fst_add_lengths(lengths, count, 2);
        return fst_add_lengths(lengths, count, first >= '1' && first <= '9');
    case 'H':
        if (second && (first == '0' || first == '1' || (first == '2' && second <= '3')))
            count = fst_add_lengths(lengths, count, 2);
        return fst_add_lengths(lengths, count, digits > 0);
    case 'M':
    case 'S':
        if (second && (first <= '5' || (part->directive == 'S' && first == '6' && second <= '1')))
            count = fst_add_lengths(lengths, count, 2);
        return fst_add_lengths(lengths, count, digits > 0);
    case 'j':
        if (digits == 2 && fst_is_digit_from(at + 2, end, '0', '9')
            && (first <= '2' || (first == '3' && (second <= '5' || (second == '6' && at[2] <= '6'))))
            && (first != '0' || second != '0' || at[2] != '0'))
            count = fst_add_lengths(lengths, count, 3);
        if (digits == 2 && (first >= '1' || second >= '1'))
            count = fst_add_lengths(lengths, count, 2);
        return fst_add_lengths(lengths, count, first >= '1' && first <= '9');
    case 'f':
        for (size = 0; size < 6 && fst_is_digit_from(at + size, end, '0', '9'); size++)
            ;
        for (; size > 0; size--)
            count = fst_add_lengths(lengths, count, size);
        return count;
    case 'z':
        size = fst_take_offset(at, end, &part->number);
        break;
    case 'Z':
        size = fst_take_zone_name(at, end);
        break;
    default:
        size = fst_take_name(at, end, part->directive, &part->number);
        break;
    }
    return size < 0 ? -1 : fst_add_lengths(lengths, 0, size);
}

/* Sets the number that so many digits stand for; a directive of another kind has its own. */
FST_INLINE void
fst_set_number(fst_format_part *part, const char *at, int size)
{
    int i;
    part->size = size;
    if (strchr("YymIdHMSjf", part->directive) == NULL)
        return;
    part->number = 0;
    for (i = 0; i < size; i++)
        if (at[i] != ' ')
            part->number = 10 * part->number + (at[i] - '0');
}

/* ---------------------------------------------------------------- matching */

/* Matches the parts from `i` on; returns where they end, or NULL. */
static const char *
fst_match_date(fst_date_format_parts *format, int i, const char *at, const char *end)
{
    int lengths[FST_MOST_LENGTHS];
    int count, k;
    const char *found, *stop;
    fst_format_part *part = &format->parts[i];
    for (; i < format->count && part->directive == 0; i++, part++, at++)
        if (at == end || fst_lower_letter(*at) != part->character)
            return NULL;
    if (i == format->count)
        return at;
    if (++format->tries > FST_MOST_TRIES) {
        format->unsure = 1;
        return NULL;
    }
    if (part->directive == ' ') {
        for (stop = at; stop < end && fst_is_white(*stop); stop++)
            ;
        for (; stop > at && !format->unsure; stop--)
            if ((found = fst_match_date(format, i + 1, stop, end)) != NULL)
                return found;
        return NULL;
    }
    count = fst_find_lengths(at, end, part, lengths);
    format->unsure |= count < 0;
    for (k = 0; k < count && !format->unsure; k++) {
        fst_set_number(part, at, lengths[k]);
        if ((found = fst_match_date(format, i + 1, at + lengths[k], end)) != NULL)
            return found;
    }
    return NULL;
}

/* Splits a format into parts; returns whether it is certain what it means. */
FST_INLINE int
fst_split_format(fst_date_format_parts *format, const fst_cell *text)
{
    const char *at = text->text, *end = at + text->size;
    format->count = format->tries = format->unsure = 0;
    format->seen = 0;
    for (; at < end; at++) {
        fst_format_part *part = &format->parts[format->count++];
        if (format->count == FST_MOST_PARTS)
            return 0;
        part->directive = fst_is_white(*at) ? ' ' : 0;
        part->character = fst_lower_letter(*at);
        if (part->directive) {
            while (at + 1 < end && fst_is_white(at[1]))
                at++;
        } else if (*at == '%') {
            if (++at == end)
                return 0;
            if (*at == '%')
                continue;
            if (*at < 'A' || strchr("YymIdHMSjfbBaApzZ", *at) == NULL
                || (format->seen & FST_DIRECTIVE(*at)))
                return 0;
            part->directive = *at;
            format->seen |= FST_DIRECTIVE(*at);
        }
    }
    return 1;
}

/* Whether directives do not contradict each other. */
FST_INLINE int
fst_is_plain_format(uint64_t seen)
{
    const uint64_t years = seen & (FST_DIRECTIVE('Y') | FST_DIRECTIVE('y'));
    const uint64_t months =
        seen & (FST_DIRECTIVE('m') | FST_DIRECTIVE('b') | FST_DIRECTIVE('B'));
    const uint64_t hours = seen & (FST_DIRECTIVE('H') | FST_DIRECTIVE('I'));
    const uint64_t zones = seen & (FST_DIRECTIVE('z') | FST_DIRECTIVE('Z'));
    if ((years & (years - 1)) || (months & (months - 1)) || (hours & (hours - 1))
        || (zones & (zones - 1)))
        return 0;
#if defined(PY_VERSION_HEX) && PY_VERSION_HEX >= 0x030D0000
    /* It warns of days without a year. */
    if ((seen & FST_DIRECTIVE('d')) && !years)
        return 0;
#endif
    return !(seen & FST_DIRECTIVE('j')) || (years && !months && !(seen & FST_DIRECTIVE('d')));
}

FST_INLINE int32_t
fst_hour_of_half(int32_t hour, int32_t half)
{
    return hour % 12 + 12 * half;
}

/* Sets what the parts stand for; returns whether there is such a day. */
FST_INLINE int
fst_set_parts(const fst_date_format_parts *format, fst_datetime *value)
{
    int32_t half = 0, day_of_year = 0;
    int i, k;
    for (i = 0; i < format->count; i++) {
        const fst_format_part *part = &format->parts[i];
        const int32_t number = part->number;
        switch (part->directive) {
        case 'Y': value->year = number; break;
        case 'y': value->year = number + (number <= 68 ? 2000 : 1900); break;
        case 'm': value->month = number; break;
        case 'b':
        case 'B': value->month = number + 1; break;
        case 'd': value->day = number; break;
        case 'H':
        case 'I': value->hour = number; break;
        case 'M': value->minute = number; break;
        case 'S': value->second = number; break;
        case 'j': day_of_year = number; break;
        case 'p': half = number; break;
        case 'f':
            value->microsecond = number;
            for (k = part->size; k < 6; k++)
                value->microsecond *= 10;
            break;
        case 'z':
            value->has_zone = 1;
            value->offset = number;
            break;
        default: break;
        }
    }
    if (format->seen & FST_DIRECTIVE('I'))
        value->hour = fst_hour_of_half(value->hour, half);
    if (!fst_is_valid_date(value->year, value->month, value->day)
        || !fst_is_valid_time(value->hour, value->minute, value->second, value->microsecond))
        return 0;
    if (day_of_year)
        fst_set_day(value, fst_day_of(value) + day_of_year - 1);
    return 1;
}

/* datetime.strptime(text, format) of two str */
FST_NOINLINE fst_status
fst_date_read(fst_machine *machine, fst_cell *to, fst_cell *text, fst_cell *format)
{
    fst_date_format_parts parts;
    fst_datetime value = {1900, 1, 1};
    const char *end = text->text + text->size, *found;
    if (!fst_is_ascii(text) || !fst_is_ascii(format) || !fst_split_format(&parts, format)
        || !fst_is_plain_format(parts.seen))
        return FST_GIVE_BACK;
    found = fst_match_date(&parts, 0, text->text, end);
    if (parts.unsure)
        return FST_GIVE_BACK;
    if (found != end || !fst_set_parts(&parts, &value))
        return FST_VALUE_ERROR;
    /* The last day of a leap year, in another. */
    if ((parts.seen & FST_DIRECTIVE('j')) && value.year > 9998)
        return FST_GIVE_BACK;
    return fst_new_datetime(machine, to, FST_DATETIME, &value);
}

#endif
