# Invalid lines: the codes and messages of their errors, and how they are handled.
#
# Such a line is counted. As the stream's `on_error` says, an error line takes its place in the
# output. As its `keep_rejected` says, the line is kept apart from the output, with the error: no
# caller has to look for error lines among the results.

from libc.stdio cimport snprintf
from libc.string cimport memcpy, strlen

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
from forstcore._core.rejected cimport Note, Notes, add_note, append, end_note, texts_of
from forstcore._core.run cimport FAIL, SKIP, LineStart, Run, has_many_notes
from forstcore.native cimport FST_MESSAGE, fst_write_integer

from forstcore.errors import RecordError


cdef enum:
    MOST_TEXT = 2 * FST_MESSAGE     # bytes of a native processor's message as UTF-8


# ---------------------------------------------------------------- codes and messages

# A reason to refuse a line. All texts are ASCII that needs no escaping inside JSON.
cdef struct Explanation:
    const char *code
    const char *message
    unsigned short code_size
    unsigned short message_size
    int ending_size
    char ending[96]             # of the error line, from the comma after the offset

cdef Explanation EXPLANATIONS[REASONS]


cdef int explain(int reason, const char *code, const char *message) except -1:
    cdef Explanation *why = &EXPLANATIONS[reason]
    why.code = code
    why.message = message
    why.code_size = <unsigned short>strlen(code)
    why.message_size = <unsigned short>strlen(message)
    why.ending_size = snprintf(
        why.ending, sizeof(why.ending), b',"code":"%s","message":"%s"}\n', code, message)
    if why.ending_size >= <int>sizeof(why.ending):
        raise ValueError("the message is too long")
    return 0


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
ERROR_CODES = tuple({EXPLANATIONS[reason].code.decode(): None for reason in range(1, <int>REASONS)})


cdef object record_error(int reason, long long line, Py_ssize_t offset):
    """Make the exception of a reason."""
    cdef const Explanation *why = &EXPLANATIONS[reason]
    return RecordError(why.code.decode(), why.message.decode(), line, offset)


cdef dict count_by_code(const long long *faults):
    """Add up counts of reasons by their codes, without zeros."""
    cdef int reason
    cdef dict counts = {}
    for reason in range(<int>REASONS):
        if faults[reason]:
            code = EXPLANATIONS[reason].code.decode()
            counts[code] = counts.get(code, 0) + faults[reason]
    return counts


# ---------------------------------------------------------------- error lines

cdef inline unsigned char *write_error(
        LineStart *start, unsigned char *out, long long line, Py_ssize_t offset,
        int reason) noexcept nogil:
    """Write an error line. Needs RESERVE bytes."""
    cdef const Explanation *why = &EXPLANATIONS[reason]
    out = write_place(start, out, line, offset)
    # A copy of constant size needs no call; the next line overwrites what is too much.
    memcpy(out, why.ending, sizeof(why.ending))
    return out + why.ending_size


cdef inline unsigned char *write_place(
        LineStart *start, unsigned char *out, long long line, Py_ssize_t offset) noexcept nogil:
    """Write the start of an error line, up to the offset."""
    cdef long long pair = line - start.base
    if start.base == 0 or pair < 0 or pair >= 100:
        write_start(start, line)
        pair = line - start.base
    memcpy(out, start.text, sizeof(start.text))
    if start.base:
        write_pair(out + start.pair_at, <int>pair)
    return write_number(out + start.size, offset)


cdef inline unsigned char *write_number(unsigned char *out, long long number) noexcept nogil:
    """Write a number that is not negative and most often small."""
    if number < 10:
        out[0] = <unsigned char>(c'0' + number)
        return out + 1
    if number < 100:
        write_pair(out, <int>number)
        return out + 2
    return <unsigned char *>fst_write_integer(<char *>out, number)


