/* Marks: where the strings and the lines of the input end, found for 64 bytes at a time.
 *
 * Masks with a bit for each byte say which bytes are quotes, backslashes and so on; a few bit
 * operations tell which quotes are escaped and which bytes are inside strings (the first stage of
 * Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019). Each unescaped quote and each
 * LF gets a mark. Whoever reads a line then goes from mark to mark: the end of a string is the mark
 * after its start, however long it is.
 *
 * Everything that can be wrong inside a string is checked here: control characters, escapes,
 * UTF-8. Marking stops at the block of 64 bytes in which something is wrong. So marks can only
 * accept input: lines without marks are for the code that locates errors.
 *
 * The implementations, one for each path of scan.h, give the same marks. None reads at or past
 * `limit`.
 */
#ifndef FORSTCORE_MARKS_H
#define FORSTCORE_MARKS_H

#include "scan_strings.h"

enum {
    FST_MOST_MARKS = 4096,
    FST_WINDOW_BYTES = 32768,   /* positions fit into 16 bits */
    FST_MARK_STEP = 1024        /* bytes that are marked at once, ahead of the reader */
};

/* How far marking has come. */
typedef struct fst_progress {
    const uint8_t *end;         /* of what has been marked */
    uint64_t escaped;           /* 1: the byte at `end` is escaped */
    uint64_t inside;            /* all ones: the byte at `end` is inside a string */
    int count;                  /* marks */
    int line_count;             /* ends of lines among them */
    int utf8_due;               /* bytes at `end` that continue a character */
    int stopped;                /* something is wrong behind `end` */
} fst_progress;

typedef struct fst_marks {
    const uint8_t *start;       /* positions are counted from here */
    fst_progress progress;
    const uint8_t *low_due;     /* the 'u' of a low surrogate that has been checked */
    uint16_t at[FST_MOST_MARKS + 64];
    uint16_t ends[FST_MOST_MARKS + 64]; /* numbers of the marks that are LFs */
    /* A bit for each byte that is a backslash or not ASCII. */
    uint64_t special[FST_WINDOW_BYTES / 64 + 2];
} fst_marks;

/* What the bytes of up to 16 blocks are, a bit for each. */
typedef struct fst_classes {
    uint64_t quotes[16], slashes[16], lfs[16];
    uint64_t low[16];           /* control characters, and what is not ASCII */
    unsigned odd;               /* a bit for each block that has any of these */
} fst_classes;

/* Forget all marks; the next one is at or after `p`, where a line starts. */
FST_INLINE void fst_restart_marks(fst_marks *marks, const uint8_t *p)
{
    memset(&marks->progress, 0, sizeof marks->progress);
    marks->start = marks->progress.end = p;
    marks->low_due = NULL;
}

