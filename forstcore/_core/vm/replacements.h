/* replacements.h: Pattern.sub and subn.
 *
 * A replacement with backslashes is read for each match: few records have many. What re does not
 * write as plain text, a group or a simple escape is given back. */
#ifndef FST_VM_REPLACEMENTS_H
#define FST_VM_REPLACEMENTS_H

#include "patterns.h"
#include "text_builder.h"

/* Reads `<name>` or `<number>` behind `\g`; returns what is behind it, NULL if re has to. */
FST_INLINE const char *
fst_read_group_name(const fst_pattern *pattern, const char *at, const char *end, uint32_t *group)
{
    const char *name = at + 1, *stop;
    if (at == end || *at != '<')
        return NULL;
    stop = (const char *)memchr(name, '>', (size_t)(end - name));
    if (stop == NULL || stop == name)
        return NULL;
    if (*name < '0' || *name > '9') {
        *group = fst_group_named(pattern, name, (size_t)(stop - name));
        return *group == 0 ? NULL : stop + 1;
    }
    if (stop - name > 2)
        return NULL;
    for (*group = 0; name < stop; name++) {
        if (*name < '0' || *name > '9')
            return NULL;
        *group = 10 * *group + (uint32_t)(*name - '0');
    }
    return *group > pattern->groups ? NULL : stop + 1;
}

/* Reads what is behind a backslash of a replacement: a group, or else a character. Returns what is
 * behind that, NULL if re has to read it. */
FST_NOINLINE const char *
fst_read_escape(
    const fst_pattern *pattern, const char *at, const char *end, uint32_t *group, char *character)
{
    static const char letters[] = "abfnrtv\\", meant[] = "\a\b\f\n\r\t\v\\";
    const char *letter;
    *group = FST_REGEX_NONE;
    if (at == end)
        return NULL;
    if (*at == 'g')
        return fst_read_group_name(pattern, at + 1, end, group);
    if (*at >= '1' && *at <= '9') {
        *group = (uint32_t)(*at++ - '0');
        return *group > pattern->groups || (at < end && *at >= '0' && *at <= '9') ? NULL : at;
    }
    letter = (const char *)memchr(letters, *at, sizeof letters - 1);
    if (letter == NULL)
        return NULL;
    *character = meant[letter - letters];
    return at + 1;
}

/* Appends a replacement that has backslashes, and can be read. */
FST_NOINLINE fst_status
fst_put_expanded(
    fst_builder *builder, const fst_regex *regex, const fst_cell *subject,
    const fst_cell *replacement)
{
    const fst_cell empty = fst_empty_str();
    const char *at = replacement->text, *end = at + replacement->size;
    while (at < end) {
        const char *stop = (const char *)memchr(at, '\\', (size_t)(end - at));
        uint32_t group;
        char character;
        FST_TRY(fst_put_text(
            builder, at, (size_t)((stop == NULL ? end : stop) - at), replacement->flags));
        if (stop == NULL)
            break;
        at = fst_read_escape(regex->pattern, stop + 1, end, &group, &character);
        if (group == FST_REGEX_NONE) {
            FST_TRY(fst_put_text(builder, &character, 1, FST_ASCII));
        } else {
            const fst_cell part = fst_matched_text(regex, subject, group, &empty);
            FST_TRY(fst_put_cell(builder, &part));
        }
    }
    return FST_DONE;
}

/* Whether a replacement can be read, which it must be even if nothing matches. */
FST_NOINLINE int
fst_is_replacement(const fst_pattern *pattern, const fst_cell *replacement)
{
    const char *at = replacement->text, *end = at + replacement->size;
    uint32_t group;
    char character;
    while ((at = (const char *)memchr(at, '\\', (size_t)(end - at))) != NULL) {
        at = fst_read_escape(pattern, at + 1, end, &group, &character);
        if (at == NULL)
            return 0;
    }
    return 1;
}

