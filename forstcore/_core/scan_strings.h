/* The vector scan of whole strings, with escapes and UTF-8, if the CPU has AVX2. */
#ifndef FORSTCORE_SCAN_STRINGS_H
#define FORSTCORE_SCAN_STRINGS_H

#include "scan.h"

#if defined(FST_X86)
/* UTF-8 by table lookup: Keiser and Lemire, "Validating UTF-8 In Less Than One
 * Instruction Per Byte" (2021). Non-zero bytes of the result mark errors. */
FST_INLINE FST_TARGET_AVX2 __m256i fst_utf8_errors(__m256i input, __m256i previous)
{
    enum {
        TOO_SHORT = 1 << 0,
        TOO_LONG = 1 << 1,
        OVERLONG_3 = 1 << 2,
        TOO_LARGE = 1 << 3,
        SURROGATE = 1 << 4,
        OVERLONG_2 = 1 << 5,
        TOO_LARGE_1000 = 1 << 6,
        OVERLONG_4 = 1 << 6,
        TWO_CONTS = 1 << 7,
        CARRY = TOO_SHORT | TOO_LONG | TWO_CONTS
    };
#define FST_TABLE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)
    const __m256i first_high = FST_TABLE(
        TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
        (char)TWO_CONTS, (char)TWO_CONTS, (char)TWO_CONTS, (char)TWO_CONTS,
        TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
        TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4);
    const __m256i first_low = FST_TABLE(
        (char)(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(CARRY | OVERLONG_2),
        (char)CARRY, (char)CARRY, (char)(CARRY | TOO_LARGE),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000));
    const __m256i second_high = FST_TABLE(
        TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE),
        TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
#undef FST_TABLE
    const __m256i nibble = _mm256_set1_epi8(0x0f);
    __m256i shifted = _mm256_permute2x128_si256(previous, input, 0x21);
    __m256i back1 = _mm256_alignr_epi8(input, shifted, 15);
    __m256i back2 = _mm256_alignr_epi8(input, shifted, 14);
    __m256i back3 = _mm256_alignr_epi8(input, shifted, 13);
    __m256i special = _mm256_and_si256(
        _mm256_and_si256(
            _mm256_shuffle_epi8(first_high,
                                _mm256_and_si256(_mm256_srli_epi16(back1, 4), nibble)),
            _mm256_shuffle_epi8(first_low, _mm256_and_si256(back1, nibble))),
        _mm256_shuffle_epi8(second_high, _mm256_and_si256(_mm256_srli_epi16(input, 4), nibble)));
    __m256i third = _mm256_subs_epu8(back2, _mm256_set1_epi8((char)(0xe0 - 0x80)));
    __m256i fourth = _mm256_subs_epu8(back3, _mm256_set1_epi8((char)(0xf0 - 0x80)));
    __m256i must_continue =
        _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(must_continue, special);
}

