/* repr.h: str(), repr() and ascii() of values. */
#ifndef FST_VM_REPR_H
#define FST_VM_REPR_H

#include "addresses.h"
#include "big_integers.h"
#include "date_text.h"
#include "decimal_text.h"
#include "letters.h"
#include "text_builder.h"

enum { FST_REPR_DEPTH = 32 };   /* nested containers; deeper ones are given back */

/* ---------------------------------------------------------------- of strings */

/* Writes \xe9, \u20ac or \U0001f600. */
FST_NOINLINE fst_status
fst_put_escape(fst_builder *to, uint32_t point)
{
    static const char digits[] = "0123456789abcdef";
    char escape[10] = {'\\'};
    int count = point < 0x100 ? 2 : point < 0x10000 ? 4 : 8, i;
    escape[1] = count == 2 ? 'x' : count == 4 ? 'u' : 'U';
    for (i = 0; i < count; i++)
        escape[2 + i] = digits[point >> 4 * (count - 1 - i) & 15];
    return fst_put_text(to, escape, (size_t)count + 2, FST_ASCII);
}

/* Writes a character that is not plain; `quote` is what stands around the text. */
FST_NOINLINE fst_status
fst_put_special(fst_builder *to, const char *at, char quote, int ascii)
{
    const uint32_t point = fst_code_point_at(at);
    char escape[2] = {'\\', *at};
    if (point >= 0xa1 && !ascii) {
        /* Others may be printed by some version. */
        return fst_is_printed(point) ? fst_put_text(to, at, fst_character_size(*at), FST_CLEAN)
                                     : FST_GIVE_BACK;
    }
    if (point == '"' && quote == '\'')
        return fst_put_text(to, at, 1, FST_ASCII);
    if (*at == '\n' || *at == '\r' || *at == '\t')
        escape[1] = *at == '\n' ? 'n' : *at == '\r' ? 'r' : 't';
    else if (*at != '\\' && *at != quote)
        return fst_put_escape(to, point);
    return fst_put_text(to, escape, 2, FST_ASCII);
}

FST_INLINE int
fst_is_plain_in_repr(char byte)
{
    return byte >= ' ' && byte < 0x7f && byte != '\'' && byte != '"' && byte != '\\';
}

FST_NOINLINE fst_status
fst_put_str_repr(fst_builder *to, const fst_cell *str, int ascii)
{
    const char *at = str->text, *end = at + str->size;
    const int flags = FST_ASCII | FST_CLEAN;
    char quote = '\'';
    if (str->size > 0 && memchr(at, '\'', str->size) != NULL
        && memchr(at, '"', str->size) == NULL)
        quote = '"';
    FST_TRY(fst_put_text(to, &quote, 1, quote == '"' ? FST_ASCII : flags));
    while (at < end) {
        const char *plain = at;
        while (at < end && fst_is_plain_in_repr(*at))
            at++;
        FST_TRY(fst_put_text(to, plain, (size_t)(at - plain), flags));
        if (at == end)
            break;
        if (*at == '\'' && quote == '"')
            FST_TRY(fst_put_text(to, at, 1, flags));
        else
            FST_TRY(fst_put_special(to, at, quote, ascii));
        at += fst_character_size(*at);
    }
    return fst_put_text(to, &quote, 1, flags);
}

/* ---------------------------------------------------------------- of other values */

/* Writes None, a bool or a number. */
FST_NOINLINE fst_status
fst_put_single(fst_builder *to, const fst_cell *cell)
{
    const int flags = FST_ASCII | FST_CLEAN;
    char number[FST_NUMBER_ROOM];
    uint64_t magnitude;
    int negative;
    fst_cell text;
    switch (cell->type) {
    case FST_NONE:
        return FST_PUT_LITERAL(to, "None");
    case FST_BOOL:
        return cell->integer ? FST_PUT_LITERAL(to, "True") : FST_PUT_LITERAL(to, "False");
    case FST_INT:
        return fst_put_text(
            to, number, (size_t)(fst_write_integer(number, cell->integer) - number), flags);
    case FST_BIG:
        FST_TRY(fst_read_magnitude(cell, &magnitude, &negative));
        number[0] = '-';
        return fst_put_text(
            to, number, (size_t)(fst_write_unsigned(number + negative, magnitude) - number), flags);
    case FST_FLOAT:
        if (cell->number != cell->number)
            return FST_PUT_LITERAL(to, "nan");
        if (cell->number - cell->number != 0)
            return cell->number > 0 ? FST_PUT_LITERAL(to, "inf") : FST_PUT_LITERAL(to, "-inf");
        return fst_put_text(
            to, number, (size_t)(fst_write_number(number, cell->number) - number), flags);
    case FST_DECIMAL:
        FST_TRY(fst_decimal_text(to->machine, &text, cell));
        FST_TRY(FST_PUT_LITERAL(to, "Decimal('"));
        FST_TRY(fst_put_cell(to, &text));
        return FST_PUT_LITERAL(to, "')");
    default:
        return FST_GIVE_BACK;
    }
}

