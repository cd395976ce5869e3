# The built-in processor: a record {"id", "data"} becomes {"id", "result", "status"}.
#
# `fast_line` copies the two strings of a record in the usual shape while it checks them; see
# usual_lines.h for a faster way to process many of them. What neither takes goes to `parse_line`,
# which reads any JSON and locates errors, and `write_result`.
#
# Inline for the reason that json.pxd gives.

from libc.string cimport memchr, memcmp, memcpy

from forstcore._core.json cimport (
    AFTER_THE_END,
    BLANK,
    NO_COLON,
    NO_COMMA_OR_BRACE,
    NO_FAULT,
    NO_NAME,
    NOT_AN_OBJECT,
    WRONG_DATA,
    WRONG_ID,
    Fault,
    bytes_ptr,
    copy_string,
    refuse,
    skip_space,
    string_end,
    unescape,
    value_end,
)
from forstcore._core.scan cimport fst_next_lf, fst_usual, fst_usual_lines, fst_usual_size

cdef extern from "forstcore.h" nogil:
    void fst_copy(char *to, const char *start, Py_ssize_t size) noexcept


# A piece of the input. For a string: its contents between the quotes as they came
# from the wire, escapes intact, known to be valid JSON and UTF-8.
cdef struct Span:
    bytes_ptr start
    Py_ssize_t size          # bytes


cdef struct Record:
    Span id                  # empty where absent or null
    Span data


# ---------------------------------------------------------------- reading

cdef enum Member:
    OTHER
    ID
    DATA


cdef inline Member escaped_member(bytes_ptr name, Py_ssize_t size) noexcept nogil:
    cdef unsigned char text[24]
    size = unescape(text, name, size)
    if size == 2 and memcmp(text, b"id", 2) == 0:
        return ID
    if size == 4 and memcmp(text, b"data", 4) == 0:
        return DATA
    return OTHER


cdef inline Member which_member(bytes_ptr name, Py_ssize_t size) noexcept nogil:
    if size == 2:
        return ID if name[0] == c'i' and name[1] == c'd' else OTHER
    if size == 4:
        return DATA if memcmp(name, b"data", 4) == 0 else OTHER
    # From one escaped letter, i\u0064, to four of them, the letters of "data".
    if 7 <= size <= 24 and memchr(name, c'\\', size) != NULL:
        return escaped_member(name, size)
    return OTHER


cdef inline bytes_ptr members_end(
        bytes_ptr p, bytes_ptr limit, int path, Record *record, Fault *fault) noexcept nogil:
    """The end of the object whose first member name should be at `p`, or NULL and why."""
    cdef bytes_ptr name
    cdef bytes_ptr end
    cdef Member member
    cdef Span value
    cdef Fault wrong_id
    cdef Fault wrong_data
    cdef bint wrong
    wrong_id.reason = NO_FAULT
    wrong_data.reason = NO_FAULT
    while True:
        if p[0] != c'"':
            return refuse(fault, NO_NAME, p)
        name = p + 1
        end = string_end(name, limit, path, fault)
        if end == NULL:
            return NULL
        member = which_member(name, end - name)
        p = skip_space(end + 1)
        if p[0] != c':':
            return refuse(fault, NO_COLON, p)
        p = skip_space(p + 1)

        value.start = p
        value.size = 0
        wrong = False
        if p[0] == c'"':
            value.start = p + 1
            p = string_end(p + 1, limit, path, fault)
            if p == NULL:
                return NULL
            value.size = p - value.start
            p += 1
        else:
            wrong = p[0] != c'n'                # the only valid value that starts so is null
            p = value_end(p, limit, path, 1, fault)
            if p == NULL:
                return NULL
        if member == ID:
            record.id = value
            wrong_id.reason = WRONG_ID if wrong else NO_FAULT
            wrong_id.place = value.start
        elif member == DATA:
            record.data = value
            wrong_data.reason = WRONG_DATA if wrong else NO_FAULT
            wrong_data.place = value.start

        p = skip_space(p)
        if p[0] == c',':
            p = skip_space(p + 1)
        elif p[0] == c'}':
            break
        else:
            return refuse(fault, NO_COMMA_OR_BRACE, p)
    # Report a wrong type only now: malformed JSON anywhere in the line comes first.
    if wrong_id.reason != NO_FAULT:
        fault[0] = wrong_id
    elif wrong_data.reason != NO_FAULT:
        fault[0] = wrong_data
    return p + 1


