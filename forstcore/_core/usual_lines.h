/* The built-in processor on lines in the usual shape, many at a time, on x86.
 *
 * In the usual shape a record has the two members alone, in order, with strings as values and
 * white space as JSON.stringify or json.dumps writes it. Lines are found in one of two ways:
 *
 * - Short lines, with AVX-512: an index of all stops of the next few KiB (see stops.h). A plain
 *   line has nine stops, its eight quotes and its LF, so the places of its strings are looked up,
 *   and the CPU works on several lines at once: none of them waits for the end of the one before.
 * - Long lines, and strings with escapes or UTF-8: copied while the end is being searched, by
 *   usual_line.h.
 */
#ifndef FORSTCORE_USUAL_LINES_H
#define FORSTCORE_USUAL_LINES_H

#include "stops.h"

enum {
    FST_WORTH_IT = 2048,    /* bytes of input, below which line by line is as fast */
    FST_INDEXED = 4096,     /* bytes to index at most */
    FST_INDEXED_LEAST = 256,
    FST_AHEAD = 1024,       /* bytes to load in advance */
    FST_SHORT = 384,        /* bytes of a line, up to which it is worth an index */
    FST_LONG = 96           /* without AVX-512, below which line by line is faster */
};

/* How far the lines in the usual shape have been processed. */
typedef struct fst_usual {
    const uint8_t *p;
    uint8_t *out;
    long long lines;
} fst_usual;

#if defined(FST_X86)
/* How the fixed parts of a line are written. */
typedef struct fst_layout {
    char opening[9];        /* before the id */
    char middle[13];        /* between id and data */
    int opening_size;
    int middle_size;
} fst_layout;

/* Written compactly, and with a blank after each colon and comma. */
static const fst_layout FST_COMPACT = {"{\"id\":\"", "\",\"data\":\"", 7, 10};
static const fst_layout FST_SPACED = {"{\"id\": \"", "\", \"data\": \"", 8, 12};

/* What the processor writes, filled up to the size of a vector. */
static const char FST_RESULT_OPENING[9] = "{\"id\":\"";
static const char FST_RESULT_MIDDLE[33] = "\",\"result\":\"processed_          ";
static const char FST_RESULT_ENDING[33] = "\",\"status\":\"success\"}\n          ";
enum { FST_RESULT_OPENING_SIZE = 7, FST_RESULT_MIDDLE_SIZE = 22, FST_RESULT_ENDING_SIZE = 22 };

FST_INLINE uint64_t fst_read8(const void *p)
{
    uint64_t bytes;
    memcpy(&bytes, p, 8);
    return bytes;
}

FST_INLINE uint32_t fst_read4(const void *p)
{
    uint32_t bytes;
    memcpy(&bytes, p, 4);
    return bytes;
}

FST_INLINE int fst_opens(const uint8_t *p, const fst_layout *layout)
{
    int unused = 64 - 8 * layout->opening_size;
    return fst_read8(p) << unused == fst_read8(layout->opening) << unused;
}

FST_INLINE int fst_continues(const uint8_t *p, const fst_layout *layout)
{
    /* The second comparison overlaps the first. */
    int rest = layout->middle_size - 4;
    return fst_read8(p) == fst_read8(layout->middle)
           && fst_read4(p + rest) == fst_read4(layout->middle + rest);
}

FST_INLINE int fst_ends(const uint8_t *p)
{
    return fst_read4(p) << 8 == fst_read4("\"}\n") << 8;
}

FST_INLINE uint8_t *fst_put_ending(uint8_t *out)
{
    memcpy(out, FST_RESULT_ENDING, 32);
    return out + FST_RESULT_ENDING_SIZE;
}

