/*
 * forstcore.h: native processors.
 *
 * A native processor is a C function that receives a record and writes results. It runs in the
 * compiled loop, without the GIL, on bytes that have been validated: a JSON object in UTF-8. An
 * extension module exports it as a capsule:
 *
 *     static const fst_processor shout = {FST_ABI, sizeof(fst_processor), "shout", NULL, NULL,
 *                                         process};
 *     PyCapsule_New((void *)&shout, FST_CAPSULE, NULL);
 *
 * and Python passes the capsule to RecordStream(processor=...) or forstcore.processor(...).
 *
 * Everything here is plain C11 or C++11 and needs neither Python.h nor a library. New members are
 * only added at the end of structs. FST_ABI is the version of this header: the core runs processors
 * that were built with its own version or an older one, and refuses newer ones, which may call
 * functions that it lacks.
 */
#ifndef FORSTCORE_H
#define FORSTCORE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "forstcore_numbers.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FST_ABI 2
#define FST_CAPSULE "forstcore.processor"

enum {
    FST_MEMBERS = 32,   /* most members in `fst_record.members`; fst_find searches for others */
    FST_MESSAGE = 120   /* most bytes of the message of fst_fail, including its NUL */
};

typedef struct fst_span {
    const char *start;
    ptrdiff_t size;     /* bytes */
} fst_span;

typedef enum fst_kind {
    FST_ABSENT,
    FST_NULL,
    FST_FALSE,
    FST_TRUE,
    FST_NUMBER,
    FST_STRING,
    FST_ARRAY,
    FST_OBJECT
} fst_kind;

/* A JSON value as it is in the input; for a string, the bytes between the quotes, not unescaped. */
typedef struct fst_value {
    fst_span text;
    fst_kind kind;
    int plain;          /* whether it is an ASCII string without escapes */
} fst_value;

typedef struct fst_member {
    fst_span name;      /* the bytes between the quotes, not unescaped */
    fst_value value;
    int plain;          /* whether the name is ASCII without escapes */
} fst_member;

struct fst_record;

/*
 * The path of a nested value: names separated by dots, as in filters, and [N] for an element of an
 * array, counted from 0: "response.status", "items[2].price". A path remembers where its value was
 * in the last record, so each state needs its own. For names that contain a dot or a bracket, use
 * fst_get.
 */
typedef struct fst_path {
    const char *text;   /* ends with a NUL */
    uint64_t shape;     /* of the last record, 0 for none; set by the core */
    int place;          /* index of the value in the `values` of records of that shape */
} fst_path;

/* The members of an object, or the elements of an array, that fst_next has not returned yet. */
typedef struct fst_items {
    const struct fst_record *record;
    const char *at;     /* the byte before the next item, NULL at the end */
    int named;          /* whether they are members */
} fst_items;

struct fst_output;

/* Functions of the core that the inline functions below call. */
typedef struct fst_calls {
    int (*find)(const struct fst_record *record, const char *name, ptrdiff_t size,
                fst_value *value);
    ptrdiff_t (*unescape)(char *to, const char *from, ptrdiff_t size);
    /* From version 2 of this header on. */
    void (*put_canonical)(const struct fst_record *record, struct fst_output *out,
                          const fst_value *value);
    void (*find_path)(const struct fst_record *record, fst_path *path, fst_value *value);
    void (*get)(const struct fst_record *record, const fst_value *object, const char *name,
                ptrdiff_t size, fst_value *value);
    int (*next)(fst_items *items, fst_member *item);
    int (*unescapes_to)(const fst_span *string, const char *text, ptrdiff_t size);
} fst_calls;

typedef struct fst_record {
    fst_span text;              /* from '{' to '}' */
    int64_t line;               /* number of the input line, counted from 1 */
    const fst_member *members;  /* the first `count` ones, in the order of the input */
    int count;
    int more;                   /* whether the record has more members than these */
    const fst_calls *calls;
    uint64_t shape;             /* equal for records that differ only in values; 0: none */
    const fst_value *values;    /* all values, including nested ones, if there is a shape */
} fst_record;

/* Where results go. Write to it only with the functions below. */
typedef struct fst_output {
    char *at;                   /* the next byte */
    char *end;                  /* end of the buffer */
    char *line;                 /* start of the result that is being written */
    char *first;                /* start of the first result of this record */
    int64_t results;            /* of this record */
    int (*grow)(struct fst_output *out, ptrdiff_t size);
    void *owner;
    int failed;                 /* no memory */
    char message[FST_MESSAGE];
} fst_output;

enum { FST_OK = 0, FST_FAILED = -1 };

/*
 * A processor. `process` returns FST_OK, or the result of fst_fail. It writes any number of
 * results; without a result, the record is dropped. Its `state` is what `create` has returned. A
 * state belongs to one stream, or to one batch of a stream that several workers share, and is used
 * by one thread at a time. Use it for buffers and caches, not to carry data from one record to
 * another.
 *
 * `process` must not block: cheap records are processed in the event loop of the server.
 */
