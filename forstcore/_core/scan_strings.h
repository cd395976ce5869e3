/* The vector scan of whole strings, with escapes and UTF-8, if the CPU has AVX2 or AVX-512. */
#ifndef FORSTCORE_SCAN_STRINGS_H
#define FORSTCORE_SCAN_STRINGS_H

#include "scan.h"

/* Bytes that may be written past the end of a string that is copied. */
enum { FST_PAST_COPY = 128 };

/* The bytes of a block that its backslashes escape. Bit 0 of `next` says whether its first byte is
 * escaped, and becomes that of the next block. A run of backslashes escapes the byte after it if its
 * length is odd; the subtraction finds the ends of all runs at once (after simdjson). */
FST_INLINE uint64_t fst_escaped(uint64_t *next, uint64_t slashes)
{
    const uint64_t odd = 0xaaaaaaaaaaaaaaaau;
    uint64_t starts = slashes & ~*next;
    uint64_t series = ((starts << 1 | odd) - starts) ^ odd;
    uint64_t escaped = series ^ (slashes | *next);
    *next = (series & slashes) >> 63;
    return escaped;
}

#if defined(FST_X86)
/* UTF-8 by table lookup: Keiser and Lemire, "Validating UTF-8 In Less Than One
 * Instruction Per Byte" (2021). Each bit stands for an error that two bytes may make. */
enum {
    FST_TOO_SHORT = 1 << 0,
    FST_TOO_LONG = 1 << 1,
    FST_OVERLONG_3 = 1 << 2,
    FST_TOO_LARGE = 1 << 3,
    FST_SURROGATE = 1 << 4,
    FST_OVERLONG_2 = 1 << 5,
    FST_TOO_LARGE_1000 = 1 << 6,
    FST_OVERLONG_4 = 1 << 6,
    FST_TWO_CONTS = 1 << 7,
    FST_CARRY = FST_TOO_SHORT | FST_TOO_LONG | FST_TWO_CONTS,
    FST_ABOVE_4 = FST_CARRY | FST_TOO_LARGE | FST_TOO_LARGE_1000,
    FST_CONT = FST_TOO_LONG | FST_OVERLONG_2 | FST_TWO_CONTS
};

/* The errors that are possible after the high and the low half of the first byte, and with the
 * high half of the second. */
static const uint8_t FST_FIRST_HIGH[16] = {
    FST_TOO_LONG, FST_TOO_LONG, FST_TOO_LONG, FST_TOO_LONG,
    FST_TOO_LONG, FST_TOO_LONG, FST_TOO_LONG, FST_TOO_LONG,
    FST_TWO_CONTS, FST_TWO_CONTS, FST_TWO_CONTS, FST_TWO_CONTS,
    FST_TOO_SHORT | FST_OVERLONG_2, FST_TOO_SHORT,
    FST_TOO_SHORT | FST_OVERLONG_3 | FST_SURROGATE,
    FST_TOO_SHORT | FST_TOO_LARGE | FST_TOO_LARGE_1000 | FST_OVERLONG_4};
static const uint8_t FST_FIRST_LOW[16] = {
    FST_CARRY | FST_OVERLONG_3 | FST_OVERLONG_2 | FST_OVERLONG_4, FST_CARRY | FST_OVERLONG_2,
    FST_CARRY, FST_CARRY,
    FST_CARRY | FST_TOO_LARGE, FST_ABOVE_4, FST_ABOVE_4, FST_ABOVE_4,
    FST_ABOVE_4, FST_ABOVE_4, FST_ABOVE_4, FST_ABOVE_4,
    FST_ABOVE_4, FST_ABOVE_4 | FST_SURROGATE, FST_ABOVE_4, FST_ABOVE_4};
static const uint8_t FST_SECOND_HIGH[16] = {
    FST_TOO_SHORT, FST_TOO_SHORT, FST_TOO_SHORT, FST_TOO_SHORT,
    FST_TOO_SHORT, FST_TOO_SHORT, FST_TOO_SHORT, FST_TOO_SHORT,
    FST_CONT | FST_OVERLONG_3 | FST_TOO_LARGE_1000 | FST_OVERLONG_4,
    FST_CONT | FST_OVERLONG_3 | FST_TOO_LARGE,
    FST_CONT | FST_SURROGATE | FST_TOO_LARGE, FST_CONT | FST_SURROGATE | FST_TOO_LARGE,
    FST_TOO_SHORT, FST_TOO_SHORT, FST_TOO_SHORT, FST_TOO_SHORT};

