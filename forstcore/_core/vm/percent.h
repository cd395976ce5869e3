/* percent.h: the operator % of strings. */
#ifndef FST_VM_PERCENT_H
#define FST_VM_PERCENT_H

#include "format.h"

/* The values that a format takes, one after the other. */
typedef struct fst_percent_values {
    fst_cell *all;              /* what stands behind the operator */
    fst_cell *next;
    fst_cell *end;
    int has_keys;               /* whether some were taken by their keys */
} fst_percent_values;

FST_INLINE fst_percent_values
fst_read_percent_values(fst_cell *right)
{
    fst_percent_values values = {right, right, right + 1, 0};
    if (right->type == FST_TUPLE) {
        const fst_list *tuple = (const fst_list *)right->object;
        values.next = tuple->items;
        values.end = tuple->items + tuple->count;
    }
    return values;
}

/* The value for a conversion: the next one, or that of the key, if it is a str. */
FST_INLINE fst_status
fst_take_percent_value(
    fst_machine *machine, fst_percent_values *values, fst_cell *value, const fst_cell *key)
{
    if (key->type == FST_STR) {
        fst_cell *found, name = *key;
        if (values->all->type != FST_DICT)
            return FST_GIVE_BACK;
        FST_TRY(fst_dict_get(machine, (const fst_dict *)values->all->object, &name, &found));
        if (found == NULL)
            return fst_is_special_dict(values->all) ? FST_GIVE_BACK : FST_KEY_ERROR;
        *value = *found;
        values->has_keys = 1;
    } else {
        if (values->has_keys)
            return FST_GIVE_BACK;
        if (values->next == values->end)
            return FST_TYPE_ERROR;
        *value = *values->next++;
    }
    return fst_settle(machine, value);
}

/* Reads "(key)flags width.precision type" as a specification; `at` is behind the percent sign, and is
 * moved behind the type. What is rare is given back. */
FST_INLINE fst_status
fst_read_percent_spec(const char **at, const char *end, fst_spec *spec, fst_cell *key)
{
    const char *flag;
    FST_TRY(fst_read_spec("", 0, spec));
    *key = fst_none();
    if (*at < end && **at == '(') {
        const char *name = ++*at;
        while (*at < end && **at != ')' && **at != '(')
            ++*at;
        if (*at == end || **at == '(')
            return FST_GIVE_BACK;
        *key = fst_str(name, (size_t)(*at - name), 0);
        ++*at;
    }
    for (; *at < end && **at != 0 && (flag = strchr("-+ 0#", **at)) != NULL; ++*at) {
        if (*flag == '-')
            spec->align = '<';
        else if (*flag == '0')
            spec->zero = 1;
        else if (*flag == '#')
            spec->alternate = '#';
        else if (spec->sign != '+')
            spec->sign = *flag;
    }
    *at = fst_read_width(*at, end, &spec->width);
    if (*at == NULL)
        return FST_GIVE_BACK;
    if (*at < end && **at == '.') {
        *at = fst_read_width(*at + 1, end, &spec->precision);
        if (*at == NULL)
            return FST_GIVE_BACK;
    }
    if (*at == end || **at == '%')
        return FST_GIVE_BACK;
    spec->type = *(*at)++;
    return FST_DONE;
}

/* %s and so on: text is aligned to the right, and never filled with zeros. */
FST_INLINE fst_status
fst_percent_text(
    fst_machine *machine, fst_cell *to, fst_cell *value, const fst_spec *percent)
{
    fst_spec spec = *percent;
    fst_cell text;
    if (spec.type == 's')
        FST_TRY(fst_str_of(machine, &text, value));
    else
        FST_TRY(fst_repr_of(machine, &text, value, spec.type == 'a'));
    spec.type = spec.sign = spec.alternate = 0;
    if (!spec.align)
        spec.align = '>';
    return fst_format_str(machine, to, &text, &spec);
}

FST_INLINE fst_status
fst_percent_number(
    fst_machine *machine, fst_cell *to, const fst_cell *value, const fst_spec *percent)
{
    fst_spec spec = *percent;
    fst_cell whole;
    if (spec.type == 0 || strchr("diuxXoeEfFgG", spec.type) == NULL)
        return FST_GIVE_BACK;
    if (value->type == FST_DECIMAL && strchr("eEfFgG", spec.type) != NULL) {
        whole = fst_float(fst_double_of_decimal(value));
        value = &whole;
    }
    if (value->type != FST_INT && value->type != FST_FLOAT && value->type != FST_BOOL)
        return fst_wrong_type(value);
    if (spec.zero && !spec.align)
        spec.fill = "0";
    switch (spec.type) {
    case 'd':
    case 'i':
    case 'u':
        spec.type = 'd';
        spec.alternate = 0;
        if (value->type != FST_FLOAT)
            return fst_format_integer(machine, to, value, &spec);
        /* Truncated; what is too large, or no number, is not for 64 bits. */
        if (!(value->number > -9e18 && value->number < 9e18))
            return FST_GIVE_BACK;
        whole = fst_int((int64_t)value->number);
        return fst_format_integer(machine, to, &whole, &spec);
    case 'x':
    case 'X':
    case 'o':
        if (value->type == FST_FLOAT)
            return FST_TYPE_ERROR;
        return fst_format_integer(machine, to, value, &spec);
    default:
        return fst_format_float(
            machine, to,
            value->type == FST_FLOAT ? value->number : (double)value->integer, &spec);
    }
}

FST_INLINE fst_status
fst_percent_value(fst_machine *machine, fst_cell *to, fst_cell *value, const fst_spec *spec)
{
    if (spec->type == 's' || spec->type == 'r' || spec->type == 'a')
        return fst_percent_text(machine, to, value, spec);
    return fst_percent_number(machine, to, value, spec);
}

/* left % right, of a str. */
FST_NOINLINE fst_status
fst_percent(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    const char *at = left->text, *end = at + left->size;
    fst_builder builder = fst_begin_text(machine);
    fst_percent_values values = fst_read_percent_values(right);
    const int is_mapping = right->type == FST_DICT || right->type == FST_LIST;
    const int flags = left->flags;
    while (at < end) {
        const char *percent = (const char *)memchr(at, '%', (size_t)(end - at));
        fst_cell key, value, text;
        fst_spec spec;
        FST_TRY(fst_put_text(
            &builder, at, (size_t)((percent == NULL ? end : percent) - at), flags));
        if (percent == NULL)
            break;
        at = percent + 1;
        if (at < end && *at == '%') {
            FST_TRY(FST_PUT_LITERAL(&builder, "%"));
            at++;
            continue;
        }
        FST_TRY(fst_read_percent_spec(&at, end, &spec, &key));
        FST_TRY(fst_take_percent_value(machine, &values, &value, &key));
        FST_TRY(fst_percent_value(machine, &text, &value, &spec));
        FST_TRY(fst_put_cell(&builder, &text));
    }
    if (values.next != values.end && !is_mapping)
        return right->type > FST_DICT ? FST_GIVE_BACK : FST_TYPE_ERROR;
    *to = fst_end_text(&builder);
    return FST_DONE;
}

#endif