typedef struct fst_processor {
    int abi;                    /* FST_ABI, the version of this header */
    size_t size;                /* sizeof(fst_processor) */
    const char *name;
    void *(*create)(void);      /* NULL if there is no state; returns NULL if out of memory */
    void (*destroy)(void *state);
    int (*process)(void *state, const fst_record *record, fst_output *out);
} fst_processor;

/* ---------------------------------------------------------------- reading */

/*
 * Returns the value of the member with that name, which is compared after unescaping, or a value of
 * kind FST_ABSENT. If several members have the name, the last one counts, as in all of forstcore.
 */
static inline fst_value
fst_find(const fst_record *record, const char *name, ptrdiff_t size)
{
    fst_value value = {{NULL, 0}, FST_ABSENT, 0};
    const fst_member *member = record->members + record->count;
    if (record->more) {
        record->calls->find(record, name, size, &value);
        return value;
    }
    while (member != record->members) {
        member--;
        if (member->name.size == size && memcmp(member->name.start, name, (size_t)size) == 0)
            return member->value;
        if (!member->plain && member->name.size > size) {
            /* It may contain escapes, which are longer than the characters they stand for. */
            record->calls->find(record, name, size, &value);
            return value;
        }
    }
    return value;
}

/* fst_find for a string literal. */
#define FST_FIND(record, literal) fst_find((record), "" literal, (ptrdiff_t)sizeof(literal) - 1)

/* Returns whether the value is a string with that text, after unescaping. */
static inline int
fst_is(const fst_record *record, fst_value value, const char *text)
{
    ptrdiff_t size = (ptrdiff_t)strlen(text);
    if (value.kind != FST_STRING || value.text.size < size)
        return 0;
    if (value.plain)
        return value.text.size == size && memcmp(value.text.start, text, (size_t)size) == 0;
    return record->calls->unescapes_to(&value.text, text, size);
}

/* Returns whether the string contains escapes, so that its text differs from its bytes. */
static inline int
fst_is_escaped(fst_value value)
{
    return value.kind == FST_STRING && !value.plain
           && memchr(value.text.start, '\\', (size_t)value.text.size) != NULL;
}

/* Writes the unescaped text of a string to `to`, which must have room for value.text.size bytes;
 * returns its size. */
static inline ptrdiff_t
fst_text(const fst_record *record, fst_value value, char *to)
{
    return record->calls->unescape(to, value.text.start, value.text.size);
}

/* Reads a number that has neither fraction nor exponent and fits into 64 bits; returns whether the
 * value is one. */
static inline int
fst_integer(fst_value value, int64_t *to)
{
    return value.kind == FST_NUMBER && fst_read_integer(value.text.start, value.text.size, to);
}

/* Reads a number as the nearest double; returns whether the value is a number. */
static inline int
fst_number(fst_value value, double *to)
{
    if (value.kind != FST_NUMBER)
        return 0;
    *to = fst_read_number(value.text.start, value.text.size);
    return 1;
}

#include "forstcore_nested.h"

/* ---------------------------------------------------------------- writing */

/* Makes room for `size` bytes; returns 0 if out of memory. */
static inline int
fst_room(fst_output *out, ptrdiff_t size)
{
    return out->end - out->at >= size || out->grow(out, size) == 0;
}

/* Writes bytes unchanged: parts of JSON, in UTF-8 and without LF. */
static inline void
fst_put(fst_output *out, const char *bytes, ptrdiff_t size)
{
    char *at;
    /* An absent value has no bytes; memcpy from NULL is undefined even for none. */
    if (size <= 0 || !fst_room(out, size))
        return;
    /* After the copy, the compiler would have to load out->at again. */
    at = out->at;
    memcpy(at, bytes, (size_t)size);
    out->at = at + size;
}

/* fst_put for a literal. */
#define FST_PUT(out, literal) fst_put((out), "" literal, (ptrdiff_t)sizeof(literal) - 1)

/* memcpy for values, without a call if they are short. Their sizes are unpredictable, so each
 * branch serves many sizes by copying pieces that overlap. */
static inline void
fst_copy(char *to, const char *from, ptrdiff_t size)
{
    ptrdiff_t last = size - 16;
#define FST_COPY(at) memcpy(to + (at), from + (at), 16)
#define FST_COPY_UP_TO_LAST(at) FST_COPY((at) < last ? (at) : last)
#define FST_COPY_EIGHT(at) memcpy(to + (at), from + (at), 8)
    if (size > 128) {
        memcpy(to, from, (size_t)size);
    } else if (size > 32) {
        FST_COPY(0);
        FST_COPY(16);
        FST_COPY_UP_TO_LAST(32);
        FST_COPY_UP_TO_LAST(48);
        FST_COPY_UP_TO_LAST(64);
        FST_COPY_UP_TO_LAST(80);
        FST_COPY_UP_TO_LAST(96);
        FST_COPY(last);
    } else if (size >= 8) {
        last = size - 8;
        FST_COPY_EIGHT(0);
        FST_COPY_EIGHT(last < 8 ? last : 8);
        FST_COPY_EIGHT(last < 8 ? 0 : last - 8);
        FST_COPY_EIGHT(last);
    } else if (size >= 4) {
        memcpy(to, from, 4);
        memcpy(to + size - 4, from + size - 4, 4);
    } else {
        for (last = 0; last < size; last++)
            to[last] = from[last];
    }
#undef FST_COPY_EIGHT
#undef FST_COPY_UP_TO_LAST
#undef FST_COPY
}

