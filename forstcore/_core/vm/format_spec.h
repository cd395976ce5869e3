/* format_spec.h: specifications of formats, such as ">10.2f", and what they say of width, alignment
 * and groups of digits. */
#ifndef FST_VM_FORMAT_SPEC_H
#define FST_VM_FORMAT_SPEC_H

#include "text.h"

enum { FST_WIDTH_MOST = 10000 };    /* characters; more are given back */

/* [[fill]align][sign][#][0][width][grouping][.precision][type]; 0 for what is not there. */
typedef struct fst_spec {
    const char *fill;
    uint32_t fill_size;         /* bytes of one character */
    char align;                 /* '<', '>', '^' or '='; 0: as usual for the type */
    char zero;                  /* whether a zero stands before the width */
    char sign;                  /* '+', '-' or ' ' */
    char alternate;             /* '#' */
    char grouping;              /* ',' or '_' */
    char type;
    int width;
    int precision;              /* -1 for none */
} fst_spec;

FST_INLINE int
fst_is_align(char byte)
{
    return byte == '<' || byte == '>' || byte == '^' || byte == '=';
}

/* Reads digits; returns where they end, NULL if the number is too large. */
FST_INLINE const char *
fst_read_width(const char *at, const char *end, int *number)
{
    *number = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        *number = *number * 10 + (*at - '0');
        if (*number > FST_WIDTH_MOST)
            return NULL;
    }
    return at;
}

/* Reads a specification; gives back the record if it is unknown. */
FST_INLINE fst_status
fst_read_spec(const char *at, size_t size, fst_spec *spec)
{
    const char *end = at + size;
    int has_fill = 0;
    memset(spec, 0, sizeof *spec);
    spec->fill = " ";
    spec->fill_size = 1;
    spec->precision = -1;
    if (at < end) {
        const uint32_t first = fst_character_size(*at);
        if (size > first && fst_is_align(at[first])) {
            has_fill = 1;
            spec->fill = at;
            spec->fill_size = first;
            spec->align = at[first];
            at += first + 1;
        } else if (fst_is_align(*at)) {
            spec->align = *at++;
        }
    }
    if (at < end && (*at == '+' || *at == '-' || *at == ' '))
        spec->sign = *at++;
    if (at < end && *at == '#')
        spec->alternate = *at++;
    if (at < end && *at == '0') {
        spec->zero = 1;
        if (!has_fill)
            spec->fill = at;
        at++;
    }
    at = fst_read_width(at, end, &spec->width);
    if (at == NULL)
        return FST_GIVE_BACK;
    if (at < end && (*at == ',' || *at == '_'))
        spec->grouping = *at++;
    if (at < end && *at == '.') {
        const char *digits = ++at;
        at = fst_read_width(at, end, &spec->precision);
        if (at == NULL || at == digits)
            return FST_GIVE_BACK;
    }
    if (at < end && *at != '\0')        /* which stands for no type here */
        spec->type = *at++;
    return at == end ? FST_DONE : FST_GIVE_BACK;
}

/* ---------------------------------------------------------------- writing */

/* Memory for text and so many fills. */
FST_INLINE fst_status
fst_take_padded(
    fst_machine *machine, const fst_spec *spec, uint64_t size, int64_t fills, char **text)
{
    return fst_take_text(
        machine, size + (fills > 0 ? (uint64_t)fills * spec->fill_size : 0), text);
}

FST_INLINE char *
fst_write_fills(char *at, const fst_spec *spec, int64_t count)
{
    for (; count > 0; count--)
        at = fst_copy_text(at, spec->fill, spec->fill_size);
    return at;
}

/* How many of the fills are before the text. */
FST_INLINE int64_t
fst_fills_before(char align, int64_t fills)
{
    return fills <= 0 || align == '<' ? 0 : align == '^' ? fills / 2 : fills;
}

/* The flags of text with these fills. */
FST_INLINE int
fst_flags_of_fill(const fst_spec *spec)
{
    const unsigned char fill = (unsigned char)spec->fill[0];
    if (fill >= 0x80)
        return FST_CLEAN;
    return fill < 0x20 || fill == '"' || fill == '\\' ? FST_ASCII : FST_ASCII | FST_CLEAN;
}

