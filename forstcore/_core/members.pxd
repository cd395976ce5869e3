# A record of any shape: its members as spans of the line, for filters and native processors.
#
# Inline for the reason that json.pxd gives.

from libc.string cimport memcmp

from forstcore._core.json cimport (
    NO_COLON,
    NO_COMMA_OR_BRACE,
    NO_NAME,
    Fault,
    bytes_ptr,
    refuse,
    skip_space,
    string_end,
    unescape,
    value_end,
)
from forstcore._core.scan cimport fst_copy_plain
from forstcore.native cimport (
    FST_ABSENT,
    FST_ARRAY,
    FST_FALSE,
    FST_MEMBERS,
    FST_NULL,
    FST_NUMBER,
    FST_OBJECT,
    FST_STRING,
    FST_TRUE,
    fst_kind,
    fst_member,
    fst_record,
    fst_span,
    fst_value,
)


cdef inline fst_kind kind_of(unsigned char first) noexcept nogil:
    """Return the kind of a valid value, by its first byte."""
    if first == c'"':
        return FST_STRING
    if first == c'{':
        return FST_OBJECT
    if first == c'[':
        return FST_ARRAY
    if first == c't':
        return FST_TRUE
    if first == c'f':
        return FST_FALSE
    if first == c'n':
        return FST_NULL
    return FST_NUMBER


cdef inline bytes_ptr read_name(
        bytes_ptr p, bytes_ptr limit, int path, fst_member *member, Fault *fault) noexcept nogil:
    """Read the member name that should be at `p`; return where its value starts."""
    cdef bytes_ptr end
    if p[0] != c'"':
        return refuse(fault, NO_NAME, p)
    end = fst_copy_plain(NULL, p + 1, limit, path)
    member.plain = end[0] == c'"'
    if not member.plain:
        end = string_end(p + 1, limit, path, fault)
        if end == NULL:
            return NULL
    member.name.start = <const char *>p + 1
    member.name.size = end - p - 1
    p = skip_space(end + 1)
    if p[0] != c':':
        return refuse(fault, NO_COLON, p)
    return skip_space(p + 1)


cdef inline bytes_ptr read_value(
        bytes_ptr p, bytes_ptr limit, int path, fst_value *value, Fault *fault) noexcept nogil:
    """Read the value at `p`; return the end of the white space after it."""
    cdef bytes_ptr end
    value.kind = kind_of(p[0])
    if value.kind == FST_STRING:
        end = fst_copy_plain(NULL, p + 1, limit, path)
        value.plain = end[0] == c'"'
        if not value.plain:
            end = string_end(p + 1, limit, path, fault)
            if end == NULL:
                return NULL
        value.text.start = <const char *>p + 1
        value.text.size = end - p - 1
        end += 1
    else:
        value.plain = 0
        end = value_end(p, limit, path, 1, fault)
        if end == NULL:
            return NULL
        value.text.start = <const char *>p
        value.text.size = end - p
    return skip_space(end)


cdef inline bytes_ptr read_member(
        bytes_ptr p, bytes_ptr limit, int path, fst_member *member, Fault *fault) noexcept nogil:
    """Read the member that should be at `p`; return the end of the white space after it."""
    p = read_name(p, limit, path, member, fault)
    if p == NULL:
        return NULL
    return read_value(p, limit, path, &member.value, fault)


cdef inline bytes_ptr read_object(
        bytes_ptr p, bytes_ptr limit, int path, fst_record *record, fst_member *members,
        Fault *fault) noexcept nogil:
    """Read the object at `p` into `record` and `members`; return its end."""
    cdef fst_member further
    cdef fst_member *member
    record.text.start = <const char *>p
    record.members = members
    record.count = record.more = 0
    p = skip_space(p + 1)
    if p[0] != c'}':
        while True:
            if record.count < FST_MEMBERS:
                member = &members[record.count]
                record.count += 1
            else:
                member = &further
                record.more = 1
            p = read_member(p, limit, path, member, fault)
            if p == NULL:
                return NULL
            if p[0] == c'}':
                break
            if p[0] != c',':
                return refuse(fault, NO_COMMA_OR_BRACE, p)
            p = skip_space(p + 1)
    record.text.size = <const char *>p + 1 - record.text.start
    return p + 1


cdef inline Py_ssize_t escape_size(bytes_ptr p) noexcept nogil:
    """Return the bytes of the character or escape sequence at `p`, in a checked string."""
    if p[0] != c'\\':
        return 1
    if p[1] != c'u':
        return 2
    if p[2] | 0x20 == c'd' and p[3] >= c'8':
        return 12                   # a pair of surrogates
    return 6


cdef inline bint unescapes_to(
        const fst_span *string, const char *text, Py_ssize_t size) noexcept nogil:
    """Whether `text` is that of a checked string."""
    cdef unsigned char buffer[8]
    cdef bytes_ptr p = <bytes_ptr>string.start
    cdef bytes_ptr end = p + string.size
    cdef bytes_ptr start
    cdef Py_ssize_t piece
    while p < end:
        start = p
        p += escape_size(p)
        piece = unescape(buffer, start, p - start)
        if piece > size or memcmp(buffer, text, piece) != 0:
            return False
        text += piece
        size -= piece
    return size == 0


cdef inline bint has_name(
        const fst_member *member, const char *name, Py_ssize_t size) noexcept nogil:
    """Whether `name` is the member's name after unescaping."""
    if member.plain:
        return member.name.size == size and memcmp(member.name.start, name, size) == 0
    return unescapes_to(&member.name, name, size)


cdef inline void set_absent(fst_value *value) noexcept nogil:
    value.text.start = NULL
    value.text.size = 0
    value.kind = FST_ABSENT
    value.plain = 0


cdef inline void find_member(
        bytes_ptr p, const char *name, Py_ssize_t size, fst_value *value,
        bytes_ptr limit, int path) noexcept nogil:
    """Find the last member with that name in the checked object at `p`."""
    cdef fst_member member
    cdef Fault fault
    set_absent(value)
    p = skip_space(p + 1)
    while p[0] != c'}':
        p = read_member(p, limit, path, &member, &fault)
        if p == NULL:
            return                  # unreachable: it was valid
        if has_name(&member, name, size):
            value[0] = member.value
        if p[0] == c',':
            p = skip_space(p + 1)
