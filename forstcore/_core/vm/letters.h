/* letters.h: the kinds of characters beyond ASCII, and the other case of letters.
 *
 * These are the characters of the most common scripts and symbols of which all versions of
 * Python say the same. All others count as unknown. */
#ifndef FST_VM_LETTERS_H
#define FST_VM_LETTERS_H

#include <stddef.h>
#include <stdint.h>

#include "../scan.h"

typedef enum fst_character_kind {
    FST_UNKNOWN_CHARACTER,
    FST_SYMBOL,                 /* no letter, no number, and without cases */
    FST_LETTER,                 /* without cases; some are numbers, too */
    FST_SMALL_LETTER,
    FST_CAPITAL_LETTER
} fst_character_kind;

typedef struct fst_characters {
    uint32_t first, last;
    fst_character_kind kind;
} fst_characters;

static const fst_characters FST_UNCASED[] = {
    {0x0300, 0x0344, FST_SYMBOL}, {0x0346, 0x036f, FST_SYMBOL}, {0x05d0, 0x05ea, FST_LETTER},
    {0x0621, 0x063a, FST_LETTER}, {0x0641, 0x064a, FST_LETTER}, {0x0904, 0x0939, FST_LETTER},
    {0x0e01, 0x0e30, FST_LETTER}, {0x200b, 0x200d, FST_SYMBOL}, {0x2010, 0x2027, FST_SYMBOL},
    {0x2030, 0x205e, FST_SYMBOL}, {0x20a0, 0x20bf, FST_SYMBOL}, {0x2190, 0x23ff, FST_SYMBOL},
    {0x2500, 0x2775, FST_SYMBOL}, {0x3000, 0x3004, FST_SYMBOL}, {0x3008, 0x3020, FST_SYMBOL},
    {0x3041, 0x3096, FST_LETTER}, {0x30a1, 0x30fa, FST_LETTER}, {0x4e00, 0x9fa5, FST_LETTER},
    {0xac00, 0xd7a3, FST_LETTER}, {0xfe00, 0xfe0f, FST_SYMBOL}, {0x1f300, 0x1f64f, FST_SYMBOL},
    {0x1f680, 0x1f6d7, FST_SYMBOL}, {0x1f900, 0x1f9ff, FST_SYMBOL},
};

/* A letter whose other case is the next code point. */
FST_INLINE fst_character_kind
fst_one_of_pair(uint32_t point, int is_small, uint32_t *other)
{
    *other = is_small ? point - 1 : point + 1;
    return is_small ? FST_SMALL_LETTER : FST_CAPITAL_LETTER;
}

FST_NOINLINE fst_character_kind
fst_look_up_latin(uint32_t point, uint32_t *other)
{
    if (point < 0xc0) {
        /* Superscripts and fractions are numbers, ordinal indicators are letters. */
        if (point == 0xb5) {
            *other = 0x39c;
            return FST_SMALL_LETTER;
        }
        return point == 0xaa || point == 0xb2 || point == 0xb3 || (point >= 0xb9 && point != 0xbb
            && point != 0xbf) ? FST_UNKNOWN_CHARACTER : FST_SYMBOL;
    }
    if (point < 0x100) {
        if (point == 0xd7 || point == 0xf7)
            return FST_SYMBOL;
        *other = point ^ 0x20;
        if (point == 0xdf)
            *other = 0;
        else if (point == 0xff)
            *other = 0x178;
        return point < 0xdf ? FST_CAPITAL_LETTER : FST_SMALL_LETTER;
    }
    switch (point) {
    case 0x130:
        *other = 0;
        return FST_CAPITAL_LETTER;
    case 0x131:
    case 0x138:
    case 0x149:
    case 0x17f:
        *other = 0;
        return FST_SMALL_LETTER;
    case 0x178:
        *other = 0xff;
        return FST_CAPITAL_LETTER;
    default:
        return fst_one_of_pair(
            point, (point & 1) == !((point > 0x138 && point < 0x149) || point > 0x178), other);
    }
}

/* Tells what a character beyond ASCII is. `other` is the letter of the other case of one that has a
 * case; 0 where that is several letters, or depends on others. */
FST_NOINLINE fst_character_kind
fst_look_up(uint32_t point, uint32_t *other)
{
    size_t i;
    *other = 0;
    if (point < 0x180)
        return fst_look_up_latin(point, other);
    if (point >= 0x391 && point <= 0x3c9) {
        if (point == 0x3a2 || (point >= 0x3aa && point <= 0x3b0))
            return FST_UNKNOWN_CHARACTER;
        *other = point < 0x3b1 ? point + 0x20 : point - 0x20;
        if (point == 0x3a3)
            *other = 0;         /* a different letter at the end of a word */
        else if (point == 0x3c2)
            *other = 0x3a3;
        return point < 0x3b1 ? FST_CAPITAL_LETTER : FST_SMALL_LETTER;
    }
    if (point >= 0x400 && point <= 0x45f) {
        if (point < 0x410 || point >= 0x450)
            *other = point < 0x410 ? point + 0x50 : point - 0x50;
        else
            *other = point < 0x430 ? point + 0x20 : point - 0x20;
        return point < 0x430 ? FST_CAPITAL_LETTER : FST_SMALL_LETTER;
    }
    if (point >= 0x490 && point <= 0x4bf)
        return fst_one_of_pair(point, point & 1, other);
    for (i = 0; i < sizeof FST_UNCASED / sizeof FST_UNCASED[0]; i++)
        if (point <= FST_UNCASED[i].last)
            return point >= FST_UNCASED[i].first ? FST_UNCASED[i].kind : FST_UNKNOWN_CHARACTER;
    return FST_UNKNOWN_CHARACTER;
}

/* ---------------------------------------------------------------- what is printed */

/* Ranges of characters beyond ASCII that each version of Python prints as they are. */
static const uint32_t FST_PRINTED[][2] = {
    {0xa1, 0xac}, {0xae, 0x377}, {0x384, 0x38a}, {0x38e, 0x3a1}, {0x3a3, 0x52f},
    {0x5d0, 0x5ea}, {0x620, 0x66e}, {0x904, 0x939}, {0xe01, 0xe3a}, {0x1e00, 0x1f15},
    {0x2010, 0x2027}, {0x2030, 0x205e}, {0x20a0, 0x20bf}, {0x2100, 0x218b}, {0x2190, 0x23ff},
    {0x2500, 0x2b73}, {0x3001, 0x303f}, {0x3041, 0x3096}, {0x30a1, 0x30ff}, {0x3131, 0x318e},
    {0x4e00, 0x9ffc}, {0xac00, 0xd7a3}, {0xfe00, 0xfe0f}, {0xff01, 0xffbe}, {0x1f300, 0x1f64f},
    {0x1f680, 0x1f6d7}, {0x1f900, 0x1f9ff},
};

FST_INLINE int
fst_is_printed(uint32_t point)
{
    size_t i;
    for (i = 0; i < sizeof FST_PRINTED / sizeof FST_PRINTED[0]; i++)
        if (point <= FST_PRINTED[i][1])
            return point >= FST_PRINTED[i][0];
    return 0;
}

#endif
