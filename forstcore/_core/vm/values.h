/*
 * values.h: the values that a compiled processor computes with.
 *
 * A value is a cell of 16 bytes: a type and its contents. Values of the record remain text of the
 * line (FST_NUMBER_TEXT to FST_OBJECT_TEXT) until an operation needs more, so values that are only
 * copied are never parsed. New values are allocated in an arena, which is emptied after each
 * record, so no value is freed on its own.
 *
 * An operation returns a status. FST_GIVE_BACK means that it is not certain what Python would do;
 * then the Python function processes the record from the start. So an operation may give up at any
 * time, whatever it has changed; otherwise its result must be exact. If Python would certainly
 * raise an exception, the status says which one, for a handler in the function.
 */
#ifndef FST_VM_VALUES_H
#define FST_VM_VALUES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../forstcore.h"
#include "../marks.h"

typedef enum fst_status {
    FST_NO_MEMORY = -2,
    FST_GIVE_BACK = -1,
    FST_DONE = 0,
    /* The exception that Python would raise. */
    FST_KEY_ERROR,
    FST_INDEX_ERROR,
    FST_VALUE_ERROR,
    FST_TYPE_ERROR,
    FST_ATTRIBUTE_ERROR,
    FST_ZERO_DIVISION,
    FST_JSON_ERROR,
    FST_DECODE_ERROR,
    FST_ENCODE_ERROR,
    FST_BASE64_ERROR,
    FST_DECIMAL_ERROR
} fst_status;

/* Returns from the function if an operation has not succeeded. */
#define FST_TRY(operation) \
    do { \
        const fst_status fst_tried = (operation); \
        if (fst_tried != FST_DONE) \
            return fst_tried; \
    } while (0)

typedef enum fst_type {
    FST_UNSET,          /* no value: an unbound variable, an argument that is not given */
    FST_NONE,
    FST_BOOL,           /* integer: 0 or 1 */
    FST_INT,            /* integer */
    FST_FLOAT,          /* number */
    FST_STR,            /* text, size: UTF-8; flags: see below */
    /* Values of the record, as text of the line. */
    FST_NUMBER_TEXT,    /* text, size */
    FST_STRING_TEXT,    /* text, size: between the quotes; may have escapes or be beyond ASCII */
    FST_ARRAY_TEXT,     /* text, size: including the brackets */
    FST_OBJECT_TEXT,
    /* Made by the program, or constants of it; object points to the data. */
    FST_LIST,           /* fst_list */
    FST_TUPLE,          /* fst_list */
    FST_DICT,           /* fst_dict */
    FST_SET,            /* fst_dict */
    FST_RANGE,          /* fst_range */
    FST_VIEW,           /* fst_dict; flags: the kind of view */
    FST_ITERATOR,       /* fst_iterator */
    FST_PATTERN,        /* fst_pattern: a compiled regular expression */
    FST_MATCH,          /* fst_match */
    FST_DATETIME,       /* fst_datetime */
    FST_DATE,           /* fst_datetime */
    FST_TIMEDELTA,      /* integer: microseconds */
    FST_ZONE,           /* integer: a time zone's offset from UTC, in seconds */
    FST_BYTES,          /* text, size; see bytes.h */
    FST_DIGEST,         /* fst_digest */
    FST_INSTANCE,       /* fst_list: of a class of the user; see instances.h */
    FST_RULES,          /* fst_list: a time zone whose offset changes; see zone_rules.h */
    FST_ZONED,          /* fst_datetime: a time in such a zone */
    FST_BIG,            /* text, size: the words of an integer beyond 64 bits; see big_integers.h */
    FST_DEQUE,          /* fst_deque */
    FST_CLOCK,          /* fst_datetime: a time of day; see clocks.h */
    FST_ADDRESS,        /* integer; see addresses.h */
    FST_NETWORK,        /* integer, size */
    FST_DECIMAL         /* integer, size, exponent; see decimals.h */
} fst_type;

