/* json_read.h: json.loads(), which accepts a little more than JSON.
 *
 * Values that programs cannot represent are given back: NaN and Infinity, lone surrogates,
 * integers beyond 64 bits. */
#ifndef FST_VM_JSON_READ_H
#define FST_VM_JSON_READ_H

#include "bytes.h"
#include "dicts.h"

enum { FST_JSON_DEPTH = 100 };      /* nested containers; deeper ones are given back */

typedef struct fst_json {
    fst_machine *machine;
    const char *at;
    const char *end;
    int flags;                      /* FST_ASCII if all of the text is */
} fst_json;

FST_INLINE void
fst_skip_json_space(fst_json *json)
{
    while (json->at < json->end
           && (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
        json->at++;
}

/* ---------------------------------------------------------------- strings */

/* Reads the four digits of an escape, which may be the first half of a character. */
FST_NOINLINE fst_status
fst_read_json_point(const char *at, const char *end, uint32_t *point)
{
    int i;
    *point = 0;
    if (end - at < 4)
        return FST_JSON_ERROR;
    for (i = 0; i < 4; i++) {
        const int digit = fst_digit_of(at[i]);
        if (digit > 15)
            return FST_JSON_ERROR;
        *point = *point << 4 | (uint32_t)digit;
    }
    return FST_DONE;
}

/* Writes the character of an escape, and moves behind it. */
FST_NOINLINE fst_status
fst_read_json_escape(const char **at, const char *end, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char *found;
    uint32_t point, low;
    const char letter = **at;
    ++*at;
    if (letter != 'u') {
        found = letter == 0 ? NULL : strchr(from, letter);
        if (found == NULL)
            return FST_JSON_ERROR;
        *(*to)++ = into[found - from];
        return FST_DONE;
    }
    FST_TRY(fst_read_json_point(*at, end, &point));
    *at += 4;
    if (point >= 0xd800 && point < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\'
        && (*at)[1] == 'u') {
        FST_TRY(fst_read_json_point(*at + 2, end, &low));
        if (low < 0xdc00 || low > 0xdfff)
            return FST_GIVE_BACK;
        *at += 6;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    if (!fst_is_character(point))
        return FST_GIVE_BACK;
    *to = fst_write_character(*to, point);
    return FST_DONE;
}

/* Reads the text between two quotes, in which there are escapes. */
FST_NOINLINE fst_status
fst_read_json_escapes(fst_json *json, const char *start, fst_cell *to)
{
    const char *end = start, *at = start;
    char *text, *copy;
    for (; end < json->end && *end != '"'; end++) {
        if ((unsigned char)*end < 0x20)
            return FST_JSON_ERROR;
        if (*end == '\\' && ++end == json->end)
            break;
    }
    if (end >= json->end)
        return FST_JSON_ERROR;
    FST_TRY(fst_take_text(json->machine, (uint64_t)(end - start), &text));
    for (copy = text; at < end;) {
        if (*at != '\\') {
            *copy++ = *at++;
            continue;
        }
        at++;
        FST_TRY(fst_read_json_escape(&at, end, &copy));
    }
    json->at = end + 1;
    *to = fst_str(text, (size_t)(copy - text), 0);
    return FST_DONE;
}

/* Reads a string, behind its first quote. */
FST_NOINLINE fst_status
fst_read_json_string(fst_json *json, fst_cell *to)
{
    const char *start = json->at, *at = start;
    while (at < json->end && *at != '"') {
        if (*at == '\\')
            return fst_read_json_escapes(json, start, to);
        if ((unsigned char)*at < 0x20)
            return FST_JSON_ERROR;
        at++;
    }
    if (at == json->end)
        return FST_JSON_ERROR;
    json->at = at + 1;
    *to = fst_str(start, (size_t)(at - start), json->flags | FST_CLEAN);
    return FST_DONE;
}

/* ---------------------------------------------------------------- single values */

FST_INLINE const char *
fst_skip_json_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

FST_NOINLINE fst_status
fst_read_json_number(fst_json *json, fst_cell *to)
{
    const char *start = json->at, *at = start + (*start == '-'), *part;
    if (at < json->end && *at == 'I')
        return FST_GIVE_BACK;
    if (at == json->end || *at < '0' || *at > '9')
        return FST_JSON_ERROR;
    at = *at == '0' ? at + 1 : fst_skip_json_digits(at, json->end);
    if (json->end - at >= 2 && at[0] == '.' && at[1] >= '0' && at[1] <= '9')
        at = fst_skip_json_digits(at + 1, json->end);
    if (at < json->end && (*at | 0x20) == 'e') {
        part = at + 1;
        part += part < json->end && (*part == '+' || *part == '-');
        if (part < json->end && *part >= '0' && *part <= '9')
            at = fst_skip_json_digits(part, json->end);
    }
    json->at = at;
    *to = fst_str(start, (size_t)(at - start), FST_ASCII);
    FST_TRY(fst_settle_number(json->machine, to));
    return to->type == FST_FLOAT && to->number - to->number != 0 ? FST_GIVE_BACK : FST_DONE;
}

FST_INLINE int
fst_skip_json_word(fst_json *json, const char *word, ptrdiff_t size)
{
    if (json->end - json->at < size || memcmp(json->at, word, (size_t)size) != 0)
        return 0;
    json->at += size;
    return 1;
}

/* Reads a value that is no container. */
FST_INLINE fst_status
fst_read_json_single(fst_json *json, fst_cell *to)
{
    switch (*json->at) {
    case '"':
        json->at++;
        return fst_read_json_string(json, to);
    case 't':
        *to = fst_bool(1);
        return fst_skip_json_word(json, "true", 4) ? FST_DONE : FST_JSON_ERROR;
    case 'f':
        *to = fst_bool(0);
        return fst_skip_json_word(json, "false", 5) ? FST_DONE : FST_JSON_ERROR;
    case 'n':
        *to = fst_none();
        return fst_skip_json_word(json, "null", 4) ? FST_DONE : FST_JSON_ERROR;
    case 'N':
    case 'I':
        return FST_GIVE_BACK;
    default:
        return fst_read_json_number(json, to);
    }
}

/* ---------------------------------------------------------------- containers */

/* Reads a member's name and the colon. */
FST_INLINE fst_status
fst_read_json_name(fst_json *json, fst_cell *name)
{
    if (json->at == json->end || *json->at++ != '"')
        return FST_JSON_ERROR;
    FST_TRY(fst_read_json_string(json, name));
    fst_skip_json_space(json);
    if (json->at == json->end || *json->at++ != ':')
        return FST_JSON_ERROR;
    fst_skip_json_space(json);
    return FST_DONE;
}

/* Makes an empty container for what begins here. */
FST_INLINE fst_status
fst_open_json(fst_json *json, fst_cell *to)
{
    if (*json->at++ == '{') {
        fst_dict *dict = fst_new_dict(json->machine, 0);
        if (dict == NULL)
            return FST_NO_MEMORY;
        *to = fst_object(FST_DICT, dict);
    } else {
        fst_list *list = fst_new_list(json->machine, 0);
        if (list == NULL)
            return FST_NO_MEMORY;
        *to = fst_object(FST_LIST, list);
    }
    fst_skip_json_space(json);
    return FST_DONE;
}

/* Moves to the next item of a container, or behind its end. */
FST_INLINE fst_status
fst_go_on_in_json(fst_json *json, const fst_cell *container, int first, int *more)
{
    const char closing = container->type == FST_DICT ? '}' : ']';
    fst_skip_json_space(json);
    if (json->at == json->end)
        return FST_JSON_ERROR;
    *more = *json->at != closing;
    if (!*more || !first) {
        if (*more && *json->at != ',')
            return FST_JSON_ERROR;
        json->at++;
        if (*more)
            fst_skip_json_space(json);
    }
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_read_json(fst_json *json, fst_cell *to)
{
    fst_cell stack[FST_JSON_DEPTH], value, name;
    int depth = 0, first = 0, more;
    fst_skip_json_space(json);
    for (;;) {
        if (json->at == json->end)
            return FST_JSON_ERROR;
        if (depth > 0 && stack[depth - 1].type == FST_DICT)
            FST_TRY(fst_read_json_name(json, &name));
        if (json->at == json->end)
            return FST_JSON_ERROR;
        first = *json->at == '{' || *json->at == '[';
        FST_TRY(first ? fst_open_json(json, &value) : fst_read_json_single(json, &value));
        if (depth == 0)
            *to = value;
        else if (stack[depth - 1].type == FST_DICT)
            FST_TRY(fst_dict_set(
                json->machine, (fst_dict *)stack[depth - 1].object, &name, &value));
        else
            FST_TRY(fst_append(json->machine, (fst_list *)stack[depth - 1].object, value));
        if (first) {
            if (depth == FST_JSON_DEPTH)
                return FST_GIVE_BACK;
            stack[depth++] = value;
        }
        for (; depth > 0; depth--, first = 0) {
            FST_TRY(fst_go_on_in_json(json, &stack[depth - 1], first, &more));
            if (more)
                break;
        }
        if (depth == 0)
            break;
    }
    fst_skip_json_space(json);
    return json->at == json->end ? FST_DONE : FST_JSON_ERROR;
}

/* json.loads(text): text may be bytes of UTF-8. Python looks at the first ones for other encodings. */
FST_NOINLINE fst_status
fst_json_loads(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *text = &arguments[0];
    fst_json json;
    FST_TRY(fst_settle(machine, text));
    if (text->type != FST_STR && text->type != FST_BYTES)
        return text->type >= FST_NONE && text->type <= FST_DICT ? FST_TYPE_ERROR : FST_GIVE_BACK;
    if (text->type == FST_BYTES) {
        if (memchr(text->text, 0, text->size < 4 ? text->size : 4) != NULL
            || (text->size > 0 && (unsigned char)text->text[0] >= 0x80)
            || (!(text->flags & FST_UTF8) && !fst_is_utf8(text->text, text->size)))
            return FST_GIVE_BACK;
    }
    machine->fuel -= text->size / FST_SHALLOW_BYTES;
    if (machine->fuel < 0)
        return FST_GIVE_BACK;
    json.machine = machine;
    json.at = text->text;
    json.end = text->text + text->size;
    json.flags = fst_is_ascii(text) ? FST_ASCII : 0;
    return fst_read_json(&json, to);
}

#define FST_JSON_READ_FUNCTIONS(X) X("json.loads", "s", fst_json_loads)

#endif
