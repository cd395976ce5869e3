/* The built-in processor on single lines in the usual shape: a template for the paths.
 *
 * usual_lines.h includes it once for each, with FST_TARGET, the attribute of its functions, and
 * FST_FOR_PATH, which gives their names.
 */

/* Copy `size` bytes, and more up to a multiple of 64; `done` have been. */
FST_INLINE FST_TARGET uint8_t *FST_FOR_PATH(fst_put_rest)(
    uint8_t *dst, const uint8_t *src, ptrdiff_t size, ptrdiff_t done)
{
    for (; done < size; done += 64)
        FST_FOR_PATH(fst_put64)(dst + done, src + done);
    return dst + size;
}

/* Write what goes before the data of the line at `p`, whose id ends at `id_end`. */
FST_INLINE FST_TARGET uint8_t *FST_FOR_PATH(fst_put_id)(
    uint8_t *out, const uint8_t *p, const uint8_t *id_end, const fst_layout *layout)
{
    if (layout->opening_size != FST_RESULT_OPENING_SIZE) {
        memcpy(out, FST_RESULT_OPENING, 8);
        out += FST_RESULT_OPENING_SIZE;
        p += layout->opening_size;
    }
    FST_FOR_PATH(fst_put64)(out, p);
    out = FST_FOR_PATH(fst_put_rest)(out, p, id_end - p, 64);
    memcpy(out, FST_RESULT_MIDDLE, 32);
    return out + FST_RESULT_MIDDLE_SIZE;
}

/* Process the line at `p`, of any length, if it is in the usual shape, and the id is plain and
 * not long. Returns what follows the line, or NULL, also if `limit` is too near. Sets
 * `is_plain` to whether the data is plain. */
FST_INLINE FST_TARGET const uint8_t *FST_FOR_PATH(fst_put_line)(
    const uint8_t *p, const uint8_t *limit, const fst_layout *layout, ptrdiff_t max_line_size,
    uint8_t **out, int *is_plain)
{
    /* The data moves by so much, whatever the size of the id: copying need not wait for it. */
    const int shift = FST_RESULT_OPENING_SIZE - layout->opening_size + FST_RESULT_MIDDLE_SIZE
                      - layout->middle_size;
    const uint8_t *data, *stop;
    uint8_t *dst;
    uint64_t first, second;
    int id_end, rest;
    if (limit - p < 192 || !fst_opens(p, layout))
        return NULL;
    first = FST_FOR_PATH(fst_find_stops)(p);
    second = FST_FOR_PATH(fst_find_stops)(p + 64);
    first &= ~(uint64_t)0 << layout->opening_size;
    id_end = first ? (int)fst_ctz(first) : 64;
    if (id_end >= 64 - layout->middle_size || !fst_continues(p + id_end, layout))
        return NULL;
    data = p + id_end + layout->middle_size;
    first &= ~(uint64_t)0 << (data - p);
    dst = FST_FOR_PATH(fst_put_id)(*out, p, p + id_end, layout);
    FST_FOR_PATH(fst_put64)(dst, data);
    FST_FOR_PATH(fst_put64)(*out + shift + 64, p + 64);
    if (first)
        stop = p + fst_ctz(first);
    else if (second)
        stop = p + 64 + fst_ctz(second);
    else if (!(stop = FST_FOR_PATH(fst_copy_long)(*out + shift + 128, p + 128, limit)))
        return NULL;
    dst = *out + shift + (stop - p);
    *is_plain = stop < limit && *stop == '"';
    if (!*is_plain) {
        const uint8_t *start = stop;
        stop = FST_FOR_PATH(fst_copy_string)(dst, start, limit);
        if (!stop)
            return NULL;
        dst += stop - start;
    }
    if (limit - stop < 4)
        return NULL;
    if (fst_ends(stop))
        rest = 3;
    else if (fst_read4(stop) == fst_read4("\"}\r\n"))
        rest = 4;
    else
        return NULL;
    if (stop + rest - 1 - p > max_line_size)
        return NULL;
    *out = fst_put_ending(dst);
    return stop + rest;
}

/* As fst_usual_lines, for as long as the lines are long enough. */
FST_NOINLINE FST_TARGET fst_usual FST_FOR_PATH(fst_long_lines)(
    const uint8_t *p, const uint8_t *end, const uint8_t *limit, ptrdiff_t max_line_size,
    uint8_t *out, const uint8_t *out_end)
{
    const uint8_t *start = p, *next;
    uint8_t *dst = out;
    fst_usual done = {p, out, 0};
    int is_plain;
    while (p < end && out_end - dst >= end - p
           && p - start + FST_WORTH_IT >= done.lines * FST_LONG) {
        next = FST_FOR_PATH(fst_put_line)(
            p, limit, &FST_COMPACT, max_line_size, &dst, &is_plain);
        if (!next)
            next = FST_FOR_PATH(fst_put_line)(
                p, limit, &FST_SPACED, max_line_size, &dst, &is_plain);
        if (!next)
            break;
        p = next;
        done.lines++;
    }
    done.p = p;
    done.out = dst;
    return done;
}

#undef FST_TARGET
#undef FST_FOR_PATH
