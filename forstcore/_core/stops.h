/* The stops of the input: all bytes that are not plain, in the next few KiB.
 *
 * They are found for 64 bytes at a time, apart from reading the lines, so the CPU does both at once:
 * what waits is only the way from one stop to the next. They are a bit for each byte, or, where lines
 * have a known number of them, a list of their places, which needs AVX-512.
 */
#ifndef FORSTCORE_STOPS_H
#define FORSTCORE_STOPS_H

#include "block_bytes.h"

/* Functions that write a word with the stops of each whole block in [p, end); they return the end of
 * the last one. */
#define FST_NOTE_STOPS(name, target, find) \
    FST_NOINLINE FST_ALIGNED target const uint8_t * \
    name(uint64_t *words, const uint8_t *p, const uint8_t *end) \
    { \
        for (; end - p >= 64; p += 64) \
            *words++ = find(p); \
        return p; \
    }
FST_NOTE_STOPS(fst_note_stops_portable, , fst_find_stops_portable)
#if defined(FST_X86) || defined(FST_NEON)
FST_NOTE_STOPS(fst_note_stops_base, , fst_find_stops_base)
#endif
#if defined(FST_X86)
FST_NOTE_STOPS(fst_note_stops_avx2, FST_TARGET_AVX2, fst_find_stops_avx2)
FST_NOTE_STOPS(fst_note_stops_avx512, FST_TARGET_AVX512, fst_find_stops_avx512)
#endif
#undef FST_NOTE_STOPS

FST_INLINE const uint8_t *
fst_note_stops(uint64_t *words, const uint8_t *p, const uint8_t *end, int path)
{
#if defined(FST_X86)
    if (path == FST_AVX512)
        return fst_note_stops_avx512(words, p, end);
    if (path == FST_AVX2)
        return fst_note_stops_avx2(words, p, end);
#endif
#if defined(FST_X86) || defined(FST_NEON)
    if (path != FST_PORTABLE)
        return fst_note_stops_base(words, p, end);
#else
    (void)path;
#endif
    return fst_note_stops_portable(words, p, end);
}

/* The number of the first bit from number `at` on; there is one. Not many branches depend on where
 * it is: most strings have less than 112 bytes. */
FST_INLINE size_t fst_next_bit(const uint64_t *words, size_t at)
{
    uint64_t bits;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    const uint64_t *word = words + at / 64;
    bits = *word & ~(uint64_t)0 << at % 64;
    at -= at % 64;
#else
    const uint8_t *from = (const uint8_t *)words + at / 8;
    uint64_t far, is_far;
    memcpy(&bits, from, 8);
    memcpy(&far, from + 7, 8);
    bits >>= at % 8;
    is_far = 0 - (uint64_t)(bits == 0);
    FST_KEEP(is_far);
    bits |= far >> at % 8 & is_far;
    at += 56 & is_far;
    if (FST_LIKELY(bits))
        return at + fst_ctz_or_any(bits);
    const uint64_t *word = words + at / 64;
    bits = *word & ~(uint64_t)0 << at % 64;
    at -= at % 64;
#endif
    for (; !bits; at += 64)
        bits = *++word;
    return at + fst_ctz_or_any(bits);
}

#if defined(FST_X86)
FST_INLINE FST_TARGET_AVX512 void fst_put_places(uint16_t *index, __m256i start, __m128i found)
{
    _mm256_storeu_si256((__m256i *)index, _mm256_add_epi16(start, _mm256_cvtepu8_epi16(found)));
}

/* Write the places of the stops in [p, end) to `index`, counted from `p`; return the end of the index.
 * What is behind the last whole block is left out. */
FST_NOINLINE FST_ALIGNED FST_TARGET_AVX512 uint16_t *
fst_index_stops_avx512(uint16_t *index, const uint8_t *p, const uint8_t *end)
{
    static const uint8_t numbers[64] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    const __m512i places = _mm512_loadu_si512(numbers);
    __m256i start = _mm256_setzero_si256();
    uint64_t before = 1;        /* the stops of the block before */
    for (; end - p >= 64; p += 64) {
        __mmask64 stops = fst_stops_avx512(_mm512_loadu_si512(p));
        __m512i found = _mm512_maskz_compress_epi8(stops, places);
        uint64_t bits = _cvtmask64_u64(stops);
        int count = (int)_mm_popcnt_u64(bits);
        if (!FST_LIKELY(bits | before)) {
            /* A long text: only its end is looked for. */
            for (; end - p >= 128 && !fst_find_stops_avx512(p + 64); p += 64)
                start = _mm256_add_epi16(start, _mm256_set1_epi16(64));
            bits = 1;
        }
        before = bits;
        fst_put_places(index, start, _mm512_castsi512_si128(found));
        if (!FST_LIKELY(count <= 16)) {
            fst_put_places(index + 16, start, _mm512_extracti32x4_epi32(found, 1));
            fst_put_places(index + 32, start, _mm512_extracti32x4_epi32(found, 2));
            fst_put_places(index + 48, start, _mm512_extracti32x4_epi32(found, 3));
        }
        index += count;
        start = _mm256_add_epi16(start, _mm256_set1_epi16(64));
    }
    return index;
}
#endif

#endif