enum {
    /* Flags of FST_STR. */
    FST_ASCII = 1,      /* it is ASCII */
    FST_WIDE = 2,       /* it is not ASCII; unknown if neither flag is set */
    FST_CLEAN = 4,      /* no character needs an escape in JSON */
    /* Flag of FST_TUPLE: a named tuple, whose JSON and repr() differ from those of other tuples. */
    FST_NAMED = 1,
    /* Flag of FST_DECIMAL, and of FST_BIG, there of constants only. */
    FST_NEGATIVE = 8,
    /* Flags of FST_INSTANCE: a method of it decides whether it is true; it is equal to another one of
     * its class if the fields are; so it is ordered. */
    FST_TRUTH_UNKNOWN = 1,
    FST_EQUAL_BY_FIELDS = 2,
    FST_ORDERED_BY_FIELDS = 4,
    /* Flags of FST_VIEW. */
    FST_KEYS = 1,
    FST_VALUES = 2,
    FST_ITEMS = 3
};

typedef struct fst_cell {
    uint8_t type;       /* an fst_type */
    uint8_t flags;
    int16_t exponent;   /* of a decimal */
    uint32_t size;      /* bytes of text */
    union {
        int64_t integer;
        double number;
        const char *text;
        void *object;
    };
} fst_cell;

/* A list or tuple.
 *
 * A frozen list or dict is a constant of the program, or was parsed from text of the record that
 * other cells may refer to. An operation that would change one gives the record back. */
typedef struct fst_list {
    fst_cell *items;
    uint32_t count;
    uint32_t room;
    uint32_t frozen;
} fst_list;

typedef struct fst_deque {
    fst_list list;
    uint32_t most;      /* items; FST_LIST_MOST if there is no other limit */
    uint32_t changes;
} fst_deque;

typedef struct fst_range {
    int64_t start, stop, step;
} fst_range;

/* ---------------------------------------------------------------- memory */

enum {
    FST_ARENA_BLOCK = 1 << 16,          /* bytes of a block, unless more are needed */
    FST_ARENA_MOST = 1 << 26,           /* bytes for one record, after which it is given back */
    FST_ARENA_ALIGN = 16
};

typedef struct fst_block {
    struct fst_block *before;
    size_t size;                        /* bytes after this header */
} fst_block;

typedef struct fst_arena {
    char *at;
    char *end;
    fst_block *block;                   /* the current one */
    size_t total;                       /* bytes of all blocks */
} fst_arena;

struct fst_program;
struct fst_found;
struct fst_frame;

/* The state of a program that runs: one for each stream. */
typedef struct fst_machine {
    const struct fst_program *program;
    const fst_record *record;
    fst_output *output;
    const fst_marks *marks;             /* of the text of the record; NULL for none */
    int complete;                       /* whether the text of its objects is known */
    int plain;                          /* whether all is ASCII without escapes; -1 if unknown */
    fst_cell *registers;
    uint64_t shape;                     /* of the last record */
    struct fst_found *found;            /* where the values at the program's paths are in that */
    fst_arena arena;
    struct fst_frame *frame;            /* of the function that runs; see frames.h */
    struct fst_frame *unused_frames;
    int stopped_at;                     /* the instruction that gave the last record back, or -1 */
    fst_status stopped_with;            /* and its status */
    int wrote_dates;                    /* whether results have dates so far */
    int refuses_dates;                  /* whether a date in a result gives the record back */
    int other_context;                  /* whether decimals are computed in another context */
    int64_t fuel;                       /* steps left before the record is given back */
} fst_machine;

/* ---------------------------------------------------------------- making values */

static inline fst_cell
fst_unset(void)
{
    fst_cell cell = {FST_UNSET, 0, 0, 0, {0}};
    return cell;
}

static inline fst_cell
fst_none(void)
{
    fst_cell cell = {FST_NONE, 0, 0, 0, {0}};
    return cell;
}

static inline fst_cell
fst_given_or_none(const fst_cell *argument)
{
    return argument->type == FST_UNSET ? fst_none() : *argument;
}

static inline fst_cell
fst_bool(int value)
{
    fst_cell cell = {FST_BOOL, 0, 0, 0, {0}};
    cell.integer = value != 0;
    return cell;
}

static inline fst_cell
fst_int(int64_t value)
{
    fst_cell cell = {FST_INT, 0, 0, 0, {0}};
    cell.integer = value;
    return cell;
}

static inline fst_cell
fst_float(double value)
{
    fst_cell cell = {FST_FLOAT, 0, 0, 0, {0}};
    cell.number = value;
    return cell;
}

