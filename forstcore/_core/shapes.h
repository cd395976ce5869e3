/* The shapes of records, and reading records that have them.
 *
 * A gap is what stands between two values: the end of one member, perhaps braces, the name of the
 * next. Records of one source differ in their values, and the gaps come again and again. Each is
 * parsed once (shapes.pyx) and kept with what it means; here it is only compared.
 *
 * Values are strings, numbers, literals and whole arrays. Objects are part of the gaps: the members
 * of nested objects are found like those of the record itself. Each path of names has a node,
 * whatever the order in which members come and whether all of them do.
 */
#ifndef FORSTCORE_SHAPES_H
#define FORSTCORE_SHAPES_H

#include "forstcore.h"
#include "marks.h"
#include "scan_values.h"

enum {
    FST_START = 0,              /* the node of no value: it stands before and behind a record */
    FST_RECORD = 1,             /* the node of the record itself */
    FST_GAP_BYTES = 80,         /* of a gap that can be kept */
    FST_GAP_EVENTS = 8,
    FST_MOST_NODES = 1024,
    FST_MOST_GAPS = 512,        /* of a record */
    FST_MOST_NESTED = 128,      /* containers inside each other, in a value */
    FST_BEHIND = 64,            /* bytes that must be readable behind a line, for vectors */
    FST_FLAT_VALUES = 8,        /* of a flat record */
    FST_PIECE_BYTES = 32,
    FST_FLAT_WINDOW = 8192      /* bytes whose stops are found at once, ahead of the reader */
};

enum {
    FST_OPENS,                  /* the brace that begins an object */
    FST_CLOSES,                 /* the brace that ends one */
    FST_BEGINS                  /* the first byte of a value */
};

/* What happens within a gap. */
typedef struct fst_event {
    uint8_t kind;
    uint8_t at;                 /* bytes from the start of the gap to the brace or the value */
    uint8_t name_at;            /* and to the name, between its quotes */
    uint8_t name_size;
    uint8_t plain;              /* whether the name is ASCII without escapes */
    uint8_t top;                /* whether it is a member of the record itself */
    uint16_t node;              /* whose value it is */
} fst_event;

typedef struct fst_gap {
    uint8_t text[FST_GAP_BYTES];    /* first, where it is aligned */
    struct fst_gap *then;       /* the gap that came last behind the value that this one precedes */
    struct fst_gap *next;       /* another one that has been seen behind the same value */
    fst_value *value;           /* what comes behind it; NULL for the end of a line */
    uint32_t mask;              /* of its text, for fst_is_text */
    uint16_t target;            /* the node of the value */
    uint8_t size;               /* bytes */
    uint8_t marks;              /* quotes within, and the LF */
    uint8_t first_mark;         /* bytes from its start to the first of them */
    uint8_t event_count;
    uint8_t takes_object;       /* whether an object behind it is taken as one value */
    fst_event events[FST_GAP_EVENTS];
} fst_gap;

/* The text before a string of a flat record, or after the last one, quotes included. */
typedef struct fst_piece {
    uint8_t text[FST_PIECE_BYTES];
    uint32_t mask;              /* for fst_is_text */
    int size;                   /* bytes */
    fst_value *value;           /* the string; NULL behind the last one */
} fst_piece;

/* The flat record that is expected; see flat.h. */
typedef struct fst_flat {
    int count;                  /* strings; 0 if none is expected */
    int read;                   /* records that have been read and not been counted yet */
    const uint8_t *start;       /* of the bytes whose stops have been found */
    size_t noted;               /* how many these are */
    int before, behind;         /* bytes of the line around the braces */
    fst_piece pieces[FST_FLAT_VALUES + 1];
    fst_member members[FST_FLAT_VALUES];
    /* A bit for each byte that is not plain, see stops.h; behind them, any string ends. */
    uint64_t stops[FST_FLAT_WINDOW / 64 + 2];
} fst_flat;

struct fst_reader;

/* Finds or learns the gap at `p` that follows the value of the one before; NULL if there can be
 * none. `mark` is the number of the first mark from there on, `lf` the end of the line. */
typedef fst_gap *(*fst_find_gap)(struct fst_reader *reader, const fst_gap *before,
                                 const uint8_t *p, const uint8_t *lf, int mark);

/* Reads the lines of a buffer, one after the other.
 *
 * The gaps of a record are expected in the next one as well. As long as that has the same gaps,
 * which is usual, its values overwrite the previous ones. At the first gap that differs, the
 * remaining values become absent, and from there on each member is checked for duplicates. */
typedef struct fst_reader {
    fst_find_gap find;
    int is_usual;               /* whether the record has had the expected gaps so far */
    int mark, line;             /* numbers of the first mark and of the end of the next line */
    const uint8_t *end;         /* of the line that has been read, its LF included */
    const uint8_t *record_end;  /* behind the brace that ends the record */
    fst_flat flat;
    fst_gap start;              /* stands for the end of the line before */
    fst_gap none;               /* a gap that is nowhere */
    fst_gap *gaps[FST_MOST_GAPS];   /* up to the end of a line; then nothing is sure */
    fst_value values[FST_MOST_NODES]; /* of the nodes; FST_ABSENT where the record has none */
    fst_marks marks;
} fst_reader;

