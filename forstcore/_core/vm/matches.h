/* matches.h: match objects: where a pattern and its groups have matched. */
#ifndef FST_VM_MATCHES_H
#define FST_VM_MATCHES_H

#include "dicts.h"
#include "regex_search.h"
#include "text.h"

enum { FST_GROUPS_ASKED = 9 };      /* arguments of group() */

typedef struct fst_match {
    fst_cell subject;
    const fst_pattern *pattern;
    uint32_t last_group;            /* 0 for none */
    uint32_t *spans;                /* of the match, then of each group; FST_REGEX_NONE */
} fst_match;

/* Makes a match object of what has matched last. */
FST_INLINE fst_status
fst_new_match(fst_machine *machine, fst_cell *to, const fst_regex *regex, const fst_cell *subject)
{
    const uint32_t groups = regex->pattern->groups;
    fst_match *match = (fst_match *)fst_take(
        machine, sizeof *match + 2 * ((size_t)groups + 1) * sizeof *match->spans);
    uint32_t i;
    if (match == NULL)
        return FST_NO_MEMORY;
    match->spans = (uint32_t *)(match + 1);
    match->subject = *subject;
    match->pattern = regex->pattern;
    match->last_group = regex->last_group;
    match->spans[0] = regex->start;
    match->spans[1] = fst_end_of_match(regex);
    for (i = 1; i <= groups; i++) {
        const int has = fst_has_group(regex, i);
        match->spans[2 * i] = has ? regex->marks[2 * i] : FST_REGEX_NONE;
        match->spans[2 * i + 1] = has ? regex->marks[2 * i + 1] : FST_REGEX_NONE;
    }
    *to = fst_object(FST_MATCH, match);
    return FST_DONE;
}

/* The text of a group, or the default of one that has not matched. */
FST_INLINE fst_cell
fst_group_text(const fst_match *match, uint32_t group, const fst_cell *otherwise)
{
    const uint32_t start = match->spans[2 * group];
    const char *text = match->subject.text;
    if (start == FST_REGEX_NONE)
        return *otherwise;
    return fst_part_of(&match->subject, text + start, text + match->spans[2 * group + 1]);
}

/* The number of the group with a name; 0 if there is none. */
FST_INLINE uint32_t
fst_group_named(const fst_pattern *pattern, const char *name, size_t size)
{
    uint32_t i;
    for (i = 0; i < pattern->name_count; i++)
        if (pattern->names[i].size == size
            && memcmp(pattern->text + pattern->names[i].start, name, size) == 0)
            return pattern->names[i].group;
    return 0;
}

/* The group that an argument names; 0 if it is omitted. */
FST_INLINE fst_status
fst_read_group(fst_machine *machine, const fst_match *match, fst_cell *argument, uint32_t *group)
{
    *group = 0;
    if (argument->type == FST_UNSET)
        return FST_DONE;
    FST_TRY(fst_settle(machine, argument));
    if (argument->type == FST_STR) {
        *group = fst_group_named(match->pattern, argument->text, argument->size);
        return *group == 0 ? FST_INDEX_ERROR : FST_DONE;
    }
    if (argument->type != FST_INT && argument->type != FST_BOOL)
        return FST_GIVE_BACK;
    if (argument->integer < 0 || argument->integer > match->pattern->groups)
        return FST_INDEX_ERROR;
    *group = (uint32_t)argument->integer;
    return FST_DONE;
}

FST_INLINE fst_status
fst_read_match(const fst_cell *self, const fst_match **match)
{
    if (self->type != FST_MATCH)
        return self->type >= FST_NONE && self->type <= FST_DICT ? FST_ATTRIBUTE_ERROR
                                                                : FST_GIVE_BACK;
    *match = (const fst_match *)self->object;
    return FST_DONE;
}

/* match[key] */
FST_INLINE fst_status
fst_match_item(fst_machine *machine, fst_cell *to, const fst_cell *self, fst_cell *key)
{
    const fst_match *match = (const fst_match *)self->object;
    const fst_cell none = fst_none();
    uint32_t group;
    FST_TRY(fst_read_group(machine, match, key, &group));
    *to = fst_group_text(match, group, &none);
    return FST_DONE;
}

/* self, groups? */
FST_NOINLINE fst_status
fst_match_group(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_match *match;
    const fst_cell none = fst_none();
    fst_list *groups;
    uint32_t group;
    int i;
    FST_TRY(fst_read_match(&arguments[0], &match));
    if (arguments[2].type == FST_UNSET)
        return fst_match_item(machine, to, &arguments[0], &arguments[1]);
    groups = fst_new_list(machine, FST_GROUPS_ASKED);
    if (groups == NULL)
        return FST_NO_MEMORY;
    for (i = 1; i <= FST_GROUPS_ASKED && arguments[i].type != FST_UNSET; i++) {
        FST_TRY(fst_read_group(machine, match, &arguments[i], &group));
        FST_TRY(fst_append(machine, groups, fst_group_text(match, group, &none)));
    }
    *to = fst_object(FST_TUPLE, groups);
    return FST_DONE;
}

