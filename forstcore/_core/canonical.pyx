# Values in canonical form: what a processor in Python writes of the value that it reads.
#
# No white space, only the necessary escapes, numbers as Python writes them. Of members with one
# name the last value counts, in the place of the first, as in a dict.

from libc.string cimport memchr, memcpy

from forstcore._core.duplicates cimport (
    ARRAY,
    OBJECT,
    Members,
    add_name,
    apply_cuts,
    begin_members,
    close_container,
    end_members,
    open_container,
    place_of,
)
from forstcore._core.json cimport bytes_ptr, copy_string, is_digit, skip_space, unescape
from forstcore._core.members cimport escape_size
from forstcore._core.reader cimport RecordReader
from forstcore._core.scan cimport FST_PAST_COPY, fst_copy_plain
from forstcore.native cimport (
    FST_NUMBER_ROOM,
    FST_STRING,
    fst_output,
    fst_record,
    fst_room,
    fst_value,
    fst_write_normalized,
)

cdef enum:
    # What may be written beyond the rest of the text: a number longer than its own, and what
    # vectors write past a copy.
    SLACK = FST_NUMBER_ROOM + FST_PAST_COPY


cdef struct Writer:
    Members members
    bytes_ptr limit             # end of readable memory
    int path                    # an FST_ path number


cdef void put_canonical(
        const fst_record *record, fst_output *output, const fst_value *value) noexcept nogil:
    """Write a value of the record in canonical form."""
    cdef const RecordReader *reader = <const RecordReader *>record
    cdef Writer writer
    cdef bytes_ptr p = <bytes_ptr>value.text.start
    cdef bytes_ptr end = p + value.text.size
    if value.kind == FST_STRING:
        p -= 1                  # the quotes
        end += 1
    begin_members(&writer.members, output)
    writer.limit = reader.limit
    writer.path = reader.path
    if write_value(&writer, p, end) != 0 or apply_cuts(&writer.members) != 0:
        output.failed = 1
        output.end = output.at
    end_members(&writer.members)


# ---------------------------------------------------------------- writing

cdef inline bint has_room(
        const Writer *writer, const unsigned char *out, Py_ssize_t left) noexcept nogil:
    return writer.members.output.end - <char *>out >= left + SLACK


cdef unsigned char *make_room(
        Writer *writer, unsigned char *out, Py_ssize_t left) noexcept nogil:
    """Return where to write on, with room for the rest of the text; NULL for no memory."""
    cdef fst_output *output = writer.members.output
    output.at = <char *>out
    # As much again as has been written: the output must not be copied for each number.
    if not fst_room(output, left + SLACK + (output.at - output.line)):
        return NULL
    return <unsigned char *>output.at


cdef int write_value(Writer *writer, bytes_ptr p, bytes_ptr end) noexcept nogil:
    """Write the value [p, end); return 0, or -1 for no memory."""
    cdef bytes_ptr stop
    cdef unsigned char *out = <unsigned char *>writer.members.output.at
    cdef unsigned char opener
    cdef Py_ssize_t size
    if not has_room(writer, out, end - p):
        out = make_room(writer, out, end - p)
        if out == NULL:
            return -1
    while True:
        if p[0] == c'"':
            p = write_string(writer, p, &out)
        elif p[0] == c'{' or p[0] == c'[':
            opener = out[0] = p[0]
            out += 1
            p = skip_space(p + 1)
            if p[0] != opener + 2:      # in ASCII, both brackets close two codes later
                if open_container(&writer.members, OBJECT if opener == c'{' else ARRAY) != 0:
                    return -1
                if opener == c'{':
                    p = write_name(writer, p, &out)
                    if p == NULL:
                        return -1
                continue
            out[0] = p[0]
            out += 1
            p += 1
        elif p[0] == c'-' or is_digit(p[0]):
            stop = p + 1
            while is_digit(stop[0]) or stop[0] in b"+-.eE":
                stop += 1
            if not has_room(writer, out, end - p):
                out = make_room(writer, out, end - p)
                if out == NULL:
                    return -1
            out = <unsigned char *>fst_write_normalized(
                <char *>out, <const char *>p, stop - p)
            p = stop
        else:
            size = 5 if p[0] == c'f' else 4
            memcpy(out, p, size)
            out += size
            p += size

        while True:
            if writer.members.container < 0:
                writer.members.output.at = <char *>out
                return 0
            p = skip_space(p)
            if p[0] == c',':
                out[0] = c','
                out += 1
                p = skip_space(p + 1)
                if writer.members.names[writer.members.container].value == OBJECT:
                    p = write_name(writer, p, &out)
                    if p == NULL:
                        return -1
                break
            if close_container(&writer.members, place_of(&writer.members, out)) != 0:
                return -1
            out[0] = p[0]
            out += 1
            p += 1


cdef inline bytes_ptr write_string(
        const Writer *writer, bytes_ptr p, unsigned char **out) noexcept nogil:
    """Write the string at `p`; return its end."""
    cdef unsigned char *to = out[0]
    cdef bytes_ptr start = p + 1
    cdef bytes_ptr end
    cdef bytes_ptr escape
    to[0] = c'"'
    to += 1
    end = fst_copy_plain(to, start, writer.limit, writer.path)
    to += end - start
    if end[0] != c'"':
        start = end
        end = copy_string(to, start, writer.limit, writer.path)
        escape = <bytes_ptr>memchr(start, c'\\', end - start)
        if escape == NULL:
            to += end - start
        else:
            to = write_escapes(to + (escape - start), escape, end)
    to[0] = c'"'
    out[0] = to + 1
    return end + 1


cdef inline bytes_ptr write_name(
        Writer *writer, bytes_ptr p, unsigned char **out) noexcept nogil:
    """Write the name at `p` and the colon; return where its value starts, NULL for no memory."""
    cdef Py_ssize_t start = place_of(&writer.members, out[0])
    p = write_string(writer, p, out)
    out[0][0] = c':'
    out[0] += 1
    if add_name(&writer.members, start, place_of(&writer.members, out[0])) != 0:
        return NULL
    return skip_space(skip_space(p) + 1)


cdef unsigned char *write_escapes(
        unsigned char *to, bytes_ptr p, bytes_ptr end) noexcept nogil:
    """Write the rest of a string from the escape at `p` on; return where the output ends."""
    cdef const char *digits = b"0123456789abcdef"
    cdef const char *letters = b"btn\0fr"        # of the characters 8 to 13
    cdef bytes_ptr stop
    cdef Py_ssize_t size
    while p < end:
        size = escape_size(p)
        stop = p + size
        size = unescape(to, p, size)
        if to[0] == c'"' or to[0] == c'\\':
            to[1] = to[0]
            to[0] = c'\\'
            size = 2
        elif to[0] < 0x20:
            if 8 <= to[0] <= 13 and to[0] != 11:
                to[1] = letters[to[0] - 8]
                size = 2
            else:
                to[4] = digits[to[0] >> 4]
                to[5] = digits[to[0] & 15]
                memcpy(to + 1, b"u00", 3)
                size = 6
            to[0] = c'\\'
        to += size
        p = stop
        stop = <bytes_ptr>memchr(p, c'\\', end - p)
        if stop == NULL:
            stop = end
        memcpy(to, p, stop - p)
        to += stop - p
        p = stop
    return to