/* Replaces what matches; tells how often. Settles pattern, repl, string, count? */
FST_INLINE fst_status
fst_replace_matches(fst_machine *machine, fst_cell *to, fst_cell *arguments, int64_t *count)
{
    fst_cell *replacement = &arguments[1], *subject = &arguments[2];
    fst_builder builder = fst_begin_text(machine);
    fst_regex regex;
    uint32_t from = 0, last = 0;
    int64_t most;
    int matched, is_literal;
    FST_TRY(fst_settle_subject(machine, &arguments[0], subject));
    FST_TRY(fst_settle(machine, replacement));
    if (replacement->type != FST_STR)
        return FST_GIVE_BACK;
    is_literal = (replacement->flags & FST_CLEAN)
        || fst_find_byte(
            (fst_bytes)replacement->text, (fst_bytes)replacement->text + replacement->size, '\\')
            == NULL;
    if (!is_literal && !fst_is_replacement((const fst_pattern *)arguments[0].object, replacement))
        return FST_GIVE_BACK;
    FST_TRY(fst_settle_count(machine, &arguments[3], 0, &most));
    *to = *subject;
    *count = 0;
    if (subject->size < ((const fst_pattern *)arguments[0].object)->least)
        return FST_DONE;
    fst_start_regex(
        &regex, machine, (const fst_pattern *)arguments[0].object, subject->text, subject->size);
    for (; most == 0 || *count < most; ++*count) {
        FST_TRY(fst_find_next(&regex, &from, &matched));
        if (!matched)
            break;
        FST_TRY(fst_put_text(
            &builder, subject->text + last, regex.start - last, subject->flags));
        if (is_literal)
            FST_TRY(fst_put_cell(&builder, replacement));
        else
            FST_TRY(fst_put_expanded(&builder, &regex, subject, replacement));
        last = from;
    }
    if (*count == 0)
        return FST_DONE;
    FST_TRY(fst_put_text(
        &builder, subject->text + last, subject->size - last, subject->flags));
    *to = fst_end_text(&builder);
    return FST_DONE;
}

/* self, repl, string, count? */
FST_NOINLINE fst_status
fst_pattern_sub(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t count;
    return fst_replace_matches(machine, to, arguments, &count);
}

FST_NOINLINE fst_status
fst_pattern_subn(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *both = fst_new_list(machine, 2);
    int64_t count;
    if (both == NULL)
        return FST_NO_MEMORY;
    FST_TRY(fst_replace_matches(machine, &both->items[0], arguments, &count));
    both->items[1] = fst_int(count);
    both->count = 2;
    *to = fst_object(FST_TUPLE, both);
    return FST_DONE;
}

/* ---------------------------------------------------------------- by a function */

/* `sub` with a function is compiled as three steps: the matches, as a list; what the function makes
 * of each, as another one; and the text with these in their places. */

/* pattern, string, count? */
FST_NOINLINE fst_status
fst_pattern_matches(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell own[4];
    int64_t most;
    FST_TRY(fst_settle_count(machine, &arguments[2], 0, &most));
    memset(own, 0, sizeof own);     /* neither pos nor endpos */
    own[0] = arguments[0];
    own[1] = arguments[1];
    return fst_list_matches(machine, to, own, most);
}

/* string, matches, replacements: a str for each match, or None, which is as good as an empty one */
FST_NOINLINE fst_status
fst_replace_listed(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *subject = &arguments[0];
    const fst_list *matches, *replacements;
    fst_builder builder = fst_begin_text(machine);
    uint32_t last = 0, i;
    FST_TRY(fst_settle_text(machine, subject));
    if (arguments[1].type != FST_LIST || arguments[2].type != FST_LIST)
        return FST_GIVE_BACK;
    matches = (const fst_list *)arguments[1].object;
    replacements = (const fst_list *)arguments[2].object;
    if (matches->count != replacements->count)
        return FST_GIVE_BACK;
    for (i = 0; i < matches->count; i++) {
        const fst_match *match = (const fst_match *)matches->items[i].object;
        fst_cell *replacement = &replacements->items[i];
        if (matches->items[i].type != FST_MATCH || match->spans[0] < last
            || match->spans[1] > subject->size)
            return FST_GIVE_BACK;
        FST_TRY(fst_put_text(
            &builder, subject->text + last, match->spans[0] - last, subject->flags));
        last = match->spans[1];
        if (replacement->type == FST_NONE)
            continue;
        FST_TRY(fst_settle_text(machine, replacement));
        FST_TRY(fst_put_cell(&builder, replacement));
    }
    *to = *subject;
    if (matches->count == 0)
        return FST_DONE;
    FST_TRY(fst_put_text(
        &builder, subject->text + last, subject->size - last, subject->flags));
    *to = fst_end_text(&builder);
    return FST_DONE;
}

#define FST_PATTERN_FUNCTIONS(X) \
    X(".search", "self,string,pos?,endpos?", fst_pattern_search) \
    X(".match", "self,string,pos?,endpos?", fst_pattern_match) \
    X(".fullmatch", "self,string,pos?,endpos?", fst_pattern_fullmatch) \
    X(".findall", "self,string,pos?,endpos?", fst_pattern_findall) \
    X(".finditer", "self,string,pos?,endpos?", fst_pattern_finditer) \
    X("re.Pattern.split", "self,string,maxsplit?", fst_pattern_split) \
    X(".sub", "self,repl,string,count?", fst_pattern_sub) \
    X(".subn", "self,repl,string,count?", fst_pattern_subn) \
    X("<matches>", "pattern,string,count?", fst_pattern_matches) \
    X("<replace matches>", "string,matches,replacements", fst_replace_listed) \
    FST_MATCH_FUNCTIONS(X)

#endif