/* A str as a specification says; it gives back what is for numbers alone. */
FST_NOINLINE fst_status
fst_format_str(fst_machine *machine, fst_cell *to, fst_cell *str, const fst_spec *spec)
{
    fst_cell part = *str;
    int64_t fills, before;
    char *text;
    if ((spec->type != 0 && spec->type != 's') || spec->sign || spec->alternate || spec->grouping
        || spec->align == '=')
        return FST_GIVE_BACK;
    if (spec->precision >= 0 && (uint32_t)spec->precision < fst_str_length(str)) {
        const uint32_t size = fst_is_ascii(str) ? (uint32_t)spec->precision
                                                : fst_skip_characters(str, 0, spec->precision);
        part = fst_part_of(str, str->text, str->text + size);
    }
    *to = part;
    fills = spec->width - (int64_t)fst_str_length(&part);
    if (fills <= 0)
        return FST_DONE;
    before = fst_fills_before(spec->align ? spec->align : '<', fills);
    FST_TRY(fst_take_padded(machine, spec, part.size, fills, &text));
    to->text = text;
    text = fst_write_fills(text, spec, before);
    text = fst_copy_text(text, part.text, part.size);
    text = fst_write_fills(text, spec, fills - before);
    to->flags = (uint8_t)(part.flags & fst_flags_of_fill(spec) & (FST_ASCII | FST_CLEAN));
    to->size = (uint32_t)(text - to->text);
    return FST_DONE;
}

/* A number in ASCII: what is before its digits, the digits that are grouped, and all behind. */
typedef struct fst_number_text {
    char prefix[4];             /* sign, "0x" */
    int prefix_size;
    const char *digits;
    int whole;                  /* how many digits are grouped */
    int size;                   /* of the digits and what is behind */
    int group;                  /* digits between separators */
} fst_number_text;

/* Adds the sign that the number, or else the specification, has. */
FST_INLINE void
fst_put_sign(fst_number_text *number, int negative, char sign)
{
    if (negative || sign == '+' || sign == ' ')
        number->prefix[number->prefix_size++] = negative ? '-' : sign;
}

/* Digits with separators, and zeros before them up to a width. */
FST_INLINE int64_t
fst_grouped_size(const fst_number_text *number, int64_t width)
{
    int64_t digits = number->whole;
    if (digits + (digits - 1) / number->group < width)
        /* A separator never comes first: there is one more digit before it. */
        digits = width - width / (number->group + 1) + (width % (number->group + 1) == 0);
    return digits + (digits - 1) / number->group;
}

FST_INLINE char *
fst_write_grouped(char *at, const fst_number_text *number, int64_t size, char separator)
{
    int64_t place;
    for (place = 0; place < size; place++) {
        const int64_t from_right = size - 1 - place;
        if (from_right % (number->group + 1) == number->group) {
            at[place] = separator;
        } else {
            const int64_t right = from_right - from_right / (number->group + 1);
            at[place] = right < number->whole ? number->digits[number->whole - 1 - right] : '0';
        }
    }
    return at + size;
}

/* A number as a specification says. */
FST_NOINLINE fst_status
fst_format_digits(
    fst_machine *machine, fst_cell *to, const fst_number_text *number, const fst_spec *spec)
{
    const char align = spec->align ? spec->align : spec->zero ? '=' : '>';
    const int64_t rest = number->size - number->whole;
    int64_t whole = number->whole, fills, before;
    char *text, *start;
    if (spec->grouping) {
        const int zeros = align == '=' && *spec->fill == '0';
        whole = fst_grouped_size(
            number, zeros ? spec->width - number->prefix_size - rest : 0);
    }
    fills = spec->width - (number->prefix_size + whole + rest);
    FST_TRY(fst_take_padded(
        machine, spec, (uint64_t)(number->prefix_size + whole + rest), fills, &text));
    start = text;
    before = align == '=' ? 0 : fst_fills_before(align, fills);
    text = fst_write_fills(text, spec, before);
    text = fst_copy_text(text, number->prefix, (size_t)number->prefix_size);
    if (align == '=')
        text = fst_write_fills(text, spec, fills);
    if (spec->grouping)
        text = fst_write_grouped(text, number, whole, spec->grouping);
    else
        text = fst_copy_text(text, number->digits, (size_t)number->whole);
    text = fst_copy_text(text, number->digits + number->whole, (size_t)rest);
    if (align != '=')
        text = fst_write_fills(text, spec, fills - before);
    *to = fst_str(start, (size_t)(text - start), fst_flags_of_fill(spec));
    return FST_DONE;
}

#endif
