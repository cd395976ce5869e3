/* url_parts.h: urlsplit() and urlparse() of urllib.parse, and what their results have.
 *
 * These are tuples whose cells have a flag. What versions of Python read in different ways is given
 * back: brackets, white space at the start, hosts beyond ASCII. */
#ifndef FST_VM_URL_PARTS_H
#define FST_VM_URL_PARTS_H

#include "bytes.h"
#include "text_builder.h"

enum {
    FST_URL_SCHEME,
    FST_URL_NETLOC,
    FST_URL_PATH,
    FST_URL_QUERY,
    FST_URL_FRAGMENT,
    FST_URL_PARTS,              /* of urlsplit(); urlparse() has params behind the path */
    FST_URL_PARAMS = FST_URL_PARTS
};

/* ---------------------------------------------------------------- reading */

/* Cuts text at the first of some characters; `rest` is what begins with it. */
FST_INLINE const char *
fst_find_any(const char *at, const char *end, const char *characters)
{
    while (at < end && (*at == 0 || strchr(characters, *at) == NULL))
        at++;
    return at;
}

FST_INLINE int
fst_is_letter(char character)
{
    return (character | 0x20) >= 'a' && (character | 0x20) <= 'z';
}

/* Reads the scheme, if there is one, in lower case; returns the start of the rest. */
FST_NOINLINE fst_status
fst_read_scheme(fst_machine *machine, const fst_cell *url, fst_cell *scheme, const char **rest)
{
    const char *at = url->text, *end = at + url->size;
    char *text;
    size_t size, i;
    *scheme = fst_empty_str();
    *rest = at;
    if (at == end || !fst_is_letter(*at))
        return FST_DONE;
    while (at < end
           && (fst_is_letter(*at) || (*at >= '0' && *at <= '9') || *at == '+' || *at == '-'
               || *at == '.'))
        at++;
    if (at == end || *at != ':')
        return FST_DONE;
    size = (size_t)(at - url->text);
    FST_TRY(fst_take_text(machine, size, &text));
    for (i = 0; i < size; i++) {
        const char byte = url->text[i];
        text[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
    }
    *scheme = fst_str(text, size, FST_ASCII | FST_CLEAN);
    *rest = at + 1;
    return FST_DONE;
}

/* Whether this part of a URL is read alike by all versions of Python. */
FST_INLINE int
fst_is_plain_netloc(const char *at, const char *end)
{
    for (; at < end; at++)
        if ((unsigned char)*at >= 0x80 || *at == '[' || *at == ']')
            return 0;
    return 1;
}

FST_NOINLINE fst_status
fst_split_url(fst_machine *machine, fst_cell *url, fst_cell *parts)
{
    const char *at, *end, *stop;
    FST_TRY(fst_settle(machine, url));
    if (url->type != FST_STR)
        return FST_GIVE_BACK;
    end = url->text + url->size;
    if (url->size > 0
        && ((unsigned char)url->text[0] <= ' '
            || fst_find_any(url->text, end, "\t\r\n") != end))
        return FST_GIVE_BACK;
    FST_TRY(fst_read_scheme(machine, url, &parts[FST_URL_SCHEME], &at));
    parts[FST_URL_NETLOC] = parts[FST_URL_QUERY] = parts[FST_URL_FRAGMENT] = fst_empty_str();
    if (end - at >= 2 && at[0] == '/' && at[1] == '/') {
        stop = fst_find_any(at + 2, end, "/?#");
        if (!fst_is_plain_netloc(at + 2, stop))
            return FST_GIVE_BACK;
        parts[FST_URL_NETLOC] = fst_part_of(url, at + 2, stop);
        at = stop;
    }
    stop = fst_find_any(at, end, "#");
    if (stop < end)
        parts[FST_URL_FRAGMENT] = fst_part_of(url, stop + 1, end);
    end = stop;
    stop = fst_find_any(at, end, "?");
    if (stop < end)
        parts[FST_URL_QUERY] = fst_part_of(url, stop + 1, end);
    parts[FST_URL_PATH] = fst_part_of(url, at, stop);
    return FST_DONE;
}

/* Makes the result of parts; `params` is unset in that of urlsplit(). */
FST_NOINLINE fst_status
fst_make_url(fst_machine *machine, fst_cell *to, const fst_cell *parts)
{
    const int parsed = parts[FST_URL_PARAMS].type != FST_UNSET;
    fst_list *list = fst_new_list(machine, 6);
    if (list == NULL)
        return FST_NO_MEMORY;
    memcpy(list->items, parts, 3 * sizeof *parts);
    if (parsed)
        list->items[3] = parts[FST_URL_PARAMS];
    list->items[3 + parsed] = parts[FST_URL_QUERY];
    list->items[4 + parsed] = parts[FST_URL_FRAGMENT];
    list->count = (uint32_t)(FST_URL_PARTS + parsed);
    *to = fst_object(FST_TUPLE, list);
    to->flags = FST_NAMED;
    return FST_DONE;
}

/* urlsplit(url) */
FST_NOINLINE fst_status
fst_urlsplit(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell parts[FST_URL_PARTS + 1];
    FST_TRY(fst_split_url(machine, &arguments[0], parts));
    parts[FST_URL_PARAMS].type = FST_UNSET;
    return fst_make_url(machine, to, parts);
}

/* urlparse(url); a path with ';' is given back. */
FST_NOINLINE fst_status
fst_urlparse(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell parts[FST_URL_PARTS + 1];
    const fst_cell *path = &parts[FST_URL_PATH];
    FST_TRY(fst_split_url(machine, &arguments[0], parts));
    if (path->size > 0 && memchr(path->text, ';', path->size) != NULL)
        return FST_GIVE_BACK;
    parts[FST_URL_PARAMS] = fst_empty_str();
    return fst_make_url(machine, to, parts);
}

/* ---------------------------------------------------------------- parts */

/* Reads the parts of a result; `params` is unset in that of urlsplit(). */
FST_NOINLINE fst_status
fst_read_url(const fst_cell *cell, fst_cell *parts)
{
    const fst_list *list = (const fst_list *)cell->object;
    uint32_t behind;
    if (cell->type != FST_TUPLE || !(cell->flags & FST_NAMED))
        return fst_no_method(cell);
    if (cell->size > 0 || list->count < FST_URL_PARTS)
        return FST_GIVE_BACK;       /* It is of a class of the user, or of another module. */
    behind = list->count - FST_URL_PARTS;
    memcpy(parts, list->items, 3 * sizeof *parts);
    parts[FST_URL_QUERY] = list->items[3 + behind];
    parts[FST_URL_FRAGMENT] = list->items[4 + behind];
    parts[FST_URL_PARAMS] = list->items[3];
    if (!behind)
        parts[FST_URL_PARAMS].type = FST_UNSET;
    return FST_DONE;
}

#define FST_URL_PART(name, number) \
    FST_NOINLINE fst_status \
    fst_url_##name(fst_machine *machine, fst_cell *to, fst_cell *arguments) \
    { \
        fst_cell parts[FST_URL_PARTS + 1]; \
        (void)machine; \
        FST_TRY(fst_read_url(&arguments[0], parts)); \
        if (parts[number].type == FST_UNSET) \
            return FST_ATTRIBUTE_ERROR; \
        *to = parts[number]; \
        return FST_DONE; \
    }
FST_URL_PART(scheme, FST_URL_SCHEME)
FST_URL_PART(netloc, FST_URL_NETLOC)
FST_URL_PART(path, FST_URL_PATH)
FST_URL_PART(params, FST_URL_PARAMS)
FST_URL_PART(query, FST_URL_QUERY)
FST_URL_PART(fragment, FST_URL_FRAGMENT)
#undef FST_URL_PART

/* ---------------------------------------------------------------- the parts of netloc */

typedef struct fst_authority {
    fst_cell username;          /* None where there is none, as are the others */
    fst_cell password;
    fst_cell host;
    fst_cell port;
} fst_authority;

FST_NOINLINE fst_status
fst_read_authority(const fst_cell *cell, fst_authority *authority)
{
    fst_cell parts[FST_URL_PARTS + 1];
    const fst_cell *netloc = &parts[FST_URL_NETLOC];
    const char *at, *end, *user, *colon;
    FST_TRY(fst_read_url(cell, parts));
    if (netloc->type != FST_STR)
        return FST_GIVE_BACK;
    at = netloc->text;
    end = at + netloc->size;
    if (!fst_is_plain_netloc(at, end))
        return FST_GIVE_BACK;
    authority->username = authority->password = authority->host = authority->port = fst_none();
    for (user = end; user > at && user[-1] != '@';)
        user--;
    if (user > at) {
        colon = fst_find_any(at, user - 1, ":");
        authority->username = fst_part_of(netloc, at, colon);
        if (colon < user - 1)
            authority->password = fst_part_of(netloc, colon + 1, user - 1);
    }
    colon = fst_find_any(user, end, ":");
    if (colon > user)
        authority->host = fst_part_of(netloc, user, colon);
    if (end - colon > 1)
        authority->port = fst_part_of(netloc, colon + 1, end);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_url_hostname(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_authority authority;
    char *text;
    uint32_t i;
    FST_TRY(fst_read_authority(&arguments[0], &authority));
    *to = authority.host;
    if (to->type == FST_NONE)
        return FST_DONE;
    FST_TRY(fst_take_text(machine, to->size, &text));
    for (i = 0; i < to->size; i++) {
        const char byte = to->text[i];
        if (byte == '%')
            return FST_GIVE_BACK;
        text[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
    }
    to->text = text;
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_url_port(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_authority authority;
    int64_t port = 0;
    uint32_t i;
    (void)machine;
    FST_TRY(fst_read_authority(&arguments[0], &authority));
    *to = authority.port;
    if (to->type == FST_NONE)
        return FST_DONE;
    for (i = 0; i < to->size; i++) {
        if (to->text[i] < '0' || to->text[i] > '9')
            return FST_VALUE_ERROR;
        port = port * 10 + (to->text[i] - '0');
        if (port > 65535)
            return FST_GIVE_BACK;
    }
    *to = fst_int(port);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_url_username(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_authority authority;
    (void)machine;
    FST_TRY(fst_read_authority(&arguments[0], &authority));
    *to = authority.username;
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_url_password(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_authority authority;
    (void)machine;
    FST_TRY(fst_read_authority(&arguments[0], &authority));
    *to = authority.password;
    return FST_DONE;
}

/* ---------------------------------------------------------------- writing */

/* result._replace(*, scheme?, netloc?, path?, params?, query?, fragment?) */
FST_NOINLINE fst_status
fst_url_replace(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    static const uint8_t parts_of[6] = {
        FST_URL_SCHEME, FST_URL_NETLOC, FST_URL_PATH,
        FST_URL_PARAMS, FST_URL_QUERY,  FST_URL_FRAGMENT,
    };
    fst_cell parts[FST_URL_PARTS + 1];
    int i;
    FST_TRY(fst_read_url(&arguments[0], parts));
    for (i = 0; i < 6; i++) {
        if (arguments[1 + i].type == FST_UNSET)
            continue;
        if (parts[parts_of[i]].type == FST_UNSET)
            return FST_GIVE_BACK;
        parts[parts_of[i]] = arguments[1 + i];
    }
    return fst_make_url(machine, to, parts);
}

/* Puts a URL together; what depends on the version of Python is given back. */
FST_NOINLINE fst_status
fst_join_url(fst_machine *machine, fst_cell *to, fst_cell *parts)
{
    fst_builder builder = fst_begin_text(machine);
    const fst_cell *path = &parts[FST_URL_PATH];
    int i;
    for (i = 0; i <= FST_URL_PARAMS; i++) {
        FST_TRY(fst_settle(machine, &parts[i]));
        if (parts[i].type != FST_STR)
            return FST_GIVE_BACK;
    }
    if (parts[FST_URL_NETLOC].size == 0
        && (parts[FST_URL_SCHEME].size > 0 || (path->size > 1 && memcmp(path->text, "//", 2) == 0)))
        return FST_GIVE_BACK;
    if (parts[FST_URL_SCHEME].size > 0) {
        FST_TRY(fst_put_cell(&builder, &parts[FST_URL_SCHEME]));
        FST_TRY(FST_PUT_LITERAL(&builder, ":"));
    }
    if (parts[FST_URL_NETLOC].size > 0) {
        FST_TRY(FST_PUT_LITERAL(&builder, "//"));
        FST_TRY(fst_put_cell(&builder, &parts[FST_URL_NETLOC]));
        if (path->size + parts[FST_URL_PARAMS].size > 0
            && (path->size == 0 || path->text[0] != '/'))
            FST_TRY(FST_PUT_LITERAL(&builder, "/"));
    }
    FST_TRY(fst_put_cell(&builder, path));
    if (parts[FST_URL_PARAMS].size > 0) {
        FST_TRY(FST_PUT_LITERAL(&builder, ";"));
        FST_TRY(fst_put_cell(&builder, &parts[FST_URL_PARAMS]));
    }
    if (parts[FST_URL_QUERY].size > 0) {
        FST_TRY(FST_PUT_LITERAL(&builder, "?"));
        FST_TRY(fst_put_cell(&builder, &parts[FST_URL_QUERY]));
    }
    if (parts[FST_URL_FRAGMENT].size > 0) {
        FST_TRY(FST_PUT_LITERAL(&builder, "#"));
        FST_TRY(fst_put_cell(&builder, &parts[FST_URL_FRAGMENT]));
    }
    *to = fst_end_text(&builder);
    return FST_DONE;
}

/* result.geturl() */
FST_NOINLINE fst_status
fst_geturl(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell parts[FST_URL_PARTS + 1];
    FST_TRY(fst_read_url(&arguments[0], parts));
    if (parts[FST_URL_PARAMS].type == FST_UNSET)
        parts[FST_URL_PARAMS] = fst_empty_str();
    return fst_join_url(machine, to, parts);
}

/* urlunsplit(parts) and urlunparse(parts), which may be any tuple or list */
FST_NOINLINE fst_status
fst_unsplit_url(fst_machine *machine, fst_cell *to, fst_cell *arguments, uint32_t count)
{
    fst_cell parts[FST_URL_PARTS + 1], url = arguments[0];
    if (!fst_is_list(&url) || ((const fst_list *)url.object)->count != count)
        return FST_GIVE_BACK;
    url.type = FST_TUPLE;
    url.flags = FST_NAMED;
    url.size = 0;
    FST_TRY(fst_read_url(&url, parts));
    if (count == FST_URL_PARTS)
        parts[FST_URL_PARAMS] = fst_empty_str();
    return fst_join_url(machine, to, parts);
}

FST_NOINLINE fst_status
fst_urlunsplit(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_unsplit_url(machine, to, arguments, FST_URL_PARTS);
}

FST_NOINLINE fst_status
fst_urlunparse(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_unsplit_url(machine, to, arguments, FST_URL_PARTS + 1);
}

#define FST_URL_PART_FUNCTIONS(X) \
    X("urllib.parse.urlsplit", "url", fst_urlsplit) \
    X("urllib.parse.urlparse", "url", fst_urlparse) \
    X("urllib.parse.urlunsplit", "components", fst_urlunsplit) \
    X("urllib.parse.urlunparse", "components", fst_urlunparse) \
    X(".geturl", "self", fst_geturl) \
    X("._replace", "self,*,scheme?,netloc?,path?,params?,query?,fragment?", fst_url_replace) \
    X("@scheme", "self", fst_url_scheme) \
    X("@netloc", "self", fst_url_netloc) \
    X("@path", "self", fst_url_path) \
    X("@params", "self", fst_url_params) \
    X("@query", "self", fst_url_query) \
    X("@fragment", "self", fst_url_fragment) \
    X("@hostname", "self", fst_url_hostname) \
    X("@port", "self", fst_url_port) \
    X("@username", "self", fst_url_username) \
    X("@password", "self", fst_url_password)

#endif
