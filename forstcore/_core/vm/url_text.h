/* url_text.h: quote() and unquote() of urllib.parse, and the query strings made of them. */
#ifndef FST_VM_URL_TEXT_H
#define FST_VM_URL_TEXT_H

#include "bytes.h"
#include "mappings.h"
#include "repr.h"

/* ---------------------------------------------------------------- quote */

FST_INLINE int
fst_is_unreserved(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z')
           || byte == '_' || byte == '.' || byte == '-' || byte == '~';
}

/* Writes text for a URL; `plus` writes spaces as '+'. */
FST_NOINLINE fst_status
fst_quote(fst_machine *machine, fst_cell *to, const fst_cell *str, const fst_cell *safe, int plus)
{
    static const char digits[] = "0123456789ABCDEF";
    char *text, *start;
    uint32_t i;
    FST_TRY(fst_take_text(machine, 3 * (uint64_t)str->size, &start));
    for (i = 0, text = start; i < str->size; i++) {
        const unsigned char byte = (unsigned char)str->text[i];
        if (fst_is_unreserved(byte)
            || (byte < 0x80 && safe->size > 0 && memchr(safe->text, byte, safe->size) != NULL)) {
            *text++ = (char)byte;
        } else if (plus && byte == ' ') {
            *text++ = '+';
        } else {
            *text++ = '%';
            *text++ = digits[byte >> 4];
            *text++ = digits[byte & 15];
        }
    }
    /* A character of `safe` may need an escape in JSON. */
    *to = fst_str(start, (size_t)(text - start), FST_ASCII | (safe->flags & FST_CLEAN));
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_quote_function(
    fst_machine *machine, fst_cell *to, fst_cell *arguments, const char *usual, int plus)
{
    fst_cell *safe = &arguments[1], otherwise;
    FST_TRY(fst_settle(machine, &arguments[0]));
    if (arguments[0].type != FST_STR)
        return FST_GIVE_BACK;
    if (safe->type == FST_UNSET) {
        otherwise = fst_str(usual, strlen(usual), FST_ASCII | FST_CLEAN);
        safe = &otherwise;
    }
    FST_TRY(fst_settle(machine, safe));
    if (safe->type != FST_STR)
        return FST_GIVE_BACK;           /* Python also accepts a list of integers. */
    /* quote_plus() treats a space in `safe` in another way. */
    if (!fst_is_ascii(safe) || (plus && memchr(safe->text, ' ', safe->size) != NULL))
        return FST_GIVE_BACK;
    return fst_quote(machine, to, &arguments[0], safe, plus);
}

/* quote(string, safe?) */
FST_NOINLINE fst_status
fst_url_quote(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_quote_function(machine, to, arguments, "/", 0);
}

/* quote_plus(string, safe?) */
FST_NOINLINE fst_status
fst_url_quote_plus(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_quote_function(machine, to, arguments, "", 1);
}

/* ---------------------------------------------------------------- unquote */

/* Reads text of a URL; `plus` reads '+' as a space. Gives back the record if the result is not
 * UTF-8. */
FST_NOINLINE fst_status
fst_unquote(fst_machine *machine, fst_cell *to, const char *at, const char *end, int flags, int plus)
{
    const char *from = at;
    char *text, *start;
    int wide = 0;
    *to = fst_str(at, (size_t)(end - at), flags);
    if (at == end
        || (memchr(at, '%', (size_t)(end - at)) == NULL
            && (!plus || memchr(at, '+', (size_t)(end - at)) == NULL)))
        return FST_DONE;
    FST_TRY(fst_take_text(machine, (uint64_t)(end - at), &start));
    for (text = start; from < end; from++, text++) {
        *text = plus && *from == '+' ? ' ' : *from;
        if (*from == '%' && end - from >= 3 && fst_digit_of(from[1]) < 16
            && fst_digit_of(from[2]) < 16) {
            *text = (char)(fst_digit_of(from[1]) << 4 | fst_digit_of(from[2]));
            from += 2;
        }
        wide |= *text & 0x80;
    }
    if (wide && !fst_is_utf8(start, (size_t)(text - start)))
        return FST_GIVE_BACK;
    *to = fst_str(start, (size_t)(text - start), wide ? 0 : FST_ASCII);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_unquote_function(fst_machine *machine, fst_cell *to, fst_cell *arguments, int plus)
{
    fst_cell *str = &arguments[0];
    FST_TRY(fst_settle(machine, str));
    if (str->type != FST_STR)
        return FST_GIVE_BACK;
    return fst_unquote(
        machine, to, str->text, str->text + str->size, str->flags & (FST_ASCII | FST_CLEAN), plus);
}

FST_NOINLINE fst_status
fst_url_unquote(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_unquote_function(machine, to, arguments, 0);
}

FST_NOINLINE fst_status
fst_url_unquote_plus(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_unquote_function(machine, to, arguments, 1);
}

/* ---------------------------------------------------------------- reading query strings */

/* Returns the place of the next '&', or the end. */
FST_INLINE const char *
fst_find_ampersand(const char *at, const char *end)
{
    const char *found = at == end ? NULL : (const char *)memchr(at, '&', (size_t)(end - at));
    return found == NULL ? end : found;
}

/* Adds a pair to a list of pairs, or to a dict of lists. */
FST_NOINLINE fst_status
fst_add_pair(fst_machine *machine, const fst_cell *pairs, fst_cell *name, fst_cell *value)
{
    fst_list *list = fst_new_list(machine, pairs->type == FST_LIST ? 2 : 1);
    fst_cell *found;
    fst_cell cell;
    if (list == NULL)
        return FST_NO_MEMORY;
    if (pairs->type == FST_LIST) {
        list->items[list->count++] = *name;
        list->items[list->count++] = *value;
        return fst_append(machine, (fst_list *)pairs->object, fst_object(FST_TUPLE, list));
    }
    FST_TRY(fst_dict_get(machine, (const fst_dict *)pairs->object, name, &found));
    if (found != NULL)
        return fst_append(machine, (fst_list *)found->object, *value);
    list->items[list->count++] = *value;
    cell = fst_object(FST_LIST, list);
    return fst_dict_set(machine, (fst_dict *)pairs->object, name, &cell);
}

/* Adds the pairs of a query to a list, or to a dict; arguments: qs, keep_blank_values? */
FST_NOINLINE fst_status
fst_parse_query(fst_machine *machine, const fst_cell *pairs, fst_cell *arguments)
{
    fst_cell *query = &arguments[0], name, value;
    const char *at, *end, *stop, *equals;
    int blank = 0, flags;
    FST_TRY(fst_settle(machine, query));
    if (query->type != FST_STR)
        return FST_GIVE_BACK;
    if (arguments[1].type != FST_UNSET)
        FST_TRY(fst_truth(machine, &arguments[1], &blank));
    machine->fuel -= query->size / FST_SHALLOW_BYTES;
    if (machine->fuel < 0)
        return FST_GIVE_BACK;
    flags = query->flags & (FST_ASCII | FST_CLEAN);
    end = query->text + query->size;
    for (at = query->text; at < end; at = stop + 1) {
        stop = fst_find_ampersand(at, end);
        if (stop == at)
            continue;
        equals = (const char *)memchr(at, '=', (size_t)(stop - at));
        if (equals == NULL || equals + 1 == stop) {
            if (!blank)
                continue;
            if (equals == NULL)
                equals = stop;
        }
        FST_TRY(fst_unquote(machine, &name, at, equals, flags, 1));
        at = equals + (equals < stop);
        FST_TRY(fst_unquote(machine, &value, at, stop, flags, 1));
        FST_TRY(fst_add_pair(machine, pairs, &name, &value));
    }
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_parse_qs(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_dict *dict = fst_new_dict(machine, 0);
    if (dict == NULL)
        return FST_NO_MEMORY;
    *to = fst_object(FST_DICT, dict);
    return fst_parse_query(machine, to, arguments);
}

FST_NOINLINE fst_status
fst_parse_qsl(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *list = fst_new_list(machine, 0);
    if (list == NULL)
        return FST_NO_MEMORY;
    *to = fst_object(FST_LIST, list);
    return fst_parse_query(machine, to, arguments);
}

/* ---------------------------------------------------------------- writing query strings */

/* Writes a name or a value: quote_plus(str(value)). */
FST_NOINLINE fst_status
fst_put_query_part(fst_builder *builder, fst_cell *part)
{
    const fst_cell safe = fst_empty_str();
    fst_cell str;
    FST_TRY(fst_settle(builder->machine, part));
    if (part->type > FST_STR)
        return FST_GIVE_BACK;
    FST_TRY(fst_str_of(builder->machine, &str, part));
    FST_TRY(fst_quote(builder->machine, &str, &str, &safe, 1));
    return fst_put_cell(builder, &str);
}

FST_NOINLINE fst_status
fst_put_query_pair(fst_builder *builder, fst_cell *name, fst_cell *value)
{
    if (builder->size > 0)
        FST_TRY(FST_PUT_LITERAL(builder, "&"));
    FST_TRY(fst_put_query_part(builder, name));
    FST_TRY(FST_PUT_LITERAL(builder, "="));
    return fst_put_query_part(builder, value);
}

/* A pair, or with `doseq` a list of values with the same name. */
FST_NOINLINE fst_status
fst_put_query_pairs(fst_builder *builder, fst_cell *name, fst_cell *value, int doseq)
{
    const fst_list *list;
    uint32_t i;
    FST_TRY(fst_shallow(builder->machine, value));
    if (!doseq || !fst_is_list(value))
        return fst_put_query_pair(builder, name, value);
    list = (const fst_list *)value->object;
    for (i = 0; i < list->count; i++)
        FST_TRY(fst_put_query_pair(builder, name, &list->items[i]));
    return FST_DONE;
}

/* urlencode(query, doseq?) of a dict or a list of pairs */
FST_NOINLINE fst_status
fst_urlencode(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_builder builder = fst_begin_text(machine);
    fst_cell *query = &arguments[0];
    int doseq = 0;
    uint32_t i = 0;
    FST_TRY(fst_shallow(machine, query));
    if (arguments[1].type != FST_UNSET)
        FST_TRY(fst_truth(machine, &arguments[1], &doseq));
    if (query->type == FST_DICT) {
        fst_entry *entry;
        while ((entry = fst_next_entry((const fst_dict *)query->object, &i)) != NULL)
            FST_TRY(fst_put_query_pairs(&builder, &entry->key, &entry->value, doseq));
    } else if (query->type == FST_LIST) {
        const fst_list *list = (const fst_list *)query->object;
        for (; i < list->count; i++) {
            const fst_list *pair = (const fst_list *)list->items[i].object;
            if (list->items[i].type != FST_TUPLE || pair->count != 2)
                return FST_GIVE_BACK;
            FST_TRY(fst_put_query_pairs(&builder, &pair->items[0], &pair->items[1], doseq));
        }
    } else {
        return FST_GIVE_BACK;
    }
    *to = fst_end_text(&builder);
    return FST_DONE;
}

#define FST_URL_TEXT_FUNCTIONS(X) \
    X("urllib.parse.quote", "string,safe?", fst_url_quote) \
    X("urllib.parse.quote_plus", "string,safe?", fst_url_quote_plus) \
    X("urllib.parse.unquote", "string", fst_url_unquote) \
    X("urllib.parse.unquote_plus", "string", fst_url_unquote_plus) \
    X("urllib.parse.parse_qs", "qs,keep_blank_values?", fst_parse_qs) \
    X("urllib.parse.parse_qsl", "qs,keep_blank_values?", fst_parse_qsl) \
    X("urllib.parse.urlencode", "query,doseq?", fst_urlencode)

#endif
