# JSON as bytes: the grammar of RFC 8259 and the reasons to refuse a line.
#
# Every line here is followed by an LF. No JSON token contains one, so the code needs no
# bounds check: the LF stops it. `limit` is the end of readable memory, at or past that
# LF; only the vector scan needs it.
#
# The functions are inline so that each module that cimports them has its own copy, which
# the C compiler optimizes together with the callers.

from libc.string cimport memcpy

from forstcore._core.marks cimport fst_utf8_size
from forstcore._core.scan cimport (
    FST_AVX2,
    fst_after_space,
    fst_copy_plain,
    fst_copy_string,
    fst_escape_kind,
    fst_hex4,
    fst_is_plain,
)

ctypedef const unsigned char *bytes_ptr

cdef enum:
    LF = 10
    DEPTH_LIMIT = 1024          # nested containers, the same as in orjson

cdef enum Reason:
    NO_FAULT
    BLANK
    TOO_LONG
    NOT_AN_OBJECT
    WRONG_ID
    WRONG_DATA
    TOO_DEEP
    BAD_UTF8
    NO_VALUE
    NO_NAME
    NO_COLON
    NO_COMMA_OR_BRACE
    NO_COMMA_OR_BRACKET
    AFTER_THE_END
    UNCLOSED_STRING
    CONTROL_CHARACTER
    BAD_ESCAPE
    BAD_HEX
    LONE_SURROGATE
    BAD_NUMBER
    LEADING_ZERO
    INFINITE_NUMBER
    PROCESSOR_FAILED
    REASONS


# Where and why a line is refused.
cdef struct Fault:
    int reason                  # a Reason, NO_FAULT for none
    bytes_ptr place             # the offending byte, or the end of the line


# ---------------------------------------------------------------- strings

cdef inline bytes_ptr refuse(Fault *fault, int reason, bytes_ptr place) noexcept nogil:
    fault.reason = reason
    fault.place = place
    return NULL


cdef inline bytes_ptr refuse_cut(
        Fault *fault, int reason, bytes_ptr place, int size) noexcept nogil:
    """Refuse the `size` bytes at `place`, or the end of the line if that comes first."""
    cdef int i
    for i in range(size):
        if place[i] == LF:
            return refuse(fault, UNCLOSED_STRING, place + i)
    return refuse(fault, reason, place)


cdef inline bytes_ptr check_string(
        bytes_ptr p, bytes_ptr limit, int path, Fault *fault) noexcept nogil:
    """Return the closing quote of the string whose contents continue at `p`, or NULL and why."""
    cdef int unit, low, size
    while True:
        if fst_is_plain(p[0]):
            p = fst_copy_plain(NULL, p, limit, path)
        if p[0] == c'"':
            return p
        if p[0] >= 0x80:
            size = fst_utf8_size(p)
            if size == 0:
                return refuse(fault, BAD_UTF8, p)
            p += size
        elif p[0] != c'\\':
            return refuse(fault, UNCLOSED_STRING if p[0] == LF else CONTROL_CHARACTER, p)
        elif p[1] == c'u':
            unit = fst_hex4(p + 2)
            if unit < 0:
                return refuse_cut(fault, BAD_HEX, p, 6)
            if unit & 0xF800 != 0xD800:
                p += 6
                continue
            low = -1
            if unit < 0xDC00 and p[6] == c'\\' and p[7] == c'u':
                low = fst_hex4(p + 8)
            if low & 0xFC00 != 0xDC00 or low < 0:
                return refuse(fault, LONE_SURROGATE, p)
            p += 12
        elif p[1] == LF:
            return refuse(fault, UNCLOSED_STRING, p + 1)
        elif fst_escape_kind(p[1]) == 0:
            return refuse(fault, BAD_ESCAPE, p)
        else:
            p += 2


cdef inline bytes_ptr string_end(
        bytes_ptr p, bytes_ptr limit, int path, Fault *fault) noexcept nogil:
    """As `check_string`, with the vector path first."""
    cdef bytes_ptr end
    p = fst_copy_plain(NULL, p, limit, path)
    if p[0] == c'"':
        return p
    # Not for what is seen to be invalid: a control character, or an unknown escape.
    if p[0] >= 0x20 and (p[0] != c'\\' or fst_escape_kind(p[1]) != 0):
        end = fst_copy_string(NULL, p, limit, path)
        if end != NULL:
            return end
    return check_string(p, limit, path, fault)


