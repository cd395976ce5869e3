/* json_text.h: json.dumps(), whose output differs from that of results: by default there is a
 * space behind each comma and colon, and characters beyond ASCII are escaped. */
#ifndef FST_VM_JSON_TEXT_H
#define FST_VM_JSON_TEXT_H

#include "bytes.h"
#include "dicts.h"
#include "repr.h"
#include "sort.h"

enum {
    FST_DUMPS_DEPTH = 64,           /* nested containers; deeper ones are given back */
    FST_INDENT_MOST = 64            /* bytes for one level */
};

typedef struct fst_dumps {
    fst_builder text;
    fst_cell comma;
    fst_cell colon;
    fst_cell indent;                /* a str; FST_UNSET for no lines */
    int ascii;
    int sorted;
    int dates;                      /* whether default=str */
} fst_dumps;

/* ---------------------------------------------------------------- strings */

FST_INLINE int
fst_is_plain_in_json(unsigned char byte, int ascii)
{
    return byte >= ' ' && byte != '"' && byte != '\\' && (!ascii || byte < 0x7f);
}

FST_INLINE fst_status
fst_put_json_point(fst_builder *to, uint32_t point)
{
    static const char digits[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u'};
    int i;
    for (i = 0; i < 4; i++)
        escape[2 + i] = digits[point >> 4 * (3 - i) & 15];
    return fst_put_text(to, escape, 6, FST_ASCII);
}

/* Writes the escape of a character. */
FST_NOINLINE fst_status
fst_put_json_escape(fst_builder *to, const char *at)
{
    static const char from[] = "\"\\\b\f\n\r\t", into[] = "\"\\bfnrt";
    const uint32_t point = fst_code_point_at(at);
    const char *found = *at == 0 ? NULL : strchr(from, *at);
    char escape[2] = {'\\'};
    if (found != NULL) {
        escape[1] = into[found - from];
        return fst_put_text(to, escape, 2, FST_ASCII);
    }
    if (point < 0x10000)
        return fst_put_json_point(to, point);
    FST_TRY(fst_put_json_point(to, 0xd800 + ((point - 0x10000) >> 10)));
    return fst_put_json_point(to, 0xdc00 + ((point - 0x10000) & 0x3ff));
}

FST_NOINLINE fst_status
fst_put_json_string(fst_dumps *dumps, const fst_cell *str)
{
    const char *at = str->text, *end = at + str->size;
    /* The quotes have to be escaped where this text is written as JSON in turn. */
    FST_TRY(fst_put_text(&dumps->text, "\"", 1, FST_ASCII));
    while (at < end) {
        const char *plain = at;
        while (at < end && fst_is_plain_in_json((unsigned char)*at, dumps->ascii))
            at++;
        FST_TRY(fst_put_text(
            &dumps->text, plain, (size_t)(at - plain), dumps->ascii ? FST_ASCII : str->flags));
        if (at == end)
            break;
        FST_TRY(fst_put_json_escape(&dumps->text, at));
        at += fst_character_size(*at);
    }
    return fst_put_text(&dumps->text, "\"", 1, FST_ASCII);
}

/* ---------------------------------------------------------------- other values */

FST_NOINLINE fst_status
fst_put_json_single(fst_dumps *dumps, fst_cell *cell)
{
    fst_builder *text = &dumps->text;
    fst_cell str;
    switch (cell->type) {
    case FST_STR:
        return fst_put_json_string(dumps, cell);
    case FST_NONE:
        return FST_PUT_LITERAL(text, "null");
    case FST_BOOL:
        return cell->integer ? FST_PUT_LITERAL(text, "true") : FST_PUT_LITERAL(text, "false");
    case FST_FLOAT:
        if (cell->number - cell->number != 0)
            return FST_GIVE_BACK;
        return fst_put_single(text, cell);
    case FST_INT:
    case FST_BIG:
        return fst_put_single(text, cell);
    case FST_DATETIME:
    case FST_ZONED:
    case FST_DATE:
    case FST_TIMEDELTA:
    case FST_DECIMAL:
        if (!dumps->dates)
            return FST_TYPE_ERROR;
        FST_TRY(fst_str_of(text->machine, &str, cell));
        return fst_put_json_string(dumps, &str);
    default:
        return FST_GIVE_BACK;
    }
}

/* Writes the name of a member: numbers and so on become strings. */
FST_NOINLINE fst_status
fst_put_json_name(fst_dumps *dumps, fst_cell *key)
{
    if (key->type == FST_STR)
        return fst_put_json_string(dumps, key);
    if (key->type > FST_FLOAT)
        return FST_GIVE_BACK;
    FST_TRY(fst_put_text(&dumps->text, "\"", 1, FST_ASCII));
    FST_TRY(fst_put_json_single(dumps, key));
    return fst_put_text(&dumps->text, "\"", 1, FST_ASCII);
}

/* Begins a line, if there are some, that belongs to so many containers. */
FST_NOINLINE fst_status
fst_put_json_line(fst_dumps *dumps, int depth)
{
    if (dumps->indent.type == FST_UNSET)
        return FST_DONE;
    FST_TRY(fst_put_text(&dumps->text, "\n", 1, FST_ASCII));
    for (; depth > 0; depth--)
        FST_TRY(fst_put_cell(&dumps->text, &dumps->indent));
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_put_json(fst_dumps *dumps, fst_cell *cell, int depth);

FST_NOINLINE fst_status
fst_put_json_member(fst_dumps *dumps, fst_cell *key, fst_cell *value, int first, int depth)
{
    if (!first)
        FST_TRY(fst_put_cell(&dumps->text, &dumps->comma));
    FST_TRY(fst_put_json_line(dumps, depth));
    FST_TRY(fst_put_json_name(dumps, key));
    FST_TRY(fst_put_cell(&dumps->text, &dumps->colon));
    return fst_put_json(dumps, value, depth);
}

FST_NOINLINE fst_status
fst_put_sorted_json(fst_dumps *dumps, const fst_dict *dict, int depth)
{
    fst_machine *machine = dumps->text.machine;
    fst_list *keys = fst_new_list(machine, dict->count);
    fst_entry *entry;
    fst_cell *value;
    uint32_t place = 0, i;
    if (keys == NULL)
        return FST_NO_MEMORY;
    while ((entry = fst_next_entry(dict, &place)) != NULL) {
        if (entry->key.type != FST_STR)
            return FST_GIVE_BACK;
        FST_TRY(fst_append(machine, keys, entry->key));
    }
    FST_TRY(fst_sort_by(machine, keys, keys->items, 0));
    for (i = 0; i < keys->count; i++) {
        FST_TRY(fst_dict_get(machine, dict, &keys->items[i], &value));
        FST_TRY(fst_put_json_member(dumps, &keys->items[i], value, i == 0, depth));
    }
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_put_json_dict(fst_dumps *dumps, const fst_dict *dict, int depth)
{
    fst_entry *entry;
    uint32_t place = 0;
    int first = 1;
    FST_TRY(fst_put_text(&dumps->text, "{", 1, FST_ASCII | FST_CLEAN));
    if (dumps->sorted) {
        FST_TRY(fst_put_sorted_json(dumps, dict, depth));
    } else {
        while ((entry = fst_next_entry(dict, &place)) != NULL) {
            FST_TRY(fst_put_json_member(dumps, &entry->key, &entry->value, first, depth));
            first = 0;
        }
    }
    if (dict->count > 0)
        FST_TRY(fst_put_json_line(dumps, depth - 1));
    return fst_put_text(&dumps->text, "}", 1, FST_ASCII | FST_CLEAN);
}

FST_NOINLINE fst_status
fst_put_json_list(fst_dumps *dumps, const fst_list *list, int depth)
{
    uint32_t i;
    FST_TRY(fst_put_text(&dumps->text, "[", 1, FST_ASCII | FST_CLEAN));
    for (i = 0; i < list->count; i++) {
        if (i > 0)
            FST_TRY(fst_put_cell(&dumps->text, &dumps->comma));
        FST_TRY(fst_put_json_line(dumps, depth));
        FST_TRY(fst_put_json(dumps, &list->items[i], depth));
    }
    if (list->count > 0)
        FST_TRY(fst_put_json_line(dumps, depth - 1));
    return fst_put_text(&dumps->text, "]", 1, FST_ASCII | FST_CLEAN);
}

FST_NOINLINE fst_status
fst_put_json(fst_dumps *dumps, fst_cell *cell, int depth)
{
    fst_machine *machine = dumps->text.machine;
    if (depth == FST_DUMPS_DEPTH || --machine->fuel < 0)
        return FST_GIVE_BACK;
    FST_TRY(fst_settle(machine, cell));
    FST_TRY(fst_shallow(machine, cell));
    switch (cell->type) {
    case FST_LIST:
    case FST_TUPLE:
        return fst_put_json_list(dumps, (const fst_list *)cell->object, depth + 1);
    case FST_DICT:
        return fst_put_json_dict(dumps, (const fst_dict *)cell->object, depth + 1);
    default:
        return fst_put_json_single(dumps, cell);
    }
}

/* Reads separators=(",", ":"). */
FST_NOINLINE fst_status
fst_read_separators(fst_machine *machine, fst_cell *argument, fst_dumps *dumps)
{
    const fst_list *list;
    dumps->comma = fst_str(
        ", ", dumps->indent.type == FST_UNSET ? 2 : 1, FST_ASCII | FST_CLEAN);
    dumps->colon = fst_str(": ", 2, FST_ASCII | FST_CLEAN);
    if (fst_is_left_out(argument))
        return FST_DONE;
    list = (const fst_list *)argument->object;
    if (!fst_is_list(argument) || list->count != 2)
        return FST_GIVE_BACK;
    dumps->comma = list->items[0];
    dumps->colon = list->items[1];
    FST_TRY(fst_settle_text(machine, &dumps->comma));
    return fst_settle_text(machine, &dumps->colon);
}

/* Reads indent=2 or indent="\t". */
FST_NOINLINE fst_status
fst_read_indent(fst_machine *machine, fst_cell *argument, fst_dumps *dumps)
{
    static const char spaces[FST_INDENT_MOST + 1] = {
        "                                                                "};
    FST_TRY(fst_settle(machine, argument));
    dumps->indent = fst_unset();
    if (fst_is_left_out(argument))
        return FST_DONE;
    if (argument->type == FST_INT) {
        const int64_t width = argument->integer < 0 ? 0 : argument->integer;
        if (width > FST_INDENT_MOST)
            return FST_GIVE_BACK;
        dumps->indent = fst_str(spaces, (size_t)width, FST_ASCII | FST_CLEAN);
        return FST_DONE;
    }
    dumps->indent = *argument;
    return argument->type == FST_STR && argument->size <= FST_INDENT_MOST ? FST_DONE
                                                                          : FST_GIVE_BACK;
}

/* json.dumps(value, *, ensure_ascii?, sort_keys?, separators?, default?, indent?), of which `default`
 * is whether it is str. */
FST_NOINLINE fst_status
fst_json_dumps(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_dumps dumps;
    dumps.text = fst_begin_text(machine);
    dumps.ascii = 1;
    dumps.sorted = dumps.dates = 0;
    if (arguments[1].type != FST_UNSET)
        FST_TRY(fst_truth(machine, &arguments[1], &dumps.ascii));
    if (arguments[2].type != FST_UNSET)
        FST_TRY(fst_truth(machine, &arguments[2], &dumps.sorted));
    FST_TRY(fst_read_indent(machine, &arguments[5], &dumps));
    FST_TRY(fst_read_separators(machine, &arguments[3], &dumps));
    if (arguments[4].type != FST_UNSET)
        FST_TRY(fst_truth(machine, &arguments[4], &dumps.dates));
    FST_TRY(fst_put_json(&dumps, &arguments[0], 0));
    *to = fst_end_text(&dumps.text);
    return FST_DONE;
}

#define FST_JSON_TEXT_FUNCTIONS(X) \
    X("json.dumps", "obj,*,ensure_ascii?,sort_keys?,separators?,default?,indent?", fst_json_dumps)

#endif