/* Copy plain bytes; return the first stop, or NULL if `limit` is too near. */
FST_INLINE FST_TARGET_AVX512 const uint8_t *
fst_copy_long_avx512(uint8_t *dst, const uint8_t *p, const uint8_t *limit)
{
    for (; limit - p >= 256; p += 256, dst += 256) {
        __m512i a = _mm512_loadu_si512(p), b = _mm512_loadu_si512(p + 64);
        __m512i c = _mm512_loadu_si512(p + 128), d = _mm512_loadu_si512(p + 192);
        uint64_t stops_a = fst_stops_avx512(a), stops_b = fst_stops_avx512(b);
        uint64_t stops_c = fst_stops_avx512(c), stops_d = fst_stops_avx512(d);
        _mm512_storeu_si512(dst, a);
        _mm512_storeu_si512(dst + 64, b);
        _mm512_storeu_si512(dst + 128, c);
        _mm512_storeu_si512(dst + 192, d);
        /* The CPU stops reading ahead whenever it has mispredicted the end of a string. */
        for (int i = 0; i < 256; i += 64)
            _mm_prefetch((const char *)p + FST_AHEAD + i, _MM_HINT_T0);
        if (stops_a | stops_b | stops_c | stops_d) {
            const uint8_t *half = stops_a | stops_b ? p : p + 128;
            uint64_t first = stops_a | stops_b ? stops_a : stops_c;
            uint64_t second = stops_a | stops_b ? stops_b : stops_d;
            return first ? half + fst_ctz(first) : half + 64 + fst_ctz(second);
        }
    }
    return NULL;
}

FST_INLINE FST_TARGET_AVX512 void fst_put64_avx512(uint8_t *dst, const uint8_t *src)
{
    _mm512_storeu_si512(dst, _mm512_loadu_si512(src));
}

#define FST_TARGET FST_TARGET_AVX512
#define FST_FOR_PATH(name) name##_avx512
#include "usual_line.h"

FST_INLINE FST_TARGET_AVX2 const uint8_t *
fst_copy_long_avx2(uint8_t *dst, const uint8_t *p, const uint8_t *limit)
{
    return fst_copy_plain(dst, p, limit, FST_AVX2);
}

FST_INLINE FST_TARGET_AVX2 void fst_put64_avx2(uint8_t *dst, const uint8_t *src)
{
    __m256i a = _mm256_loadu_si256((const __m256i *)src);
    __m256i b = _mm256_loadu_si256((const __m256i *)(src + 32));
    _mm256_storeu_si256((__m256i *)dst, a);
    _mm256_storeu_si256((__m256i *)(dst + 32), b);
}

#define FST_TARGET FST_TARGET_AVX2
#define FST_FOR_PATH(name) name##_avx2
#include "usual_line.h"

FST_INLINE const uint8_t *
fst_copy_long_base(uint8_t *dst, const uint8_t *p, const uint8_t *limit)
{
    return fst_copy_plain(dst, p, limit, FST_BASE);
}

FST_INLINE void fst_put64_base(uint8_t *dst, const uint8_t *src)
{
    fst_step(dst, src);
    fst_step(dst + 32, src + 32);
}

FST_INLINE const uint8_t *
fst_copy_string_base(uint8_t *dst, const uint8_t *p, const uint8_t *limit)
{
    return fst_copy_string(dst, p, limit, FST_BASE);
}

#define FST_TARGET
#define FST_FOR_PATH(name) name##_base
#include "usual_line.h"

/* Process the line at `p` if it is plain and in the usual shape. `stops` has the places of its
 * stops, counted from `start`. Returns what follows the line, or NULL. */
FST_INLINE FST_TARGET_AVX512 const uint8_t *
fst_put_indexed(const uint8_t *p, const uint8_t *start, const uint16_t *stops,
                const fst_layout *layout, uint8_t **out)
{
    const uint8_t *id_end = start + stops[3], *data_end = start + stops[7];
    const uint8_t *data = id_end + layout->middle_size;
    uint8_t *dst = *out;
    if (!fst_opens(p, layout) || !fst_continues(id_end, layout) || !fst_ends(data_end))
        return NULL;
    dst = fst_put_id_avx512(dst, p, id_end, layout);
    fst_put64_avx512(dst, data);
    fst_put64_avx512(dst + 64, data + 64);
    *out = fst_put_ending(fst_put_rest_avx512(dst, data, data_end - data, 128));
    return data_end + 3;
}