FST_NOINLINE fst_status
fst_put_repr(fst_builder *to, fst_cell *cell, int ascii, int depth);

FST_NOINLINE fst_status
fst_put_list_repr(fst_builder *to, const fst_cell *cell, int ascii, int depth)
{
    const fst_list *list = (const fst_list *)cell->object;
    const int is_list = cell->type == FST_LIST;
    uint32_t i;
    FST_TRY(is_list ? FST_PUT_LITERAL(to, "[") : FST_PUT_LITERAL(to, "("));
    for (i = 0; i < list->count; i++) {
        if (i > 0)
            FST_TRY(FST_PUT_LITERAL(to, ", "));
        FST_TRY(fst_put_repr(to, &list->items[i], ascii, depth));
    }
    if (is_list)
        return FST_PUT_LITERAL(to, "]");
    return list->count == 1 ? FST_PUT_LITERAL(to, ",)") : FST_PUT_LITERAL(to, ")");
}

FST_NOINLINE fst_status
fst_put_dict_repr(fst_builder *to, const fst_cell *cell, int ascii, int depth)
{
    const fst_dict *dict = (const fst_dict *)cell->object;
    fst_entry *entry;
    uint32_t place = 0;
    int first = 1;
    FST_TRY(FST_PUT_LITERAL(to, "{"));
    while ((entry = fst_next_entry(dict, &place)) != NULL) {
        if (!first)
            FST_TRY(FST_PUT_LITERAL(to, ", "));
        first = 0;
        FST_TRY(fst_put_repr(to, &entry->key, ascii, depth));
        FST_TRY(FST_PUT_LITERAL(to, ": "));
        FST_TRY(fst_put_repr(to, &entry->value, ascii, depth));
    }
    return FST_PUT_LITERAL(to, "}");
}

/* Writes the repr of a value. The order of a set is not known, so sets are given back. */
FST_NOINLINE fst_status
fst_put_repr(fst_builder *to, fst_cell *cell, int ascii, int depth)
{
    if (depth == FST_REPR_DEPTH || --to->machine->fuel < 0)
        return FST_GIVE_BACK;
    FST_TRY(fst_settle(to->machine, cell));
    FST_TRY(fst_shallow(to->machine, cell));
    if (fst_is_named(cell) || fst_is_special_dict(cell))
        return FST_GIVE_BACK;
    switch (cell->type) {
    case FST_STR:
        return fst_put_str_repr(to, cell, ascii);
    case FST_LIST:
    case FST_TUPLE:
        return fst_put_list_repr(to, cell, ascii, depth + 1);
    case FST_DICT:
        return fst_put_dict_repr(to, cell, ascii, depth + 1);
    default:
        return fst_put_single(to, cell);
    }
}

/* ---------------------------------------------------------------- the functions */

/* repr(value), or ascii(value) */
FST_NOINLINE fst_status
fst_repr_of(fst_machine *machine, fst_cell *to, fst_cell *value, int ascii)
{
    fst_builder builder = fst_begin_text(machine);
    FST_TRY(fst_put_repr(&builder, value, ascii, 0));
    *to = fst_end_text(&builder);
    return FST_DONE;
}

/* str(value) */
FST_INLINE fst_status
fst_str_of(fst_machine *machine, fst_cell *to, fst_cell *value)
{
    FST_TRY(fst_settle(machine, value));
    if (value->type == FST_STR) {
        *to = *value;
        return FST_DONE;
    }
    if (value->type == FST_INT) {
        char *text;
        FST_TRY(fst_take_text(machine, FST_INTEGER_ROOM, &text));
        *to = fst_str(
            text, (size_t)(fst_write_integer(text, value->integer) - text), FST_ASCII | FST_CLEAN);
        return FST_DONE;
    }
    if ((value->type >= FST_DATETIME && value->type <= FST_ZONE) || value->type == FST_ZONED
        || value->type == FST_CLOCK)
        return fst_date_text(machine, to, value);
    if (value->type == FST_ADDRESS)
        return fst_address_text(machine, to, value);
    if (value->type == FST_DECIMAL)
        return fst_decimal_text(machine, to, value);
    return fst_repr_of(machine, to, value, 0);
}

#endif
