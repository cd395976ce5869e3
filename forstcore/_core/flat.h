/* Flat records: objects of a few plain strings and nothing else, which come one after the other.
 *
 * Marks and gaps are made for records of any shape. Where the records before had the same names and
 * only plain strings, as in {"id":"...","data":"..."}, less is needed. An index has the places of all
 * bytes that are not plain (see stops.h), and each such record has the same number of them: its
 * strings and its LF are found by number. What says that it is such a record is that the pieces of
 * text between its strings are where they are expected.
 *
 * What is read so is what shapes.h would read: values and gaps are the same.
 */
#ifndef FORSTCORE_FLAT_H
#define FORSTCORE_FLAT_H

#include "shapes.h"
#include "stops.h"

enum {
    FST_FLAT_WINDOW = 4096      /* bytes that are indexed at once, ahead of the reader */
};

/* Add a piece to the flat record, from the gap that it contains; return whether it fits. */
FST_INLINE int fst_add_piece(fst_flat *flat, const fst_gap *gap)
{
    fst_piece *piece = &flat->pieces[flat->count];
    const fst_event *event = &gap->events[gap->event_count - 1];
    const int is_first = flat->count == 0, is_last = gap->value == NULL;
    const int size = gap->size + !is_first + !is_last;
    int i;
    if (gap->event_count != 1 + is_first || size > FST_PIECE_BYTES
        || (!is_last && gap->value->kind != FST_STRING))
        return 0;
    memset(piece, 0, sizeof *piece);
    piece->text[0] = piece->text[size - 1] = '"';
    memcpy(piece->text + !is_first, gap->text, gap->size);
    piece->size = size;
    piece->mask = fst_text_mask(size);
    piece->value = gap->value;
    piece->name = event->name_at - gap->size - 1;
    for (i = 0; i < size; i++)
        flat->stops += !fst_is_plain(piece->text[i]);
    piece->stop = flat->stops;
    if (is_first)
        flat->before = gap->events[0].at;
    if (is_last) {
        flat->behind = gap->size - event->at - 1;
    } else {
        fst_member *member = &flat->members[flat->count];
        member->name.size = event->name_size;
        member->plain = event->plain;
        member->value.kind = FST_STRING;
        member->value.plain = 1;
    }
    return 1;
}

/* Expect records like the last one, if it is flat; return whether it is. */
FST_COLD int fst_begin_flat(fst_reader *reader)
{
    fst_flat *flat = &reader->flat;
    const fst_gap *gap;
    flat->count = flat->stops = flat->next = flat->counted = flat->indexed = 0;
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

/* Whether the index has a whole flat record, unless it is another. */
FST_INLINE int fst_is_indexed(const fst_flat *flat)
{
    return flat->next + flat->stops <= flat->indexed;
}

/* Index what follows `p`, where a line starts; return whether there may be a whole flat record. */
FST_COLD int
fst_index_flat(fst_reader *reader, const uint8_t *p, const uint8_t *limit, int path)
{
    fst_flat *flat = &reader->flat;
    /* Pieces are compared from there on. */
    const ptrdiff_t room = limit - p - FST_PIECE_BYTES;
    const uint8_t *end = p + (room < FST_FLAT_WINDOW ? room : FST_FLAT_WINDOW);
    int i;
    reader->marks.start = p;
    reader->marks.plain = 1;
    flat->next = flat->counted = 0;
    flat->indexed = (int)(fst_index_stops(reader->marks.at, p, end, path) - reader->marks.at);
    for (i = 0; i < flat->count; i++) {
        flat->pieces[i].value->kind = FST_STRING;
        flat->pieces[i].value->plain = 1;
    }
    return fst_is_indexed(flat);
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

/* Read the flat record that is expected at `p`, and indexed; return the LF of its line, NULL if it is
 * another. */
FST_INLINE const uint8_t *fst_read_flat(fst_reader *reader, const uint8_t *p)
{
    fst_flat *flat = &reader->flat;
    const uint16_t *at = reader->marks.at + flat->next;
    const fst_piece *piece = flat->pieces;
    for (;; piece++) {
        fst_value *value = piece->value;
        const uint8_t *end;
        if (!FST_LIKELY(fst_is_piece(p, piece)))
            return NULL;
        p += piece->size;
        if (!FST_LIKELY(value != NULL))
            break;
        end = reader->marks.start + at[piece->stop];
        value->text.start = (const char *)p;
        value->text.size = end - p;
        p = end;
    }
    flat->next += flat->stops;
    return p - 1;
}

/* The LF of the line that is not the flat record expected; NULL if it is not indexed. The line after
 * it is the next one to read. */
FST_COLD const uint8_t *fst_skip_line(fst_reader *reader)
{
    fst_flat *flat = &reader->flat;
    const uint8_t *lf = NULL;
    while (lf == NULL && flat->next < flat->indexed) {
        const uint8_t *stop = reader->marks.start + reader->marks.at[flat->next++];
        if (*stop == '\n')
            lf = stop;
    }
    flat->counted = flat->next;
    return lf;
}

#endif
