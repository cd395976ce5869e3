/* patterns.h: the methods of compiled regular expressions. */
#ifndef FST_VM_PATTERNS_H
#define FST_VM_PATTERNS_H

#include "iterate.h"
#include "matches.h"

/* Settles the first arguments of a method: the pattern, and the text. */
FST_INLINE fst_status
fst_settle_subject(fst_machine *machine, const fst_cell *self, fst_cell *subject)
{
    if (self->type != FST_PATTERN)
        return fst_no_method(self);
    FST_TRY(fst_settle_text(machine, subject));
    fst_is_ascii(subject);
    return FST_DONE;
}

/* ---------------------------------------------------------------- one match */

enum {
    FST_AT_START,       /* as match() does */
    FST_AS_A_WHOLE,     /* as fullmatch() */
    FST_ANYWHERE        /* as search() */
};

/* Settles pattern, string, pos?, endpos?, and begins to match; tells from which byte on. */
FST_INLINE fst_status
fst_begin_regex(fst_machine *machine, fst_regex *regex, fst_cell *arguments, uint32_t *from)
{
    fst_cell *subject = &arguments[1];
    const int has_limits = arguments[2].type != FST_UNSET || arguments[3].type != FST_UNSET;
    int64_t first = 0, end = INT64_MAX;
    uint32_t size;
    if (has_limits) {
        /* Python reads them first, and their error can be another one. */
        FST_TRY(fst_settle_count(machine, &arguments[2], 0, &first));
        FST_TRY(fst_settle_count(machine, &arguments[3], INT64_MAX, &end));
    }
    FST_TRY(fst_settle_subject(machine, &arguments[0], subject));
    size = subject->size;
    *from = 0;
    if (has_limits) {
        *from = fst_skip_characters(subject, 0, first < 0 ? 0 : first);
        size = fst_skip_characters(subject, 0, end < 0 ? 0 : end);
        machine->fuel -= size / FST_COUNTED_BYTES;
        if (*from > size)
            return FST_GIVE_BACK;
    }
    fst_start_regex(
        regex, machine, (const fst_pattern *)arguments[0].object, subject->text, size);
    return FST_DONE;
}

FST_INLINE fst_status
fst_match_once(fst_machine *machine, fst_cell *to, fst_cell *arguments, int where)
{
    fst_regex regex;
    uint32_t from;
    int matched;
    FST_TRY(fst_begin_regex(machine, &regex, arguments, &from));
    regex.whole = where == FST_AS_A_WHOLE;
    if (where == FST_ANYWHERE)
        FST_TRY(fst_search_regex(&regex, from, &matched));
    else
        FST_TRY(fst_match_here(&regex, regex.text + from, 0, &matched));
    if (matched)
        return fst_new_match(machine, to, &regex, &arguments[1]);
    *to = fst_none();
    return FST_DONE;
}

/* self, string, pos?, endpos? */
FST_NOINLINE fst_status
fst_pattern_search(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_match_once(machine, to, arguments, FST_ANYWHERE);
}

FST_NOINLINE fst_status
fst_pattern_match(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_match_once(machine, to, arguments, FST_AT_START);
}

FST_NOINLINE fst_status
fst_pattern_fullmatch(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_match_once(machine, to, arguments, FST_AS_A_WHOLE);
}

/* ---------------------------------------------------------------- all matches */

/* The text of a group of what has matched last, or the default of one that has not matched. */
FST_INLINE fst_cell
fst_matched_text(
    const fst_regex *regex, const fst_cell *subject, uint32_t group, const fst_cell *otherwise)
{
    if (group == 0)
        return fst_part_of(
            subject, subject->text + regex->start, subject->text + fst_end_of_match(regex));
    if (!fst_has_group(regex, group))
        return *otherwise;
    return fst_part_of(
        subject, subject->text + regex->marks[2 * group],
        subject->text + regex->marks[2 * group + 1]);
}

/* self, string, pos?, endpos? */
FST_NOINLINE fst_status
fst_pattern_findall(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_cell empty = fst_empty_str();
    const fst_cell *subject = &arguments[1];
    fst_list *found = fst_new_list(machine, 0);
    fst_regex regex;
    uint32_t from, groups, i;
    int matched;
    if (found == NULL)
        return FST_NO_MEMORY;
    FST_TRY(fst_begin_regex(machine, &regex, arguments, &from));
    groups = regex.pattern->groups;
    for (;;) {
        fst_list *parts;
        FST_TRY(fst_find_next(&regex, &from, &matched));
        if (!matched)
            break;
        if (groups <= 1) {
            FST_TRY(fst_append(
                machine, found, fst_matched_text(&regex, subject, groups, &empty)));
            continue;
        }
        parts = fst_new_list(machine, groups);
        if (parts == NULL)
            return FST_NO_MEMORY;
        for (i = 1; i <= groups; i++)
            FST_TRY(fst_append(machine, parts, fst_matched_text(&regex, subject, i, &empty)));
        FST_TRY(fst_append(machine, found, fst_object(FST_TUPLE, parts)));
    }
    *to = fst_object(FST_LIST, found);
    return FST_DONE;
}

/* A list of the matches, at most so many unless that is 0. */
FST_INLINE fst_status
fst_list_matches(fst_machine *machine, fst_cell *to, fst_cell *arguments, int64_t most)
{
    fst_list *matches = fst_new_list(machine, 0);
    fst_regex regex;
    uint32_t from;
    int matched;
    if (matches == NULL)
        return FST_NO_MEMORY;
    FST_TRY(fst_begin_regex(machine, &regex, arguments, &from));
    while (most == 0 || matches->count < most) {
        fst_cell match;
        FST_TRY(fst_find_next(&regex, &from, &matched));
        if (!matched)
            break;
        FST_TRY(fst_new_match(machine, &match, &regex, &arguments[1]));
        FST_TRY(fst_append(machine, matches, match));
    }
    *to = fst_object(FST_LIST, matches);
    return FST_DONE;
}

/* self, string, pos?, endpos? */
FST_NOINLINE fst_status
fst_pattern_finditer(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell matches;
    FST_TRY(fst_list_matches(machine, &matches, arguments, 0));
    return fst_iterate_cell(machine, to, &matches);
}

/* self, string, maxsplit? */
FST_NOINLINE fst_status
fst_pattern_split(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_cell none = fst_none();
    fst_cell *subject = &arguments[1];
    fst_list *parts = fst_new_list(machine, 0);
    fst_regex regex;
    uint32_t from = 0, i;
    int64_t most, count;
    int matched;
    if (parts == NULL)
        return FST_NO_MEMORY;
    FST_TRY(fst_settle_subject(machine, &arguments[0], subject));
    FST_TRY(fst_settle_count(machine, &arguments[2], 0, &most));
    fst_start_regex(
        &regex, machine, (const fst_pattern *)arguments[0].object, subject->text, subject->size);
    for (count = 0; most == 0 || count < most; count++) {
        const char *last = subject->text + from;
        FST_TRY(fst_find_next(&regex, &from, &matched));
        if (!matched)
            break;
        FST_TRY(fst_append(
            machine, parts, fst_part_of(subject, last, subject->text + regex.start)));
        for (i = 1; i <= regex.pattern->groups; i++)
            FST_TRY(fst_append(machine, parts, fst_matched_text(&regex, subject, i, &none)));
    }
    FST_TRY(fst_append(
        machine, parts,
        fst_part_of(subject, subject->text + from, subject->text + subject->size)));
    *to = fst_object(FST_LIST, parts);
    return FST_DONE;
}

#endif