/* The bytes of the character at `p`, 0 if it is not UTF-8 (Unicode, table 3-7). */
FST_INLINE int fst_utf8_size(const uint8_t *p)
{
    uint8_t c = p[0], lowest = 0x80, highest = 0xbf;
    int size, i;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    if (c < 0xe0) {
        size = 2;
    } else if (c < 0xf0) {
        size = 3;
        if (c == 0xe0)
            lowest = 0xa0;
        else if (c == 0xed)
            highest = 0x9f;
    } else {
        size = 4;
        if (c == 0xf0)
            lowest = 0x90;
        else if (c == 0xf4)
            highest = 0x8f;
    }
    if (p[1] < lowest || p[1] > highest)
        return 0;
    for (i = 2; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

/* Check the characters of a block that are not ASCII; return how many bytes of the last one are
 * behind it, -1 if one is not UTF-8. `due` is that number of the block before, `p` the input that the
 * block stands for. */
FST_COLD int fst_utf8_due(int due, const uint8_t *block, uint64_t high, const uint8_t *p)
{
    int at = due, size;
    (void)p;
    /* The bytes that are due were checked with the start of their character. */
    high &= ~(uint64_t)0 << at;
    while (high) {
        at = (int)fst_ctz(high);
        size = fst_utf8_size(block + at);
        if (size == 0)
            return -1;
        if (at + size >= 64)
            return at + size - 64;
        high &= ~(uint64_t)0 << (at + size);
    }
    return 0;
}

/* Check the escape sequences whose second bytes are the bits of `seconds`, in the block that
 * stands for the input at `p`. */
FST_COLD int
fst_are_escapes(fst_marks *marks, const uint8_t *p, const uint8_t *limit, uint64_t seconds)
{
    /* No switch: which escape comes cannot be predicted. */
    static const uint8_t known[256] = {['"'] = 1, ['\\'] = 1, ['/'] = 1, ['b'] = 1, ['f'] = 1,
                                       ['n'] = 1, ['r'] = 1,  ['t'] = 1, ['u'] = 2};
    for (; seconds; seconds &= seconds - 1) {
        const uint8_t *u = p + fst_ctz(seconds);
        int unit, low;
        if (known[*u] == 1)
            continue;
        if (known[*u] == 0)
            return 0;
        if (limit - u < 5 || (unit = fst_hex4(u + 1)) < 0)
            return 0;
        if ((unit & 0xfc00) == 0xd800) {
            if (limit - u < 11 || u[5] != '\\' || u[6] != 'u' || (low = fst_hex4(u + 7)) < 0
                || (low & 0xfc00) != 0xdc00)
                return 0;
            marks->low_due = u + 6;
        } else if ((unit & 0xfc00) == 0xdc00 && u != marks->low_due) {
            return 0;
        }
    }
    return 1;
}

/* Of each bit, whether the number of bits up to it is odd. */
FST_INLINE uint64_t fst_prefix_xor(uint64_t bits)
{
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    return bits ^ bits << 32;
}

#if defined(FST_X86)
FST_INLINE FST_TARGET_AVX2 uint64_t fst_prefix_xor_avx2(uint64_t bits)
{
    /* A multiplication without carries by all ones. */
    return (uint64_t)_mm_cvtsi128_si64(_mm_clmulepi64_si128(
        _mm_cvtsi64_si128((long long)bits), _mm_set1_epi8((char)0xff), 0));
}
#endif

/* fst_ctz, and any number for no bits. */
FST_INLINE unsigned fst_ctz_or_any(uint64_t bits)
{
#if defined(__GNUC__) && defined(__x86_64__)
    uint64_t place;
    __asm__("rep bsf %1, %0" : "=r"(place) : "r"(bits) : "cc");     /* tzcnt, where there is */
    return (unsigned)place;
#else
    return fst_ctz(bits | (uint64_t)1 << 63);
#endif
}

FST_INLINE unsigned fst_count_bits(uint64_t bits)
{
#if defined(_MSC_VER)
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    return (unsigned)(((bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
#else
    return (unsigned)__builtin_popcountll(bits);
#endif
}

/* Add the ends of lines among the marks `all` of a block. The marks themselves are added after. */
FST_INLINE void
fst_add_ends(fst_marks *marks, fst_progress *progress, uint64_t all, uint64_t lfs)
{
    /* Most blocks have one or none: no branch that depends on which. */
    marks->ends[progress->line_count] =
        (uint16_t)(progress->count + (int)fst_count_bits(all & ((lfs & (0 - lfs)) - 1)));
    progress->line_count += lfs != 0;
    for (lfs &= lfs - 1; lfs; lfs &= lfs - 1)
        marks->ends[progress->line_count++] =
            (uint16_t)(progress->count + (int)fst_count_bits(all & ((lfs & (0 - lfs)) - 1)));
}

FST_INLINE void
fst_add_marks(fst_marks *marks, fst_progress *progress, uint64_t bits, unsigned position)
{
    uint16_t *to = marks->at + progress->count;
    unsigned i, count = fst_count_bits(bits);
    progress->count += (int)count;
    /* Eight at once: how many there are is unpredictable, and there is room behind them. */
    for (i = 0; i < count; i += 8, to += 8) {
#define FST_ADD(n) \
    to[n] = (uint16_t)(position + fst_ctz_or_any(bits)); \
    bits &= bits - 1
        FST_ADD(0); FST_ADD(1); FST_ADD(2); FST_ADD(3);
        FST_ADD(4); FST_ADD(5); FST_ADD(6); FST_ADD(7);
#undef FST_ADD
    }
}

/* How many blocks may be marked up to `stop`: there is room for them, whatever they contain. */
FST_INLINE int
fst_blocks_to_mark(const fst_marks *marks, const fst_progress *progress, const uint8_t *stop)
{
    ptrdiff_t wanted = (stop - progress->end + 63) / 64;    /* at most 16 */
    ptrdiff_t window = (FST_WINDOW_BYTES - (progress->end - marks->start)) / 64;
    ptrdiff_t room = (FST_MOST_MARKS - progress->count) / 64;
    wanted = wanted < window ? wanted : window;
    return progress->stopped ? 0 : (int)(wanted < room ? wanted : room);
}

/* The input at `p` as 64 readable bytes. */
FST_INLINE const uint8_t *
fst_whole_block(uint8_t *copy, const uint8_t *p, const uint8_t *limit)
{
    if (FST_LIKELY(limit - p >= 64 + 3))
        return p;
    memset(copy, 0, 64 + 3);
    memcpy(copy, p, (size_t)(limit - p));
    return copy;
}

/* The bytes of a block that are not ASCII, a bit for each. */
FST_INLINE uint64_t fst_high(const uint8_t *block)
{
    uint64_t high = 0;
    int i;
#if defined(FST_X86)
    for (i = 0; i < 4; i++)
        high |= (uint64_t)(unsigned)_mm_movemask_epi8(fst_load(block + 16 * i)) << 16 * i;
#else
    for (i = 0; i < 64; i++)
        high |= (uint64_t)(block[i] >> 7) << i;
#endif
    return high;
}

FST_INLINE void
fst_set_classes(fst_classes *classes, int number, uint64_t quotes, uint64_t slashes, uint64_t lfs,
                uint64_t low)
{
    classes->quotes[number] = quotes;
    classes->slashes[number] = slashes;
    classes->lfs[number] = lfs;
    classes->low[number] = low;
    classes->odd |= (unsigned)((quotes | slashes | low) != 0) << number;
}

#if defined(FST_X86)
/* As fst_utf8_due, but what it returns is 1 where the block may end within a character. */
FST_COLD FST_TARGET_AVX2 int
fst_utf8_due_avx2(int due, const uint8_t *block, uint64_t high, const uint8_t *p)
{
    __m256i a = _mm256_loadu_si256((const __m256i *)block);
    __m256i b = _mm256_loadu_si256((const __m256i *)(block + 32));
    __m256i before = _mm256_setzero_si256(), errors;
    if (due)
        before = _mm256_loadu_si256((const __m256i *)(p - 32));
    errors = _mm256_or_si256(fst_utf8_errors(a, before), fst_utf8_errors(b, a));
    return _mm256_testz_si256(errors, errors) ? high >> 61 != 0 : -1;
}
#endif

#define FST_CLASSIFY fst_classify_portable
#define FST_MARK fst_mark_portable
#define FST_TARGET
/* The top bits of the bytes of a word, the first byte's in the lowest place. */
FST_INLINE uint64_t fst_top_bits(uint64_t word)
{
    return ((word & 0x8080808080808080u) >> 7) * 0x0102040810204080u >> 56;
}
/* The bytes of a word that are `c`, as fst_top_bits gives them. */
FST_INLINE uint64_t fst_equal_bits(uint64_t word, uint8_t c)
{
    const uint64_t sevens = 0x7f7f7f7f7f7f7f7fu;
    word ^= 0x0101010101010101u * c;
    return fst_top_bits(~(((word & sevens) + sevens) | word));
}
FST_INLINE void
fst_classify_portable(fst_classes *classes, int number, const uint8_t *p)
{
    uint64_t quotes = 0, slashes = 0, lfs = 0, low = 0;
    int i;
    for (i = 0; i < 64; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        quotes |= fst_equal_bits(word, '"') << i;
        slashes |= fst_equal_bits(word, '\\') << i;
        lfs |= fst_equal_bits(word, '\n') << i;
        low |= fst_top_bits(word | ~((word & 0x7f7f7f7f7f7f7f7fu) + 0x6060606060606060u)) << i;
    }
    fst_set_classes(classes, number, quotes, slashes, lfs, low);
}
#include "mark_blocks.h"

#if defined(FST_X86)
FST_INLINE uint64_t fst_bits64(__m128i a, __m128i b, __m128i c, __m128i d)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(a)
           | (uint64_t)(unsigned)_mm_movemask_epi8(b) << 16
           | (uint64_t)(unsigned)_mm_movemask_epi8(c) << 32
           | (uint64_t)(unsigned)_mm_movemask_epi8(d) << 48;
}
#define FST_WHERE(test, with) \
    fst_bits64(test(a, _mm_set1_epi8(with)), test(b, _mm_set1_epi8(with)), \
               test(c, _mm_set1_epi8(with)), test(d, _mm_set1_epi8(with)))
FST_INLINE void fst_classify_base(fst_classes *classes, int number, const uint8_t *p)
{
    __m128i a = fst_load(p), b = fst_load(p + 16), c = fst_load(p + 32), d = fst_load(p + 48);
    /* Compared as signed numbers, bytes from 0x80 on are below 0x20, too. */
    fst_set_classes(classes, number, FST_WHERE(_mm_cmpeq_epi8, '"'),
                    FST_WHERE(_mm_cmpeq_epi8, '\\'), FST_WHERE(_mm_cmpeq_epi8, '\n'),
                    FST_WHERE(_mm_cmplt_epi8, 0x20));
}
#elif defined(FST_NEON)
FST_INLINE uint64_t fst_bits64(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d)
{
    const uint8x16_t bits = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u));
    a = vpaddq_u8(vandq_u8(a, bits), vandq_u8(b, bits));
    c = vpaddq_u8(vandq_u8(c, bits), vandq_u8(d, bits));
    a = vpaddq_u8(a, c);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(a, a)), 0);
}
#define FST_WHERE(test, with) \
    fst_bits64(test(a, vdupq_n_u8(with)), test(b, vdupq_n_u8(with)), \
               test(c, vdupq_n_u8(with)), test(d, vdupq_n_u8(with)))
