/* characters.h: the characters of a str, which are code points, in bytes of UTF-8. */
#ifndef FST_VM_CHARACTERS_H
#define FST_VM_CHARACTERS_H

#include "values.h"

FST_INLINE fst_cell
fst_character_at(const fst_cell *str, uint32_t place)
{
    const unsigned char *at = (const unsigned char *)str->text + place;
    const size_t size = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    return fst_str(
        (const char *)at, size, (size == 1 ? FST_ASCII : FST_WIDE) | (str->flags & FST_CLEAN));
}

/* The number of characters that start in these bytes. */
FST_INLINE uint32_t
fst_count_characters(const char *text, size_t size)
{
    uint32_t count = 0;
    size_t i;
    for (i = 0; i < size; i++)
        count += (text[i] & 0xc0) != 0x80;
    return count;
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
    for (; count > 0 && byte < str->size; count--)
        do
            byte++;
        while (byte < str->size && (str->text[byte] & 0xc0) == 0x80);
    return byte;
}

#endif
