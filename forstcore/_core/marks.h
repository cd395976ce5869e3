/* Marks: where the strings and the lines of the input end, found for 64 bytes at a time.
 *
 * Masks with a bit for each byte say which bytes are quotes, backslashes and so on. Each unescaped
 * quote and each LF gets a mark. The reader of a line then goes from mark to mark: the end of a
 * string is the mark after its start, however long it is.
 *
 * In blocks that have more than plain text, quotes and LFs, a few bit operations tell which quotes
 * are escaped and which bytes are inside strings (the first stage of Langdale and Lemire, "Parsing
 * Gigabytes of JSON per Second", 2019). All that can be wrong inside a string is checked there:
 * control characters, escapes, UTF-8. Marking stops at the block in which something is wrong. So
 * marks can only accept input: lines without marks are for the code that locates errors, and so are
 * lines with an odd number of quotes.
 *
 * The implementations, one for each path of scan.h, give the same marks. None reads at or past
 * `limit`. */
#ifndef FORSTCORE_MARKS_H
#define FORSTCORE_MARKS_H

#include "stops.h"

enum {
    FST_MOST_MARKS = 4096,
    FST_WINDOW_BYTES = 32768,   /* positions fit into 16 bits */
    FST_MARK_STEP = 2048        /* bytes that are marked at once, ahead of the reader */
};

/* What has been found. */
typedef struct fst_counts {
    int marks;
    int lines;                  /* ends of lines among them */
    uint64_t dense;             /* not zero: there may be several ends of lines in a block */
} fst_counts;

/* How far marking has come. */
typedef struct fst_progress {
    const uint8_t *end;         /* of what has been marked */
    fst_counts counts;
    uint64_t escaped;           /* 1: the byte at `end` is escaped */
    int utf8_due;               /* bytes at `end` that continue a character */
    int stopped;                /* something is wrong behind `end` */
} fst_progress;

typedef struct fst_marks {
    const uint8_t *start;       /* positions are counted from here */
    fst_progress progress;
    const uint8_t *low_due;     /* the 'u' of a low surrogate that has been checked */
    int plain;                  /* nothing is marked: strings are known to be plain */
    uint16_t at[FST_MOST_MARKS + 64];
    uint16_t ends[FST_MOST_MARKS + 64]; /* numbers of the marks that are LFs */
    /* A bit for each byte that is a backslash or not ASCII. */
    uint64_t special[FST_WINDOW_BYTES / 64 + 2];
    uint64_t special_blocks[FST_WINDOW_BYTES / 4096 + 2]; /* a bit for each block that has any */
} fst_marks;

/* Forget all marks; the next one is at or after `p`, where a line starts. */
FST_INLINE void fst_restart_marks(fst_marks *marks, const uint8_t *p)
{
    memset(&marks->progress, 0, sizeof marks->progress);
    memset(marks->special_blocks, 0, sizeof marks->special_blocks);
    marks->start = marks->progress.end = p;
    marks->low_due = NULL;
    marks->plain = 0;
}

/* Check the escape sequences whose second bytes are the bits of `seconds`, in the block that
 * stands for the input at `p`. */
