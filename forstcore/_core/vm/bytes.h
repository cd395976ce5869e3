/* bytes.h: the type bytes, and the conversion from str and to str.
 *
 * The flags of bytes are those of a str with the same text, and FST_UTF8 if it is known to be
 * one. */
#ifndef FST_VM_BYTES_H
#define FST_VM_BYTES_H

#include "letters.h"
#include "number_text.h"
#include "text.h"

enum { FST_UTF8 = 8 };

/* Encodings that are often named; none of them is another name of these. */
typedef enum fst_encoding { FST_ENCODING_OTHER, FST_ENCODING_UTF8, FST_ENCODING_ASCII } fst_encoding;

FST_INLINE fst_cell
fst_byte_string(const char *text, size_t size, int flags)
{
    fst_cell cell = fst_str(text, size, flags);
    cell.type = FST_BYTES;
    return cell;
}

/* ---------------------------------------------------------------- arguments */

FST_INLINE fst_status
fst_require_bytes(fst_machine *machine, fst_cell *argument)
{
    FST_TRY(fst_settle(machine, argument));
    if (argument->type == FST_BYTES)
        return FST_DONE;
    return argument->type >= FST_NONE && argument->type <= FST_STR ? FST_TYPE_ERROR : FST_GIVE_BACK;
}

FST_INLINE int
fst_is_called(const fst_cell *str, const char *word)
{
    return str->type == FST_STR && str->size == strlen(word)
           && memcmp(str->text, word, str->size) == 0;
}

FST_NOINLINE fst_status
fst_read_encoding(fst_machine *machine, fst_cell *argument, fst_encoding *encoding)
{
    *encoding = FST_ENCODING_UTF8;
    if (argument->type == FST_UNSET)
        return FST_DONE;
    FST_TRY(fst_settle_text(machine, argument));
    if (fst_is_called(argument, "ascii") || fst_is_called(argument, "ASCII"))
        *encoding = FST_ENCODING_ASCII;
    else if (!fst_is_called(argument, "utf-8") && !fst_is_called(argument, "utf8")
             && !fst_is_called(argument, "UTF-8") && !fst_is_called(argument, "UTF8"))
        *encoding = FST_ENCODING_OTHER;
    return FST_DONE;
}

FST_INLINE fst_status
fst_is_strict(fst_machine *machine, fst_cell *argument, int *strict)
{
    *strict = 1;
    if (argument->type == FST_UNSET)
        return FST_DONE;
    FST_TRY(fst_settle_text(machine, argument));
    *strict = fst_is_called(argument, "strict");
    return FST_DONE;
}

/* ---------------------------------------------------------------- encoding and decoding */

/* Whether the bytes are UTF-8: characters in their shortest form, without surrogates. */
FST_NOINLINE int
fst_is_utf8(const char *text, size_t size)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + size;
    while (at < end) {
        uint32_t point, count, i;
        if (*at < 0x80) {
            at++;
            continue;
        }
        if (*at < 0xc2 || *at > 0xf4)
            return 0;
        count = fst_character_size((char)*at);
        if ((size_t)(end - at) < count)
            return 0;
        for (i = 1; i < count; i++)
            if ((at[i] & 0xc0) != 0x80)
                return 0;
        point = fst_code_point_at((const char *)at);
        if (!fst_is_character(point) || (count == 3 && point < 0x800)
            || (count == 4 && point < 0x10000))
            return 0;
        at += count;
    }
    return 1;
}

/* The ASCII characters of a str: what errors="ignore" leaves. */
FST_NOINLINE fst_status
fst_ascii_alone(fst_machine *machine, fst_cell *to, const fst_cell *str)
{
    char *text;
    size_t size = 0, i;
    FST_TRY(fst_take_text(machine, str->size, &text));
    for (i = 0; i < str->size; i++)
        if ((unsigned char)str->text[i] < 0x80)
            text[size++] = str->text[i];
    *to = fst_byte_string(text, size, FST_ASCII | FST_UTF8 | (str->flags & FST_CLEAN));
    return FST_DONE;
}

/* str.encode(encoding?, errors?) */
FST_NOINLINE fst_status
fst_str_encode(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0];
    fst_encoding encoding;
    int strict;
    FST_TRY(fst_settle_self(machine, self));
    FST_TRY(fst_read_encoding(machine, &arguments[1], &encoding));
    FST_TRY(fst_is_strict(machine, &arguments[2], &strict));
    if (encoding == FST_ENCODING_OTHER)
        return FST_GIVE_BACK;
    if (encoding == FST_ENCODING_ASCII && !fst_is_ascii(self)) {
        if (fst_is_called(&arguments[2], "ignore"))
            return fst_ascii_alone(machine, to, self);
        return strict ? FST_ENCODE_ERROR : FST_GIVE_BACK;
    }
    *to = fst_byte_string(self->text, self->size, self->flags | FST_UTF8);
    return FST_DONE;
}

