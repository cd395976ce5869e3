/* The vector scan: the functions of the core that need vector instructions.
 *
 * A *plain* byte of a JSON string stands for itself: ASCII from 0x20 on, but
 * neither '"' nor '\'. The functions here find the end of runs of plain bytes and of
 * lines; scan_strings.h finds that of whole strings. They can only accept input: what
 * they do not accept, the scalar code of json.pxd reads again, and locates the error.
 *
 * Paths: FST_PORTABLE is plain C, FST_BASE uses the 16-byte vectors that every CPU
 * of the architecture has (SSE2, NEON), FST_AVX2 also 32-byte and FST_AVX512 also 64-byte
 * vectors; the choice is made at run time. A path can do what those before it can. No
 * function reads at or past `limit`.
 */
#ifndef FORSTCORE_SCAN_H
#define FORSTCORE_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#define FST_X86 1
#include <immintrin.h>
#elif defined(__aarch64__) || defined(_M_ARM64)
#define FST_NEON 1
#include <arm_neon.h>
#endif

#if defined(_MSC_VER)
#include <intrin.h>
#define FST_INLINE static __forceinline
#define FST_NOINLINE static __declspec(noinline)
#define FST_TARGET_AVX2
#define FST_TARGET_AVX512
#define FST_LIKELY(x) (x)
#define FST_UNLIKELY(x) (x)
#define FST_UNREACHABLE() __assume(0)
#define FST_KEEP(x)
#define FST_KEEP_VECTOR(x)
#define FST_ALIGNED
#else
#define FST_INLINE static inline __attribute__((always_inline))
#define FST_NOINLINE static __attribute__((noinline, unused))
#define FST_TARGET_AVX2 __attribute__((target("avx2,bmi,popcnt,pclmul")))
#define FST_TARGET_AVX512 \
    __attribute__((target("avx2,bmi,bmi2,popcnt,pclmul,avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2")))
#define FST_LIKELY(x) __builtin_expect(!!(x), 1)
#define FST_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define FST_UNREACHABLE() __builtin_unreachable()
/* For loops whose speed depends on where their code starts: not to change with other code. */
#define FST_ALIGNED __attribute__((aligned(64)))
/* Keeps the compiler from computing a value again, or in another way, where it is used. */
#define FST_KEEP(x) __asm__("" : "+r"(x))
#define FST_KEEP_VECTOR(x) __asm__("" : "+v"(x))
#endif

enum { FST_PORTABLE = 0, FST_BASE = 1, FST_AVX2 = 2, FST_AVX512 = 3 };

#if defined(FST_X86)
#define FST_BASE_NAME "sse2"
#elif defined(FST_NEON)
#define FST_BASE_NAME "neon"
#else
#define FST_BASE_NAME "portable"
#endif

/* The widest path that this CPU can run. */
FST_NOINLINE int fst_best_path(void)
{
#if defined(FST_X86) && defined(_MSC_VER)
    enum { BMI = 1 << 3, AVX2 = 1 << 5, BMI2 = 1 << 8, F = 1 << 16, BW = 1 << 30 };
    enum { VBMI = 1 << 1, VBMI2 = 1 << 6 };
    const unsigned vl = 1u << 31;
    unsigned saved, wide;
    int regs[4];
    __cpuid(regs, 0);
    if (regs[0] < 7)
        return FST_BASE;
    __cpuid(regs, 1);
    /* OSXSAVE and AVX, then which parts of the registers the system saves. */
    if ((regs[2] & 0x18000000) != 0x18000000)
        return FST_BASE;
    saved = (unsigned)_xgetbv(0);
    __cpuidex(regs, 7, 0);
    if ((saved & 0x06) != 0x06 || (regs[1] & (BMI | AVX2)) != (BMI | AVX2))
        return FST_BASE;
    wide = BMI2 | F | BW | vl;
    if ((saved & 0xe6) != 0xe6 || ((unsigned)regs[1] & wide) != wide
        || (regs[2] & (VBMI | VBMI2)) != (VBMI | VBMI2))
        return FST_AVX2;
    return FST_AVX512;
#elif defined(FST_X86)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi")
        || !__builtin_cpu_supports("popcnt") || !__builtin_cpu_supports("pclmul"))
        return FST_BASE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")
        || !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512vbmi")
        || !__builtin_cpu_supports("avx512vbmi2") || !__builtin_cpu_supports("bmi2"))
        return FST_AVX2;
    return FST_AVX512;
#elif defined(FST_NEON)
    return FST_BASE;
#else
    return FST_PORTABLE;
#endif
}

FST_INLINE unsigned fst_ctz(uint64_t mask)
{
#if defined(_MSC_VER)
    unsigned long index;
    _BitScanForward64(&index, mask);
    return (unsigned)index;
#else
    return (unsigned)__builtin_ctzll(mask);
#endif
}