static inline fst_cell
fst_str(const char *text, size_t size, int flags)
{
    fst_cell cell = {FST_STR, 0, 0, 0, {0}};
    cell.flags = (uint8_t)flags;
    cell.size = (uint32_t)size;
    cell.text = text;
    return cell;
}

/* An integer beyond 64 bits, of the words of its magnitude: the lowest first, each in little-endian
 * order, without zeros at the top. */
static inline fst_cell
fst_big_integer(const char *words, size_t count, int negative)
{
    fst_cell cell = fst_str(words, count, negative ? FST_NEGATIVE : 0);
    cell.type = FST_BIG;
    return cell;
}

static inline fst_cell
fst_object(fst_type type, void *object)
{
    fst_cell cell = {FST_UNSET, 0, 0, 0, {0}};
    cell.type = (uint8_t)type;
    cell.object = object;
    return cell;
}

/* ---------------------------------------------------------------- reading values */

/* Whether a string of the record is ASCII without escapes. */
static inline int
fst_is_plain_string(fst_machine *machine, const fst_value *value)
{
    if (machine->marks == NULL)
        return value->plain;
    if (machine->plain < 0)
        machine->plain = machine->marks->plain
                         || fst_are_plain_blocks(
                             machine->marks, (const uint8_t *)machine->record->text.start,
                             machine->record->text.size);
    return machine->plain
           || fst_is_plain_text(
               machine->marks, (const uint8_t *)value->text.start, value->text.size);
}

/* The value of the record as a cell; FST_UNSET where it is absent. */
static inline fst_cell
fst_cell_of(fst_machine *machine, const fst_value *value)
{
    static const uint8_t types[] = {
        [FST_ABSENT] = FST_UNSET,           [FST_NULL] = FST_NONE,
        [FST_FALSE] = FST_BOOL,             [FST_TRUE] = FST_BOOL,
        [FST_NUMBER] = FST_NUMBER_TEXT,     [FST_STRING] = FST_STRING_TEXT,
        [FST_ARRAY] = FST_ARRAY_TEXT,       [FST_OBJECT] = FST_OBJECT_TEXT,
    };
    fst_cell cell = {FST_UNSET, 0, 0, 0, {0}};
    cell.type = types[value->kind];
    cell.size = (uint32_t)value->text.size;
    cell.text = value->text.start;
    if (cell.type == FST_STRING_TEXT && fst_is_plain_string(machine, value)) {
        cell.type = FST_STR;
        cell.flags = FST_ASCII | FST_CLEAN;
    } else if (cell.type == FST_BOOL) {
        cell.integer = value->kind == FST_TRUE;
    }
    return cell;
}

/* Whether a str is ASCII; sets its flag. */
static inline int
fst_is_ascii(fst_cell *str)
{
    if (!(str->flags & (FST_ASCII | FST_WIDE))) {
        const char *at = str->text, *end = at + str->size;
        uint64_t bits = 0;
        for (; end - at >= 8; at += 8)
            bits |= fst_load_eight(at);
        for (; at < end; at++)
            bits |= (uint64_t)(unsigned char)*at << 56;
        str->flags |= bits & 0x8080808080808080u ? FST_WIDE : FST_ASCII;
    }
    return str->flags & FST_ASCII;
}

/* ---------------------------------------------------------------- functions */

/* A function or method that programs call. `arguments` has a cell for each parameter, FST_UNSET
 * for those that are not given; the first argument of a method is its object. The function may
 * settle them in place, but must not change them otherwise: constants among them are there for all
 * records. It writes its result to `to`, which is none of them. */
typedef fst_status (*fst_native)(fst_machine *machine, fst_cell *to, fst_cell *arguments);

/* Each file lists its functions as X(name, parameters, function). The name of a method starts with
 * a dot, and that of a module's function with the module ("math.floor"); all others are builtins.
 * `parameters` has Python's names of the parameters, separated by commas. An optional one ends with
 * '?', and those after '*' are keyword-only:
 *
 *     #define FST_STRING_FUNCTIONS(X) \
 *         X(".split", "self,sep?,maxsplit?", fst_str_split) \
 *         X("len", "obj", fst_len)
 *
 * One function implements a method for all types that have it: ".count" is for strings and lists.
 * For any other type it returns FST_GIVE_BACK. */

#endif