#define FST_IS_LOW(v, with) vcltq_s8(vreinterpretq_s8_u8(v), vreinterpretq_s8_u8(with))
FST_INLINE void fst_classify_base(fst_classes *classes, int number, const uint8_t *p)
{
    uint8x16_t a = vld1q_u8(p), b = vld1q_u8(p + 16), c = vld1q_u8(p + 32), d = vld1q_u8(p + 48);
    fst_set_classes(classes, number, FST_WHERE(vceqq_u8, '"'), FST_WHERE(vceqq_u8, '\\'),
                    FST_WHERE(vceqq_u8, '\n'), FST_WHERE(FST_IS_LOW, 0x20));
}
#undef FST_IS_LOW
#endif
#if defined(FST_X86) || defined(FST_NEON)
#undef FST_WHERE
#define FST_CLASSIFY fst_classify_base
#define FST_MARK fst_mark_base
#define FST_TARGET
#include "mark_blocks.h"
#endif

#if defined(FST_X86)
FST_INLINE FST_TARGET_AVX2 void
fst_classify_avx2(fst_classes *classes, int number, const uint8_t *p)
{
    const __m256i space = _mm256_set1_epi8(0x20);
    __m256i a = _mm256_loadu_si256((const __m256i *)p);
    __m256i b = _mm256_loadu_si256((const __m256i *)(p + 32));
    fst_set_classes(classes, number, fst_equal64_avx2(a, b, '"'), fst_equal64_avx2(a, b, '\\'),
                    fst_equal64_avx2(a, b, '\n'),
                    fst_mask64(_mm256_cmpgt_epi8(space, a), _mm256_cmpgt_epi8(space, b)));
}
#define FST_CLASSIFY fst_classify_avx2
#define FST_MARK fst_mark_avx2
#define FST_TARGET FST_TARGET_AVX2
#define FST_UTF8_DUE fst_utf8_due_avx2
#define FST_PREFIX_XOR fst_prefix_xor_avx2
#include "mark_blocks.h"