FST_INLINE void fst_begin_reader(fst_reader *reader, fst_find_gap find)
{
    reader->find = find;
    memset(&reader->start, 0, sizeof reader->start);
    memset(&reader->none, 0xff, sizeof reader->none);   /* no valid text has such bytes */
    reader->none.size = 1;
    reader->none.takes_object = 0;
    reader->start.then = reader->gaps[0] = &reader->none;
    reader->is_usual = 0;
    reader->flat.count = 0;
    reader->flat.noted = 0;
}

/* Copy a value part by part, as it has just been written: loading it as one vector would stall
 * until all of these writes have reached memory. */
FST_INLINE void fst_copy_value(fst_value *to, const fst_value *from)
{
    const char *start = from->text.start;
    ptrdiff_t size = from->text.size;
    FST_KEEP(start);
    FST_KEEP(size);
    to->text.start = start;
    to->text.size = size;
    to->kind = from->kind;
    to->plain = from->plain;
}

/* Make those values absent that begin in a gap. */
FST_INLINE void fst_forget_gap(fst_reader *reader, const fst_gap *gap)
{
    static const fst_value absent = {{NULL, 0}, FST_ABSENT, 0};
    int i;
    for (i = 0; i < gap->event_count; i++)
        if (gap->events[i].kind != FST_CLOSES)
            reader->values[gap->events[i].node] = absent;
}

/* A place in the line, NULL for none, and the mark behind the next quote from there on. */
typedef struct fst_position {
    const uint8_t *p;
    const uint16_t *at;
} fst_position;

/* The end of the array or object at `p`; NULL if it is invalid, has a number that has to be looked
 * at elsewhere, or is nested too deep. `at` is the mark behind the next quote. */
FST_NOINLINE FST_ALIGNED fst_position
fst_container_end(const uint8_t *start, const uint8_t *p, const uint16_t *at)
{
    uint8_t closers[FST_MOST_NESTED];
    int depth = 0;
    const fst_position none = {NULL, NULL};
    for (;;) {
        const uint8_t c = *p;
        if (c == '"') {
            p = start + *at + 1;
            at += 2;
        } else if (c == '{' || c == '[') {
            if (depth == FST_MOST_NESTED)
                return none;
            closers[depth] = c + 2;     /* in ASCII, both brackets close two codes later */
            p = fst_after_space(p + 1);
            if (*p != c + 2) {
                depth++;
                if (c == '{')
                    goto name;
                continue;
            }
            p++;
        } else if (c == 't' || c == 'f' || c == 'n') {
            p = fst_literal_end(p);
        } else {
            p = fst_number_end(p, 1);
        }
        if (p == NULL)
            return none;
        for (;;) {
            if (depth == 0) {
                const fst_position end = {p, at};
                return end;
            }
            p = fst_after_space(p);
            if (*p == ',') {
                p = fst_after_space(p + 1);
                if (closers[depth - 1] == ']')
                    break;
            name:
                if (*p != '"')
                    return none;
                p = fst_after_space(start + *at + 1);
                at += 2;
                if (*p != ':')
                    return none;
                p = fst_after_space(p + 1);
                break;
            }
            if (*p != closers[depth - 1])
                return none;
            depth--;
            p++;
        }
    }
}

/* Read the string whose quotes are at `p` and `end`; return the place behind it. */
FST_INLINE const uint8_t *fst_read_string(const uint8_t *p, const uint8_t *end, fst_value *value)
{
    value->kind = FST_STRING;
    value->text.start = (const char *)p + 1;
    value->text.size = end - p - 1;
    return end + 1;
}

/* Read the number or literal at `p`; return its end, NULL if it is none of these. */
FST_INLINE const uint8_t *fst_read_scalar(const uint8_t *p, fst_value *value)
{
    const uint8_t *end;
    if (*p == 't' || *p == 'f' || *p == 'n') {
        value->kind = fst_literal_kind(*p);
        end = fst_literal_end(p);
    } else {
        value->kind = FST_NUMBER;
        end = fst_number_end(p, 0);
    }
    value->text.start = (const char *)p;
    value->text.size = end - p;
    return end;
}

/* Read the number or literal that is expected in [p, end); return whether it is in usual form. */
FST_INLINE int fst_read_expected(const uint8_t *p, const uint8_t *end, fst_value *value)
{
    value->text.start = (const char *)p;
    value->text.size = end - p;
    if (*p <= '9') {
        value->kind = FST_NUMBER;
        return fst_is_usual_number(p, end - p);
    }
    value->kind = fst_literal_kind(*p);
    return fst_literal_end(p) == end;
}

/* As fst_container_end, for an array of strings without spaces; NULL if the array is of another
 * kind. */