/* self, default? */
FST_NOINLINE fst_status
fst_match_groups(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_match *match;
    fst_cell otherwise;
    fst_list *groups;
    uint32_t i;
    FST_TRY(fst_read_match(&arguments[0], &match));
    otherwise = fst_given_or_none(&arguments[1]);
    groups = fst_new_list(machine, match->pattern->groups);
    if (groups == NULL)
        return FST_NO_MEMORY;
    for (i = 1; i <= match->pattern->groups; i++)
        FST_TRY(fst_append(machine, groups, fst_group_text(match, i, &otherwise)));
    *to = fst_object(FST_TUPLE, groups);
    return FST_DONE;
}

/* self, default? */
FST_NOINLINE fst_status
fst_match_groupdict(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_match *match;
    fst_cell otherwise;
    fst_dict *groups;
    uint32_t i;
    FST_TRY(fst_read_match(&arguments[0], &match));
    otherwise = fst_given_or_none(&arguments[1]);
    groups = fst_new_dict(machine, match->pattern->name_count);
    if (groups == NULL)
        return FST_NO_MEMORY;
    for (i = 0; i < match->pattern->name_count; i++) {
        const fst_regex_name *name = &match->pattern->names[i];
        fst_cell key = fst_str(match->pattern->text + name->start, name->size, 0);
        fst_cell value = fst_group_text(match, name->group, &otherwise);
        FST_TRY(fst_dict_set(machine, groups, &key, &value));
    }
    *to = fst_object(FST_DICT, groups);
    return FST_DONE;
}

/* ---------------------------------------------------------------- places */

/* The number of the character at a byte; -1 of a group that has not matched. */
FST_INLINE fst_cell
fst_place_of(fst_machine *machine, const fst_match *match, uint32_t byte)
{
    if (byte == FST_REGEX_NONE)
        return fst_int(-1);
    if (match->subject.flags & FST_ASCII)
        return fst_int(byte);
    machine->fuel -= byte / FST_COUNTED_BYTES;
    return fst_int(fst_count_characters(match->subject.text, byte));
}

FST_INLINE fst_status
fst_match_place(fst_machine *machine, fst_cell *to, fst_cell *arguments, uint32_t end)
{
    const fst_match *match;
    uint32_t group;
    FST_TRY(fst_read_match(&arguments[0], &match));
    FST_TRY(fst_read_group(machine, match, &arguments[1], &group));
    *to = fst_place_of(machine, match, match->spans[2 * group + end]);
    return machine->fuel < 0 ? FST_GIVE_BACK : FST_DONE;
}

/* self, group? */
FST_NOINLINE fst_status
fst_match_start(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_match_place(machine, to, arguments, 0);
}

FST_NOINLINE fst_status
fst_match_end(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_match_place(machine, to, arguments, 1);
}

FST_NOINLINE fst_status
fst_match_span(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_list *span = fst_new_list(machine, 2);
    if (span == NULL)
        return FST_NO_MEMORY;
    FST_TRY(fst_match_place(machine, &span->items[0], arguments, 0));
    FST_TRY(fst_match_place(machine, &span->items[1], arguments, 1));
    span->count = 2;
    *to = fst_object(FST_TUPLE, span);
    return FST_DONE;
}

/* ---------------------------------------------------------------- attributes */

FST_NOINLINE fst_status
fst_match_string(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_match *match;
    (void)machine;
    FST_TRY(fst_read_match(&arguments[0], &match));
    *to = match->subject;
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_match_lastindex(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_match *match;
    (void)machine;
    FST_TRY(fst_read_match(&arguments[0], &match));
    *to = match->last_group == 0 ? fst_none() : fst_int(match->last_group);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_match_lastgroup(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_match *match;
    uint32_t i;
    (void)machine;
    FST_TRY(fst_read_match(&arguments[0], &match));
    *to = fst_none();
    for (i = 0; i < match->pattern->name_count; i++) {
        const fst_regex_name *name = &match->pattern->names[i];
        if (name->group == match->last_group)
            *to = fst_str(match->pattern->text + name->start, name->size, 0);
    }
    return FST_DONE;
}

#define FST_MATCH_FUNCTIONS(X) \
    X(".group", "self,a/?,b/?,c/?,d/?,e/?,f/?,g/?,h/?,i/?", fst_match_group) \
    X(".groups", "self,default?", fst_match_groups) \
    X(".groupdict", "self,default?", fst_match_groupdict) \
    X(".start", "self,group/?", fst_match_start) \
    X(".end", "self,group/?", fst_match_end) \
    X(".span", "self,group/?", fst_match_span) \
    X("@string", "self", fst_match_string) \
    X("@lastindex", "self", fst_match_lastindex) \
    X("@lastgroup", "self", fst_match_lastgroup)

#endif
