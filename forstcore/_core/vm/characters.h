/* characters.h: the characters of a str, which are code points, in bytes of UTF-8. */
#ifndef FST_VM_CHARACTERS_H
#define FST_VM_CHARACTERS_H

#include "values.h"

enum { FST_COUNTED_BYTES = 64 };    /* of text beyond ASCII, that cost as much as an instruction */

/* The bytes of a character, by its first one. */
FST_INLINE uint32_t
fst_character_size(char first)
{
    const unsigned char byte = (unsigned char)first;
    return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

FST_INLINE fst_cell
fst_character_at(const fst_cell *str, uint32_t place)
{
    const char *at = str->text + place;
    const size_t size = fst_character_size(*at);
    return fst_str(at, size, (size == 1 ? FST_ASCII : FST_WIDE) | (str->flags & FST_CLEAN));
}

/* Sets a bit for each of eight bytes that is not the first one of a character. */
FST_INLINE uint64_t
fst_following_bytes(uint64_t bytes)
{
    return bytes >> 7 & ~bytes >> 6 & UINT64_C(0x0101010101010101);
}

/* The number of characters that start in these bytes. */
FST_INLINE uint32_t
fst_count_characters(const char *text, size_t size)
{
    const char *end = text + size;
    size_t count = size;
    for (; end - text >= 8; text += 8)
        count -= (size_t)(fst_following_bytes(fst_load_eight(text))
                          * UINT64_C(0x0101010101010101) >> 56);
    for (; text < end; text++)
        count -= (*text & 0xc0) == 0x80;
    return (uint32_t)count;
}

/* len() of a str. */
FST_INLINE uint32_t
fst_str_length(fst_cell *str)
{
    return fst_is_ascii(str) ? str->size : fst_count_characters(str->text, str->size);
}

/* The byte at which the character with a number starts, counted from a byte at which one starts. */
FST_INLINE uint32_t
fst_skip_characters(const fst_cell *str, uint32_t byte, int64_t count)
{
    for (; count >= 8 && str->size - byte >= 8; byte += 8)
        count -= 8 - (int64_t)(fst_following_bytes(fst_load_eight(str->text + byte))
                               * UINT64_C(0x0101010101010101) >> 56);
    /* This may be in the middle of a character that has been counted. */
    while (byte < str->size && (str->text[byte] & 0xc0) == 0x80)
        byte++;
    for (; count > 0 && byte < str->size; count--)
        byte += fst_character_size(str->text[byte]);
    return byte;
}

/* ---------------------------------------------------------------- code points */

/* The code point of the character at `at`. */
FST_INLINE uint32_t
fst_code_point_at(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    switch (fst_character_size(*text)) {
    case 1:
        return at[0];
    case 2:
        return (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
    case 3:
        return (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    default:
        return (at[0] & 0x07u) << 18 | (at[1] & 0x3fu) << 12 | (at[2] & 0x3fu) << 6
               | (at[3] & 0x3fu);
    }
}

/* Writes a character; returns its end. */
FST_INLINE char *
fst_write_character(char *to, uint32_t point)
{
    if (point < 0x80) {
        *to++ = (char)point;
        return to;
    }
    if (point < 0x800) {
        *to++ = (char)(0xc0 | point >> 6);
    } else {
        if (point < 0x10000) {
            *to++ = (char)(0xe0 | point >> 12);
        } else {
            *to++ = (char)(0xf0 | point >> 18);
            *to++ = (char)(0x80 | (point >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (point & 0x3f));
    return to;
}

FST_INLINE int
fst_is_character(int64_t point)
{
    return point >= 0 && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
}

#endif