/* bytes.decode(encoding?, errors?) */
FST_NOINLINE fst_status
fst_bytes_decode(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0], str;
    fst_encoding encoding;
    int strict;
    FST_TRY(fst_settle(machine, self));
    if (self->type != FST_BYTES)
        return fst_no_method(self);
    FST_TRY(fst_read_encoding(machine, &arguments[1], &encoding));
    FST_TRY(fst_is_strict(machine, &arguments[2], &strict));
    if (encoding == FST_ENCODING_OTHER)
        return FST_GIVE_BACK;
    str = fst_str(self->text, self->size, self->flags & (FST_ASCII | FST_WIDE | FST_CLEAN));
    if (!fst_is_ascii(&str)
        && (encoding == FST_ENCODING_ASCII
            || (!(self->flags & FST_UTF8) && !fst_is_utf8(self->text, self->size))))
        return strict ? FST_DECODE_ERROR : FST_GIVE_BACK;
    *to = str;
    return FST_DONE;
}

/* ---------------------------------------------------------------- hexadecimal digits */

FST_NOINLINE fst_status
fst_hexadecimal(fst_machine *machine, fst_cell *to, const char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    char *text;
    size_t i;
    FST_TRY(fst_take_text(machine, 2 * (uint64_t)size, &text));
    for (i = 0; i < size; i++) {
        text[2 * i] = digits[(unsigned char)bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    *to = fst_str(text, 2 * size, FST_ASCII | FST_CLEAN);
    return FST_DONE;
}

/* bytes.hex() */
FST_NOINLINE fst_status
fst_bytes_hex(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_settle(machine, &arguments[0]));
    if (arguments[0].type != FST_BYTES)
        return arguments[0].type == FST_FLOAT ? FST_GIVE_BACK : fst_no_method(&arguments[0]);
    return fst_hexadecimal(machine, to, arguments[0].text, arguments[0].size);
}

/* bytes.fromhex(text): white space may be between the bytes. */
FST_NOINLINE fst_status
fst_bytes_from_hex(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const char *at, *end;
    char *bytes;
    size_t size = 0;
    FST_TRY(fst_settle_text(machine, &arguments[0]));
    if (!fst_is_ascii(&arguments[0]))
        return FST_GIVE_BACK;
    at = arguments[0].text;
    end = at + arguments[0].size;
    FST_TRY(fst_take_text(machine, arguments[0].size, &bytes));
    while (at < end) {
        if (fst_is_number_space(*at)) {
            at++;
            continue;
        }
        if (end - at < 2 || fst_digit_of(at[0]) > 15 || fst_digit_of(at[1]) > 15)
            return FST_VALUE_ERROR;
        bytes[size++] = (char)(fst_digit_of(at[0]) << 4 | fst_digit_of(at[1]));
        at += 2;
    }
    *to = fst_byte_string(bytes, size, 0);
    return FST_DONE;
}

/* ---------------------------------------------------------------- as a sequence of numbers */

FST_NOINLINE fst_status
fst_bytes_item(fst_machine *machine, fst_cell *to, const fst_cell *bytes, fst_cell *key)
{
    uint32_t place;
    FST_TRY(fst_read_place(machine, key, bytes->size, &place));
    *to = fst_int((unsigned char)bytes->text[place]);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_bytes_slice(fst_machine *machine, fst_cell *to, const fst_cell *bytes, fst_cell *bounds)
{
    fst_slice slice;
    FST_TRY(fst_read_slice(machine, bounds, bytes->size, &slice));
    if (slice.step != 1)
        return FST_GIVE_BACK;
    *to = fst_byte_string(
        bytes->text + (slice.count > 0 ? slice.start : 0), (size_t)slice.count,
        bytes->flags & (FST_ASCII | FST_CLEAN));
    return FST_DONE;
}

/* int.from_bytes(bytes, byteorder?, *, signed?) */
FST_NOINLINE fst_status
fst_int_from_bytes(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_cell *bytes = &arguments[0];
    uint64_t sum = 0;
    int is_signed = 0, is_little = 0;
    uint32_t i;
    FST_TRY(fst_require_bytes(machine, &arguments[0]));
    if (arguments[1].type != FST_UNSET) {
        FST_TRY(fst_settle_text(machine, &arguments[1]));
        is_little = fst_is_called(&arguments[1], "little");
        if (!is_little && !fst_is_called(&arguments[1], "big"))
            return FST_VALUE_ERROR;
    }
    if (arguments[2].type != FST_UNSET)
        FST_TRY(fst_truth(machine, &arguments[2], &is_signed));
    if (!is_signed)
        return fst_integer_of_bytes(machine, to, bytes->text, bytes->size, is_little);
    if (bytes->size > 8)
        return FST_GIVE_BACK;
    for (i = 0; i < bytes->size; i++)
        sum = sum << 8 | (unsigned char)bytes->text[is_little ? bytes->size - 1 - i : i];
    if (bytes->size > 0 && bytes->size < 8 && sum >> (8 * bytes->size - 1))
        sum |= ~UINT64_C(0) << 8 * bytes->size;
    *to = fst_int((int64_t)sum);
    return FST_DONE;
}

#define FST_BYTES_FUNCTIONS(X) \
    X(".encode", "self,encoding?,errors?", fst_str_encode) \
    X(".decode", "self,encoding?,errors?", fst_bytes_decode) \
    X(".hex", "self", fst_bytes_hex) \
    X("builtins.bytes.fromhex", "string/", fst_bytes_from_hex) \
    X("builtins.int.from_bytes", "bytes,byteorder?,*,signed?", fst_int_from_bytes)

#endif