/* Writes the bytes between the quotes of a string, or any other value, unchanged. */
static inline void
fst_put_raw(fst_output *out, fst_value value)
{
    char *at;
    if (value.text.size <= 0 || !fst_room(out, value.text.size))
        return;
    at = out->at;
    fst_copy(at, value.text.start, value.text.size);
    out->at = at + value.text.size;
}

/* Writes a value unchanged, a string with its quotes; null if it is absent. */
static inline void
fst_put_value(fst_output *out, fst_value value)
{
    if (value.kind == FST_ABSENT) {
        FST_PUT(out, "null");
    } else if (value.kind != FST_STRING) {
        fst_put_raw(out, value);
    } else if (fst_room(out, value.text.size + 2)) {
        char *at = out->at;
        *at++ = '"';
        fst_copy(at, value.text.start, value.text.size);
        at += value.text.size;
        *at++ = '"';
        out->at = at;
    }
}

/* Writes UTF-8 text as the inside of a JSON string, with the necessary escapes. */
static inline void
fst_put_escaped(fst_output *out, const char *text, ptrdiff_t size)
{
    static const char digits[] = "0123456789abcdef";
    const char *end = text + size;
    if (size > PTRDIFF_MAX / 6 || !fst_room(out, size * 6))
        return;
    for (; text < end; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            *out->at++ = '\\';
            *out->at++ = (char)c;
        } else if (c >= 0x20) {
            *out->at++ = (char)c;
        } else {
            memcpy(out->at, "\\u00", 4);
            out->at[4] = digits[c >> 4];
            out->at[5] = digits[c & 15];
            out->at += 6;
        }
    }
}

/* Writes UTF-8 text as a JSON string. */
static inline void
fst_put_string(fst_output *out, const char *text, ptrdiff_t size)
{
    FST_PUT(out, "\"");
    fst_put_escaped(out, text, size);
    FST_PUT(out, "\"");
}

static inline void
fst_put_integer(fst_output *out, int64_t number)
{
    if (fst_room(out, FST_INTEGER_ROOM))
        out->at = fst_write_integer(out->at, number);
}

/* Writes a number as Python does, with the fewest digits that read back as the same double: 0.1,
 * 212.0, 1e-05. Writes null for NaN and infinities. */
static inline void
fst_put_number(fst_output *out, double number)
{
    if (number != number || number - number != 0)
        FST_PUT(out, "null");
    else if (fst_room(out, FST_NUMBER_ROOM))
        out->at = fst_write_number(out->at, number);
}

/* Writes a value of this record as a Python processor would write it: without white space, with
 * only the necessary escapes, and with numbers as Python writes them. If several members have one
 * name, the last value is written in the place of the first. Writes null for an absent value. */
static inline void
fst_put_canonical(const fst_record *record, fst_output *out, fst_value value)
{
    if (value.kind == FST_NUMBER) {
        if (fst_room(out, value.text.size + FST_NUMBER_ROOM))
            out->at = fst_write_normalized(out->at, value.text.start, value.text.size);
    } else if (value.kind > FST_NUMBER && !value.plain) {
        record->calls->put_canonical(record, out, &value);
    } else {
        fst_put_value(out, value);
    }
}

/* Ends a result, which must be one JSON value without line ends. Only its first byte is checked: a
 * result that starts with ':' would look like a control line, so the record fails as if by
 * fst_fail. With line ends in a result, clients could not tell results from error lines. */
static inline void
fst_end(fst_output *out)
{
    FST_PUT(out, "\n");
    /* `process` returning with an unfinished result is an error, so leave this one unfinished. */
    if (out->line < out->at && *out->line == ':')
        return;
    out->line = out->at;
    out->results++;
}

/* Rejects the record: its results are dropped, and an error line with the code processor_failed has
 * the message. Return its value: `return fst_fail(out, "no price");` */
static inline int
fst_fail(fst_output *out, const char *message)
{
    size_t size = strlen(message);
    size = size < FST_MESSAGE ? size : FST_MESSAGE - 1;
    memcpy(out->message, message, size);
    out->message[size] = '\0';
    return FST_FAILED;
}

#ifdef __cplusplus
}
#endif

#endif
