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

/* Of eight bytes those that are no first byte of a character, as one bit each. */
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

#endif