FST_NOINLINE int
fst_are_escapes(fst_marks *marks, const uint8_t *p, const uint8_t *limit, uint64_t seconds)
{
    for (; seconds; seconds &= seconds - 1) {
        const uint8_t *u = p + fst_ctz(seconds);
        const int kind = fst_escape_kind(*u);
        int unit, low;
        if (kind == 1)
            continue;
        if (kind == 0)
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

/* Write the numbers of the bits of a mask, from `first` on, to `to`: up to seven more than there
 * are. */
FST_INLINE void fst_list_bits(uint16_t *to, uint64_t bits, unsigned count, unsigned first)
{
    unsigned i;
    /* Eight at once: how many there are is unpredictable, and there is room behind them. */
    for (i = 0; i < count; i += 8, to += 8) {
#define FST_ADD(n) \
    to[n] = (uint16_t)(first + fst_ctz_or_any(bits)); \
    bits &= bits - 1
        FST_ADD(0); FST_ADD(1); FST_ADD(2); FST_ADD(3);
        FST_ADD(4); FST_ADD(5); FST_ADD(6); FST_ADD(7);
#undef FST_ADD
    }
}

/* Add the ends of lines of a block, whose marks are `bits`. */
FST_INLINE void
fst_add_ends(fst_marks *marks, fst_counts *counts, uint64_t lfs, uint64_t bits)
{
    /* Most blocks have one LF or none: no branch that depends on which. */
    marks->ends[counts->lines] =
        (uint16_t)(counts->marks + (int)fst_count_bits(bits & ((lfs & (0 - lfs)) - 1)));
    counts->lines += lfs != 0;
    for (lfs &= lfs - 1; lfs; lfs &= lfs - 1)
        marks->ends[counts->lines++] =
            (uint16_t)(counts->marks + (int)fst_count_bits(bits & ((lfs & (0 - lfs)) - 1)));
}

/* Add the marks of a block at `position`. */
FST_INLINE void fst_add_marks(
    fst_marks *marks, fst_counts *counts, const fst_masks *masks, unsigned position)
{
    const uint64_t bits = masks->quotes | masks->lfs;
    const unsigned count = fst_count_bits(bits);
    fst_add_ends(marks, counts, masks->lfs, bits);
    fst_list_bits(marks->at + counts->marks, bits, count, position);
    counts->marks += (int)count;
}

/* All bits if what has been marked ends inside a string, else none. */
FST_INLINE uint64_t fst_is_inside(const fst_marks *marks)
{
    const fst_counts *counts = &marks->progress.counts;
    int first = counts->lines ? marks->ends[counts->lines - 1] + 1 : 0;
    return 0 - (uint64_t)((counts->marks - first) & 1);
}

/* Where to stop, at most at `stop`: there is room for the marks before, whatever the input is. */
FST_INLINE const uint8_t *fst_marks_end(const fst_marks *marks, const uint8_t *stop)
{
    const fst_progress *progress = &marks->progress;
    ptrdiff_t window = FST_WINDOW_BYTES - (progress->end - marks->start);
    ptrdiff_t room = (FST_MOST_MARKS - progress->counts.marks) / 64 * 64;
    room = room < window ? room : window;
    return stop - progress->end < room ? stop : progress->end + room;
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

#define FST_CLASSIFY fst_classify_portable
#define FST_IS_PLAIN fst_is_plain_portable
#define FST_MARK fst_mark_portable
#define FST_MARK_BLOCK fst_mark_block_portable
#define FST_TARGET
#include "mark_blocks.h"

#if defined(FST_X86) || defined(FST_NEON)
#define FST_CLASSIFY fst_classify_base
#define FST_IS_PLAIN(p) (!fst_find_stops_base(p))
#define FST_MARK fst_mark_base
#define FST_MARK_BLOCK fst_mark_block_base
#define FST_TARGET
#include "mark_blocks.h"
#endif

#if defined(FST_X86)
/* The numbers of the bits of each byte, a byte for each number. */
#define FST_NUMBER(others, byte, n) \
    ((others) << 8 * ((byte) >> (n) & 1) | (uint64_t)(((byte) >> (n) & 1) * (n)))
#define FST_HIGH_NUMBERS(byte) \
    FST_NUMBER(FST_NUMBER(FST_NUMBER(FST_NUMBER((uint64_t)0, byte, 7), byte, 6), byte, 5), byte, 4)
#define FST_NUMBERS(byte) \
    FST_NUMBER(FST_NUMBER(FST_NUMBER(FST_NUMBER(FST_HIGH_NUMBERS(byte), byte, 3), byte, 2), byte, 1), \
               byte, 0)
#define FST_FOUR(byte) \
    FST_NUMBERS(byte), FST_NUMBERS((byte) + 1), FST_NUMBERS((byte) + 2), FST_NUMBERS((byte) + 3)
#define FST_SIXTEEN(byte) \
    FST_FOUR(byte), FST_FOUR((byte) + 4), FST_FOUR((byte) + 8), FST_FOUR((byte) + 12)
#define FST_SIXTY_FOUR(byte) \
    FST_SIXTEEN(byte), FST_SIXTEEN((byte) + 16), FST_SIXTEEN((byte) + 32), FST_SIXTEEN((byte) + 48)
static const uint64_t FST_BITS_OF[256] = {
    FST_SIXTY_FOUR(0), FST_SIXTY_FOUR(64), FST_SIXTY_FOUR(128), FST_SIXTY_FOUR(192)
};

/* As fst_list_bits, byte by byte, with up to eight more. */
FST_INLINE FST_TARGET_AVX2 void fst_list_bits_avx2(uint16_t *to, uint64_t bits, unsigned first)
{
    const __m128i eight = _mm_set1_epi16(8);
    __m128i start = _mm_set1_epi16((short)first);
    /* How many bits are set below each byte. */
    uint64_t counts = bits - (bits >> 1 & 0x5555555555555555u);
    int i;
    counts = (counts & 0x3333333333333333u) + (counts >> 2 & 0x3333333333333333u);
    counts = ((counts + (counts >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u << 8;
    for (i = 0; i < 64; i += 8) {
        const __m128i found = _mm_loadl_epi64((const __m128i *)&FST_BITS_OF[(uint8_t)(bits >> i)]);
        _mm_storeu_si128((__m128i *)(to + (uint8_t)(counts >> i)),
                         _mm_add_epi16(start, _mm_cvtepu8_epi16(found)));
        start = _mm_add_epi16(start, eight);
    }
}

FST_INLINE FST_TARGET_AVX2 void fst_add_marks_avx2(
    fst_marks *marks, fst_counts *counts, const fst_masks *masks, unsigned position)
{
    const uint64_t bits = masks->quotes | masks->lfs;
    fst_add_ends(marks, counts, masks->lfs, bits);
    fst_list_bits_avx2(marks->at + counts->marks, bits, position);
    counts->marks += (int)fst_count_bits(bits);
}
#define FST_CLASSIFY fst_classify_avx2
#define FST_FIND_MARKS fst_find_marks_avx2
#define FST_IS_PLAIN(p) (!fst_find_stops_avx2(p))
#define FST_MARK fst_mark_avx2
#define FST_MARK_BLOCK fst_mark_block_avx2
#define FST_TARGET FST_TARGET_AVX2
#define FST_UTF8_DUE fst_utf8_due_avx2
#define FST_PREFIX_XOR fst_prefix_xor_avx2
#define FST_ADD_MARKS fst_add_marks_avx2
#include "mark_blocks.h"

/* As fst_list_bits, with up to fifteen more. */
FST_INLINE FST_TARGET_AVX512 void
fst_list_bits_avx512(uint16_t *to, uint64_t bits, unsigned count, unsigned first)
{
    const __m512i places = _mm512_set_epi8(
        63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42,
        41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20,
        19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i found = _mm512_maskz_compress_epi8(bits, places);
    const __m512i start = _mm512_set1_epi16((short)first);
    _mm256_storeu_si256((__m256i *)to,
                        _mm256_add_epi16(_mm256_cvtepu8_epi16(_mm512_castsi512_si128(found)),
                                         _mm512_castsi512_si256(start)));
    if (!FST_LIKELY(count <= 16)) {
        _mm512_storeu_si512((void *)to, _mm512_add_epi16(_mm512_cvtepu8_epi16(
                                            _mm512_castsi512_si256(found)), start));
        _mm512_storeu_si512((void *)(to + 32),
                            _mm512_add_epi16(_mm512_cvtepu8_epi16(
                                                 _mm512_extracti64x4_epi64(found, 1)), start));
    }
}

/* As fst_add_marks, for all of them at once. */
FST_INLINE FST_TARGET_AVX512 void fst_add_marks_avx512(
    fst_marks *marks, fst_counts *counts, const fst_masks *masks, unsigned position)
{
    const uint64_t bits = masks->quotes | masks->lfs;
    const unsigned count = fst_count_bits(bits), lines = fst_count_bits(masks->lfs);
    uint64_t second = _blsr_u64(masks->lfs);
    FST_KEEP(second);
    counts->dense = counts->dense >> 4 | second;
    fst_list_bits_avx512(marks->at + counts->marks, bits, count, position);
    if (FST_LIKELY(counts->dense == 0))
        marks->ends[counts->lines] = (uint16_t)(
            counts->marks + (int)fst_count_bits(bits & (_blsmsk_u64(masks->lfs) >> 1)));
    else
        fst_list_bits_avx512(marks->ends + counts->lines, _pext_u64(masks->lfs, bits), lines,
                       (unsigned)counts->marks);
    counts->lines += (int)lines;
    counts->marks += (int)count;
}
#define FST_CLASSIFY fst_classify_avx512
#define FST_IS_PLAIN(p) (!fst_find_stops_avx512(p))
#define FST_MARK fst_mark_avx512
#define FST_MARK_BLOCK fst_mark_block_avx512
#define FST_TARGET FST_TARGET_AVX512
#define FST_UTF8_DUE fst_utf8_due_avx512
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

/* The 64 bits from bit number `at` of `words` on, which is less than 64. */
FST_INLINE uint64_t fst_bits_at(const uint64_t *words, unsigned at)
{
    return words[0] >> at | words[1] << 1 << (63 - at);
}

/* Make room: forget the marks before `p`, where a line starts. `mark` and `line` are the numbers
 * of the first mark and the first end of a line from there on. */
FST_NOINLINE void fst_move_marks(fst_marks *marks, const uint8_t *p, int mark, int line)
{
    fst_progress *progress = &marks->progress;
    ptrdiff_t words = (p - marks->start) / 64;
    ptrdiff_t used = (progress->end - marks->start + 63) / 64;
    int i;
    marks->start += words * 64;
    progress->counts.marks -= mark;
    progress->counts.lines -= line;
    for (i = 0; i < progress->counts.marks; i++)
        marks->at[i] = (uint16_t)(marks->at[mark + i] - words * 64);
    for (i = 0; i < progress->counts.lines; i++)
        marks->ends[i] = (uint16_t)(marks->ends[line + i] - mark);
    memmove(marks->special, marks->special + words, (size_t)(used - words) * 8);
    for (i = 0; i <= FST_WINDOW_BYTES / 4096; i++) {
        ptrdiff_t from = i + words / 64;
        marks->special_blocks[i] =
            from <= FST_WINDOW_BYTES / 4096
                ? fst_bits_at(marks->special_blocks + from, (unsigned)(words % 64))
                : 0;
    }
}

/* Whether the string of `size` bytes at `p`, which has been read, is ASCII without escapes. */
FST_INLINE int fst_is_plain_text(const fst_marks *marks, const uint8_t *p, ptrdiff_t size)
{
    const size_t at = (size_t)(p - marks->start);
    const uint64_t *words = marks->special + at / 64;
    if (marks->plain)
        return 1;
    for (; size >= 64; size -= 64, words++)
        if (fst_bits_at(words, at % 64))
            return 0;
    return !(fst_bits_at(words, at % 64) & (((uint64_t)1 << size) - 1));
}

/* Whether the blocks that the `size` bytes at `p` are in, at least one, are all ASCII without escapes.
 * The cost does not depend on how many there are, unless there are very many. */
FST_INLINE int fst_are_plain_blocks(const fst_marks *marks, const uint8_t *p, ptrdiff_t size)
{
    const size_t first = (size_t)(p - marks->start) / 64;
    const size_t last = (size_t)(p + size - 1 - marks->start) / 64;
    const uint64_t *words = marks->special_blocks + first / 64;
    size_t count = last - first + 1;
    for (; count >= 64; count -= 64, words++)
        if (fst_bits_at(words, first % 64))
            return 0;
    return !(fst_bits_at(words, first % 64) & (((uint64_t)1 << count) - 1));
}

#endif
