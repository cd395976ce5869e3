/* Mark blocks of 64 bytes; see marks.h, which includes this once for each path.
 *
 * FST_MARK is the name of the function, FST_TARGET what it is compiled for, FST_CLASSIFY how it finds
 * out what the bytes of a block are. FST_UTF8_DUE, FST_PREFIX_XOR and FST_ADD_MARKS name
 * implementations that are faster than the portable ones. */
#ifndef FST_UTF8_DUE
#define FST_UTF8_DUE fst_utf8_due
#endif
#ifndef FST_PREFIX_XOR
#define FST_PREFIX_XOR fst_prefix_xor
#endif
#ifndef FST_ADD_MARKS
#define FST_ADD_MARKS fst_add_marks
#endif

FST_COLD FST_ALIGNED FST_TARGET void
FST_MARK(fst_marks *marks, const uint8_t *stop, const uint8_t *limit)
{
    uint8_t copy[64 + 3];
    fst_progress progress = marks->progress;
    const uint8_t *first = progress.end;
    uint64_t *special = marks->special + (first - marks->start) / 64;
    int i, blocks = fst_blocks_to_mark(marks, &progress, stop);
    fst_classes classes;
    if (blocks <= 0)
        return;
    classes.odd = (progress.escaped || progress.utf8_due);
    for (i = 0; i < blocks; i++) {
        FST_CLASSIFY(&classes, i, fst_whole_block(copy, first + i * 64, limit));
        special[i] = 0;
    }
    /* Plain text is done with this. */
    while (classes.odd) {
        const uint8_t *p;
        uint64_t quotes, slashes, lfs, high = 0, low, escaped, inside;
        i = (int)fst_ctz(classes.odd);
        classes.odd &= classes.odd - 1;
        p = first + i * 64;
        slashes = classes.slashes[i];
        lfs = classes.lfs[i];
        low = classes.low[i];
        escaped = 0;
        if (!FST_LIKELY(!(slashes | progress.escaped)))
            escaped = fst_escaped(&progress.escaped, slashes);
        quotes = classes.quotes[i] & ~escaped;
        inside = FST_PREFIX_XOR(quotes) ^ progress.inside;
        progress.inside = (uint64_t)((int64_t)inside >> 63);
        if (!FST_LIKELY(low == lfs && !progress.utf8_due)) {
            const uint8_t *block = fst_whole_block(copy, p, limit);
            high = fst_high(block);
            low &= ~high;
            progress.utf8_due = FST_UTF8_DUE(progress.utf8_due, block, high, p);
        }
        escaped &= inside;
        if ((low & inside) || progress.utf8_due < 0
            || (escaped && !fst_are_escapes(marks, p, limit, escaped))) {
            progress.stopped = 1;
            blocks = i;
            break;
        }
        special[i] = high | slashes;
        fst_add_ends(marks, &progress, quotes | lfs, lfs);
        FST_ADD_MARKS(marks, &progress, quotes | lfs, (unsigned)(p - marks->start));
        if (!FST_LIKELY(!(progress.escaped | (uint64_t)progress.utf8_due)) && i + 1 < blocks)
            classes.odd |= 2u << i;     /* it says how the next block begins */
    }
    progress.end = limit - first < blocks * 64 ? limit : first + blocks * 64;
    marks->progress = progress;
}

#undef FST_CLASSIFY
#undef FST_MARK
#undef FST_TARGET
#undef FST_UTF8_DUE
#undef FST_PREFIX_XOR
#undef FST_ADD_MARKS
