/* The index of stops: the places of all bytes that are not plain, in the next few KiB.
 *
 * Of lines that are alike, and whose strings are plain, each has as many stops as the others. So its
 * strings and its LF are found by number, and the CPU works on several lines at once: none of them
 * waits for the end of the one before.
 */
#ifndef FORSTCORE_STOPS_H
#define FORSTCORE_STOPS_H

#include "block_bytes.h"

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

/* Functions that write the places of the stops in [p, end) to `index`, counted from `p`, and return
 * the end of the index. They leave out what is behind the last whole block. */
#define FST_INDEX_STOPS(name, target, find) \
    FST_COLD target uint16_t *name(uint16_t *index, const uint8_t *p, const uint8_t *end) \
    { \
        unsigned position = 0; \
        for (; end - p >= 64; p += 64, position += 64) { \
            const uint64_t stops = find(p); \
            const unsigned count = fst_count_bits(stops); \
            fst_list_bits(index, stops, count, position); \
            index += count; \
        } \
        return index; \
    }
FST_INDEX_STOPS(fst_index_stops_portable, , fst_find_stops_portable)
#if defined(FST_X86) || defined(FST_NEON)
FST_INDEX_STOPS(fst_index_stops_base, , fst_find_stops_base)
#endif
#if defined(FST_X86)
FST_INDEX_STOPS(fst_index_stops_avx2, FST_TARGET_AVX2, fst_find_stops_avx2)

FST_INLINE FST_TARGET_AVX512 void fst_put_places(uint16_t *index, __m256i start, __m128i found)
{
    _mm256_storeu_si256((__m256i *)index, _mm256_add_epi16(start, _mm256_cvtepu8_epi16(found)));
}

FST_COLD FST_ALIGNED FST_TARGET_AVX512 uint16_t *
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

FST_INLINE uint16_t *
fst_index_stops(uint16_t *index, const uint8_t *p, const uint8_t *end, int path)
{
#if defined(FST_X86)
    if (path == FST_AVX512)
        return fst_index_stops_avx512(index, p, end);
    if (path == FST_AVX2)
        return fst_index_stops_avx2(index, p, end);
#endif
#if defined(FST_X86) || defined(FST_NEON)
    if (path != FST_PORTABLE)
        return fst_index_stops_base(index, p, end);
#else
    (void)path;
#endif
    return fst_index_stops_portable(index, p, end);
}

#endif
