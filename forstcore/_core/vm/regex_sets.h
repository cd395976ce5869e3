/* regex_sets.h: characters of UTF-8, and which of them are in a set. */
#ifndef FST_VM_REGEX_SETS_H
#define FST_VM_REGEX_SETS_H

#include <Python.h>

#include "regex_program.h"

typedef const unsigned char *fst_bytes;

FST_INLINE int
fst_is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Reads a character, of which there is at least one byte; returns what is behind it. */
FST_INLINE fst_bytes
fst_decode_character(fst_bytes at, fst_bytes end, uint32_t *character)
{
    uint32_t code = *at++;
    if (code >= 0x80) {
        code &= code >= 0xF0 ? 0x07 : code >= 0xE0 ? 0x0F : 0x1F;
        while (at < end && fst_is_continuation(*at))
            code = code << 6 | (*at++ & 0x3F);
    }
    *character = code;
    return at;
}

FST_INLINE fst_bytes
fst_next_character(fst_bytes at, fst_bytes end)
{
    at++;
    while (at < end && fst_is_continuation(*at))
        at++;
    return at;
}

/* Returns the start of the character before a place that is not at the start of the text. */
FST_INLINE fst_bytes
fst_previous_character(fst_bytes start, fst_bytes at)
{
    at--;
    while (at > start && fst_is_continuation(*at))
        at--;
    return at;
}

/* Goes back so many characters; NULL if there are fewer. */
FST_INLINE fst_bytes
fst_go_back(fst_bytes start, fst_bytes at, uint32_t count)
{
    for (; count > 0; count--) {
        if (at == start)
            return NULL;
        at = fst_previous_character(start, at);
    }
    return at;
}

/* ---------------------------------------------------------------- properties of characters */

FST_INLINE int
fst_is_ascii_word_character(uint32_t character)
{
    return (character | 0x20) - 'a' < 26 || character - '0' < 10 || character == '_';
}

FST_INLINE int
fst_is_word_character(uint32_t character)
{
    return character < 0x80 ? fst_is_ascii_word_character(character)
                            : Py_UNICODE_ISALNUM((Py_UCS4)character);
}

FST_INLINE uint32_t
fst_lower(uint32_t character)
{
    return (uint32_t)Py_UNICODE_TOLOWER((Py_UCS4)character);
}

FST_INLINE uint32_t
fst_lower_ascii(uint32_t character)
{
    return character >= 'A' && character <= 'Z' ? character + ('a' - 'A') : character;
}

FST_NOINLINE int
fst_has_category(uint32_t character, int categories)
{
    if (categories & (FST_IS_DIGIT | FST_IS_NO_DIGIT))
        if (categories & (Py_UNICODE_ISDECIMAL((Py_UCS4)character) ? FST_IS_DIGIT : FST_IS_NO_DIGIT))
            return 1;
    if (categories & (FST_IS_SPACE | FST_IS_NO_SPACE))
        if (categories & (Py_UNICODE_ISSPACE((Py_UCS4)character) ? FST_IS_SPACE : FST_IS_NO_SPACE))
            return 1;
    if (categories & (FST_IS_WORD | FST_IS_NO_WORD))
        if (categories & (fst_is_word_character(character) ? FST_IS_WORD : FST_IS_NO_WORD))
            return 1;
    return 0;
}

/* ---------------------------------------------------------------- sets */

/* Whether a set has a byte, or FST_REGEX_NO_BYTE. */
FST_INLINE int
fst_set_has(const fst_regex_set *set, unsigned int byte)
{
    return set->table[byte] & set->bit;
}

/* Whether what may come at a place is in a set; number 0 is any. */
FST_INLINE int
fst_may_follow(const fst_pattern *pattern, uint32_t set, fst_bytes at, fst_bytes end)
{
    return set == 0
           || fst_set_has(&pattern->sets[set - 1], at < end ? *at : FST_REGEX_NO_BYTE);
}

