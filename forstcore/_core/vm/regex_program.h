/*
 * regex_program.h: regular expressions as programs, which forstcore/compiled/patterns.py makes.
 *
 * An instruction has a code, a set of characters and three operands. This list says what each of the
 * four operands is, for the loader, which checks every one:
 *
 *     s   a set, counted from 1; 0 for any character, or the end of the text
 *     x   a set that there has to be
 *     p   an instruction      t   where literal text is; its size stands in the operand behind it
 *     m   a mark: 2 * group for the start of a group, one more for its end
 *     g   a group             l   a loop
 *     n   a number            -   not used
 */
#ifndef FST_VM_REGEX_PROGRAM_H
#define FST_VM_REGEX_PROGRAM_H

#include "arena.h"

#define FST_REGEX_CODES(X) \
    X(MATCH, "----")            /* the whole pattern has matched */ \
    X(FAIL, "----") \
    X(BYTE, "-n--") \
    X(TEXT, "-tn-") \
    X(SET, "x---")              /* one character */ \
    /* Repeated characters: set, least, most, and a set that has what may follow. */ \
    X(GREEDY, "xnns") \
    X(LAZY, "xnns") \
    X(POSSESSIVE, "xnn-") \
    /* Goes on, or else at `a`: the first sets of both, `set` and `b`, tell which may match. */ \
    X(ALTERNATIVE, "sps-") \
    /* Goes on at `a` if what comes next is in `set`, and fails unless it is in `b`. */ \
    X(DECIDE, "sps-") \
    X(JUMP, "-p--") \
    X(MARK, "-m--") \
    /* Loops: LOOP enters one at its UNTIL; UNTIL comes after each turn, or AGAIN, which is where a
     * lazy loop goes on if what is behind it does not match. */ \
    X(LOOP, "-lp-")             /* loop, its UNTIL */ \
    X(UNTIL, "-lp-")            /* loop, its body */ \
    X(UNTIL_LAZY, "-lpp")       /* loop, its body, its AGAIN */ \
    X(AGAIN, "-lp-")            /* loop, its body */ \
    /* Groups that are matched once and for all: what is behind it, and how many characters to go
     * back before. */ \
    X(LOOK, "-pn-") \
    X(LOOK_END, "----") \
    X(LOOK_NOT, "-pn-") \
    X(LOOK_NOT_END, "----") \
    X(ATOMIC, "-p--") \
    X(ATOMIC_END, "----") \
    X(IF_GROUP, "-gp-")         /* group, where to go on if it has not matched */ \
    X(BACKREF, "-g--") \
    X(BACKREF_FOLDED, "-g--")   /* ignores case */ \
    X(BACKREF_FOLDED_ASCII, "-g--") \
    /* Places. */ \
    X(START, "----") \
    X(LINE_START, "----") \
    X(END, "----")              /* or before a line feed at the end */ \
    X(LINE_END, "----") \
    X(TEXT_END, "----") \
    X(BOUNDARY, "----") \
    X(NOT_BOUNDARY, "----") \
    X(BOUNDARY_ASCII, "----") \
    X(NOT_BOUNDARY_ASCII, "----")

enum {
#define FST_REGEX_CODE(name, operands) FST_REGEX_##name,
    FST_REGEX_CODES(FST_REGEX_CODE)
#undef FST_REGEX_CODE
    FST_REGEX_CODE_COUNT
};

static const char *const FST_REGEX_NAMES[] = {
#define FST_REGEX_NAME(name, operands) #name,
    FST_REGEX_CODES(FST_REGEX_NAME)
#undef FST_REGEX_NAME
};

static const char *const FST_REGEX_OPERANDS[] = {
#define FST_REGEX_OPERAND(name, operands) operands,
    FST_REGEX_CODES(FST_REGEX_OPERAND)
#undef FST_REGEX_OPERAND
};

enum {
    FST_REGEX_GROUPS = 99,
    FST_REGEX_LOOPS = 32,
    FST_REGEX_MOST = 1 << 14,       /* instructions, sets and so on */
    FST_REGEX_NO_BYTE = 256         /* what stands for the end of the text in sets of bytes */
};

#define FST_REGEX_NONE UINT32_MAX       /* no place; no limit */

typedef struct fst_regex_op {
    uint16_t code;                  /* FST_REGEX_… */
    uint16_t set;
    uint32_t a, b, c;
} fst_regex_op;

/* What a set has beyond ASCII. */
typedef enum fst_regex_wide {
    FST_WIDE_NONE,
    FST_WIDE_ALL,
    FST_WIDE_LISTED                 /* ranges and categories, or all but these */
} fst_regex_wide;

/* Categories of characters, which Python knows. */
enum {
    FST_IS_DIGIT = 1,
    FST_IS_NO_DIGIT = 2,
    FST_IS_SPACE = 4,
    FST_IS_NO_SPACE = 8,
    FST_IS_WORD = 16,
    FST_IS_NO_WORD = 32,
    FST_CATEGORIES = 64
};

enum {
    FST_REGEX_TABLE = 257,          /* bytes, and the end of the text */
    FST_REGEX_MASK = 9              /* integers with a bit for each of these */
};

/* A set of characters; or one of bytes, for what can come first in a part of a pattern. Sets share
 * tables, in which each has one bit. */
typedef struct fst_regex_set {
    const uint8_t *table;
    uint8_t bit;
    uint8_t wide;                   /* an fst_regex_wide */
    uint8_t negated;
    uint8_t categories;
    uint32_t range_count;
    const uint32_t *ranges;         /* first and last code points */
} fst_regex_set;

typedef struct fst_regex_loop {
    uint32_t least, most;
} fst_regex_loop;

typedef struct fst_regex_name {
    uint32_t group;
    uint32_t start, size;           /* in the text of the pattern */
} fst_regex_name;

typedef struct fst_pattern {
    const fst_regex_op *ops;
    const fst_regex_set *sets;      /* the first one is number 1 */
    const fst_regex_loop *loops;
    const fst_regex_name *names;
    const char *text;
    uint32_t op_count, set_count, loop_count, name_count, text_size;
    uint32_t groups;
    /* For searching. */
    uint32_t prefix, prefix_size;   /* literal text, which the first instruction matches */
    uint32_t first;                 /* a set of bytes that a match begins with; 0: any */
    uint32_t second;                /* the same for what is behind the prefix */
    uint32_t anchored;              /* whether it matches only at the start of the text */
    uint32_t run;                   /* a set of characters: no match begins later in a run of them */
    uint32_t least;                 /* bytes that a match has */
    /* Bytes of a range of ASCII, so many from `low` on, stand so far behind the start of each match
     * with a prefix. */
    uint32_t fixed_at, fixed_low, fixed_count;      /* 0 of them: none is known */
} fst_pattern;

/* How a pattern is handed over: so many integers, then the parts in this order. */
enum {
    FST_REGEX_OP_COUNT,
    FST_REGEX_SET_COUNT,
    FST_REGEX_LOOP_COUNT,
    FST_REGEX_NAME_COUNT,
    FST_REGEX_TEXT_SIZE,
    FST_REGEX_GROUP_COUNT,
    FST_REGEX_PREFIX_SIZE,
    FST_REGEX_FIRST,
    FST_REGEX_SECOND,
    FST_REGEX_ANCHORED,
    FST_REGEX_RUN,
    FST_REGEX_LEAST,
    FST_REGEX_FIXED_AT,
    FST_REGEX_FIXED_LOW,
    FST_REGEX_FIXED_COUNT,
    FST_REGEX_HEAD
};

#endif