cdef inline void write_pair(unsigned char *out, int number) noexcept nogil:
    """Write a number below 100 with two digits."""
    out[0] = <unsigned char>(c'0' + number // 10)
    out[1] = <unsigned char>(c'0' + number % 10)


cdef void write_start(LineStart *start, long long line) noexcept nogil:
    """Write the start of the error line of that input line, for the hundred that it belongs to."""
    cdef unsigned char *out = start.text
    memcpy(out, b'{"status":"error","line":', 25)
    out = write_number(out + 25, line)
    start.base = line - line % 100      # below 100, the numbers have different sizes
    start.pair_at = <int>(out - 2 - start.text)
    memcpy(out, b',"offset":', 10)
    start.size = <int>(out + 10 - start.text)


cdef unsigned char *write_refusal(
        LineStart *start, unsigned char *out, long long line, const char *message) noexcept nogil:
    """Write the error line of a record that a native processor refused. Needs RESERVE bytes."""
    cdef const Explanation *why = &EXPLANATIONS[<int>PROCESSOR_FAILED]
    cdef Py_ssize_t size = strlen(message)
    out = write_place(start, out, line, 0)
    memcpy(out, why.ending, sizeof(why.ending))
    out += why.ending_size - why.message_size - 3       # up to the static message
    if is_plain(message, size):
        memcpy(out, message, size)
        out += size
    else:
        out = write_escaped(out, message)
    memcpy(out, b'"}\n', 3)
    return out + 3


cdef inline bint is_plain(const char *text, Py_ssize_t size) noexcept nogil:
    """Return whether a text is ASCII that needs no escaping inside JSON."""
    cdef bint special = False
    cdef unsigned char c
    cdef Py_ssize_t i
    for i in range(size):       # to the end, without a branch, so that it is compiled to vectors
        c = <unsigned char>text[i]
        special |= (c < 0x20) | (c >= 0x7F) | (c == c'"') | (c == c'\\')
    return not special


cdef unsigned char *write_escaped(unsigned char *out, const char *message) noexcept nogil:
    """Write a message with escapes; one byte is one character, as in Latin-1."""
    cdef unsigned char c
    # Characters of the message: they fit into RESERVE even if each is escaped, in six bytes.
    cdef int left = 50
    while message[0] and left:
        c = <unsigned char>message[0]
        message += 1
        if c < 0x20 or c == c'"' or c == c'\\' or c >= 0x7F:
            out += snprintf(<char *>out, 7, b"\\u%04x", <int>c)
            left -= 1
        else:
            out[0] = c
            out += 1
    return out


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
        return write_refusal(&run.line_start, out, lines, run.output.message)
    return write_error(&run.line_start, out, lines, fault.place - line, fault.reason)


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
            &run.line_start, run.out, run.lines_before + run.lines, run.max_line_size, TOO_LONG)
    if run.on_error == FAIL:
        run.failed_reason = TOO_LONG
        run.failed_offset = run.max_line_size


cdef void keep_line(
        Run *run, int reason, long long number, Py_ssize_t offset, long long results,
        bytes_ptr start, Py_ssize_t size, bytes_ptr more, Py_ssize_t more_size) noexcept nogil:
    """Keep a line that has been counted as an error, in two pieces, for `take_rejected`."""
    cdef Notes *notes = run.notes
    cdef const Explanation *why = &EXPLANATIONS[reason]
    cdef Note *note = add_note(notes, MOST_TEXT + size + more_size)
    cdef unsigned char *to
    if note == NULL:
        return                      # `notes.failed` says so
    note.line = number
    note.code = why.code
    note.message = why.message
    note.place = 0
    if run.on_error != SKIP:
        note.place = <int>(results + run.errors - run.lines_out)
    note.offset = <int>offset
    note.size = <int>(size + more_size)
    note.code_size = why.code_size
    note.message_size = why.message_size
    to = texts_of(note)
    if reason == PROCESSOR_FAILED:
        note.message = NULL
        note.message_size = <unsigned short>write_latin_1(to, run.output.message)
        to += note.message_size
    append(append(to, start, size), more, more_size)
    end_note(notes, note)


cdef Py_ssize_t write_latin_1(unsigned char *out, const char *message) noexcept nogil:
    """Write a message as UTF-8, return its size; as in error lines, one byte is one character."""
    cdef Py_ssize_t size = strlen(message)
    cdef Py_ssize_t written = 0
    if is_plain(message, size):
        memcpy(out, message, size)
        return size
    while message[0]:
        written += utf8_of(<unsigned char>message[0], out + written)
        message += 1
    return written


cdef inline int utf8_of(unsigned char c, unsigned char *out) noexcept nogil:
    """Write the character whose number is `c` as UTF-8; return its bytes."""
    if c < 0x80:
        out[0] = c
        return 1
    out[0] = 0xC0 | c >> 6
    out[1] = 0x80 | c & 0x3F
    return 2
