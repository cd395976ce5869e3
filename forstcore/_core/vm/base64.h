/* base64.h: the functions of base64. */
#ifndef FST_VM_BASE64_H
#define FST_VM_BASE64_H

#include "bytes.h"

static const char FST_BASE64[2][65] = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

FST_NOINLINE fst_status
fst_encode_base64(fst_machine *machine, fst_cell *to, fst_cell *bytes, const char *digits)
{
    const unsigned char *at;
    char *text, *start;
    size_t size, left;
    FST_TRY(fst_require_bytes(machine, bytes));
    at = (const unsigned char *)bytes->text;
    size = ((size_t)bytes->size + 2) / 3 * 4;
    FST_TRY(fst_take_text(machine, size, &start));
    for (text = start, left = bytes->size; left > 0; text += 4) {
        const size_t part = left < 3 ? left : 3;
        const uint32_t bits = (uint32_t)at[0] << 16 | (uint32_t)(part > 1 ? at[1] : 0) << 8
                              | (uint32_t)(part > 2 ? at[2] : 0);
        text[0] = digits[bits >> 18];
        text[1] = digits[bits >> 12 & 63];
        text[2] = part > 1 ? digits[bits >> 6 & 63] : '=';
        text[3] = part > 2 ? digits[bits & 63] : '=';
        at += part;
        left -= part;
    }
    *to = fst_byte_string(start, size, FST_ASCII | FST_CLEAN | FST_UTF8);
    return FST_DONE;
}

/* The value of a digit; 64 for any other character. */
FST_INLINE uint32_t
fst_base64_value(char digit, int url)
{
    if (digit >= 'A' && digit <= 'Z')
        return (uint32_t)(digit - 'A');
    if (digit >= 'a' && digit <= 'z')
        return (uint32_t)(digit - 'a' + 26);
    if (digit >= '0' && digit <= '9')
        return (uint32_t)(digit - '0' + 52);
    return digit == (url ? '-' : '+') ? 62 : digit == (url ? '_' : '/') ? 63 : 64;
}

/* Python skips other characters, and has special rules for '=' within the text: both are given
 * back. */
FST_NOINLINE fst_status
fst_decode_base64(fst_machine *machine, fst_cell *to, fst_cell *text, int url)
{
    const char *at;
    char *bytes;
    uint32_t size, padding = 0, i, count = 0, bits = 0;
    FST_TRY(fst_settle(machine, text));
    if (text->type != FST_STR && text->type != FST_BYTES)
        return text->type >= FST_NONE && text->type <= FST_FLOAT ? FST_TYPE_ERROR : FST_GIVE_BACK;
    at = text->text;
    size = text->size;
    while (padding < 2 && size > 0 && at[size - 1] == '=') {
        size--;
        padding++;
    }
    FST_TRY(fst_take_text(machine, (uint64_t)size / 4 * 3 + 3, &bytes));
    for (i = 0; i < size; i++) {
        const uint32_t value = fst_base64_value(at[i], url);
        if (value == 64)
            return FST_GIVE_BACK;
        bits = bits << 6 | value;
        if ((i & 3) == 0)
            continue;
        bytes[count++] = (char)(bits >> (6 - 2 * (i & 3)));
    }
    if (padding != ((4 - (size & 3)) & 3)) {
        /* Padding is missing, or there is a single digit. */
        return padding == 0 ? FST_BASE64_ERROR : FST_GIVE_BACK;
    }
    *to = fst_byte_string(bytes, count, 0);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_b64encode(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_encode_base64(machine, to, &arguments[0], FST_BASE64[0]);
}

FST_NOINLINE fst_status
fst_urlsafe_b64encode(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_encode_base64(machine, to, &arguments[0], FST_BASE64[1]);
}

FST_NOINLINE fst_status
fst_b64decode(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_decode_base64(machine, to, &arguments[0], 0);
}

FST_NOINLINE fst_status
fst_urlsafe_b64decode(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_decode_base64(machine, to, &arguments[0], 1);
}

#define FST_BASE64_FUNCTIONS(X) \
    X("base64.b64encode", "s", fst_b64encode) \
    X("base64.standard_b64encode", "s", fst_b64encode) \
    X("base64.urlsafe_b64encode", "s", fst_urlsafe_b64encode) \
    X("base64.b64decode", "s,*,validate?", fst_b64decode) \
    X("base64.standard_b64decode", "s", fst_b64decode) \
    X("base64.urlsafe_b64decode", "s", fst_urlsafe_b64decode)

#endif
