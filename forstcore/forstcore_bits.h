/* What forstcore_numbers.h needs of the CPU and the compiler: products of 128 bits, counts of zero
 * bits, bytes in little-endian order.
 */
#ifndef FORSTCORE_BITS_H
#define FORSTCORE_BITS_H

#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

/* Returns the low half of a product, and its high half in `high`. */
static inline uint64_t
fst_multiply(uint64_t a, uint64_t b, uint64_t *high)
{
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
#elif defined(_MSC_VER) && defined(_M_X64)
    return _umul128(a, b, high);
#elif defined(_MSC_VER) && defined(_M_ARM64)
    *high = __umulh(a, b);
    return a * b;
#else
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t low = a_low * b_low, one = a_high * b_low + (low >> 32);
    uint64_t other = a_low * b_high + (uint32_t)one;
    *high = a_high * b_high + (one >> 32) + (other >> 32);
    return other << 32 | (uint32_t)low;
#endif
}

/* Both take a number that is not zero. */
static inline int
fst_leading_zeros(uint64_t number)
{
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_clzll(number);
#elif defined(_MSC_VER) && (defined(_M_X64) || defined(_M_ARM64))
    unsigned long index;
    _BitScanReverse64(&index, number);
    return 63 - (int)index;
#else
    int count = 0;
    for (; !(number >> 63); number <<= 1)
        count++;
    return count;
#endif
}

static inline int
fst_trailing_zeros(uint64_t number)
{
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_ctzll(number);
#elif defined(_MSC_VER) && (defined(_M_X64) || defined(_M_ARM64))
    unsigned long index;
    _BitScanForward64(&index, number);
    return (int)index;
#else
    int count = 0;
    for (; !(number & 1); number >>= 1)
        count++;
    return count;
#endif
}

/* A byte times this is that byte eight times. */
#define FST_EACH_BYTE UINT64_C(0x0101010101010101)

/* The bytes of eight that are `wanted`: the top bit of each is set in the result. */
static inline uint64_t
fst_equal_in_eight(uint64_t bytes, unsigned char wanted)
{
    const uint64_t low = FST_EACH_BYTE * 0x7f;
    const uint64_t others = bytes ^ FST_EACH_BYTE * wanted;
    return ~(((others & low) + low) | others | low);
}

/* The same for bytes of ASCII from `lowest` on, so many. */
static inline uint64_t
fst_between_in_eight(uint64_t bytes, unsigned lowest, unsigned count)
{
    const uint64_t seven = bytes & FST_EACH_BYTE * 0x7f;
    const uint64_t from = seven + (0x80 - lowest) * FST_EACH_BYTE;
    const uint64_t behind = seven + (0x80 - lowest - count) * FST_EACH_BYTE;
    return from & ~behind & ~bytes & FST_EACH_BYTE * 0x80;
}

/* Tells whether one of eight bytes is `wanted`, and which is the first one, counted from the lowest. */
static inline int
fst_find_in_eight(uint64_t bytes, unsigned char wanted, int *at)
{
    const uint64_t others = bytes ^ FST_EACH_BYTE * wanted;
    const uint64_t found = (others - FST_EACH_BYTE) & ~others & FST_EACH_BYTE * 0x80;
    if (found == 0)
        return 0;
    *at = fst_trailing_zeros(found) >> 3;
    return 1;
}

/* Converts between the byte order of the CPU and little-endian order. */
static inline uint64_t
fst_little_endian(uint64_t number)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    number = __builtin_bswap64(number);
#endif
    return number;
}

static inline uint64_t
fst_load_eight(const char *from)
{
    uint64_t bytes;
    memcpy(&bytes, from, 8);
    return fst_little_endian(bytes);
}

static inline uint32_t
fst_load_four(const char *from)
{
    uint32_t bytes;
    memcpy(&bytes, from, 4);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap32(bytes);
#endif
    return bytes;
}

static inline void
fst_store_eight(char *to, uint64_t bytes)
{
    bytes = fst_little_endian(bytes);
    memcpy(to, &bytes, 8);
}

#endif