cdef inline bytes_ptr copy_string(
        unsigned char *dst, bytes_ptr p, bytes_ptr limit, int path) noexcept nogil:
    """As `string_end`, and copy the contents to `dst`. NULL comes without a reason."""
    cdef Fault fault
    cdef bytes_ptr stop = fst_copy_plain(dst, p, limit, path)
    cdef bytes_ptr end
    if stop[0] == c'"':
        return stop
    dst += stop - p
    if path >= FST_AVX2:
        return fst_copy_string(dst, stop, limit, path)
    end = check_string(stop, limit, path, &fault)
    if end != NULL:
        memcpy(dst, stop, end - stop)
    return end


cdef inline Py_ssize_t unescape(unsigned char *dst, bytes_ptr p, Py_ssize_t size) noexcept nogil:
    """Write the text of a checked string as UTF-8; return its size, at most `size`."""
    cdef unsigned char *start = dst
    cdef bytes_ptr end = p + size
    cdef int c
    while p < end:
        if p[0] != c'\\':
            dst[0] = p[0]
            dst += 1
            p += 1
            continue
        c = p[1]
        p += 2
        if c != c'u':
            if c == c'b':
                c = 8
            elif c == c'f':
                c = 12
            elif c == c'n':
                c = 10
            elif c == c'r':
                c = 13
            elif c == c't':
                c = 9
            dst[0] = <unsigned char>c
            dst += 1
            continue
        c = fst_hex4(p)
        p += 4
        if c & 0xFC00 == 0xD800:
            c = 0x10000 + ((c & 0x3FF) << 10) + (fst_hex4(p + 2) & 0x3FF)
            p += 6
        if c < 0x80:
            dst[0] = <unsigned char>c
            dst += 1
        elif c < 0x800:
            dst[0] = <unsigned char>(0xC0 | c >> 6)
            dst[1] = <unsigned char>(0x80 | c & 0x3F)
            dst += 2
        elif c < 0x10000:
            dst[0] = <unsigned char>(0xE0 | c >> 12)
            dst[1] = <unsigned char>(0x80 | c >> 6 & 0x3F)
            dst[2] = <unsigned char>(0x80 | c & 0x3F)
            dst += 3
        else:
            dst[0] = <unsigned char>(0xF0 | c >> 18)
            dst[1] = <unsigned char>(0x80 | c >> 12 & 0x3F)
            dst[2] = <unsigned char>(0x80 | c >> 6 & 0x3F)
            dst[3] = <unsigned char>(0x80 | c & 0x3F)
            dst += 4
    return dst - start


# ---------------------------------------------------------------- other values

cdef inline bytes_ptr skip_space(bytes_ptr p) noexcept nogil:
    return fst_after_space(p)


cdef inline bint is_digit(unsigned char c) noexcept nogil:
    return c'0' <= c <= c'9'


cdef inline bint is_infinite(bytes_ptr p, bytes_ptr end) noexcept nogil:
    """Whether the well-formed number [p, end) is out of the range of a double.

    The bound is the least integer that rounds to infinity, 2**1024 - 2**970: half way
    between the largest double and 2**1024, and IEEE 754 rounds ties to even.
    """
    cdef const char *bound = (
        b"179769313486231580793728971405303415079934132710037826936173778980444968"
        b"292764750946649017977587207096330286416692887910946555547851940402630657"
        b"488671505820681908902000708383676273854845817711531764475730270069855571"
        b"366959622842914819860834936475292719074168444365510704342711559699508093"
        b"042880177904174497792"
    )
    cdef bytes_ptr mantissa = p
    cdef bytes_ptr exponent_at = p
    cdef long long exponent = 0
    cdef long long weight = -1      # power of ten of the first digit that is not zero
    cdef bint negative
    cdef int i = 0
    if p[0] == c'-':
        mantissa += 1
    exponent_at = mantissa
    while exponent_at < end and exponent_at[0] | 0x20 != c'e':
        exponent_at += 1
    p = exponent_at + 1
    negative = p < end and p[0] == c'-'
    while p < end:
        # Larger exponents make no difference: the digits of a line cannot outweigh them.
        if is_digit(p[0]) and exponent < <long long>1 << 40:
            exponent = exponent * 10 + (p[0] - c'0')
        p += 1
    if negative:
        exponent = -exponent

    p = mantissa
    while p < exponent_at and p[0] != c'.':
        p += 1
        weight += 1
    p = mantissa
    while p < exponent_at and (p[0] == c'0' or p[0] == c'.'):
        if p[0] == c'0':
            weight -= 1
        p += 1
    if p == exponent_at or weight + exponent != 308:
        return p != exponent_at and weight + exponent > 308
    while p < exponent_at and i < 309:
        if p[0] != c'.':
            if p[0] != <unsigned char>bound[i]:
                return p[0] > <unsigned char>bound[i]
            i += 1
        p += 1
    while i < 309:
        if <unsigned char>bound[i] != c'0':
            return False
        i += 1
    return True


