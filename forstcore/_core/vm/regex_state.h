/* regex_state.h: the state of a regular expression that is being matched, and what it stands on. */
#ifndef FST_VM_REGEX_STATE_H
#define FST_VM_REGEX_STATE_H

#include "regex_load.h"
#include "regex_sets.h"

enum {
    FST_REGEX_STACK = 48,           /* entries before the arena is needed */
    FST_REGEX_STACK_MOST = 1 << 18,
    FST_REGEX_STEP = 16             /* characters that cost as much as one step */
};

/* The kinds of entries on the stack. */
enum {
    FST_TRY_AT,                     /* a: a place to go on at */
    FST_TRY_SHORTER,                /* a: the end of a greedy run, b: its shortest end */
    FST_TRY_LONGER,                 /* a: the end of a lazy run, b: how many more it may take */
    FST_RESTORE_MARK,               /* a: the mark, b: where it was, c: the last group then */
    FST_RESTORE_LOOP,               /* a: the loop, b: its count, c: where its last turn began */
    FST_INSIDE,                     /* of a group that is matched once and for all: a: where it began,
                                     * c: the one around it */
    FST_INSIDE_NOT                  /* the same for one that must not match */
};

typedef struct fst_regex_entry {
    uint16_t kind;
    uint16_t op;
    uint32_t a, b, c;
} fst_regex_entry;

/* A pattern and a text. */
typedef struct fst_regex {
    fst_machine *machine;
    const fst_pattern *pattern;
    fst_bytes text, end;
    int whole;                      /* whether it has to match up to the end */
    int must_advance;               /* whether a match where the search starts must not be empty */
    uint32_t start;                 /* of the match */
    uint32_t last_group;            /* that was closed; 0 for none */
    uint32_t marks[2 * (FST_REGEX_GROUPS + 1)];     /* those of group 0 are not used but for the end */
    uint32_t counts[FST_REGEX_LOOPS];               /* turns of loops, less one */
    uint32_t turns[FST_REGEX_LOOPS];                /* where their last turns began */
    fst_regex_entry *stack;
    uint32_t room;
    fst_regex_entry some[FST_REGEX_STACK];
} fst_regex;

FST_INLINE void
fst_start_regex(
    fst_regex *regex, fst_machine *machine, const fst_pattern *pattern, const char *text, size_t size)
{
    regex->machine = machine;
    regex->pattern = pattern;
    regex->text = (fst_bytes)text;
    regex->end = regex->text + size;
    regex->whole = regex->must_advance = 0;
    regex->last_group = 0;
    regex->marks[0] = regex->marks[1] = FST_REGEX_NONE;
    if (pattern->groups > 0)
        memset(regex->marks + 2, 0xFF, 2 * (size_t)pattern->groups * sizeof regex->marks[0]);
    regex->stack = regex->some;
    regex->room = FST_REGEX_STACK;
}

FST_NOINLINE int
fst_grow_regex_stack(fst_regex *regex)
{
    const size_t room = 2 * (size_t)regex->room;
    fst_regex_entry *stack;
    if (room > FST_REGEX_STACK_MOST
        || (stack = (fst_regex_entry *)fst_take(regex->machine, room * sizeof *stack)) == NULL)
        return 0;
    memcpy(stack, regex->stack, regex->room * sizeof *stack);
    regex->stack = stack;
    regex->room = (uint32_t)room;
    return 1;
}

/* ---------------------------------------------------------------- places */

FST_INLINE int
fst_is_boundary(const fst_regex *regex, fst_bytes at, int (*is_word)(uint32_t))
{
    uint32_t before = 0, after = 0;
    if (at > regex->text)
        fst_decode_character(fst_previous_character(regex->text, at), regex->end, &before);
    if (at < regex->end)
        fst_decode_character(at, regex->end, &after);
    return is_word(before) != is_word(after);
}

/* Whether a place is one that an instruction asks for. */
FST_NOINLINE fst_status
fst_is_at(const fst_regex *regex, int code, fst_bytes at, int *result)
{
    fst_bytes end = regex->end;
    switch (code) {
    case FST_REGEX_START:
        *result = at == regex->text;
        break;
    case FST_REGEX_LINE_START:
        *result = at == regex->text || at[-1] == '\n';
        break;
    case FST_REGEX_END:
        *result = at == end || (at == end - 1 && *at == '\n');
        break;
    case FST_REGEX_LINE_END:
        *result = at == end || *at == '\n';
        break;
    case FST_REGEX_TEXT_END:
        *result = at == end;
        break;
    case FST_REGEX_BOUNDARY:
        *result = fst_is_boundary(regex, at, fst_is_word_character);
        break;
    case FST_REGEX_BOUNDARY_ASCII:
        *result = fst_is_boundary(regex, at, fst_is_ascii_word_character);
        break;
    default:
        /* In an empty text, only from Python 3.14 on. */
        if (regex->text == end)
            return FST_GIVE_BACK;
        *result = !fst_is_boundary(
            regex, at, code == FST_REGEX_NOT_BOUNDARY ? fst_is_word_character : fst_is_ascii_word_character);
        break;
    }
    return FST_DONE;
}

FST_INLINE int
fst_has_group(const fst_regex *regex, uint32_t group)
{
    const uint32_t start = regex->marks[2 * group], end = regex->marks[2 * group + 1];
    return start != FST_REGEX_NONE && end != FST_REGEX_NONE && start <= end;
}

/* Returns what is behind the text of a group that comes again; NULL if it does not. */
FST_NOINLINE fst_bytes
fst_match_again(const fst_regex *regex, int code, uint32_t group, fst_bytes at)
{
    fst_bytes from = regex->text + regex->marks[2 * group];
    fst_bytes to = regex->text + regex->marks[2 * group + 1];
    if (!fst_has_group(regex, group))
        return NULL;
    if (code == FST_REGEX_BACKREF) {
        const size_t size = (size_t)(to - from);
        return (size_t)(regex->end - at) >= size && memcmp(at, from, size) == 0 ? at + size : NULL;
    }
    while (from < to) {
        uint32_t wanted, character;
        if (at >= regex->end)
            return NULL;
        from = fst_decode_character(from, to, &wanted);
        at = fst_decode_character(at, regex->end, &character);
        if (code == FST_REGEX_BACKREF_FOLDED
                ? fst_lower(character) != fst_lower(wanted)
                : fst_lower_ascii(character) != fst_lower_ascii(wanted))
            return NULL;
    }
    return at;
}

/* ---------------------------------------------------------------- groups matched once and for all */

/* Takes from the stack what is left to be tried since a group began, but not what restores marks
 * and loops; returns how many entries remain. */
FST_NOINLINE uint32_t
fst_close_group(fst_regex *regex, uint32_t inside, uint32_t top)
{
    fst_regex_entry *stack = regex->stack;
    uint32_t from, to = inside;
    for (from = inside + 1; from < top; from++)
        if (stack[from].kind == FST_RESTORE_MARK || stack[from].kind == FST_RESTORE_LOOP)
            stack[to++] = stack[from];
    return to;
}

FST_INLINE void
fst_restore(fst_regex *regex, const fst_regex_entry *entry)
{
    if (entry->kind == FST_RESTORE_MARK) {
        regex->marks[entry->a] = entry->b;
        regex->last_group = entry->c;
    } else if (entry->kind == FST_RESTORE_LOOP) {
        regex->counts[entry->a] = entry->b;
        regex->turns[entry->a] = entry->c;
    }
}

#endif
