/* Short pieces of a line, compared and checked with vectors where there are any.
 *
 * All of them read up to 32 bytes from where they start: there must be so many. */
#ifndef FORSTCORE_SCAN_VALUES_H
#define FORSTCORE_SCAN_VALUES_H

#include "forstcore.h"
#include "scan.h"

/* What fst_is_text needs for a text of `size` bytes: a bit for each of its first 32. */
FST_INLINE uint32_t fst_text_mask(int size)
{
    return size >= 32 ? 0xffffffffu : ((uint32_t)1 << size) - 1;
}

/* Whether the bytes at `p` are those of a text that 32 bytes can be read of. */
FST_INLINE int fst_is_text(const uint8_t *p, const uint8_t *text, int size, uint32_t mask)
{
#if defined(FST_X86)
    unsigned a = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(fst_load(p), fst_load(text)));
    unsigned b =
        (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(fst_load(p + 16), fst_load(text + 16)));
    return !(~(a | b << 16) & mask)
           && (FST_LIKELY(size <= 32) || memcmp(p + 32, text + 32, (size_t)(size - 32)) == 0);
#else
    (void)mask;
    return memcmp(p, text, (size_t)size) == 0;
#endif
}

#if defined(FST_X86)
FST_INLINE FST_TARGET_AVX2 int
fst_is_text_avx2(const uint8_t *p, const uint8_t *text, int size, uint32_t mask)
{
    __m256i same = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)p),
                                     _mm256_loadu_si256((const __m256i *)text));
    return !(~(unsigned)_mm256_movemask_epi8(same) & mask)
           && (FST_LIKELY(size <= 32) || memcmp(p + 32, text + 32, (size_t)(size - 32)) == 0);
}
#endif

/* The bytes among the first ones from `p` on that are no digits: FST_DIGIT_BITS bits for each byte,
 * for FST_MOST_DIGITS bytes. */
#if defined(FST_X86)
enum { FST_MOST_DIGITS = 16, FST_DIGIT_BITS = 1 };
FST_INLINE uint64_t fst_no_digits(const uint8_t *p)
{
    __m128i digits = _mm_sub_epi8(fst_load(p), _mm_set1_epi8('0'));
    __m128i found = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
    return (uint64_t)(unsigned)_mm_movemask_epi8(found) ^ 0xffff;
}
#elif defined(FST_NEON)
enum { FST_MOST_DIGITS = 16, FST_DIGIT_BITS = 4 };
FST_INLINE uint64_t fst_no_digits(const uint8_t *p)
{
    uint8x16_t no = vcgtq_u8(vsubq_u8(vld1q_u8(p), vdupq_n_u8('0')), vdupq_n_u8(9));
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(no), 4)), 0);
}
#else
enum { FST_MOST_DIGITS = 8, FST_DIGIT_BITS = 1 };
FST_INLINE uint64_t fst_no_digits(const uint8_t *p)
{
    uint64_t no = 0;
    for (int i = 0; i < FST_MOST_DIGITS; i++)
        no |= (uint64_t)(p[i] < '0' || p[i] > '9') << i;
    return no;
}
#endif

/* The first byte from `p` on that is no digit. */
FST_INLINE const uint8_t *fst_after_digits(const uint8_t *p)
{
    uint64_t no = fst_no_digits(p);
    while (!FST_LIKELY(no)) {
        p += FST_MOST_DIGITS;
        no = fst_no_digits(p);
    }
    return p + fst_ctz(no) / FST_DIGIT_BITS;
}

/* As fst_after_digits, one by one: faster where there are few, as in arrays. */
FST_INLINE const uint8_t *fst_after_few_digits(const uint8_t *p)
{
    while ((uint8_t)(*p - '0') <= 9)
        p++;
    return p;
}

/* The end of the number at `p`; NULL if there is none, or if it may be too large for a double. */
FST_INLINE const uint8_t *fst_number_end(const uint8_t *p, int is_short)
{
    const uint8_t *start, *end;
    p += *p == '-';
    start = p;
    p = is_short ? fst_after_few_digits(p) : fst_after_digits(p);
    /* A zero stands alone before the point. */
    if (p == start || (*start == '0' && p - start > 1))
        return NULL;
    if (*p == '.') {
        end = fst_after_digits(p + 1);
        if (end == p + 1)
            return NULL;
        p = end;
    }
    if ((*p | 0x20) == 'e') {
        p++;
        p += *p == '+' || *p == '-';
        end = fst_after_digits(p);
        /* Less than 10 to the power of 99 + 200. */
        if (end == p || end - p > 2)
            return NULL;
        p = end;
    }
    return p - start > 200 ? NULL : p;
}

/* Whether the `size` bytes at `p` are a number of usual length without exponent. No branch depends on
 * the number of its digits. */
FST_INLINE int fst_is_usual_number(const uint8_t *p, ptrdiff_t size)
{
    uint64_t others;
    int minus = *p == '-', at;
    p += minus;
    size -= minus;
    if (!FST_LIKELY((size_t)(size - 1) < FST_MOST_DIGITS - 1))
        return 0;
    others = fst_no_digits(p) & (((uint64_t)1 << (FST_DIGIT_BITS * size)) - 1);
    if (others == 0)
        return *p != '0' || size == 1;
    /* One point, with digits on both sides. */
    at = (int)fst_ctz(others) / FST_DIGIT_BITS;
    return others >> at * FST_DIGIT_BITS == (1 << FST_DIGIT_BITS) - 1 && p[at] == '.' && at > 0
           && at < size - 1 && (*p != '0' || at == 1);
}

/* The end of true, false or null at `p`, NULL if it is none of them. Which one it is makes no
 * difference for branches: it cannot be foretold. */
FST_INLINE const uint8_t *fst_literal_end(const uint8_t *p)
{
    int is_false = *p == 'f', is_null = *p == 'n';
    const char *word = &"true\0\0\0\0alse\0\0\0\0null"[8 * (is_false + 2 * is_null)];
    uint32_t wanted, found;
    memcpy(&wanted, word, 4);
    memcpy(&found, p + is_false, 4);
    return wanted == found ? p + 4 + is_false : NULL;
}

/* The kind of a value that starts with 't', 'f' or 'n'. */
FST_INLINE fst_kind fst_literal_kind(uint8_t c)
{
    return (fst_kind)(FST_TRUE - (c != 't') - (c == 'n'));
}

#endif