cdef inline bytes_ptr number_end(bytes_ptr p, Fault *fault) noexcept nogil:
    cdef bytes_ptr start = p
    cdef bint exponent = False
    if p[0] == c'-':
        p += 1
    if p[0] == c'0':
        p += 1
        if is_digit(p[0]):
            return refuse(fault, LEADING_ZERO, p - 1)
    elif not is_digit(p[0]):
        return refuse(fault, BAD_NUMBER, p)
    while is_digit(p[0]):
        p += 1
    if p[0] == c'.':
        p += 1
        if not is_digit(p[0]):
            return refuse(fault, BAD_NUMBER, p)
        while is_digit(p[0]):
            p += 1
    if p[0] | 0x20 == c'e':
        exponent = True
        p += 1
        if p[0] == c'+' or p[0] == c'-':
            p += 1
        if not is_digit(p[0]):
            return refuse(fault, BAD_NUMBER, p)
        while is_digit(p[0]):
            p += 1
    if (exponent or p - start > 308) and is_infinite(start, p):
        return refuse(fault, INFINITE_NUMBER, start)
    return p


cdef inline bytes_ptr literal_end(
        bytes_ptr p, const char *text, int size, Fault *fault) noexcept nogil:
    cdef int i
    for i in range(1, size):
        if p[i] != <unsigned char>text[i]:
            return refuse(fault, NO_VALUE, p + i if p[i] == LF else p)
    return p + size


cdef inline bytes_ptr name_end(bytes_ptr p, bytes_ptr limit, int path, Fault *fault) noexcept nogil:
    """Return where the value starts after the member name at `p`, or NULL and why."""
    if p[0] != c'"':
        return refuse(fault, NO_NAME, p)
    p = string_end(p + 1, limit, path, fault)
    if p == NULL:
        return NULL
    p = skip_space(p + 1)
    if p[0] != c':':
        return refuse(fault, NO_COLON, p)
    return skip_space(p + 1)


cdef inline bytes_ptr value_end(
        bytes_ptr p, bytes_ptr limit, int path, int depth, Fault *fault) noexcept nogil:
    """Return the end of the value of any type at `p`, or NULL and why it is invalid.

    `depth` is the number of containers around it. The stack is explicit, since the nesting of
    the input must not determine how much of the C stack is used.
    """
    cdef unsigned char closers[DEPTH_LIMIT]
    cdef int outer = depth
    while True:
        if p[0] == c'"':
            p = string_end(p + 1, limit, path, fault)
            if p != NULL:
                p += 1
        elif p[0] == c'{' or p[0] == c'[':
            if depth == DEPTH_LIMIT:
                return refuse(fault, TOO_DEEP, p)
            closers[depth] = p[0] + 2           # in ASCII, both brackets close two codes later
            p = skip_space(p + 1)
            if p[0] != closers[depth]:
                depth += 1
                if closers[depth - 1] == c'}':
                    p = name_end(p, limit, path, fault)
                    if p == NULL:
                        return NULL
                continue
            p += 1
        elif p[0] == c'-' or is_digit(p[0]):
            p = number_end(p, fault)
        elif p[0] == c't':
            p = literal_end(p, b"true", 4, fault)
        elif p[0] == c'f':
            p = literal_end(p, b"false", 5, fault)
        elif p[0] == c'n':
            p = literal_end(p, b"null", 4, fault)
        else:
            return refuse(fault, NO_VALUE, p)
        if p == NULL:
            return NULL

        while True:
            if depth == outer:
                return p
            p = skip_space(p)
            if p[0] == c',':
                p = skip_space(p + 1)
                if closers[depth - 1] == c'}':
                    p = name_end(p, limit, path, fault)
                    if p == NULL:
                        return NULL
                break
            if p[0] != closers[depth - 1]:
                return refuse(
                    fault,
                    NO_COMMA_OR_BRACE if closers[depth - 1] == c'}' else NO_COMMA_OR_BRACKET,
                    p)
            depth -= 1
            p += 1
