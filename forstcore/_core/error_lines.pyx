# Invalid lines: the codes and messages of their errors, and how they are handled.
#
# Such a line is counted. As the stream's `on_error` says, an error line takes its place in the
# output. As its `keep_rejected` says, the line is kept apart from the output, with the error: no
# caller has to look for error lines among the results.

from libc.stdio cimport snprintf
from libc.string cimport memcpy, memset, strlen

from forstcore._core.json cimport (
    AFTER_THE_END,
    BAD_ESCAPE,
    BAD_HEX,
    BAD_NUMBER,
    BAD_UTF8,
    BLANK,
    CONTROL_CHARACTER,
    INFINITE_NUMBER,
    LEADING_ZERO,
    LONE_SURROGATE,
    NO_COLON,
    NO_COMMA_OR_BRACE,
    NO_COMMA_OR_BRACKET,
    NO_FAULT,
    NO_NAME,
    NO_VALUE,
    NOT_AN_OBJECT,
    PROCESSOR_FAILED,
    REASONS,
    TOO_DEEP,
    TOO_LONG,
    UNCLOSED_STRING,
    WRONG_DATA,
    WRONG_ID,
    Fault,
    bytes_ptr,
)
from forstcore._core.rejected cimport Note, Notes, append, room_for
from forstcore._core.run cimport FAIL, RESERVE, SKIP, Run, has_many_notes
from forstcore.native cimport FST_MESSAGE

from forstcore.errors import RecordError


# ---------------------------------------------------------------- codes and messages

# What follows line number and offset in an error line.
cdef struct Ending:
    char text[128]
    int size

# ASCII that needs no escaping inside JSON.
cdef const char *CODES[REASONS]
cdef const char *MESSAGES[REASONS]
cdef Ending ENDINGS[REASONS]


cdef void explain(int reason, const char *code, const char *message) noexcept:
    cdef Ending *ending = &ENDINGS[reason]
    CODES[reason] = code
    MESSAGES[reason] = message
    ending.size = snprintf(
        ending.text, sizeof(ending.text), b',"code":"%s","message":"%s"}\n', code, message)


explain(NO_FAULT, "", "")
explain(BLANK, "invalid_json", "the line is blank")
explain(TOO_LONG, "line_too_long", "the line is longer than max_line_size")
explain(NOT_AN_OBJECT, "not_an_object", "a record must be a JSON object")
explain(WRONG_ID, "wrong_type", "member 'id' must be a string or null")
explain(WRONG_DATA, "wrong_type", "member 'data' must be a string or null")
explain(TOO_DEEP, "too_deep", "more than 1024 containers inside each other")
explain(BAD_UTF8, "invalid_utf8", "bytes that are not UTF-8")
explain(NO_VALUE, "invalid_json", "expected a value")
explain(NO_NAME, "invalid_json", "expected a member name in double quotes")
explain(NO_COLON, "invalid_json", "expected ':' after a member name")
explain(NO_COMMA_OR_BRACE, "invalid_json", "expected ',' or '}' after a member")
explain(NO_COMMA_OR_BRACKET, "invalid_json", "expected ',' or ']' after an element")
explain(AFTER_THE_END, "invalid_json", "unexpected bytes after the value")
explain(UNCLOSED_STRING, "invalid_json", "the line ends inside a string")
explain(CONTROL_CHARACTER, "invalid_json", "a control character in a string must be escaped")
explain(BAD_ESCAPE, "invalid_json", "unknown escape in a string")
explain(BAD_HEX, "invalid_json", "a Unicode escape needs four hexadecimal digits")
explain(LONE_SURROGATE, "invalid_json", "a surrogate escape without its other half")
explain(BAD_NUMBER, "invalid_json", "expected a digit")
explain(LEADING_ZERO, "invalid_json", "a number must not start with a zero")
explain(INFINITE_NUMBER, "invalid_json", "the number is too large for a double")
explain(PROCESSOR_FAILED, "processor_failed", "the processor refused the record")

# All codes, each once; a dict keeps their order. The first reason is that there is no fault.
ERROR_CODES = tuple({CODES[reason].decode(): None for reason in range(1, <int>REASONS)})


cdef object record_error(int reason, long long line, Py_ssize_t offset):
    """Make the exception of a reason."""
    return RecordError(CODES[reason].decode(), MESSAGES[reason].decode(), line, offset)


cdef dict count_by_code(const long long *faults):
    """Add up counts of reasons by their codes, without zeros."""
    cdef int reason
    cdef dict counts = {}
    for reason in range(<int>REASONS):
        if faults[reason]:
            code = CODES[reason].decode()
            counts[code] = counts.get(code, 0) + faults[reason]
    return counts


# ---------------------------------------------------------------- error lines

cdef unsigned char *write_error(
        unsigned char *out, long long line, Py_ssize_t offset, int reason) noexcept nogil:
    """Write an error line. Needs RESERVE bytes."""
    cdef const Ending *ending = &ENDINGS[reason]
    memcpy(out, b'{"status":"error","line":', 25)
    out = write_number(out + 25, line)
    memcpy(out, b',"offset":', 10)
    out = write_number(out + 10, offset)
    memcpy(out, ending.text, ending.size)
    return out + ending.size