/* Classes of bytes, each a bit that both halves of the byte have: those that may follow a
 * backslash, "\/bfnrtu, by their high half, and hexadecimal digits by their value. */
enum {
    FST_ESCAPED_2 = 1 << 0,
    FST_ESCAPED_5 = 1 << 1,
    FST_ESCAPED_6 = 1 << 2,
    FST_ESCAPED_7 = 1 << 3,
    FST_DIGIT_0_7 = 1 << 4,
    FST_DIGIT_8_9 = 1 << 5,
    FST_DIGIT_A_B = 1 << 6,
    FST_DIGIT_C_F = 1 << 7,
    FST_ESCAPED = FST_ESCAPED_2 | FST_ESCAPED_5 | FST_ESCAPED_6 | FST_ESCAPED_7,
    FST_DIGIT_8_B = FST_DIGIT_8_9 | FST_DIGIT_A_B,
    FST_DIGIT = FST_DIGIT_0_7 | FST_DIGIT_8_B | FST_DIGIT_C_F
};
static const uint8_t FST_CLASS_HIGH[16] = {
    0, 0, FST_ESCAPED_2, FST_DIGIT_0_7 | FST_DIGIT_8_9,
    FST_DIGIT_A_B | FST_DIGIT_C_F, FST_ESCAPED_5,
    FST_DIGIT_A_B | FST_DIGIT_C_F | FST_ESCAPED_6, FST_ESCAPED_7,
    0, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t FST_CLASS_LOW[16] = {
    FST_DIGIT_0_7,
    FST_DIGIT_0_7 | FST_DIGIT_A_B,
    FST_DIGIT_0_7 | FST_DIGIT_A_B | FST_ESCAPED_2 | FST_ESCAPED_6 | FST_ESCAPED_7,
    FST_DIGIT_0_7 | FST_DIGIT_C_F,
    FST_DIGIT_0_7 | FST_DIGIT_C_F | FST_ESCAPED_7,
    FST_DIGIT_0_7 | FST_DIGIT_C_F | FST_ESCAPED_7,
    FST_DIGIT_0_7 | FST_DIGIT_C_F | FST_ESCAPED_6,
    FST_DIGIT_0_7,
    FST_DIGIT_8_9, FST_DIGIT_8_9, 0, 0, FST_ESCAPED_5, 0, FST_ESCAPED_6, FST_ESCAPED_2};

/* What is known of a string up to a block of 64 bytes. */
typedef struct fst_string {
    uint64_t next_escaped;      /* bit 0: the block starts with an escaped byte */
    uint64_t units;             /* of the block before: the 'u' of each \uXXXX */
    uint64_t first_d;           /* of the block before: its first digit, if that is D */
    uint64_t highs;             /* of the block before: second digits of high surrogates */
    uint64_t wrong;             /* bits of invalid bytes */
    uint64_t open;              /* all bits if the string continues, else none */
} fst_string;

/* Bit masks of the bytes of a block that may be part of an escape. */
typedef struct fst_letters {
    uint64_t escaped;           /* may follow a backslash */
    uint64_t u;
    uint64_t d;                 /* of either case */
    uint64_t digits;            /* hexadecimal ones */
    uint64_t digits_8_b;
    uint64_t digits_c_f;
} fst_letters;

/* The bits of a block moved to those of bytes that follow later. */
FST_INLINE uint64_t fst_later(uint64_t bits, uint64_t before, int bytes)
{
    return bits << bytes | before >> (64 - bytes);
}

/* The part of a block that belongs to the string. */
typedef struct fst_part {
    uint64_t inside;            /* all its bytes before the closing quote */
    uint64_t quote;             /* the closing quote, or none */
    uint64_t escaped;           /* bytes after a backslash, inside */
} fst_part;

/* Find the closing quote in a block, given where it has backslashes, quotes and control
 * characters. */
FST_INLINE fst_part fst_read_block(
    fst_string *string, uint64_t slashes, uint64_t quotes, uint64_t controls)
{
    fst_part found;
    uint64_t escaped = fst_escaped(&string->next_escaped, slashes);
    quotes &= ~escaped & string->open;
    found.quote = quotes & (0 - quotes);
    found.inside = (found.quote - 1) & string->open;    /* all bits where no quote is */
    found.escaped = escaped & found.inside;
    string->wrong |= controls & found.inside;
    string->open &= (uint64_t)(quotes != 0) - 1;
    return found;
}

/* Whether there is something for fst_check_escapes. */
FST_INLINE int fst_has_escapes(const fst_string *string, const fst_part *found)
{
    return (found->escaped | string->units | string->first_d | string->highs) != 0;
}

FST_INLINE void fst_check_escapes(
    fst_string *string, const fst_letters *letters, const fst_part *found)
{
    uint64_t units = found->escaped & letters->u;
    uint64_t first = fst_later(units, string->units, 1);
    uint64_t second = fst_later(units, string->units, 2);
    uint64_t digits = first | second | fst_later(units, string->units, 3)
                      | fst_later(units, string->units, 4);
    /* Surrogates start with D, high ones go on with 8 to B, and a low one has to follow. */
    uint64_t first_d = first & letters->d;
    uint64_t second_of_d = second & fst_later(first_d, string->first_d, 1);
    uint64_t highs = second_of_d & letters->digits_8_b;
    uint64_t lows = second_of_d & letters->digits_c_f;
    string->wrong |= (found->escaped & ~letters->escaped)
                     | (digits & ~letters->digits & (found->inside | found->quote))
                     | (fst_later(highs, string->highs, 6) ^ lows);
    string->units = units;
    string->first_d = first_d;
    string->highs = highs;
}

/* Whether the string that ends in the last block is valid, but for its UTF-8. */
FST_INLINE int fst_is_valid(const fst_string *string)
{
    return (string->wrong | string->highs >> 58) == 0;
}

FST_INLINE FST_TARGET_AVX2 __m256i fst_lookup_avx2(const uint8_t *table, __m256i at)
{
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(fst_load(table)), at);
}