FST_INLINE int fst_is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* What the byte behind a backslash begins: 1 an escape of two bytes, 2 one with four digits, 0 none. */
FST_INLINE int fst_escape_kind(uint8_t c)
{
    /* No switch: which escape comes cannot be predicted. */
    static const uint8_t kinds[256] = {['"'] = 1, ['\\'] = 1, ['/'] = 1, ['b'] = 1, ['f'] = 1,
                                       ['n'] = 1, ['r'] = 1,  ['t'] = 1, ['u'] = 2};
    return kinds[c];
}

/* The end of the white space at `p`. */
FST_INLINE const uint8_t *fst_after_space(const uint8_t *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\r')
        p++;
    return p;
}

/* fst_step copies FST_STEP bytes, if there is a `dst`, and returns a mask with
 * FST_MASK_BITS bits for each byte, set where the byte is not plain. */
#if defined(FST_X86)
#define FST_STEP 32
#define FST_MASK_BITS 1
FST_INLINE __m128i fst_load(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)p); }
FST_INLINE uint64_t fst_stops(__m128i v)
{
    /* Compared as signed numbers, bytes from 0x80 on are below 0x20 too. */
    __m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, slash)));
}
FST_INLINE uint64_t fst_step(uint8_t *dst, const uint8_t *src)
{
    /* Two vectors at once: the lengths of short strings vary, and one branch that most of
     * them take is cheaper than two unpredictable ones. */
    __m128i v = fst_load(src), w = fst_load(src + 16);
    if (dst) {
        _mm_storeu_si128((__m128i *)dst, v);
        _mm_storeu_si128((__m128i *)(dst + 16), w);
    }
    return fst_stops(v) | fst_stops(w) << 16;
}
#elif defined(FST_NEON)
#define FST_STEP 16
#define FST_MASK_BITS 4
FST_INLINE uint8x16_t fst_stop_bytes(uint8x16_t v)
{
    uint8x16_t low = vcltq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8(0x20));
    uint8x16_t quote = vceqq_u8(v, vdupq_n_u8('"'));
    uint8x16_t slash = vceqq_u8(v, vdupq_n_u8('\\'));
    return vorrq_u8(low, vorrq_u8(quote, slash));
}
FST_INLINE uint64_t fst_step(uint8_t *dst, const uint8_t *src)
{
    uint8x16_t v = vld1q_u8(src);
    uint8x16_t stop = fst_stop_bytes(v);
    if (dst)
        vst1q_u8(dst, v);
    /* A narrowing shift leaves four bits of each byte, in order. */
    return vget_lane_u64(
        vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(stop), 4)), 0);
}
#endif

#if defined(FST_X86)
FST_INLINE FST_TARGET_AVX2 uint64_t fst_stops64_avx2(__m256i a, __m256i b)
{
    const __m256i space = _mm256_set1_epi8(0x20);
    const __m256i quote = _mm256_set1_epi8('"');
    const __m256i slash = _mm256_set1_epi8('\\');
    __m256i stop_a = _mm256_or_si256(
        _mm256_cmpgt_epi8(space, a),
        _mm256_or_si256(_mm256_cmpeq_epi8(a, quote), _mm256_cmpeq_epi8(a, slash)));
    __m256i stop_b = _mm256_or_si256(
        _mm256_cmpgt_epi8(space, b),
        _mm256_or_si256(_mm256_cmpeq_epi8(b, quote), _mm256_cmpeq_epi8(b, slash)));
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(stop_a)
           | (uint64_t)(uint32_t)_mm256_movemask_epi8(stop_b) << 32;
}

/* Copy 32 bytes a step for as long as all are plain: for long runs. */
FST_NOINLINE FST_TARGET_AVX2 const uint8_t *
fst_copy_plain_avx2(uint8_t *dst, const uint8_t *src, const uint8_t *limit)
{
    while (limit - src >= 64) {
        __m256i a = _mm256_loadu_si256((const __m256i *)src);
        __m256i b = _mm256_loadu_si256((const __m256i *)(src + 32));
        uint64_t stops = fst_stops64_avx2(a, b);
        if (dst) {
            _mm256_storeu_si256((__m256i *)dst, a);
            _mm256_storeu_si256((__m256i *)(dst + 32), b);
            dst += 64;
        }
        if (stops)
            return src + fst_ctz(stops);
        src += 64;
    }
    return src;
}
#endif

/* Copy plain bytes from `src` to `dst`; return the first byte that is not plain,
 * or `limit`. With `dst` NULL nothing is copied. Up to 64 bytes past the copy may
 * be written, with values that do not matter. */
