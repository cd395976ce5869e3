/* regex_search.h: finds matches of a regular expression in a text. */
#ifndef FST_VM_REGEX_SEARCH_H
#define FST_VM_REGEX_SEARCH_H

#include "regex.h"

enum { FST_SHORT_TEXT = 64 };

/* memchr without a call where it is not worth one. */
FST_INLINE fst_bytes
fst_find_byte(fst_bytes at, fst_bytes end, unsigned char byte)
{
    int found;
    if (end - at > FST_SHORT_TEXT)
        return (fst_bytes)memchr(at, byte, (size_t)(end - at));
    for (; end - at >= 8; at += 8)
        if (fst_find_in_eight(fst_load_eight((const char *)at), byte, &found))
            return at + found;
    if (!fst_find_in_eight(fst_load_up_to_eight((const char *)at, end - at), byte, &found))
        return NULL;
    return found < end - at ? at + found : NULL;    /* zeros are behind the end */
}

/* Whether the pattern's prefix, whose first byte is at `at`, is there, and what may follow it. */
FST_INLINE int
fst_has_prefix(const fst_pattern *pattern, fst_bytes at, fst_bytes end)
{
    const size_t size = pattern->prefix_size;
    return (size == 1 || memcmp(at, pattern->text + pattern->prefix, size) == 0)
           && fst_may_follow(pattern, pattern->second, at + size, end);
}

/* Loads eight bytes of a text from a place on, with zeros for those behind its end. */
FST_INLINE uint64_t
fst_load_from(fst_bytes text, fst_bytes at, fst_bytes end)
{
    const ptrdiff_t left = end - at;
    if (left >= 8)
        return fst_load_eight((const char *)at);
    if (left <= 0)
        return 0;
    if (end - text >= 8)
        return fst_load_eight((const char *)end - 8) >> 8 * (8 - left);
    return fst_load_up_to_eight((const char *)at, left);
}

/* Returns where the pattern's prefix begins at or behind a place, with room for a match; NULL if it
 * does not. */
FST_INLINE fst_bytes
fst_find_prefix(const fst_pattern *pattern, fst_bytes text, fst_bytes at, fst_bytes end)
{
    const unsigned char first = (unsigned char)pattern->text[pattern->prefix];
    const size_t size = pattern->prefix_size;
    const size_t least = size > pattern->least ? size : pattern->least;
    fst_bytes stop;                     /* the last place */
    if ((size_t)(end - at) < least)
        return NULL;
    for (stop = end - least; at <= stop; at += 8) {
        uint64_t found;
        if (stop - at > FST_SHORT_TEXT) {
            at = (fst_bytes)memchr(at, first, (size_t)(stop + 1 - at));
            if (at == NULL)
                return NULL;
        }
        found = fst_equal_in_eight(fst_load_from(text, at, end), first);
        if (pattern->fixed_count > 0)
            found &= fst_between_in_eight(
                fst_load_from(text, at + pattern->fixed_at, end), pattern->fixed_low,
                pattern->fixed_count);
        for (; found != 0; found &= found - 1) {
            fst_bytes place = at + (fst_trailing_zeros(found) >> 3);
            if (place > stop)
                return NULL;
            if (fst_has_prefix(pattern, place, end))
                return place;
        }
    }
    return NULL;
}

/* Returns the first place from `at` on where a match can begin; NULL if there is none. */
FST_INLINE fst_bytes
fst_find_first(const fst_pattern *pattern, fst_bytes text, fst_bytes at, fst_bytes end)
{
    const fst_regex_set *first;
    if (pattern->prefix_size > 0)
        return fst_find_prefix(pattern, text, at, end);
    if (pattern->first == 0)
        return at;
    first = &pattern->sets[pattern->first - 1];
    while (at < end && !fst_set_has(first, *at))
        at++;
    return at < end || fst_set_has(first, FST_REGEX_NO_BYTE) ? at : NULL;
}

/* Matches at a place, which becomes the start of the match; behind the prefix if that is there. */
FST_INLINE fst_status
fst_match_here(fst_regex *regex, fst_bytes at, int has_prefix, int *matched)
{
    const fst_pattern *pattern = regex->pattern;
    regex->start = (uint32_t)(at - regex->text);
    if (pattern->groups > 0) {
        memset(regex->marks, 0xFF, 2 * ((size_t)pattern->groups + 1) * sizeof regex->marks[0]);
        regex->last_group = 0;
    }
    if (has_prefix && pattern->prefix_size > 0)
        return fst_match_at(regex, 1, at + pattern->prefix_size, matched);
    return fst_match_at(regex, 0, at, matched);
}

/* Finds the first match from a place on, whose start is then `start` and whose end is mark 1. */
static fst_status
fst_search_regex(fst_regex *regex, uint32_t from, int *matched)
{
    const fst_pattern *pattern = regex->pattern;
    fst_bytes at = regex->text + from, end = regex->end, next;
    *matched = 0;
    for (;;) {
        if (pattern->anchored && at > regex->text)
            break;
        next = fst_find_first(pattern, regex->text, at, end);
        if (next == NULL || (size_t)(end - next) < pattern->least)
            break;
        regex->machine->fuel -= (next - at) / FST_REGEX_STEP;
        if (next > at)
            regex->must_advance = 0;
        at = next;
        FST_TRY(fst_match_here(regex, at, 1, matched));
        if (*matched || at == end)
            break;
        regex->must_advance = 0;
        next = fst_next_character(at, end);
        if (pattern->run != 0) {
            /* The rest after the run does not match, wherever in the run the match would begin. */
            at = fst_match_run(&pattern->sets[pattern->run - 1], at, end, FST_REGEX_NONE);
            regex->machine->fuel -= (at - next) / FST_REGEX_STEP;
        }
        if (at < next)
            at = next;
        if (--regex->machine->fuel < 0)
            return FST_GIVE_BACK;
    }
    return FST_DONE;
}

/* Where the last match ended. */
FST_INLINE uint32_t
fst_end_of_match(const fst_regex *regex)
{
    return regex->marks[1];
}

/* Finds the match behind the last one; the first one if `from` is 0. */
FST_INLINE fst_status
fst_find_next(fst_regex *regex, uint32_t *from, int *matched)
{
    if (--regex->machine->fuel < 0)
        return FST_GIVE_BACK;
    FST_TRY(fst_search_regex(regex, *from, matched));
    if (*matched) {
        *from = fst_end_of_match(regex);
        regex->must_advance = *from == regex->start;
    }
    return FST_DONE;
}

#endif
