/* digest_blocks.h: the compression functions of MD5 (RFC 1321), SHA-1 and SHA-2 (FIPS 180-4) and BLAKE2b
 * (RFC 7693): what each makes of its state and one block of the message. */
#ifndef FST_VM_DIGEST_BLOCKS_H
#define FST_VM_DIGEST_BLOCKS_H

#include "values.h"

FST_INLINE uint32_t
fst_turn_left(uint32_t word, int count)
{
    return word << count | word >> (32 - count);
}

FST_INLINE uint32_t
fst_turn_right(uint32_t word, int count)
{
    return word >> count | word << (32 - count);
}

FST_INLINE uint64_t
fst_turn_right_long(uint64_t word, int count)
{
    return word >> count | word << (64 - count);
}

/* Reads words of four or eight bytes, whatever order the machine has. */
FST_INLINE uint32_t
fst_little_word(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

FST_INLINE uint32_t
fst_big_word(const uint8_t *at)
{
    return at[3] | (uint32_t)at[2] << 8 | (uint32_t)at[1] << 16 | (uint32_t)at[0] << 24;
}

FST_INLINE uint64_t
fst_little_long(const uint8_t *at)
{
    return fst_little_word(at) | (uint64_t)fst_little_word(at + 4) << 32;
}

FST_INLINE uint64_t
fst_big_long(const uint8_t *at)
{
    return fst_big_word(at + 4) | (uint64_t)fst_big_word(at) << 32;
}

/* ---------------------------------------------------------------- MD5 */

static const uint32_t FST_MD5_SUMMANDS[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
    0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
    0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
    0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
    0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
    0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
    0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
    0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
    0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391
};

#define FST_MD5_STEP(a, b, c, d, mixed, word, turns, i) \
    do { \
        a += (mixed) + FST_MD5_SUMMANDS[i] + fst_little_word(block + 4 * ((word) & 15)); \
        a = b + fst_turn_left(a, turns); \
    } while (0)

/* Four steps, after which each word of the state has moved through all places. */
#define FST_MD5_STEPS(MIX, factor, offset, i, t0, t1, t2, t3) \
    do { \
        FST_MD5_STEP(a, b, c, d, MIX(b, c, d), factor * (i) + offset, t0, i); \
        FST_MD5_STEP(d, a, b, c, MIX(a, b, c), factor * (i + 1) + offset, t1, i + 1); \
        FST_MD5_STEP(c, d, a, b, MIX(d, a, b), factor * (i + 2) + offset, t2, i + 2); \
        FST_MD5_STEP(b, c, d, a, MIX(c, d, a), factor * (i + 3) + offset, t3, i + 3); \
    } while (0)
#define FST_MD5_MIX_1(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define FST_MD5_MIX_2(b, c, d) ((c) ^ ((d) & ((b) ^ (c))))
#define FST_MD5_MIX_3(b, c, d) ((b) ^ (c) ^ (d))
#define FST_MD5_MIX_4(b, c, d) ((c) ^ ((b) | ~(d)))

FST_NOINLINE void
fst_md5_block(uint64_t *state, const uint8_t *block)
{
    uint32_t a = (uint32_t)state[0], b = (uint32_t)state[1];
    uint32_t c = (uint32_t)state[2], d = (uint32_t)state[3];
    int i;
    for (i = 0; i < 16; i += 4)
        FST_MD5_STEPS(FST_MD5_MIX_1, 1, 0, i, 7, 12, 17, 22);
    for (; i < 32; i += 4)
        FST_MD5_STEPS(FST_MD5_MIX_2, 5, 1, i, 5, 9, 14, 20);
    for (; i < 48; i += 4)
        FST_MD5_STEPS(FST_MD5_MIX_3, 3, 5, i, 4, 11, 16, 23);
    for (; i < 64; i += 4)
        FST_MD5_STEPS(FST_MD5_MIX_4, 7, 0, i, 6, 10, 15, 21);
    state[0] = (uint32_t)(state[0] + a);
    state[1] = (uint32_t)(state[1] + b);
    state[2] = (uint32_t)(state[2] + c);
    state[3] = (uint32_t)(state[3] + d);
}

#undef FST_MD5_STEP
#undef FST_MD5_STEPS
#undef FST_MD5_MIX_1
#undef FST_MD5_MIX_2
#undef FST_MD5_MIX_3
#undef FST_MD5_MIX_4

/* ---------------------------------------------------------------- SHA-1 */

FST_NOINLINE void
fst_sha1_block(uint64_t *state, const uint8_t *block)
{
    uint32_t words[80], a = (uint32_t)state[0], b = (uint32_t)state[1], c = (uint32_t)state[2];
    uint32_t d = (uint32_t)state[3], e = (uint32_t)state[4];
    int i;
    for (i = 0; i < 16; i++)
        words[i] = fst_big_word(block + 4 * i);
    for (; i < 80; i++)
        words[i] = fst_turn_left(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    for (i = 0; i < 80; i++) {
        uint32_t mixed;
        if (i < 20)
            mixed = ((b & c) | (~b & d)) + 0x5a827999;
        else if (i < 40)
            mixed = (b ^ c ^ d) + 0x6ed9eba1;
        else if (i < 60)
            mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
        else
            mixed = (b ^ c ^ d) + 0xca62c1d6;
        mixed += fst_turn_left(a, 5) + e + words[i];
        e = d;
        d = c;
        c = fst_turn_left(b, 30);
        b = a;
        a = mixed;
    }
    state[0] = (uint32_t)(state[0] + a);
    state[1] = (uint32_t)(state[1] + b);
    state[2] = (uint32_t)(state[2] + c);
    state[3] = (uint32_t)(state[3] + d);
    state[4] = (uint32_t)(state[4] + e);
}

/* ---------------------------------------------------------------- SHA-2 */

static const uint32_t FST_SHA256_SUMMANDS[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

#define FST_SHA256_ROUND(a, b, c, d, e, f, g, h, i) \
    do { \
        h += (g ^ (e & (f ^ g))) + FST_SHA256_SUMMANDS[i] + words[i] \
             + (fst_turn_right(e, 6) ^ fst_turn_right(e, 11) ^ fst_turn_right(e, 25)); \
        d += h; \
        h += ((a & b) | (c & (a | b))) \
             + (fst_turn_right(a, 2) ^ fst_turn_right(a, 13) ^ fst_turn_right(a, 22)); \
    } while (0)

FST_NOINLINE void
fst_sha256_block(uint64_t *state, const uint8_t *block)
{
    uint32_t words[64];
    uint32_t a = (uint32_t)state[0], b = (uint32_t)state[1], c = (uint32_t)state[2];
    uint32_t d = (uint32_t)state[3], e = (uint32_t)state[4], f = (uint32_t)state[5];
    uint32_t g = (uint32_t)state[6], h = (uint32_t)state[7];
    int i;
    for (i = 0; i < 16; i++)
        words[i] = fst_big_word(block + 4 * i);
    for (; i < 64; i++) {
        const uint32_t one = words[i - 15], two = words[i - 2];
        words[i] = words[i - 16] + words[i - 7]
                   + (fst_turn_right(one, 7) ^ fst_turn_right(one, 18) ^ one >> 3)
                   + (fst_turn_right(two, 17) ^ fst_turn_right(two, 19) ^ two >> 10);
    }
    for (i = 0; i < 64; i += 8) {
        FST_SHA256_ROUND(a, b, c, d, e, f, g, h, i);
        FST_SHA256_ROUND(h, a, b, c, d, e, f, g, i + 1);
        FST_SHA256_ROUND(g, h, a, b, c, d, e, f, i + 2);
        FST_SHA256_ROUND(f, g, h, a, b, c, d, e, i + 3);
        FST_SHA256_ROUND(e, f, g, h, a, b, c, d, i + 4);
        FST_SHA256_ROUND(d, e, f, g, h, a, b, c, i + 5);
        FST_SHA256_ROUND(c, d, e, f, g, h, a, b, i + 6);
        FST_SHA256_ROUND(b, c, d, e, f, g, h, a, i + 7);
    }
    state[0] = (uint32_t)(state[0] + a);
    state[1] = (uint32_t)(state[1] + b);
    state[2] = (uint32_t)(state[2] + c);
    state[3] = (uint32_t)(state[3] + d);
    state[4] = (uint32_t)(state[4] + e);
    state[5] = (uint32_t)(state[5] + f);
    state[6] = (uint32_t)(state[6] + g);
    state[7] = (uint32_t)(state[7] + h);
}

#undef FST_SHA256_ROUND

static const uint64_t FST_SHA512_SUMMANDS[80] = {
    UINT64_C(0x428a2f98d728ae22), UINT64_C(0x7137449123ef65cd), UINT64_C(0xb5c0fbcfec4d3b2f),
    UINT64_C(0xe9b5dba58189dbbc), UINT64_C(0x3956c25bf348b538), UINT64_C(0x59f111f1b605d019),
    UINT64_C(0x923f82a4af194f9b), UINT64_C(0xab1c5ed5da6d8118), UINT64_C(0xd807aa98a3030242),
    UINT64_C(0x12835b0145706fbe), UINT64_C(0x243185be4ee4b28c), UINT64_C(0x550c7dc3d5ffb4e2),
    UINT64_C(0x72be5d74f27b896f), UINT64_C(0x80deb1fe3b1696b1), UINT64_C(0x9bdc06a725c71235),
    UINT64_C(0xc19bf174cf692694), UINT64_C(0xe49b69c19ef14ad2), UINT64_C(0xefbe4786384f25e3),
    UINT64_C(0x0fc19dc68b8cd5b5), UINT64_C(0x240ca1cc77ac9c65), UINT64_C(0x2de92c6f592b0275),
    UINT64_C(0x4a7484aa6ea6e483), UINT64_C(0x5cb0a9dcbd41fbd4), UINT64_C(0x76f988da831153b5),
    UINT64_C(0x983e5152ee66dfab), UINT64_C(0xa831c66d2db43210), UINT64_C(0xb00327c898fb213f),
    UINT64_C(0xbf597fc7beef0ee4), UINT64_C(0xc6e00bf33da88fc2), UINT64_C(0xd5a79147930aa725),
    UINT64_C(0x06ca6351e003826f), UINT64_C(0x142929670a0e6e70), UINT64_C(0x27b70a8546d22ffc),
    UINT64_C(0x2e1b21385c26c926), UINT64_C(0x4d2c6dfc5ac42aed), UINT64_C(0x53380d139d95b3df),
    UINT64_C(0x650a73548baf63de), UINT64_C(0x766a0abb3c77b2a8), UINT64_C(0x81c2c92e47edaee6),
    UINT64_C(0x92722c851482353b), UINT64_C(0xa2bfe8a14cf10364), UINT64_C(0xa81a664bbc423001),
    UINT64_C(0xc24b8b70d0f89791), UINT64_C(0xc76c51a30654be30), UINT64_C(0xd192e819d6ef5218),
    UINT64_C(0xd69906245565a910), UINT64_C(0xf40e35855771202a), UINT64_C(0x106aa07032bbd1b8),
    UINT64_C(0x19a4c116b8d2d0c8), UINT64_C(0x1e376c085141ab53), UINT64_C(0x2748774cdf8eeb99),
    UINT64_C(0x34b0bcb5e19b48a8), UINT64_C(0x391c0cb3c5c95a63), UINT64_C(0x4ed8aa4ae3418acb),
    UINT64_C(0x5b9cca4f7763e373), UINT64_C(0x682e6ff3d6b2b8a3), UINT64_C(0x748f82ee5defb2fc),
    UINT64_C(0x78a5636f43172f60), UINT64_C(0x84c87814a1f0ab72), UINT64_C(0x8cc702081a6439ec),
    UINT64_C(0x90befffa23631e28), UINT64_C(0xa4506cebde82bde9), UINT64_C(0xbef9a3f7b2c67915),
    UINT64_C(0xc67178f2e372532b), UINT64_C(0xca273eceea26619c), UINT64_C(0xd186b8c721c0c207),
    UINT64_C(0xeada7dd6cde0eb1e), UINT64_C(0xf57d4f7fee6ed178), UINT64_C(0x06f067aa72176fba),
    UINT64_C(0x0a637dc5a2c898a6), UINT64_C(0x113f9804bef90dae), UINT64_C(0x1b710b35131c471b),
    UINT64_C(0x28db77f523047d84), UINT64_C(0x32caab7b40c72493), UINT64_C(0x3c9ebe0a15c9bebc),
    UINT64_C(0x431d67c49c100d4c), UINT64_C(0x4cc5d4becb3e42b6), UINT64_C(0x597f299cfc657e2a),
    UINT64_C(0x5fcb6fab3ad6faec), UINT64_C(0x6c44198c4a475817)
};

FST_NOINLINE void
fst_sha512_block(uint64_t *state, const uint8_t *block)
{
    uint64_t words[80], s[8];
    int i;
    memcpy(s, state, sizeof s);
    for (i = 0; i < 16; i++)
        words[i] = fst_big_long(block + 8 * i);
    for (; i < 80; i++) {
        const uint64_t a = words[i - 15], b = words[i - 2];
        words[i] = words[i - 16] + words[i - 7]
                   + (fst_turn_right_long(a, 1) ^ fst_turn_right_long(a, 8) ^ a >> 7)
                   + (fst_turn_right_long(b, 19) ^ fst_turn_right_long(b, 61) ^ b >> 6);
    }
    for (i = 0; i < 80; i++) {
        const uint64_t a = s[0], e = s[4];
        const uint64_t one = s[7] + ((e & s[5]) ^ (~e & s[6])) + FST_SHA512_SUMMANDS[i] + words[i]
                             + (fst_turn_right_long(e, 14) ^ fst_turn_right_long(e, 18)
                                ^ fst_turn_right_long(e, 41));
        const uint64_t two = ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]))
                             + (fst_turn_right_long(a, 28) ^ fst_turn_right_long(a, 34)
                                ^ fst_turn_right_long(a, 39));
        s[7] = s[6];
        s[6] = s[5];
        s[5] = e;
        s[4] = s[3] + one;
        s[3] = s[2];
        s[2] = s[1];
        s[1] = a;
        s[0] = one + two;
    }
    for (i = 0; i < 8; i++)
        state[i] += s[i];
}