FST_INLINE FST_TARGET_AVX512 void
fst_classify_avx512(fst_classes *classes, int number, const uint8_t *p)
{
    __m512i bytes = _mm512_loadu_si512((const void *)p);
    fst_set_classes(classes, number, _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')),
                    _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\')),
                    _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\n')),
                    _mm512_cmplt_epi8_mask(bytes, _mm512_set1_epi8(0x20)));
}

/* As fst_add_marks, for all of them at once. */
FST_INLINE FST_TARGET_AVX512 void
fst_add_marks_avx512(fst_marks *marks, fst_progress *progress, uint64_t bits, unsigned position)
{
    const __m512i places = _mm512_set_epi8(
        63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42,
        41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20,
        19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i start = _mm512_set1_epi16((short)position);
    const __m512i found = _mm512_maskz_compress_epi8(bits, places);
    const unsigned count = fst_count_bits(bits);
    uint16_t *to = marks->at + progress->count;
    progress->count += (int)count;
    _mm512_storeu_si512((void *)to, _mm512_add_epi16(_mm512_cvtepu8_epi16(
                                                         _mm512_castsi512_si256(found)), start));
    if (!FST_LIKELY(count <= 32))
        _mm512_storeu_si512((void *)(to + 32),
                            _mm512_add_epi16(_mm512_cvtepu8_epi16(
                                                 _mm512_extracti64x4_epi64(found, 1)), start));
}
#define FST_CLASSIFY fst_classify_avx512
#define FST_MARK fst_mark_avx512
#define FST_TARGET FST_TARGET_AVX512
#define FST_UTF8_DUE fst_utf8_due_avx2
#define FST_PREFIX_XOR fst_prefix_xor_avx2
#define FST_ADD_MARKS fst_add_marks_avx512
#include "mark_blocks.h"
#endif

/* Mark FST_MARK_STEP more bytes, or up to `limit` or to what is wrong. Returns whether there was
 * anything to mark, and room for it. */
FST_INLINE int fst_mark_more(fst_marks *marks, const uint8_t *limit, int path)
{
    const uint8_t *before = marks->progress.end;
    const uint8_t *stop = limit - before > FST_MARK_STEP ? before + FST_MARK_STEP : limit;
#if defined(FST_X86)
    if (path == FST_AVX512)
        fst_mark_avx512(marks, stop, limit);
    else if (path == FST_AVX2)
        fst_mark_avx2(marks, stop, limit);
    else
#endif
#if defined(FST_X86) || defined(FST_NEON)
    if (path != FST_PORTABLE)
        fst_mark_base(marks, stop, limit);
    else
#else
    (void)path;
#endif
        fst_mark_portable(marks, stop, limit);
    return marks->progress.end > before;
}

/* Make room: forget the marks before `p`, where a line starts. `mark` and `line` are the numbers
 * of the first mark and the first end of a line from there on. */
FST_COLD void fst_move_marks(fst_marks *marks, const uint8_t *p, int mark, int line)
{
    fst_progress *progress = &marks->progress;
    ptrdiff_t words = (p - marks->start) / 64;
    ptrdiff_t used = (progress->end - marks->start + 63) / 64;
    int i;
    marks->start += words * 64;
    progress->count -= mark;
    progress->line_count -= line;
    for (i = 0; i < progress->count; i++)
        marks->at[i] = (uint16_t)(marks->at[mark + i] - words * 64);
    for (i = 0; i < progress->line_count; i++)
        marks->ends[i] = (uint16_t)(marks->ends[line + i] - mark);
    memmove(marks->special, marks->special + words, (size_t)(used - words) * 8);
}

/* Whether the string of `size` bytes at `p`, which is marked, is ASCII without escapes. */
FST_INLINE int fst_is_plain_text(const fst_marks *marks, const uint8_t *p, ptrdiff_t size)
{
    size_t at = (size_t)(p - marks->start);
    const uint64_t *words = marks->special + at / 64;
    uint64_t bits = words[0] >> at % 64;
    ptrdiff_t left = 64 - (ptrdiff_t)(at % 64);
    for (; size > left; size -= left, left = 64, bits = *words) {
        if (bits)
            return 0;
        words++;
    }
    return size == 0 || !(bits << (64 - size));
}

#endif