FST_INLINE fst_position
fst_string_array_end(const uint8_t *start, const uint8_t *p, const uint16_t *at)
{
    const fst_position none = {NULL, NULL};
    fst_position end = {p + 2, at};
    if (p[0] != '[')
        return none;
    if (p[1] == ']')
        return end;
    for (end.p = p + 1; *end.p == '"'; end.p++) {
        end.p = start + *end.at + 1;
        end.at += 2;
        if (*end.p == ']') {
            end.p++;
            return end;
        }
        if (*end.p != ',')
            break;
    }
    return none;
}

/* Read the array or object at `here`; return the place behind it. */
FST_NOINLINE fst_position
fst_read_container(const uint8_t *start, fst_position here, fst_value *value)
{
    const uint8_t *p = here.p;
    fst_position end = fst_string_array_end(start, p, here.at);
    if (end.p == NULL)
        end = fst_container_end(start, p, here.at);
    value->kind = *p == '[' ? FST_ARRAY : FST_OBJECT;
    value->text.start = (const char *)p;
    value->text.size = end.p - p;
    return end;
}

/* End the record with the gap at `p`; return whether the line ends there, too. */
FST_INLINE int
fst_end_record(fst_reader *reader, const fst_gap *gap, const uint8_t *p, const uint8_t *lf)
{
    reader->end = p + gap->size;
    reader->record_end = p + gap->events[gap->event_count - 1].at + 1;
    return reader->end == lf + 1;
}

/* Whether a gap, and no longer one, is at `p`. */
FST_INLINE int fst_is_gap(const fst_gap *gap, const uint8_t *p)
{
    return fst_is_text(p, gap->text, gap->size, gap->mask)
           && (p[gap->size] != '{' || gap->takes_object);
}

/* Take the events of a gap; return whether all its members are new in the record. */
FST_INLINE int fst_take_events(fst_reader *reader, const fst_gap *gap)
{
    int i;
    for (i = 0; i < gap->event_count; i++) {
        fst_value *value = &reader->values[gap->events[i].node];
        if (gap->events[i].kind == FST_CLOSES)
            continue;
        if (value->kind != FST_ABSENT)
            return 0;
        value->kind = FST_OBJECT;
    }
    return 1;
}

/* Read on from `here`, where gap number `count` of the record is not the one expected. */
FST_NOINLINE int
fst_read_unexpected(fst_reader *reader, int count, fst_position here, const uint8_t *lf)
{
    const uint8_t *start = reader->marks.start;
    fst_gap **gaps = reader->gaps, *gap;
    int i = count;
    reader->flat.count = 0;
    /* The members that were expected from here on are not there. */
    while (reader->is_usual) {
        fst_forget_gap(reader, gaps[i]);
        reader->is_usual = gaps[i++]->value != NULL;
    }
    for (; count + 1 < FST_MOST_GAPS; count++) {
        fst_gap *before = count ? gaps[count - 1] : &reader->start;
        gap = before->then;
        if (!fst_is_gap(gap, here.p)) {
            gap = reader->find(reader, before, here.p, lf,
                               (int)(here.at - 1 - reader->marks.at));
            if (gap == NULL)
                break;
            before->then = gap;
        }
        gaps[count] = gap;
        if (!fst_take_events(reader, gap)) {
            count++;
            break;
        }
        if (gap->value == NULL) {
            reader->is_usual = 1;
            return fst_end_record(reader, gap, here.p, lf);
        }
        here.p += gap->size;
        here.at += gap->marks;
        if (*here.p == '"') {
            here.p = fst_read_string(here.p, start + *here.at, gap->value);
            here.at += 2;
        } else if (*here.p == '[' || *here.p == '{') {
            here = fst_read_container(start, here, gap->value);
        } else {
            here.p = fst_read_scalar(here.p, gap->value);
        }
        if (here.p == NULL) {
            count++;
            break;
        }
    }
    /* The next record begins without expectations. */
    while (count > 0)
        fst_forget_gap(reader, gaps[--count]);
    gaps[0] = &reader->none;
    return 0;
}

#define FST_READ_VALUES fst_read_values
#define FST_IS_TEXT fst_is_text
#define FST_TARGET
#include "read_values.h"

#if defined(FST_X86)
#define FST_READ_VALUES fst_read_values_avx2
#define FST_IS_TEXT fst_is_text_avx2
#define FST_TARGET FST_TARGET_AVX2
#include "read_values.h"

#define FST_READ_VALUES fst_read_values_avx512
#define FST_IS_TEXT fst_is_text_avx2
#define FST_TARGET FST_TARGET_AVX512
#include "read_values.h"
#endif

/* Read the record in the line [p, lf), which is marked; return whether that succeeded. If not, the
 * line may still be valid. */
FST_INLINE int
fst_read_record(fst_reader *reader, const uint8_t *p, const uint8_t *lf, int path)
{
    /* A string that does not end in this line makes it invalid. */
    if (!FST_LIKELY(!((reader->marks.ends[reader->line] - reader->mark) & 1)))
        return 0;
#if defined(FST_X86)
    if (path == FST_AVX512)
        return fst_read_values_avx512(reader, p, lf);
    if (path == FST_AVX2)
        return fst_read_values_avx2(reader, p, lf);
#else
    (void)path;
#endif
    return fst_read_values(reader, p, lf);
}

#endif