FST_INLINE FST_TARGET_AVX2 __m256i fst_high_half_avx2(__m256i v)
{
    return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0f));
}

/* Non-zero bytes of the result mark errors. */
FST_INLINE FST_TARGET_AVX2 __m256i fst_utf8_errors(__m256i input, __m256i previous)
{
    __m256i shifted = _mm256_permute2x128_si256(previous, input, 0x21);
    __m256i back1 = _mm256_alignr_epi8(input, shifted, 15);
    __m256i back2 = _mm256_alignr_epi8(input, shifted, 14);
    __m256i back3 = _mm256_alignr_epi8(input, shifted, 13);
    __m256i special = _mm256_and_si256(
        _mm256_and_si256(
            fst_lookup_avx2(FST_FIRST_HIGH, fst_high_half_avx2(back1)),
            fst_lookup_avx2(FST_FIRST_LOW, _mm256_and_si256(back1, _mm256_set1_epi8(0x0f)))),
        fst_lookup_avx2(FST_SECOND_HIGH, fst_high_half_avx2(input)));
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

FST_INLINE FST_TARGET_AVX2 uint64_t fst_equal64_avx2(__m256i a, __m256i b, char c)
{
    __m256i wanted = _mm256_set1_epi8(c);
    return fst_mask64(_mm256_cmpeq_epi8(a, wanted), _mm256_cmpeq_epi8(b, wanted));
}

/* Bytes that have one of the bits. */
FST_INLINE FST_TARGET_AVX2 uint64_t fst_class64_avx2(__m256i a, __m256i b, char bits)
{
    __m256i wanted = _mm256_set1_epi8(bits);
    return ~fst_equal64_avx2(_mm256_and_si256(a, wanted), _mm256_and_si256(b, wanted), 0);
}

FST_INLINE FST_TARGET_AVX2 __m256i fst_classes_avx2(__m256i v)
{
    return _mm256_and_si256(fst_lookup_avx2(FST_CLASS_HIGH, fst_high_half_avx2(v)),
                            fst_lookup_avx2(FST_CLASS_LOW, v));
}

FST_INLINE FST_TARGET_AVX2 fst_letters fst_letters_avx2(__m256i a, __m256i b)
{
    __m256i bit = _mm256_set1_epi8(0x20);
    __m256i class_a = fst_classes_avx2(a), class_b = fst_classes_avx2(b);
    fst_letters letters;
    letters.u = fst_equal64_avx2(a, b, 'u');
    letters.d = fst_equal64_avx2(_mm256_or_si256(a, bit), _mm256_or_si256(b, bit), 'd');
    letters.escaped = fst_class64_avx2(class_a, class_b, FST_ESCAPED);
    letters.digits = fst_class64_avx2(class_a, class_b, (char)FST_DIGIT);
    letters.digits_8_b = fst_class64_avx2(class_a, class_b, FST_DIGIT_8_B);
    letters.digits_c_f = fst_mask64(class_a, class_b);
    return letters;
}

/* Check the rest of a string from `p`, where a character starts. Escapes and UTF-8 are
 * checked 64 bytes at a time with bit masks, so the cost does not depend on how many
 * there are. Returns the closing quote, or NULL if the string is invalid or not closed
 * before `limit`. Copies to `dst` as fst_copy_plain does. */
FST_NOINLINE FST_TARGET_AVX2 const uint8_t *
fst_copy_string_avx2(uint8_t *dst, const uint8_t *p, const uint8_t *limit)
{
    const __m256i places = _mm256_setr_epi8(
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
        25, 26, 27, 28, 29, 30, 31);
    fst_string string = {0, 0, 0, 0, 0, ~(uint64_t)0};
    __m256i errors = _mm256_setzero_si256();
    __m256i previous = _mm256_setzero_si256();
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
        __m256i control = _mm256_set1_epi8(0x1f);
        uint64_t controls = fst_mask64(_mm256_cmpeq_epi8(_mm256_min_epu8(a, control), a),
                                       _mm256_cmpeq_epi8(_mm256_min_epu8(b, control), b));
        uint64_t high = fst_mask64(a, b);
        fst_part found = fst_read_block(
            &string, fst_equal64_avx2(a, b, '\\'), fst_equal64_avx2(a, b, '"'), controls);
        if (fst_has_escapes(&string, &found)) {
            fst_letters letters = fst_letters_avx2(a, b);
            fst_check_escapes(&string, &letters, &found);
        }
        if ((high & found.inside) || !in_ascii) {
            /* Bytes after the quote are not part of the string: treat them as ASCII. */
            int end = found.quote ? (int)fst_ctz(found.quote) : 64;
            __m256i text_a = _mm256_and_si256(
                a, _mm256_cmpgt_epi8(_mm256_set1_epi8((char)end), places));
            __m256i text_b = _mm256_and_si256(
                b, _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(end - 32)), places));
            errors = _mm256_or_si256(errors, fst_utf8_errors(text_a, previous));
            errors = _mm256_or_si256(errors, fst_utf8_errors(text_b, text_a));
            previous = text_b;
            in_ascii = !(high >> 61);
        }
        if (found.quote) {
            int valid = fst_is_valid(&string) && _mm256_testz_si256(errors, errors);
            return valid ? p + fst_ctz(found.quote) : NULL;
        }
        if (string.wrong || block == last)
            return NULL;
        p += 64;
    }
    return NULL;
}