FST_INLINE const uint8_t *
fst_copy_plain(uint8_t *dst, const uint8_t *src, const uint8_t *limit, int path)
{
#if defined(FST_STEP)
    if (FST_LIKELY(path != FST_PORTABLE)) {
#if defined(FST_X86)
        const uint8_t *narrow = src + FST_STEP;
#endif
        while (limit - src >= FST_STEP) {
            uint64_t stops = fst_step(dst, src);
            if (stops)
                return src + fst_ctz(stops) / FST_MASK_BITS;
            src += FST_STEP;
            if (dst)
                dst += FST_STEP;
#if defined(FST_X86)
            /* Most strings end within the first step: wider vectors only past it. */
            if (src == narrow && path >= FST_AVX2) {
                const uint8_t *start = src;
                src = fst_copy_plain_avx2(dst, src, limit);
                if (limit - src >= 64)
                    return src;
                if (dst)
                    dst += src - start;
            }
#endif
        }
    }
#else
    (void)path;
#endif
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* Eight bytes a step: borrows can only mark bytes above the first true stop. */
    while (limit - src >= 8) {
        const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
        uint64_t w, quote, slash, stops;
        memcpy(&w, src, 8);
        quote = w ^ ones * '"';
        slash = w ^ ones * '\\';
        stops = (w | (w - ones * 0x20) | (quote - ones) | (slash - ones)) & tops;
        if (dst) {
            memcpy(dst, &w, 8);
            dst += 8;
        }
        if (stops)
            return src + fst_ctz(stops) / 8;
        src += 8;
    }
#endif
    while (src < limit && fst_is_plain(*src)) {
        if (dst)
            *dst++ = *src;
        src++;
    }
    return src;
}

/* The value of the four hexadecimal digits at `p`, or -1. Stops at the first byte that is
 * not a digit, so an LF before the fifth byte is a sufficient bound. */
FST_INLINE int fst_hex4(const uint8_t *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        int digit = c >= '0' && c <= '9'                     ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                             : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* The first LF at or after `p`; there is one before `limit`. Finding it before the line is
 * read lets the CPU work on several lines at once: the start of the next line does not
 * depend on the strings of this one. */
FST_INLINE const uint8_t *fst_next_lf(const uint8_t *p, const uint8_t *limit, int path)
{
#if defined(FST_X86)
    if (FST_LIKELY(path != FST_PORTABLE)) {
        const __m128i lf = _mm_set1_epi8('\n');
        for (int i = 0; i < 3 && limit - p >= 64; i++, p += 64) {
            uint64_t a = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(fst_load(p), lf));
            uint64_t b = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(fst_load(p + 16), lf));
            uint64_t c = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(fst_load(p + 32), lf));
            uint64_t d = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(fst_load(p + 48), lf));
            uint64_t found = a | b << 16 | c << 32 | d << 48;
            if (found)
                return p + fst_ctz(found);
        }
    }
#else
    (void)path;
#endif
    return (const uint8_t *)memchr(p, '\n', (size_t)(limit - p));
}

/* Count the LFs in [p, end). */
FST_INLINE ptrdiff_t fst_count_lf(const uint8_t *p, const uint8_t *end)
{
    ptrdiff_t count = 0;
#if defined(FST_X86)
    const __m128i lf = _mm_set1_epi8('\n'), zero = _mm_setzero_si128();
    __m128i sums = zero;
    while (end - p >= 64) {
        __m128i a = _mm_cmpeq_epi8(fst_load(p), lf), b = _mm_cmpeq_epi8(fst_load(p + 16), lf);
        __m128i c = _mm_cmpeq_epi8(fst_load(p + 32), lf), d = _mm_cmpeq_epi8(fst_load(p + 48), lf);
        /* Equal bytes are -1: the sum of four is at least -4. */
        __m128i found = _mm_add_epi8(_mm_add_epi8(a, b), _mm_add_epi8(c, d));
        sums = _mm_add_epi64(sums, _mm_sad_epu8(_mm_sub_epi8(zero, found), zero));
        p += 64;
    }
    count = (ptrdiff_t)(_mm_cvtsi128_si64(sums) + _mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums)));
#endif
    for (; p < end; p++)
        count += *p == '\n';
    return count;
}

/* The last LF in [start, end), or NULL. */
FST_INLINE const uint8_t *fst_last_lf(const uint8_t *start, const uint8_t *end)
{
    while (end > start) {
#if defined(FST_X86)
        while (end - start >= 16
               && !_mm_movemask_epi8(_mm_cmpeq_epi8(fst_load(end - 16), _mm_set1_epi8('\n'))))
            end -= 16;
#endif
        if (end == start)
            break;
        if (*--end == '\n')
            return end;
    }
    return NULL;
}

#endif