/* Whether a set has a character beyond ASCII. */
FST_NOINLINE int
fst_set_has_wide(const fst_regex_set *set, uint32_t character)
{
    uint32_t low = 0, high = set->range_count;
    if (set->wide != FST_WIDE_LISTED)
        return set->wide == FST_WIDE_ALL;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (character > set->ranges[2 * middle + 1])
            low = middle + 1;
        else
            high = middle;
    }
    if ((low < set->range_count && character >= set->ranges[2 * low])
        || fst_has_category(character, set->categories))
        return !set->negated;
    return set->negated;
}

/* Returns what is behind a character of the set; NULL if there is none. */
FST_INLINE fst_bytes
fst_match_set(const fst_regex_set *set, fst_bytes at, fst_bytes end)
{
    uint32_t character;
    if (at >= end)
        return NULL;
    if (*at < 0x80)
        return fst_set_has(set, *at) ? at + 1 : NULL;
    if (set->wide == FST_WIDE_NONE)
        return NULL;
    at = fst_decode_character(at, end, &character);
    return fst_set_has_wide(set, character) ? at : NULL;
}

/* Passes over up to `most` characters of a set, the first of which is beyond ASCII. */
FST_NOINLINE fst_bytes
fst_match_wide_run(const fst_regex_set *set, fst_bytes at, fst_bytes end, uint32_t most)
{
    for (; most > 0; most--) {
        fst_bytes next = fst_match_set(set, at, end);
        if (next == NULL)
            break;
        at = next;
    }
    return at;
}

/* Passes over up to `most` characters of a set; returns what is behind them. */
FST_INLINE fst_bytes
fst_match_run(const fst_regex_set *set, fst_bytes at, fst_bytes end, uint32_t most)
{
    const uint8_t *table = set->table;
    const uint8_t bit = set->bit;
    fst_bytes start = at, limit = (size_t)(end - at) > most ? at + most : end;
    while (at < limit && (table[*at] & bit))
        at++;
    if (at == limit || *at < 0x80 || set->wide == FST_WIDE_NONE)
        return at;
    return fst_match_wide_run(set, at, end, most - (uint32_t)(at - start));
}

enum { FST_FEW_CHARACTERS = 16 };

/* Passes over so many characters of a set; NULL if there are fewer. */
FST_INLINE fst_bytes
fst_match_count(const fst_regex_set *set, fst_bytes at, fst_bytes end, uint32_t count)
{
    const uint8_t *table = set->table;
    const uint8_t bit = set->bit;
    fst_bytes limit = at + count;
    if ((size_t)(end - at) < count)
        return NULL;
    if (count <= FST_FEW_CHARACTERS) {
        /* A branch for each of a few would take longer than to look at all of them. */
        uint8_t all = bit;
        uint32_t i;
        for (i = 0; i < count; i++)
            all &= table[at[i]];
        if (all != 0)
            return limit;
    }
    while (at < limit && (table[*at] & bit))
        at++;
    if (at == limit)
        return at;
    if (*at < 0x80 || set->wide == FST_WIDE_NONE)
        return NULL;
    for (count = (uint32_t)(limit - at); count > 0 && at != NULL; count--)
        at = fst_match_set(set, at, end);
    return at;
}

/* Passes over characters of a set, at least one and up to `most`, until something may follow; NULL
 * if nothing does. Leaves in `most` how many more may be passed over. */
FST_INLINE fst_bytes
fst_match_until(
    const fst_pattern *pattern, const fst_regex_op *op, fst_bytes at, fst_bytes end, uint32_t *most)
{
    const fst_regex_set *set = &pattern->sets[op->set - 1];
    while (*most > 0 && (at = fst_match_set(set, at, end)) != NULL) {
        *most -= *most != FST_REGEX_NONE;
        if (fst_may_follow(pattern, op->c, at, end))
            return at;
    }
    return NULL;
}

#endif