FST_INLINE FST_TARGET_AVX512 __m512i fst_lookup_avx512(const uint8_t *table, __m512i at)
{
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(fst_load(table)), at);
}

FST_INLINE FST_TARGET_AVX512 __m512i fst_high_half_avx512(__m512i v)
{
    return _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(0x0f));
}

FST_INLINE FST_TARGET_AVX512 __m512i fst_utf8_errors_avx512(__m512i input, __m512i previous)
{
    __m512i shifted = _mm512_alignr_epi64(input, previous, 6);
    __m512i back1 = _mm512_alignr_epi8(input, shifted, 15);
    __m512i back2 = _mm512_alignr_epi8(input, shifted, 14);
    __m512i back3 = _mm512_alignr_epi8(input, shifted, 13);
    __m512i special = _mm512_and_si512(
        _mm512_and_si512(
            fst_lookup_avx512(FST_FIRST_HIGH, fst_high_half_avx512(back1)),
            fst_lookup_avx512(FST_FIRST_LOW, _mm512_and_si512(back1, _mm512_set1_epi8(0x0f)))),
        fst_lookup_avx512(FST_SECOND_HIGH, fst_high_half_avx512(input)));
    __m512i third = _mm512_subs_epu8(back2, _mm512_set1_epi8((char)(0xe0 - 0x80)));
    __m512i fourth = _mm512_subs_epu8(back3, _mm512_set1_epi8((char)(0xf0 - 0x80)));
    __m512i must_continue =
        _mm512_and_si512(_mm512_or_si512(third, fourth), _mm512_set1_epi8((char)0x80));
    return _mm512_xor_si512(must_continue, special);
}

/* A mask as a number, now: computing with it as a mask would take longer to begin. */
FST_INLINE FST_TARGET_AVX512 uint64_t fst_bits_of(__mmask64 mask)
{
    uint64_t number = _cvtmask64_u64(mask);
    FST_KEEP(number);
    return number;
}