cdef unsigned char *write_number(unsigned char *out, long long number) noexcept nogil:
    """Write a number that is not negative."""
    cdef unsigned char digits[20]
    cdef int at = 20
    while True:
        at -= 1
        digits[at] = <unsigned char>(c'0' + number % 10)
        number //= 10
        if number == 0:
            break
    memcpy(out, digits + at, 20 - at)
    return out + 20 - at


cdef unsigned char *write_refusal(
        unsigned char *out, long long line, const char *message) noexcept nogil:
    """Write the error line of a record that a native processor refused. Needs RESERVE bytes."""
    cdef unsigned char c
    # Characters of the message: they fit into RESERVE even if each is escaped, in six bytes.
    cdef int left = 50
    out += snprintf(
        <char *>out, RESERVE, b'{"status":"error","line":%lld,"offset":0,"code":"%s","message":"',
        line, CODES[<int>PROCESSOR_FAILED])
    while message[0] and left:
        c = <unsigned char>message[0]
        message += 1
        if c < 0x20 or c == c'"' or c == c'\\' or c >= 0x7F:
            out += snprintf(<char *>out, 7, b"\\u%04x", <int>c)
            left -= 1
        else:
            out[0] = c
            out += 1
    memcpy(out, b'"}\n', 3)
    return out + 3


# ---------------------------------------------------------------- rejected lines

cdef unsigned char *reject_line(
        Run *run, const Fault *fault, bytes_ptr line, bytes_ptr lf, long long lines,
        long long results, unsigned char *out) noexcept nogil:
    """Reject the line [line, lf): count it, keep it and write its error line, as the run wants.

    Needs RESERVE bytes of output and returns its new end. `lines` and `results` are the current
    counters, which the run itself may not have yet.
    """
    cdef Py_ssize_t size
    lines += run.lines_before
    run.errors += 1
    run.faults[fault.reason] += 1
    if run.on_error == FAIL:
        run.failed_reason = fault.reason
        run.failed_offset = fault.place - line
    if run.notes != NULL:
        size = lf - line
        if size > run.max_line_size:
            size = run.max_line_size
        keep_line(run, fault.reason, lines, fault.place - line, results, line, size, line, 0)
        if has_many_notes(run):
            run.out_end = out       # no further line is begun: the output counts as full
            run.output.end = <char *>out
    if run.on_error == SKIP:
        return out
    if fault.reason == PROCESSOR_FAILED:
        return write_refusal(out, lines, run.output.message)
    return write_error(out, lines, fault.place - line, fault.reason)


cdef void reject_long_line(
        Run *run, bytes_ptr start, Py_ssize_t size, bytes_ptr more) noexcept nogil:
    """Reject a line as soon as it is known to be too long: its end may never come.

    It starts with the `size` bytes at `start` and continues at `more`. Needs RESERVE bytes.
    """
    run.lines += 1
    run.errors += 1
    run.faults[<int>TOO_LONG] += 1
    if run.notes != NULL:
        keep_line(
            run, TOO_LONG, run.lines_before + run.lines, run.max_line_size, run.results,
            start, size, more, run.max_line_size - size)
    if run.on_error != SKIP:
        run.out = write_error(
            run.out, run.lines_before + run.lines, run.max_line_size, TOO_LONG)
    if run.on_error == FAIL:
        run.failed_reason = TOO_LONG
        run.failed_offset = run.max_line_size


cdef void keep_line(
        Run *run, int reason, long long number, Py_ssize_t offset, long long results,
        bytes_ptr start, Py_ssize_t size, bytes_ptr more, Py_ssize_t more_size) noexcept nogil:
    """Keep a line that has been counted as an error, in two pieces, for `take_rejected`."""
    cdef Notes *notes = run.notes
    cdef const char *message = run.output.message
    cdef unsigned char text[2 * FST_MESSAGE]
    cdef Py_ssize_t text_size = 0
    cdef unsigned char *to
    cdef Note note
    memset(&note, 0, sizeof(Note))
    note.line = number
    note.offset = <int>offset
    note.size = <int>(size + more_size)
    note.code = CODES[reason]
    note.code_size = <unsigned short>strlen(CODES[reason])
    if run.on_error != SKIP:
        note.place = <int>(results + run.errors - run.lines_out)
    if reason == PROCESSOR_FAILED:
        # As in the error line, the message is read as Latin-1: each byte is a character.
        while message[0]:
            text_size += utf8_of(<unsigned char>message[0], text + text_size)
            message += 1
        note.message_size = <unsigned short>text_size
    else:
        note.message = MESSAGES[reason]
        note.message_size = <unsigned short>strlen(MESSAGES[reason])
    to = room_for(notes, sizeof(Note) + text_size + note.size)
    if to == NULL:
        return                      # `notes.failed` says so
    to = append(to, &note, sizeof(Note))
    to = append(to, text, text_size)
    to = append(to, start, size)
    append(to, more, more_size)
    notes.size += <Py_ssize_t>sizeof(Note) + text_size + note.size
    notes.count += 1


cdef inline int utf8_of(unsigned char c, unsigned char *out) noexcept nogil:
    """Write the character whose number is `c` as UTF-8; return its bytes."""
    if c < 0x80:
        out[0] = c
        return 1
    out[0] = 0xC0 | c >> 6
    out[1] = 0x80 | c & 0x3F
    return 2