FST_INLINE FST_TARGET_AVX2 uint64_t fst_mask64(__m256i a, __m256i b)
{
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(a)
           | (uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32;
}

/* Check the rest of a string from `p`, where a character starts. Escapes and UTF-8 are
 * checked 64 bytes at a time with bit masks, so the cost does not depend on how many
 * there are. Returns the closing quote, or NULL if the string is invalid or not closed
 * before `limit`. Copies to `dst` as fst_copy_plain does. */
FST_COLD FST_TARGET_AVX2 const uint8_t *
fst_copy_string_avx2(uint8_t *dst, const uint8_t *p, const uint8_t *limit)
{
    const __m256i places = _mm256_setr_epi8(
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
        25, 26, 27, 28, 29, 30, 31);
    const uint64_t odd = 0xaaaaaaaaaaaaaaaau;
    __m256i errors = _mm256_setzero_si256();
    __m256i previous = _mm256_setzero_si256();
    uint64_t next_escaped = 0;      /* bit 0: the block starts with an escaped byte */
    const uint8_t *low_due = NULL;  /* the 'u' of a low surrogate already checked */
    int in_ascii = 1;               /* the block before ended on a whole character */
    uint8_t last[64];

    while (p < limit) {
        const uint8_t *block = p;
        if (limit - p < 64) {
            memset(last, 0, sizeof last);
            memcpy(last, p, (size_t)(limit - p));
            block = last;
        }
        __m256i a = _mm256_loadu_si256((const __m256i *)block);
        __m256i b = _mm256_loadu_si256((const __m256i *)(block + 32));
        if (dst) {
            _mm256_storeu_si256((__m256i *)dst, a);
            _mm256_storeu_si256((__m256i *)(dst + 32), b);
            dst += 64;
        }
        const __m256i slash = _mm256_set1_epi8('\\'), quote = _mm256_set1_epi8('"');
        const __m256i control = _mm256_set1_epi8(0x1f);
        uint64_t slashes = fst_mask64(_mm256_cmpeq_epi8(a, slash), _mm256_cmpeq_epi8(b, slash));
        uint64_t quotes = fst_mask64(_mm256_cmpeq_epi8(a, quote), _mm256_cmpeq_epi8(b, quote));
        uint64_t controls = fst_mask64(_mm256_cmpeq_epi8(_mm256_min_epu8(a, control), a),
                                       _mm256_cmpeq_epi8(_mm256_min_epu8(b, control), b));
        uint64_t high = fst_mask64(a, b);

        /* A run of backslashes escapes the byte after it if its length is odd; the
         * subtraction finds the ends of all runs at once (after simdjson). */
        uint64_t starts = slashes & ~next_escaped;
        uint64_t series = ((starts << 1 | odd) - starts) ^ odd;
        uint64_t escaped = series ^ (slashes | next_escaped);
        next_escaped = (series & slashes) >> 63;

        quotes &= ~escaped;
        uint64_t inside = (quotes & (0 - quotes)) - 1; /* all bits where no quote is */
        if (controls & inside)
            return NULL;
        escaped &= inside;
        if (escaped) {
            /* One bit for each high nibble among the bytes "\/bfnrtu. */
#define FST_TABLE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)
            const __m256i by_high = FST_TABLE(0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0);
            const __m256i by_low = FST_TABLE(0, 0, 13, 0, 8, 8, 4, 0, 0, 0, 0, 0, 2, 0, 4, 1);
#undef FST_TABLE
            const __m256i nibble = _mm256_set1_epi8(0x0f), zero = _mm256_setzero_si256();
            const __m256i letter_u = _mm256_set1_epi8('u');
            __m256i class_a = _mm256_and_si256(
                _mm256_shuffle_epi8(by_high, _mm256_and_si256(_mm256_srli_epi16(a, 4), nibble)),
                _mm256_shuffle_epi8(by_low, a));
            __m256i class_b = _mm256_and_si256(
                _mm256_shuffle_epi8(by_high, _mm256_and_si256(_mm256_srli_epi16(b, 4), nibble)),
                _mm256_shuffle_epi8(by_low, b));
            uint64_t wrong =
                fst_mask64(_mm256_cmpeq_epi8(class_a, zero), _mm256_cmpeq_epi8(class_b, zero));
            if (escaped & wrong)
                return NULL;
            uint64_t units =
                escaped
                & fst_mask64(_mm256_cmpeq_epi8(a, letter_u), _mm256_cmpeq_epi8(b, letter_u));
            for (; units; units &= units - 1) {
                const uint8_t *u = p + fst_ctz(units);
                int unit;
                if (limit - u < 5 || (unit = fst_hex4(u + 1)) < 0)
                    return NULL;
                if ((unit & 0xfc00) == 0xd800) {
                    int low;
                    if (limit - u < 11 || u[5] != '\\' || u[6] != 'u'
                        || (low = fst_hex4(u + 7)) < 0 || (low & 0xfc00) != 0xdc00)
                        return NULL;
                    low_due = u + 6;
                }
                else if ((unit & 0xfc00) == 0xdc00 && u != low_due)
                    return NULL;
            }
        }
        if ((high & inside) || !in_ascii) {
            /* Bytes after the quote are not part of the string: treat them as ASCII. */
            int end = quotes ? (int)fst_ctz(quotes) : 64;
            __m256i text_a = _mm256_and_si256(
                a, _mm256_cmpgt_epi8(_mm256_set1_epi8((char)end), places));
            __m256i text_b = _mm256_and_si256(
                b, _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(end - 32)), places));
            errors = _mm256_or_si256(errors, fst_utf8_errors(text_a, previous));
            errors = _mm256_or_si256(errors, fst_utf8_errors(text_b, text_a));
            previous = text_b;
            in_ascii = !(high >> 61);
        }
        if (quotes)
            return _mm256_testz_si256(errors, errors) ? p + fst_ctz(quotes) : NULL;
        if (block == last)
            return NULL;
        p += 64;
    }
    return NULL;
}
#endif

/* Check the rest of a string with wide vectors. NULL means that the scalar code has to:
 * the path has none, or the string is invalid. */
FST_INLINE const uint8_t *
fst_copy_string(uint8_t *dst, const uint8_t *p, const uint8_t *limit, int path)
{
#if defined(FST_X86)
    if (path >= FST_AVX2)
        return fst_copy_string_avx2(dst, p, limit);
#else
    (void)dst, (void)p, (void)limit, (void)path;
#endif
    return NULL;
}

#endif