/* As fst_usual_lines. */
FST_NOINLINE FST_TARGET_AVX512 fst_usual
fst_usual_lines_avx512(const uint8_t *p, const uint8_t *end, const uint8_t *limit,
                       ptrdiff_t max_line_size, uint8_t *out, const uint8_t *out_end)
{
    uint16_t index[FST_INDEXED + 64];
    const uint8_t *safe = limit - end > 128 ? end : limit - 128, *next;
    uint8_t *dst = out;
    fst_usual done = {p, out, 0};
    int is_plain = 0;
    /* No line that is found in the index is too long. */
    const ptrdiff_t most = max_line_size < FST_INDEXED ? max_line_size - 2 : FST_INDEXED;
    ptrdiff_t size = 0;         /* bytes to index */
    while (p < end && out_end - dst >= end - p) {
        if (size && size <= most && safe - p >= FST_INDEXED_LEAST) {
            const uint8_t *start = p;
            const uint16_t *stops = index;
            const uint16_t *last =
                fst_index_stops_avx512(index, p, safe - p < size ? safe : p + size);
            while (last - stops >= 8 && out_end - dst >= end - p) {
                next = fst_put_indexed(p, start, stops, &FST_COMPACT, &dst);
                if (!next)
                    next = fst_put_indexed(p, start, stops, &FST_SPACED, &dst);
                if (!next)
                    break;
                stops += 9;
                p = next;
                done.lines++;
            }
            size = p - start < size / 2 ? size / 2 : size * 2;
            size = size < FST_INDEXED_LEAST ? 0 : size > most ? most : size;
            if (p >= end || out_end - dst < end - p)
                break;
        }
        next = fst_put_line_avx512(p, limit, &FST_COMPACT, max_line_size, &dst, &is_plain);
        if (!next)
            next = fst_put_line_avx512(p, limit, &FST_SPACED, max_line_size, &dst, &is_plain);
        if (!next)
            break;
        if (!size && is_plain && next - p <= FST_SHORT)
            size = FST_INDEXED_LEAST;
        p = next;
        done.lines++;
    }
    done.p = p;
    done.out = dst;
    return done;
}
#endif

/* From which size of the line before fst_usual_lines is worth a call. */
FST_INLINE ptrdiff_t fst_usual_size(int path)
{
#if defined(FST_X86)
    if (path != FST_PORTABLE)
        return path == FST_AVX512 ? 0 : FST_LONG;
#endif
    (void)path;
    return PTRDIFF_MAX;
}

/* Process lines in the usual shape from `p` to `end`, which follows an LF, for as long as the
 * output has room for the rest of the input up to `out_end`. Leaves all lines where line by line
 * is faster, and perhaps some near `limit`. Up to 256 bytes past the results may be written. */
FST_NOINLINE fst_usual
fst_usual_lines(const uint8_t *p, const uint8_t *end, const uint8_t *limit, int path,
                ptrdiff_t max_line_size, uint8_t *out, const uint8_t *out_end)
{
    fst_usual none = {p, out, 0};
#if defined(FST_X86)
    if (end - p >= FST_WORTH_IT && (fst_opens(p, &FST_COMPACT) || fst_opens(p, &FST_SPACED))) {
        if (path == FST_AVX512)
            return fst_usual_lines_avx512(p, end, limit, max_line_size, out, out_end);
        if (path == FST_AVX2)
            return fst_long_lines_avx2(p, end, limit, max_line_size, out, out_end);
        return fst_long_lines_base(p, end, limit, max_line_size, out, out_end);
    }
#else
    (void)end, (void)limit, (void)path, (void)max_line_size, (void)out_end;
#endif
    return none;
}

#endif
