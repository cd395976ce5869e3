/* Mark blocks of 64 bytes; see marks.h, which includes this once for each path.
 *
 * FST_MARK is the name of the function, FST_MARK_BLOCK that of the one for a block of any bytes,
 * FST_TARGET what they are compiled for. FST_CLASSIFY and FST_IS_PLAIN find out what the bytes of a
 * block are. FST_FIND_MARKS, FST_UTF8_DUE, FST_PREFIX_XOR and FST_ADD_MARKS name implementations that
 * are faster than the portable ones.
 *
 * FST_FIND_MARKS finds the quotes and LFs of a block, and returns whether it has nothing but these and
 * plain bytes. */
#ifndef FST_FIND_MARKS
#define FST_FIND_MARKS(masks, p) (*(masks) = FST_CLASSIFY(p), !((masks)->slashes | (masks)->low))
#endif
#ifndef FST_UTF8_DUE
#define FST_UTF8_DUE fst_utf8_due
#endif
#ifndef FST_PREFIX_XOR
#define FST_PREFIX_XOR fst_prefix_xor
#endif
#ifndef FST_ADD_MARKS
#define FST_ADD_MARKS fst_add_marks
#endif

/* Mark one block, whatever is in it. */
FST_NOINLINE FST_TARGET void FST_MARK_BLOCK(fst_marks *marks, const uint8_t *limit)
{
    uint8_t copy[64 + 3];
    fst_progress *progress = &marks->progress;
    const uint8_t *p = progress->end;
    const uint8_t *bytes = fst_whole_block(copy, p, limit);
    const ptrdiff_t position = p - marks->start;
    fst_masks masks = FST_CLASSIFY(bytes);
    uint64_t high = 0, controls = masks.low, escaped, inside;
    escaped = fst_escaped(&progress->escaped, masks.slashes);
    masks.quotes &= ~escaped;
    inside = FST_PREFIX_XOR(masks.quotes) ^ fst_is_inside(marks);
    if (controls || progress->utf8_due) {
        high = fst_high(bytes);
        controls &= ~high;
        progress->utf8_due = FST_UTF8_DUE(progress->utf8_due, bytes, high, p);
    }
    escaped &= inside;
    progress->stopped = ((controls | masks.lfs) & inside) || progress->utf8_due < 0
                        || (escaped && !fst_are_escapes(marks, p, limit, escaped));
    if (progress->stopped)
        return;
    marks->special[position / 64] = high | masks.slashes;
    marks->special_blocks[position / 4096] |= (uint64_t)((high | masks.slashes) != 0)
                                              << position / 64 % 64;
    FST_ADD_MARKS(marks, &progress->counts, &masks, (unsigned)position);
    progress->end = limit - p < 64 ? limit : p + 64;
}

FST_NOINLINE FST_ALIGNED FST_TARGET void
FST_MARK(fst_marks *marks, const uint8_t *stop, const uint8_t *limit)
{
    fst_progress *progress = &marks->progress;
    stop = fst_marks_end(marks, stop);
    while (progress->end < stop && !progress->stopped) {
        fst_counts counts = progress->counts;
        const uint8_t *p = progress->end;
        const uint8_t *whole = p + (stop - p) / 64 * 64;
        uint64_t *special = marks->special + (p - marks->start) / 64;
        unsigned position = (unsigned)(p - marks->start);
        uint64_t marked = 1;    /* whether the block before has marks */
        if (!(progress->escaped | (uint64_t)progress->utf8_due)) {
            for (; p < whole; p += 64, position += 64) {
                fst_masks masks;
                if (!FST_LIKELY(FST_FIND_MARKS(&masks, p)))
                    break;
                *special++ = 0;
                /* A long text: only its end is looked for. */
                if (!FST_LIKELY(marked | masks.quotes | masks.lfs)) {
                    for (; p + 64 < whole && FST_IS_PLAIN(p + 64); p += 64, position += 64)
                        *special++ = 0;
                    marked = 1;
                    continue;
                }
                marked = masks.quotes | masks.lfs;
                FST_ADD_MARKS(marks, &counts, &masks, position);
            }
            progress->counts = counts;
            progress->end = p;
        }
        if (p < stop)
            FST_MARK_BLOCK(marks, limit);
    }
}

#undef FST_CLASSIFY
#undef FST_MARK
#undef FST_MARK_BLOCK
#undef FST_TARGET
#undef FST_FIND_MARKS
#undef FST_UTF8_DUE
#undef FST_PREFIX_XOR
#undef FST_IS_PLAIN
#undef FST_ADD_MARKS
