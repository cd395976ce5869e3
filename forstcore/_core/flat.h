/* Flat records: objects of a few plain strings and nothing else, which come one after the other.
 *
 * Marks and gaps are made for records of any shape. Where the records before had the same names and
 * only plain strings, as in {"id":"...","data":"..."}, less is needed: a bit for each byte that is
 * not plain (see stops.h). A string ends at the next one, and behind it the piece of text between
 * two strings has to be the one that is expected.
 *
 * What is read so is what shapes.h would read: values and gaps are the same.
 */
#ifndef FORSTCORE_FLAT_H
#define FORSTCORE_FLAT_H

#include "shapes.h"
#include "stops.h"

/* Add a piece to the flat record, from the gap that it contains; return whether it fits. */
FST_INLINE int fst_add_piece(fst_flat *flat, const fst_gap *gap)
{
    fst_piece *piece = &flat->pieces[flat->count];
    const fst_event *event = &gap->events[gap->event_count - 1];
    const int is_first = flat->count == 0, is_last = gap->value == NULL;
    const int size = gap->size + !is_first + !is_last;
    if (gap->event_count != 1 + is_first || size > FST_PIECE_BYTES
        || (!is_last && gap->value->kind != FST_STRING))
        return 0;
    memset(piece, 0, sizeof *piece);
    piece->text[0] = piece->text[size - 1] = '"';
    memcpy(piece->text + !is_first, gap->text, gap->size);
    piece->size = size;
    piece->mask = fst_text_mask(size);
    piece->value = gap->value;
    if (is_first)
        flat->before = gap->events[0].at;
    if (is_last) {
        flat->behind = gap->size - event->at - 1;
    } else {
        fst_member *member = &flat->members[flat->count];
        member->name.start = (const char *)piece->text + !is_first + event->name_at;
        member->name.size = event->name_size;
        member->plain = event->plain;
        member->value.kind = FST_STRING;
        member->value.plain = 1;
    }
    return 1;
}

/* Expect records like the last one, if it is flat; return whether it is. */
FST_NOINLINE int fst_begin_flat(fst_reader *reader)
{
    fst_flat *flat = &reader->flat;
    const fst_gap *gap;
    flat->count = flat->read = 0;
    flat->noted = 0;
    while (flat->count <= FST_FLAT_VALUES) {
        gap = reader->gaps[flat->count];
        if (!fst_add_piece(flat, gap))
            break;
        if (gap->value == NULL)
            return flat->count > 0;
        flat->count++;
    }
    flat->count = 0;
    return 0;
}

/* Find the stops that follow `p`, where a line starts. */
FST_INLINE void
fst_note_flat(fst_reader *reader, const uint8_t *p, const uint8_t *limit, int path)
{
    fst_flat *flat = &reader->flat;
    /* Pieces are compared from there on. */
    const ptrdiff_t room = limit - p - FST_PIECE_BYTES;
    const uint8_t *end = p + (room < FST_FLAT_WINDOW ? room : FST_FLAT_WINDOW);
    int i;
    reader->marks.plain = 1;
    flat->start = p;
    flat->noted = (size_t)(fst_note_stops(flat->stops, p, end, path) - p);
    flat->stops[flat->noted / 64] = flat->stops[flat->noted / 64 + 1] = ~(uint64_t)0;
    for (i = 0; i < flat->count; i++) {
        flat->pieces[i].value->kind = FST_STRING;
        flat->pieces[i].value->plain = 1;
    }
}

/* As fst_is_text; most pieces are short. */
FST_INLINE int fst_is_piece(const uint8_t *p, const fst_piece *piece)
{
#if defined(FST_X86)
    unsigned same = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(fst_load(p), fst_load(piece->text)));
    if (FST_LIKELY(piece->size <= 16))
        return !(~same & piece->mask);
#endif
    return fst_is_text(p, piece->text, piece->size, piece->mask);
}

/* Write a span as it will be read: both parts at once. */
FST_INLINE void fst_put_span(fst_span *span, const char *start, ptrdiff_t size)
{
#if defined(FST_X86)
    _mm_storeu_si128((__m128i *)span, _mm_set_epi64x(size, (long long)(intptr_t)start));
#else
    span->start = start;
    span->size = size;
#endif
}

/* Read the flat record that is expected at `p`; return the LF of its line, NULL if it is another or
 * not all of its stops have been found. */
FST_INLINE const uint8_t *fst_read_flat(fst_reader *reader, const uint8_t *p)
{
    fst_flat *flat = &reader->flat;
    const uint8_t *start = flat->start;
    const fst_piece *piece = flat->pieces;
    fst_member *member = flat->members;
    size_t at = (size_t)(p - start);
    if (!FST_LIKELY(at < flat->noted))
        return NULL;
    for (;; piece++, member++) {
        fst_value *value = piece->value;
        size_t end;
        if (!FST_LIKELY(fst_is_piece(start + at, piece)))
            return NULL;
        at += (size_t)piece->size;
        if (!FST_LIKELY(value != NULL))
            break;
        /* A piece may reach beyond what has been noted. */
        if (!FST_LIKELY(at < flat->noted))
            return NULL;
        end = fst_next_bit(flat->stops, at);
        value->text.start = (const char *)start + at;
        value->text.size = (ptrdiff_t)(end - at);
        fst_put_span(&member->value.text, (const char *)start + at, (ptrdiff_t)(end - at));
        at = end;
    }
    flat->read++;
    return start + at - 1;
}

/* As fst_read_flat, with the stops from `p` on, where a line starts. */
FST_NOINLINE const uint8_t *
fst_note_and_read_flat(fst_reader *reader, const uint8_t *p, const uint8_t *limit, int path)
{
    fst_note_flat(reader, p, limit, path);
    return fst_read_flat(reader, p);
}

/* The LF of the line at `p`; NULL if not all of its stops have been found. */
FST_NOINLINE const uint8_t *fst_noted_end(const fst_reader *reader, const uint8_t *p)
{
    const fst_flat *flat = &reader->flat;
    size_t at = (size_t)(p - flat->start);
    while (at < flat->noted) {
        at = fst_next_bit(flat->stops, at);
        if (at < flat->noted && flat->start[at] == '\n')
            return flat->start + at;
        at++;
    }
    return NULL;
}

#endif