cdef inline int parse_line(
        bytes_ptr p, bytes_ptr end, bytes_ptr limit, int path,
        Record *record, Fault *fault) noexcept nogil:
    """Read the line [p, end), which an LF follows; return why it is no record, or 0."""
    cdef bytes_ptr value
    record.id.start = p
    record.id.size = 0
    record.data = record.id
    fault.reason = NO_FAULT
    p = skip_space(p)
    if p == end:
        refuse(fault, BLANK, p)
        return BLANK
    value = p
    if p[0] != c'{':
        p = value_end(p, limit, path, 0, fault)
        if p == NULL:
            return fault.reason
        refuse(fault, NOT_AN_OBJECT, value)
    else:
        p = skip_space(p + 1)
        if p[0] == c'}':
            p += 1
        else:
            p = members_end(p, limit, path, record, fault)
            if p == NULL:
                return fault.reason
    p = skip_space(p)
    if p != end:
        refuse(fault, AFTER_THE_END, p)
    return fault.reason


# ---------------------------------------------------------------- writing

cdef inline unsigned char *write_result(unsigned char *out, const Record *record) noexcept nogil:
    """Write the result of a record. Needs room for the record and RESERVE bytes."""
    memcpy(out, b'{"id":"', 7)
    out += 7
    fst_copy(<char *>out, <const char *>record.id.start, record.id.size)
    out += record.id.size
    memcpy(out, b'","result":"processed_', 22)
    out += 22
    fst_copy(<char *>out, <const char *>record.data.start, record.data.size)
    out += record.data.size
    memcpy(out, b'","status":"success"}\n', 22)
    return out + 22


cdef inline unsigned char *fast_line(
        bytes_ptr p, bytes_ptr end, bytes_ptr limit, int path, unsigned char *out) noexcept nogil:
    """Process the line [p, end) if it has the usual shape: the two members alone, in order.

    Their white space has to be that of JSON.stringify or json.dumps. Returns the end of the
    result, or NULL if the line has another shape or an error. Needs the room that
    `write_result` needs.
    """
    cdef bytes_ptr quote
    if limit - p < 16:
        return NULL
    if memcmp(p, b'{"id":"', 7) == 0:
        p += 7
    elif memcmp(p, b'{"id": "', 8) == 0:
        p += 8
    else:
        return NULL
    memcpy(out, b'{"id":"', 7)
    out += 7
    quote = copy_string(out, p, limit, path)
    if quote == NULL or limit - quote < 16:
        return NULL
    out += quote - p
    if memcmp(quote, b'","data":"', 10) == 0:
        p = quote + 10
    elif memcmp(quote, b'", "data": "', 12) == 0:
        p = quote + 12
    else:
        return NULL
    memcpy(out, b'","result":"processed_', 22)
    out += 22
    quote = copy_string(out, p, limit, path)
    if quote == NULL or quote[1] != c'}':
        return NULL
    if quote + 2 != end and (quote[2] != c'\r' or quote + 3 != end):
        return NULL
    out += quote - p
    memcpy(out, b'","status":"success"}\n', 22)
    return out + 22


cdef inline fst_usual usual_lines(
        bytes_ptr p, bytes_ptr end, bytes_ptr limit, int path, Py_ssize_t max_line_size,
        unsigned char *out, unsigned char *out_end) noexcept nogil:
    """Process lines from `p` on, up to the first one that is too long or not for `fast_line`.

    Stops where the output up to `out_end` has no room for the rest of the input. Up to RESERVE
    bytes past the results are written.
    """
    cdef fst_usual done
    cdef bytes_ptr lf
    cdef unsigned char *line_out
    cdef Py_ssize_t size
    cdef Py_ssize_t least = fst_usual_size(path)
    cdef long long lines = 0
    while p < end and out_end - out >= end - p:
        lf = fst_next_lf(p, limit, path)
        size = lf - p
        if size > max_line_size:
            break
        line_out = fast_line(p, lf, limit, path, out)
        if line_out == NULL:
            break
        out = line_out
        lines += 1
        p = lf + 1
        if size >= least:
            done = fst_usual_lines(p, end, limit, path, max_line_size, out, out_end)
            p = done.p
            out = done.out
            lines += done.lines
            if done.lines == 0:
                least *= 2          # not worth trying again soon
    done.p = p
    done.out = out
    done.lines = lines
    return done
