/* Blocks of 64 bytes: which of them are quotes, backslashes and so on, and whether they are UTF-8.
 *
 * fst_classify_... gives the masks of a block, fst_find_stops_... the bytes that are not plain, a bit
 * for each, for each path of scan.h. */
#ifndef FORSTCORE_BLOCK_BYTES_H
#define FORSTCORE_BLOCK_BYTES_H

#include "scan_strings.h"

/* What the bytes of a block are, a bit for each. */
typedef struct fst_masks {
    uint64_t quotes, slashes, lfs;
    uint64_t low;               /* control characters but LF, and what is not ASCII */
} fst_masks;

/* For each bit, whether an odd number of bits is set up to it. */
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
    /* A carry-less multiplication by all ones. */
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

/* ---------------------------------------------------------------- the bytes of a block */

FST_INLINE fst_masks fst_masks_of(uint64_t quotes, uint64_t slashes, uint64_t lfs, uint64_t low)
{
    const fst_masks masks = {quotes, slashes, lfs, low ^ lfs};
    return masks;
}

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
FST_INLINE fst_masks
fst_classify_portable(const uint8_t *p)
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
    return fst_masks_of(quotes, slashes, lfs, low);
}
FST_INLINE uint64_t fst_find_stops_portable(const uint8_t *p)
{
    const fst_masks masks = fst_classify_portable(p);
    return masks.quotes | masks.slashes | masks.lfs | masks.low;
}
FST_INLINE int fst_is_plain_portable(const uint8_t *p)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t stops = 0;
    int i;
    for (i = 0; i < 64; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        /* A borrow comes from a byte that is not plain. */
        stops |= word | (word - ones * 0x20) | ((word ^ ones * '"') - ones)
                 | ((word ^ ones * '\\') - ones);
    }
    return !(stops & 0x8080808080808080u);
}

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
FST_INLINE fst_masks fst_classify_base(const uint8_t *p)
{
    __m128i a = fst_load(p), b = fst_load(p + 16), c = fst_load(p + 32), d = fst_load(p + 48);
    /* Compared as signed numbers, bytes from 0x80 on are below 0x20, too. */
    return fst_masks_of(FST_WHERE(_mm_cmpeq_epi8, '"'),
                    FST_WHERE(_mm_cmpeq_epi8, '\\'), FST_WHERE(_mm_cmpeq_epi8, '\n'),
                    FST_WHERE(_mm_cmplt_epi8, 0x20));
}
FST_INLINE uint64_t fst_find_stops_base(const uint8_t *p)
{
    return fst_step(NULL, p) | fst_step(NULL, p + 32) << 32;
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
FST_INLINE fst_masks fst_classify_base(const uint8_t *p)
{
    uint8x16_t a = vld1q_u8(p), b = vld1q_u8(p + 16), c = vld1q_u8(p + 32), d = vld1q_u8(p + 48);
    return fst_masks_of(FST_WHERE(vceqq_u8, '"'), FST_WHERE(vceqq_u8, '\\'),
                    FST_WHERE(vceqq_u8, '\n'), FST_WHERE(FST_IS_LOW, 0x20));
}
FST_INLINE uint64_t fst_find_stops_base(const uint8_t *p)
{
    return fst_bits64(fst_stop_bytes(vld1q_u8(p)), fst_stop_bytes(vld1q_u8(p + 16)),
                      fst_stop_bytes(vld1q_u8(p + 32)), fst_stop_bytes(vld1q_u8(p + 48)));
}
#undef FST_IS_LOW
#endif
#undef FST_WHERE

#if defined(FST_X86)
FST_INLINE FST_TARGET_AVX2 fst_masks
fst_classify_avx2(const uint8_t *p)
{
    const __m256i space = _mm256_set1_epi8(0x20);
    __m256i a = _mm256_loadu_si256((const __m256i *)p);
    __m256i b = _mm256_loadu_si256((const __m256i *)(p + 32));
    return fst_masks_of(fst_equal64_avx2(a, b, '"'), fst_equal64_avx2(a, b, '\\'),
                    fst_equal64_avx2(a, b, '\n'),
                    fst_mask64(_mm256_cmpgt_epi8(space, a), _mm256_cmpgt_epi8(space, b)));
}
/* FST_FIND_MARKS of mark_blocks.h. One test for all other bytes is less work than their masks. */
FST_INLINE FST_TARGET_AVX2 int fst_find_marks_avx2(fst_masks *masks, const uint8_t *p)
{
    const __m256i space = _mm256_set1_epi8(0x20), slash = _mm256_set1_epi8('\\');
    const __m256i quote = _mm256_set1_epi8('"'), lf = _mm256_set1_epi8('\n');
    __m256i a = _mm256_loadu_si256((const __m256i *)p);
    __m256i b = _mm256_loadu_si256((const __m256i *)(p + 32));
    __m256i lfs_a = _mm256_cmpeq_epi8(a, lf), lfs_b = _mm256_cmpeq_epi8(b, lf);
    __m256i other_a = _mm256_or_si256(_mm256_cmpeq_epi8(a, slash), _mm256_cmpgt_epi8(space, a));
    __m256i other_b = _mm256_or_si256(_mm256_cmpeq_epi8(b, slash), _mm256_cmpgt_epi8(space, b));
    __m256i other = _mm256_or_si256(_mm256_xor_si256(other_a, lfs_a),
                                    _mm256_xor_si256(other_b, lfs_b));
    if (!_mm256_testz_si256(other, other))
        return 0;
    masks->quotes = fst_mask64(_mm256_cmpeq_epi8(a, quote), _mm256_cmpeq_epi8(b, quote));
    masks->lfs = fst_mask64(lfs_a, lfs_b);
    return 1;
}
FST_INLINE FST_TARGET_AVX2 uint64_t fst_find_stops_avx2(const uint8_t *p)
{
    return fst_stops64_avx2(_mm256_loadu_si256((const __m256i *)p),
                            _mm256_loadu_si256((const __m256i *)(p + 32)));
}

FST_INLINE FST_TARGET_AVX512 fst_masks
fst_classify_avx512(const uint8_t *p)
{
    __m512i bytes = _mm512_loadu_si512((const void *)p);
    return fst_masks_of(_mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')),
                    _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\')),
                    _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\n')),
                    _mm512_cmplt_epi8_mask(bytes, _mm512_set1_epi8(0x20)));
}
/* As fst_stops, of 64 bytes: a stop is a zero in one of three differences. Most of the work is
 * not done with masks, which only two of four units of current CPUs handle. */
FST_INLINE FST_TARGET_AVX512 __mmask64 fst_stops_avx512(__m512i v)
{
    FST_KEEP_VECTOR(v);
    const __m512i control = _mm512_set1_epi8(0x1f);
    __m512i quote = _mm512_xor_si512(v, _mm512_set1_epi8('"'));
    __m512i slash = _mm512_xor_si512(v, _mm512_set1_epi8('\\'));
    /* Compared as signed numbers, bytes from 0x80 on are below 0x20 too. */
    __m512i low = _mm512_xor_si512(_mm512_max_epi8(v, control), control);
    __m512i zero = _mm512_min_epu8(_mm512_min_epu8(quote, slash), low);
    return _mm512_testn_epi8_mask(zero, zero);
}

FST_INLINE FST_TARGET_AVX512 uint64_t fst_find_stops_avx512(const uint8_t *p)
{
    return fst_bits_of(fst_stops_avx512(_mm512_loadu_si512(p)));
}

#endif

/* ---------------------------------------------------------------- UTF-8 */

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
FST_NOINLINE int fst_utf8_due(int due, const uint8_t *block, uint64_t high, const uint8_t *p)
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

#if defined(FST_X86)
/* As fst_utf8_due, but what they return is 1 where the block may end within a character. */
FST_NOINLINE FST_TARGET_AVX2 int
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

FST_NOINLINE FST_TARGET_AVX512 int
fst_utf8_due_avx512(int due, const uint8_t *block, uint64_t high, const uint8_t *p)
{
    __m512i bytes = _mm512_loadu_si512((const void *)block);
    __m512i before = _mm512_setzero_si512(), errors;
    if (due)
        before = _mm512_loadu_si512((const void *)(p - 64));
    errors = fst_utf8_errors_avx512(bytes, before);
    return _mm512_test_epi8_mask(errors, errors) ? -1 : high >> 61 != 0;
}
#endif

#endif