/* ---------------------------------------------------------------- BLAKE2b */

/* The initial state of SHA-512 and BLAKE2b; that of SHA-256 is the upper halves. */
static const uint64_t FST_SHA512_START[8] = {
    UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b), UINT64_C(0x3c6ef372fe94f82b),
    UINT64_C(0xa54ff53a5f1d36f1), UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
    UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)
};

FST_INLINE void
fst_blake2_mix(uint64_t *v, int a, int b, int c, int d, uint64_t x, uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = fst_turn_right_long(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = fst_turn_right_long(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = fst_turn_right_long(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = fst_turn_right_long(v[b] ^ v[c], 63);
}

/* Takes the number of bytes so far, and whether it is the last block. */
FST_NOINLINE void
fst_blake2_block(uint64_t *state, const uint8_t *block, uint64_t count, int last)
{
    static const uint8_t order[10][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
        {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
        {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
        {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
        {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
        {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
        {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
        {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
        {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
        {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    };
    uint64_t v[16], words[16];
    int round, i;
    memcpy(v, state, 8 * sizeof *v);
    memcpy(v + 8, FST_SHA512_START, sizeof FST_SHA512_START);
    v[12] ^= count;
    if (last)
        v[14] = ~v[14];
    for (i = 0; i < 16; i++)
        words[i] = fst_little_long(block + 8 * i);
    for (round = 0; round < 12; round++) {
        const uint8_t *at = order[round % 10];
        for (i = 0; i < 4; i++)
            fst_blake2_mix(
                v, i, 4 + i, 8 + i, 12 + i, words[at[2 * i]], words[at[2 * i + 1]]);
        for (i = 0; i < 4; i++)
            fst_blake2_mix(
                v, i, 4 + ((i + 1) & 3), 8 + ((i + 2) & 3), 12 + ((i + 3) & 3),
                words[at[8 + 2 * i]], words[at[9 + 2 * i]]);
    }
    for (i = 0; i < 8; i++)
        state[i] ^= v[i] ^ v[8 + i];
}

#endif