FST_INLINE FST_TARGET_AVX512 fst_letters fst_letters_avx512(__m512i v)
{
    __m512i classes = _mm512_and_si512(fst_lookup_avx512(FST_CLASS_HIGH, fst_high_half_avx512(v)),
                                     fst_lookup_avx512(FST_CLASS_LOW, v));
    __m512i lower = _mm512_or_si512(v, _mm512_set1_epi8(0x20));
    fst_letters letters;
    letters.u = fst_bits_of(_mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('u')));
    letters.d = fst_bits_of(_mm512_cmpeq_epi8_mask(lower, _mm512_set1_epi8('d')));
    letters.escaped = fst_bits_of(_mm512_test_epi8_mask(classes, _mm512_set1_epi8(FST_ESCAPED)));
    letters.digits =
        fst_bits_of(_mm512_test_epi8_mask(classes, _mm512_set1_epi8((char)FST_DIGIT)));
    letters.digits_8_b =
        fst_bits_of(_mm512_test_epi8_mask(classes, _mm512_set1_epi8(FST_DIGIT_8_B)));
    letters.digits_c_f = fst_bits_of(_mm512_movepi8_mask(classes));
    return letters;
}

FST_INLINE FST_TARGET_AVX512 fst_part fst_read_block_avx512(fst_string *string, __m512i v)
{
    return fst_read_block(
        string, fst_bits_of(_mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\'))),
        fst_bits_of(_mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"'))),
        fst_bits_of(_mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20))));
}

/* As fst_copy_string_avx2, but two blocks at a time: whether the first one has the quote is
 * hard to predict. Up to FST_PAST_COPY bytes past the copy are written. */
FST_NOINLINE FST_TARGET_AVX512 const uint8_t *
fst_copy_string_avx512(uint8_t *dst, const uint8_t *p, const uint8_t *limit)
{
    fst_string string = {0, 0, 0, 0, 0, ~(uint64_t)0};
    __m512i errors = _mm512_setzero_si512();
    __m512i previous = _mm512_setzero_si512();
    int in_ascii = 1;               /* the block before ended on a whole character */

    for (; p < limit; p += 128) {
        __m512i a, b;
        if (FST_LIKELY(limit - p >= 128)) {
            a = _mm512_loadu_si512(p);
            b = _mm512_loadu_si512(p + 64);
        }
        else {
            /* Bytes from `limit` on read as zero, which is a control character. */
            const uint64_t all = ~(uint64_t)0;
            ptrdiff_t size = limit - p;
            a = _mm512_maskz_loadu_epi8(size < 64 ? ~(all << size) : all, p);
            b = _mm512_maskz_loadu_epi8(size > 64 ? ~(all << (size - 64)) : 0, p + 64);
        }
        if (dst) {
            _mm512_storeu_si512(dst, a);
            _mm512_storeu_si512(dst + 64, b);
            dst += 128;
        }
        uint64_t high_a = fst_bits_of(_mm512_movepi8_mask(a));
        uint64_t high_b = fst_bits_of(_mm512_movepi8_mask(b));
        fst_part found_a = fst_read_block_avx512(&string, a);
        fst_part found_b = fst_read_block_avx512(&string, b);
        if (fst_has_escapes(&string, &found_a) | fst_has_escapes(&string, &found_b)) {
            fst_letters letters_a = fst_letters_avx512(a), letters_b = fst_letters_avx512(b);
            fst_check_escapes(&string, &letters_a, &found_a);
            fst_check_escapes(&string, &letters_b, &found_b);
        }
        if ((high_a & found_a.inside) | (high_b & found_b.inside) | !in_ascii) {
            /* Bytes after the quote are not part of the string: treat them as ASCII. */
            __m512i text_a = _mm512_maskz_mov_epi8(found_a.inside, a);
            __m512i text_b = _mm512_maskz_mov_epi8(found_b.inside, b);
            errors = _mm512_or_si512(errors, fst_utf8_errors_avx512(text_a, previous));
            errors = _mm512_or_si512(errors, fst_utf8_errors_avx512(text_b, text_a));
            previous = text_b;
            in_ascii = !(high_b >> 61);
        }
        if (!string.open) {
            const uint8_t *end = found_a.quote ? p + fst_ctz(found_a.quote)
                                               : p + 64 + fst_ctz(found_b.quote);
            int valid = fst_is_valid(&string) && !_mm512_test_epi8_mask(errors, errors);
            return valid ? end : NULL;
        }
        if (string.wrong)
            return NULL;
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
    if (path == FST_AVX512)
        return fst_copy_string_avx512(dst, p, limit);
    if (path == FST_AVX2)
        return fst_copy_string_avx2(dst, p, limit);
#else
    (void)dst, (void)p, (void)limit, (void)path;
#endif
    return NULL;
}

#endif
