# The hot path: bytes of NDJSON in, bytes of results out.
#
#   chunk ── whole lines ─┬─> run_built_in ──> fast_line ────────────────> output
#     └ tail, kept         │       └ not the usual shape: parse_line ──┤
#                          └─> run_records ──> alike_end ──> processor ┘
#                                  └ like none before: read_record ┘
#
# Both loops work on a batch of whole lines without the GIL and touch no Python object.
# `fast_line` copies the two strings of a record in the usual shape while it scans them;
# whatever it does not take goes to `parse_line`, which reads any JSON and names the place
# of an error. Filters and native processors get the members of each record; `alike_end`
# reads those that are written like the record before, `read_record` all others. The
# grammar is in _core/json.pxd, the vector leaves in _core/scan.h.
#
# Invariants
# - Every line handed to the parser is followed by an LF in readable memory. No JSON
#   token contains one, so scalar code needs no bounds check: the LF stops it.
# - Before a line is read, the output has room for all input that is left plus
#   RESERVE bytes, so that writing a line needs no check.
# - The functions without the GIL report by number. `record_error` is the one place
#   that makes an exception of it.
# - A line that is no record is noted by `note_fault`, away from the results: nobody has to
#   find its error line among them.

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid, PyCapsule_New
from cpython.ref cimport PyObject
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdio cimport snprintf
from libc.string cimport memchr, memcmp, memcpy, memset, strlen

from forstcore._core.template cimport Reading, alike_end, learn
from forstcore._core.filter cimport Filter, Mark, Named, is_wanted
from forstcore._core.json cimport (
    AFTER_THE_END,
    BAD_ESCAPE,
    BAD_HEX,
    BAD_NUMBER,
    BAD_UTF8,
    BLANK,
    CONTROL_CHARACTER,
    DEPTH_LIMIT,
    INFINITE_NUMBER,
    LEADING_ZERO,
    LF,
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
    copy_string,
    refuse,
    skip_space,
    string_end,
    unescape,
    value_end,
)
from forstcore._core.members cimport find_member, read_object
from forstcore._core.rejected cimport Note, Notes, RejectedLines, append, drop_notes, room_for
from forstcore._core.scan cimport (
    FST_AVX2,
    FST_BASE,
    FST_BASE_NAME,
    FST_PORTABLE,
    fst_best_path,
    fst_count_lf,
    fst_last_lf,
    fst_next_lf,
)

from forstcore.native cimport (
    FST_ABI,
    FST_CAPSULE,
    FST_MESSAGE,
    FST_OK,
    fst_calls,
    fst_end,
    fst_fail,
    fst_output,
    fst_processor,
    fst_put,
    fst_record,
    fst_value,
)

import os
from collections.abc import Mapping

from forstcore.errors import RecordError, StreamStateError

cdef extern from "Python.h":
    PyObject *PyBytes_New "PyBytes_FromStringAndSize" (const char *, Py_ssize_t) except NULL
    int _PyBytes_Resize(PyObject **, Py_ssize_t) except -1
    char *PyBytes_AS_STRING(PyObject *) noexcept
    void Py_XDECREF(PyObject *)


# ---------------------------------------------------------------- constants

cdef enum:
    LINE_LIMIT_DEFAULT = 1 << 20
    LINE_LIMIT_HIGHEST = 1 << 30
    # The longest line of our own (an error) and what vectors write past a copy.
    RESERVE = 512
    # Readable bytes that the tail is padded with, so that vectors take all of it.
    PADDING = 64
    # The most output bytes per 256 input bytes to make room for before it is needed.
    GROWTH_HIGHEST = 1 << 14
    # Below this many bytes, giving up the GIL costs more than the work.
    NOGIL_SIZE = 16384
    # Rejected lines that a call notes if its results are bounded: who asks for them works on
    # each in Python.
    MOST_NOTES = 500

MAX_DEPTH = DEPTH_LIMIT
DEFAULT_MAX_LINE_SIZE = LINE_LIMIT_DEFAULT

cdef enum OnError:
    SKIP
    EMIT
    FAIL

# The end of the error line of each reason.
cdef struct Ending:
    char text[128]
    int size


cdef enum RunStatus:
    RUN_DONE                    # all lines are through
    RUN_FULL                    # the output needs room before the line at `pos`
    RUN_FAILED                  # an error line was written and ends the stream
    RUN_NO_MEMORY               # a native processor's results found no room

# Code and message of each reason: ASCII that needs no escaping inside JSON.
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


# ---------------------------------------------------------------- scan path

cdef int current_path = fst_best_path()
cdef const char *PATH_NAMES[3]
PATH_NAMES[<int>FST_PORTABLE] = "portable"
PATH_NAMES[<int>FST_BASE] = FST_BASE_NAME
PATH_NAMES[<int>FST_AVX2] = "avx2"


def scan_paths():
    """Name the scan paths that this CPU can run, the fastest first.

    Returns:
        A tuple of names that ends with ``"portable"``.
    """
    return tuple([PATH_NAMES[path].decode() for path in range(fst_best_path(), -1, -1)])


def scan_path():
    """Name the scan path in use."""
    return PATH_NAMES[current_path].decode()


def use_scan_path(name, /):
    """Use another scan path, for tests and benchmarks. Every path gives the same bytes.

    Args:
        name: one of `scan_paths()`.

    Raises:
        ValueError: this CPU has no such path.

    Thread-safety: affects the whole process, from each object's next call on.
    """
    global current_path
    paths = scan_paths()
    if name not in paths:
        raise ValueError(f"scan path must be one of {', '.join(paths)}, not {name!r}")
    current_path = len(paths) - 1 - paths.index(name)


if "FORSTCORE_SCAN_PATH" in os.environ:
    use_scan_path(os.environ["FORSTCORE_SCAN_PATH"])


# ---------------------------------------------------------------- records

cdef enum Member:
    OTHER
    ID
    DATA


cdef Member escaped_member(bytes_ptr name, Py_ssize_t size) noexcept nogil:
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
    # From one letter written \u0069 to all four letters of "data" written so.
    if 7 <= size <= 24 and memchr(name, c'\\', size) != NULL:
        return escaped_member(name, size)
    return OTHER


cdef bytes_ptr members_end(
        bytes_ptr p, bytes_ptr limit, int path, Record *record, Fault *fault) noexcept nogil:
    """The end of the object whose first member name should be at `p`."""
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
            wrong = p[0] != c'n'                # of what starts so, only null is valid
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
    # Malformed lines come first: a wrong type is only told of a line that is JSON.
    if wrong_id.reason != NO_FAULT:
        fault[0] = wrong_id
    elif wrong_data.reason != NO_FAULT:
        fault[0] = wrong_data
    return p + 1


cdef int parse_line(
        bytes_ptr p, bytes_ptr end, bytes_ptr limit, int path,
        Record *record, Fault *fault) noexcept nogil:
    """Read the line [p, end), which an LF follows; return the reason why not, or 0."""
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


# ---------------------------------------------------------------- results

cdef inline unsigned char *write_result(unsigned char *out, const Record *record) noexcept nogil:
    """The built-in processor. Needs room for the record and RESERVE bytes."""
    memcpy(out, b'{"id":"', 7)
    out += 7
    memcpy(out, record.id.start, record.id.size)
    out += record.id.size
    memcpy(out, b'","result":"processed_', 22)
    out += 22
    memcpy(out, record.data.start, record.data.size)
    out += record.data.size
    memcpy(out, b'","status":"success"}\n', 22)
    return out + 22


cdef inline unsigned char *fast_line(
        bytes_ptr p, bytes_ptr end, bytes_ptr limit, int path, unsigned char *out) noexcept nogil:
    """Process the line [p, end) if it has the usual shape: the two members alone, in order.

    Written as JSON.stringify or json.dumps write it. Returns the end of the result, or
    NULL where the line has another shape or an error.
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


cdef unsigned char *write_error(
        unsigned char *out, long long line, Py_ssize_t offset, int reason) noexcept nogil:
    """An error line. Needs RESERVE bytes."""
    cdef const Ending *ending = &ENDINGS[reason]
    memcpy(out, b'{"status":"error","line":', 25)
    out = write_number(out + 25, line)
    memcpy(out, b',"offset":', 10)
    out = write_number(out + 10, offset)
    memcpy(out, ending.text, ending.size)
    return out + ending.size


cdef unsigned char *write_number(unsigned char *out, long long number) noexcept nogil:
    """A number that is not negative."""
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
    """The error line of a record that a native processor refused. Needs RESERVE bytes."""
    cdef unsigned char c
    # Short enough for RESERVE even where each byte takes six.
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


# ---------------------------------------------------------------- native processors

cdef int find_call(
        const fst_record *record, const char *name, Py_ssize_t size,
        fst_value *value) noexcept nogil:
    cdef const Reading *reading = <const Reading *>record
    return find_member(record, name, size, value, reading.limit, reading.path)


cdef Py_ssize_t unescape_call(char *to, const char *text, Py_ssize_t size) noexcept nogil:
    return unescape(<unsigned char *>to, <bytes_ptr>text, size)


cdef fst_calls CALLS
CALLS.find = find_call
CALLS.unescape = unescape_call


cdef inline void begin_records(
        Reading *reading, bytes_ptr start, bytes_ptr limit, int path) noexcept nogil:
    """Make ready for the records of one buffer."""
    reading.record.calls = &CALLS
    reading.limit = limit
    reading.path = path
    reading.known = 0
    reading.window.start = reading.window.end = start


cdef int read_record(
        Reading *reading, bytes_ptr p, bytes_ptr lf, Fault *fault) noexcept nogil:
    """Read the line [p, lf), which an LF follows; return the reason why not, or 0."""
    cdef bytes_ptr value
    cdef bytes_ptr line = p
    reading.known = 0
    fault.reason = NO_FAULT
    p = skip_space(p)
    if p == lf:
        refuse(fault, BLANK, p)
        return BLANK
    value = p
    if p[0] != c'{':
        p = value_end(p, reading.limit, reading.path, 0, fault)
        if p == NULL:
            return fault.reason
        refuse(fault, NOT_AN_OBJECT, value)
    else:
        p = read_object(
            p, reading.limit, reading.path, &reading.record, reading.members, fault)
        if p == NULL:
            return fault.reason
    p = skip_space(p)
    if p != lf:
        refuse(fault, AFTER_THE_END, p)
    elif fault.reason == NO_FAULT:
        learn(reading, line, lf)
    return fault.reason


cdef inline int use_record(
        Run *run, Reading *reading, Named *named, bytes_ptr line, bytes_ptr lf,
        Fault *fault) noexcept nogil:
    """Filter and process a record that has been read from [line, lf).

    Returns the reason why not, or 0. Results go to `run.output`.
    """
    cdef fst_output *output = &run.output
    cdef Record record
    cdef unsigned char *out
    cdef int status
    if run.filter != NULL and not is_wanted(
            run.filter, run.marks, named, &reading.record, reading.limit, reading.path):
        run.filtered += 1
        return NO_FAULT
    if run.processor != NULL:
        output.line = output.first = output.at
        output.results = 0
        status = run.processor.process(run.state, &reading.record, output)
        if status == FST_OK and output.at == output.line:
            run.results += output.results
            return NO_FAULT
        return take_back(output, status, line, fault)
    out = fast_line(line, lf, reading.limit, reading.path, <unsigned char *>output.at)
    if out == NULL:
        if parse_line(line, lf, reading.limit, reading.path, &record, fault) != NO_FAULT:
            return fault.reason
        out = write_result(<unsigned char *>output.at, &record)
    output.at = <char *>out
    run.results += 1
    return NO_FAULT


cdef int take_back(
        fst_output *output, int status, bytes_ptr line, Fault *fault) noexcept nogil:
    """Drop what a native processor wrote of a record that it refused, or just left."""
    if output.failed:
        return NO_FAULT             # there is no memory; what it returned does not matter
    if status == FST_OK:
        if output.line[0] == c':':
            fst_fail(output, b"a result starts with ':'")
        else:
            fst_fail(output, b"it left a result without end")
    output.at = output.first
    refuse(fault, PROCESSOR_FAILED, line)
    return PROCESSOR_FAILED


cdef int pass_on(void *state, const fst_record *record, fst_output *output) noexcept nogil:
    fst_put(output, record.text.start, record.text.size)
    fst_end(output)
    return FST_OK


cdef fst_processor PASS
PASS.abi = FST_ABI
PASS.size = sizeof(fst_processor)
PASS.name = b"pass"
PASS.process = pass_on

# Gives each record back as it came, without white space around it.
PASS_ON = PyCapsule_New(&PASS, FST_CAPSULE, NULL)


cdef int grow_call(fst_output *output, Py_ssize_t size) noexcept nogil:
    """Make more room; what was written may move."""
    cdef int status
    with gil:
        status = grow_output(<RecordStream>output.owner, output, size)
    return status


cdef int grow_output(RecordStream stream, fst_output *output, Py_ssize_t size) noexcept:
    cdef Py_ssize_t line = output.at - output.line
    cdef Py_ssize_t first = output.at - output.first
    stream.run.out = <unsigned char *>output.at
    try:
        stream.reserve(size)
    except MemoryError:
        output.failed = 1
        output.end = output.at
        return -1
    output.at = <char *>stream.run.out
    output.end = <char *>stream.run.out_end
    output.line = output.at - line
    output.first = output.at - first
    return 0


# ---------------------------------------------------------------- lines

cdef int run_lines(Run *run) noexcept nogil:
    """Process the whole lines from `pos` on, and move `pos`, `out` and the counters."""
    if run.processor == NULL and run.filter == NULL:
        return run_built_in(run)
    return run_records(run)


cdef int run_built_in(Run *run) noexcept nogil:
    """As `run_lines`, for the built-in processor alone."""
    cdef bytes_ptr p = run.pos
    cdef bytes_ptr end = run.end
    cdef bytes_ptr limit = run.limit
    cdef bytes_ptr lf
    cdef bytes_ptr start
    cdef unsigned char *out = run.out
    cdef unsigned char *line_out
    cdef int path = run.path
    cdef int status = RUN_DONE
    cdef long long lines = run.lines
    cdef long long records = 0
    cdef Record record
    cdef Fault fault
    while p < end and status == RUN_DONE:
        if run.out_end - out < end - p + RESERVE:
            status = RUN_FULL
            break
        lf = fst_next_lf(p, limit, path)
        lines += 1
        if lf - p <= run.max_line_size:
            line_out = fast_line(p, lf, limit, path, out)
            if line_out != NULL:
                out = line_out
                records += 1
                p = lf + 1
                continue
            start = past_mark(p, run.lines_before + lines)
            parse_line(start, lf, limit, path, &record, &fault)
        else:
            refuse(&fault, TOO_LONG, p + run.max_line_size)
        if fault.reason == NO_FAULT:
            out = write_result(out, &record)
            records += 1
        elif fault.reason != BLANK:
            out = note_fault(run, &fault, p, lf, lines, run.results + records, out)
            if run.failed_reason != NO_FAULT:
                status = RUN_FAILED
        p = lf + 1
    run.lines = lines
    run.records += records
    run.results += records
    run.pos = p
    run.out = out
    return status


cdef int run_records(Run *run) noexcept nogil:
    """As `run_lines`, for a filter or a native processor, which see each record."""
    cdef bytes_ptr p = run.pos
    cdef bytes_ptr end = run.end
    cdef bytes_ptr lf
    cdef bytes_ptr start
    cdef fst_output *output = &run.output
    cdef int status = RUN_DONE
    cdef int reason
    cdef long long lines = run.lines
    cdef long long records = 0
    cdef Reading reading
    cdef Named named
    cdef Fault fault
    begin_records(&reading, p, run.limit, run.path)
    output.at = <char *>run.out
    output.end = <char *>run.out_end
    while p < end and status == RUN_DONE:
        if output.end - output.at < end - p + RESERVE:
            status = RUN_FULL
            break
        lines += 1
        start = p
        reason = NO_FAULT
        lf = alike_end(&reading, p)
        if lf == NULL or lf - p > run.max_line_size:
            lf = fst_next_lf(p, run.limit, run.path)
            named.seen = named.count = 0
            if lf - p <= run.max_line_size:
                start = past_mark(p, run.lines_before + lines)
                reason = read_record(&reading, start, lf, &fault)
            else:
                refuse(&fault, TOO_LONG, p + run.max_line_size)
                reason = TOO_LONG
        if reason == NO_FAULT:
            reading.record.line = run.lines_before + lines
            reason = use_record(run, &reading, &named, start, lf, &fault)
            if output.failed:
                # The line counts where it is read, and nothing comes of it.
                status = RUN_NO_MEMORY
                break
        if reason == NO_FAULT:
            records += 1
        elif reason != BLANK:
            output.at = <char *>note_fault(
                run, &fault, p, lf, lines, run.results, <unsigned char *>output.at)
            if run.failed_reason != NO_FAULT:
                status = RUN_FAILED
        p = lf + 1
    run.lines = lines
    run.records += records
    run.pos = p
    run.out = <unsigned char *>output.at
    return status


cdef inline bytes_ptr past_mark(bytes_ptr p, long long number) noexcept nogil:
    """Where the line at `p` starts: a byte order mark counts only at the start of the input."""
    return p + 3 if number == 1 and p[0] == 0xEF and p[1] == 0xBB and p[2] == 0xBF else p


cdef unsigned char *note_fault(
        Run *run, const Fault *fault, bytes_ptr line, bytes_ptr lf, long long lines,
        long long results, unsigned char *out) noexcept nogil:
    """Count the fault of the line [line, lf), and write of it what is wanted.

    Needs RESERVE bytes. `lines` and `results` are the counters of the run, brought up to date.
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
        keep_note(run, fault.reason, lines, fault.place - line, results, line, size, line, 0)
        if has_many_notes(run):
            run.out_end = out       # so that no further line is begun
            run.output.end = <char *>out
    if run.on_error == SKIP:
        return out
    if fault.reason == PROCESSOR_FAILED:
        return write_refusal(out, lines, run.output.message)
    return write_error(out, lines, fault.place - line, fault.reason)


cdef inline bint has_many_notes(const Run *run) noexcept nogil:
    """Whether a call that is bounded has noted as many lines as it should."""
    return run.most > 0 and run.notes != NULL and (
        run.notes.count >= MOST_NOTES or run.notes.size >= run.most)


cdef void keep_note(
        Run *run, int reason, long long number, Py_ssize_t offset, long long results,
        bytes_ptr start, Py_ssize_t size, bytes_ptr more, Py_ssize_t more_size) noexcept nogil:
    """Note a line that has been counted as an error; it is in two pieces."""
    cdef Notes *notes = run.notes
    cdef const char *told = run.output.message
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
        # As in the error line, each byte of the message is a character.
        while told[0]:
            text_size += utf8_of(<unsigned char>told[0], text + text_size)
            told += 1
        note.message_size = <unsigned short>text_size
    else:
        note.message = MESSAGES[reason]
        note.message_size = <unsigned short>strlen(MESSAGES[reason])
    to = room_for(notes, sizeof(Note) + text_size + note.size)
    if to == NULL:
        return                      # `drive` and `too_long` look at it
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


# ---------------------------------------------------------------- tails

cdef int tail_append(Tail *tail, bytes_ptr start, Py_ssize_t size) except -1:
    """Add bytes; the room doubles, so that a long line costs its length, however cut."""
    cdef Py_ssize_t room = tail.size + size + PADDING
    cdef void *grown
    if room > tail.room:
        room = max(room, 2 * tail.room)
        grown = PyMem_RawRealloc(tail.start, room)
        if grown == NULL:
            raise MemoryError()
        tail.start = <unsigned char *>grown
        tail.room = room
    memcpy(tail.start + tail.size, start, size)
    tail.size += size
    memset(tail.start + tail.size, 0, PADDING)
    return 0


# ---------------------------------------------------------------- arguments and errors

cdef object record_error(int reason, long long line, Py_ssize_t offset):
    """The one place where a reason becomes an exception."""
    return RecordError(CODES[reason].decode(), MESSAGES[reason].decode(), line, offset)


cdef Py_ssize_t checked_line_size(object size) except -1:
    if not isinstance(size, int) or not 1 <= size <= LINE_LIMIT_HIGHEST:
        raise ValueError(
            f"max_line_size must be a number of bytes from 1 to {LINE_LIMIT_HIGHEST}, "
            f"not {size!r}")
    return size


cdef long long checked_first_line(object number) except -1:
    if not isinstance(number, int) or not 1 <= number <= 1 << 62:
        raise ValueError(f"first_line must be a number from 1 to 2**62, not {number!r}")
    return number


cdef Py_ssize_t checked_growth(object growth) except -1:
    if not isinstance(growth, (int, float)) or not 1 <= growth <= 64:
        raise ValueError(f"growth must be a number from 1 to 64, not {growth!r}")
    return <Py_ssize_t>(<double>growth * 256)


cdef int checked_on_error(object mode) except -1:
    if mode == "skip":
        return SKIP
    if mode == "emit":
        return EMIT
    if mode == "fail":
        return FAIL
    raise ValueError(f"on_error must be 'skip', 'emit' or 'fail', not {mode!r}")


cdef int check_initialized(bint has_been) except -1:
    """Raise StreamStateError where `__init__` has not run: limits would be missing."""
    if not has_been:
        raise StreamStateError("the object was made without a call of __init__")
    return 0


cdef int check_first_init(bint has_been) except -1:
    """Raise StreamStateError where `__init__` has run: another thread may be in a call."""
    if has_been:
        raise StreamStateError("__init__ has been called on this object: make another one")
    return 0


cdef int state_error(bint busy) except -1:
    if busy:
        raise StreamStateError("another thread is in a call on this object")
    raise StreamStateError("the stream is finished")


# ---------------------------------------------------------------- classes

# The garbage collector would free the native processor before its `destroy` is called.
@cython.no_gc_clear
cdef class RecordStream:
    """Process one NDJSON stream, chunk by chunk.

    The results never depend on where the chunks were cut. Memory: one line of at most
    `max_line_size` bytes is kept between calls, in a buffer of up to twice that size.

    Args:
        on_error: what to do with a line that is not a record: ``"skip"`` drops and counts
            it; ``"emit"`` puts an error line in its place; ``"fail"`` does that too and
            ends the stream.
        max_line_size: longest line in bytes, its LF not counted, from 1 to 1 GiB. A longer
            one is an error of its own, and the stream goes on at the next LF.
        first_line: number of the first line, from 1 to 2**62: errors are numbered from it.
            For the rest of an input whose start went to another stream.
        filter: only records that it selects are processed; the others are counted.
        processor: a native processor, as the capsule that forstcore.h describes; None for
            the built-in one. It is called without the GIL.
        growth: output bytes per input byte to make room for, from 1 to 64, until the stream
            knows better. A low guess costs copies, a high one fresh memory for nothing.
        keep_rejected: whether `take_rejected` tells of lines that gave an error, whatever
            becomes of them in the output. Memory: those of a call, and 40 bytes for each.

    Attributes:
        growth: output bytes per input byte, about, as the last large chunk showed it.
        lines: input lines so far, blank ones included.
        records: lines that were valid records.
        errors: lines that were neither blank nor a record.
        results: result lines written; error lines are not counted.
        filtered: valid records that the filter left out.
        bytes_in: bytes fed.
        taken: bytes of the last chunk that were fed: all of it, but for `feed_part`.
        bytes_out: bytes returned.
        failed: whether an error ended the stream (``on_error="fail"`` only).

    Raises:
        ValueError: an argument is out of its range, or the processor was made for another
            version of the C face.
        TypeError: `processor` is no such capsule.

    Thread-safety: one owner. A call while another thread is in one raises
    `StreamStateError`. The GIL is released for chunks of 16 KiB and more; a chunk that
    can be written to must not be changed meanwhile.

    Sources: RFC 8259 (JSON), the NDJSON specification (lines).
    """

    def __init__(self, *, on_error="skip", max_line_size=LINE_LIMIT_DEFAULT, first_line=1,
                 Filter filter=None, processor=None, growth=3.0, keep_rejected=False):
        cdef int mode = checked_on_error(on_error)
        cdef Py_ssize_t line_size = checked_line_size(max_line_size)
        cdef long long number = checked_first_line(first_line)
        cdef Py_ssize_t guess = checked_growth(growth)
        cdef bint keeps = keep_rejected
        # From here on no code of others runs that could call this again.
        check_first_init(self.expected)
        self.expected = guess
        self.run.on_error = mode
        self.run.max_line_size = line_size
        self.run.lines_before = number - 1
        self.run.notes = &self.notes if keeps else NULL
        if filter is not None:
            self.use_filter(filter)
        if processor is not None:
            self.use_processor(processor)

    def __dealloc__(self):
        PyMem_RawFree(self.tail.start)
        PyMem_RawFree(self.run.marks)
        drop_notes(&self.notes)
        Py_XDECREF(self.out)
        if self.run.state != NULL and self.run.processor.destroy != NULL:
            self.run.processor.destroy(self.run.state)

    cdef int use_filter(self, Filter wanted) except -1:
        check_initialized(wanted.program.count)
        self.run.marks = <Mark *>PyMem_RawCalloc(wanted.program.count, sizeof(Mark))
        if self.run.marks == NULL:
            raise MemoryError()
        self.filter = wanted
        self.run.filter = &wanted.program
        return 0

    cdef int use_processor(self, object capsule) except -1:
        cdef const fst_processor *processor
        if not PyCapsule_IsValid(capsule, FST_CAPSULE):
            raise TypeError(
                f"processor must be a capsule named {FST_CAPSULE.decode()}, not {capsule!r}")
        processor = <const fst_processor *>PyCapsule_GetPointer(capsule, FST_CAPSULE)
        if processor.abi != FST_ABI or processor.size < sizeof(fst_processor):
            raise ValueError(
                f"the native processor was built for version {processor.abi} of forstcore.h; "
                f"this is version {FST_ABI}: build it again")
        if processor.process == NULL:
            raise ValueError("the native processor has no process function")
        if processor.create != NULL:
            self.run.state = processor.create()
            if self.run.state == NULL:
                raise MemoryError("the native processor could not make its state")
        self.capsule = capsule
        self.run.processor = processor
        self.run.output.grow = grow_call
        self.run.output.owner = <void *>self
        return 0

    def feed(self, chunk, /):
        """Process the lines that end in this chunk and keep the rest as the tail.

        Args:
            chunk: any contiguous bytes-like object.

        Returns:
            The results as NDJSON, perhaps empty.

        Raises:
            RecordError: an earlier call met the error that ended the stream
                (``on_error="fail"``). That call itself returned all results before it,
                and the error line.
            StreamStateError: the stream is finished, or another thread is in a call.
        """
        return self.take_from(chunk, False)

    def feed_part(self, chunk, Py_ssize_t most, /):
        """As `feed`, for as many lines of the chunk as have about `most` bytes of results.

        `taken` tells where the rest of the chunk starts, which is to be fed next. So the
        memory that results take is bounded where error lines, or the results of short lines,
        are many times as long as the lines.

        Args:
            chunk: any contiguous bytes-like object.
            most: bytes of results behind which no further line is begun; one result alone
                may be longer. Nor is one begun behind 500 lines that are kept as rejected.

        Returns, Raises:
            As `feed`.
        """
        cdef Py_buffer view
        PyObject_GetBuffer(chunk, &view, PyBUF_SIMPLE)
        try:
            return self.take(<bytes_ptr>view.buf, view.len, most, False)
        finally:
            PyBuffer_Release(&view)

    def finish(self):
        """End the stream: process the tail, a last line without LF.

        Returns:
            Its result, or nothing.

        Raises:
            RecordError, StreamStateError: as `feed`.
        """
        return self.take(b"", 0, 0, True)

    @property
    def lines(self):
        return self.run.lines

    @property
    def records(self):
        return self.run.records

    @property
    def errors(self):
        return self.run.errors

    @property
    def results(self):
        return self.run.results

    @property
    def filtered(self):
        return self.run.filtered

    @property
    def growth(self):
        return self.expected / 256.0

    def take_rejected(self):
        """Return the lines that the last call rejected, as `RejectedLines`, and forget them.

        Returns:
            None where there are none, or where they are not kept.

        Raises:
            StreamStateError: another thread is in a call.
        """
        cdef RejectedLines taken
        with cython.critical_section(self):
            if self.busy:
                state_error(True)
            taken = self.kept
            self.kept = None
        return taken

    def errors_by_code(self):
        """Count the errors so far by their code.

        Returns:
            A dict from codes to counts, without zeros; the counts add up to `errors`.
        """
        cdef int reason
        cdef dict counts = {}
        for reason in range(<int>REASONS):
            if self.run.faults[reason]:
                code = CODES[reason].decode()
                counts[code] = counts.get(code, 0) + self.run.faults[reason]
        return counts

    @property
    def failed(self):
        return self.run.failed_reason != NO_FAULT

    cdef bytes take_from(self, object buffer, bint last):
        cdef Py_buffer view
        PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
        try:
            return self.take(<bytes_ptr>view.buf, view.len, 0, last)
        finally:
            PyBuffer_Release(&view)

    cdef bytes take(self, bytes_ptr start, Py_ssize_t size, Py_ssize_t most, bint last):
        cdef bint entered = False
        cdef bytes results
        with cython.critical_section(self):
            if not self.busy:
                self.busy = entered = True
        if not entered:
            state_error(True)
        try:
            check_initialized(self.expected)
            if self.run.failed_reason != NO_FAULT:
                raise self.failure()
            if self.finished:
                state_error(False)
            self.kept = None
            self.run.lines_out = self.run.results
            if self.run.on_error != SKIP:
                self.run.lines_out += self.run.errors
            self.taken = size
            self.finished = last
            self.run.most = most
            self.open_output(size)
            self.consume(start, start + size, last)
            self.bytes_in += self.taken
            results = self.close_output(self.taken)
            if self.notes.count:
                self.kept = RejectedLines.__new__(RejectedLines)
                self.kept.take_over(&self.notes)
            return results
        finally:
            Py_XDECREF(self.out)
            self.out = NULL
            drop_notes(&self.notes)
            self.busy = False

    cdef object failure(self):
        return record_error(
            self.run.failed_reason, self.run.lines_before + self.run.lines, self.run.failed_offset)

    cdef int consume(self, bytes_ptr start, bytes_ptr end, bint last) except -1:
        """Cut a chunk into what ends the tail, whole lines, and the new tail."""
        cdef Tail *tail = &self.tail
        cdef bytes_ptr first = start
        cdef bytes_ptr lf
        cdef bytes_ptr stop
        if tail.discarding or tail.size > 0:
            lf = <bytes_ptr>memchr(start, LF, end - start)
            stop = end if lf == NULL else lf + 1
            if tail.discarding:
                tail.discarding = lf == NULL
            else:
                self.extend_tail(start, stop, lf != NULL)
            start = stop
        if start < end and self.run.failed_reason == NO_FAULT:
            lf = fst_last_lf(start, end)
            if lf != NULL:
                self.drive(start, lf + 1, end)
                if self.run.pos <= lf and self.run.failed_reason == NO_FAULT:
                    self.taken = self.run.pos - first
                    return 0
                start = lf + 1
        if start < end and self.run.failed_reason == NO_FAULT:
            self.extend_tail(start, end, False)
        if last and tail.size > 0 and self.run.failed_reason == NO_FAULT:
            self.extend_tail(b"\n", <bytes_ptr>b"\n" + 1, True)
        return 0

    cdef int extend_tail(self, bytes_ptr start, bytes_ptr stop, bint ended) except -1:
        """Add to the tail; process it if this ends it; give it up if it gets too long."""
        cdef Tail *tail = &self.tail
        if tail.size + (stop - start) - ended > self.run.max_line_size:
            tail.discarding = not ended
            self.too_long(start)
            tail.size = 0
            return 0
        tail_append(tail, start, stop - start)
        if ended:
            self.drive(tail.start, tail.start + tail.size, tail.start + tail.size + PADDING)
            tail.size = 0
        return 0

    cdef int too_long(self, bytes_ptr start) except -1:
        # A line is told as too long as soon as that is known: its end may never come.
        cdef Run *run = &self.run
        cdef Py_ssize_t size = self.tail.size
        self.reserve(0)
        run.lines += 1
        run.errors += 1
        run.faults[<int>TOO_LONG] += 1
        if run.notes != NULL:
            keep_note(
                run, TOO_LONG, run.lines_before + run.lines, run.max_line_size, run.results,
                self.tail.start, size, start, run.max_line_size - size)
            if run.notes.failed:
                raise MemoryError()
        if run.on_error != SKIP:
            run.out = write_error(
                run.out, run.lines_before + run.lines, run.max_line_size, TOO_LONG)
        if run.on_error == FAIL:
            run.failed_reason = TOO_LONG
            run.failed_offset = run.max_line_size
        return 0

    cdef int drive(self, bytes_ptr start, bytes_ptr end, bytes_ptr limit) except -1:
        cdef Run *run = &self.run
        cdef int status = RUN_FULL
        run.pos = start
        run.end = end
        run.limit = limit
        run.path = current_path
        while status == RUN_FULL:
            if run.pos > start and self.has_enough():
                return 0
            self.reserve(end - run.pos)
            if end - run.pos < NOGIL_SIZE:
                status = run_lines(run)
            else:
                with nogil:
                    status = run_lines(run)
        if status == RUN_NO_MEMORY or self.notes.failed:
            raise MemoryError()
        return 0

    cdef int open_output(self, Py_ssize_t size_in) except -1:
        """Start the bytes object of a call, in the size that the last one suggests."""
        cdef Py_ssize_t size
        size = (size_in >> 8) * self.expected + self.tail.size + 2 * RESERVE
        if self.run.most > 0:
            size = min(size, self.run.most + size_in + self.tail.size + 2 * RESERVE)
        self.out = PyBytes_New(NULL, size)
        self.run.out = <unsigned char *>PyBytes_AS_STRING(self.out) + self.before
        self.run.out_end = self.run.out + size - self.before
        return 0

    cdef int reserve(self, Py_ssize_t size) except -1:
        """Make room for `size` input bytes and RESERVE; at least doubles."""
        cdef Py_ssize_t used
        cdef Py_ssize_t room
        if self.run.out_end - self.run.out >= size + RESERVE:
            return 0
        used = self.run.out - <unsigned char *>PyBytes_AS_STRING(self.out)
        room = max(2 * (self.run.out_end - self.run.out + used), used + 2 * size + RESERVE)
        if self.run.most > 0:
            room = min(room, max(used, self.run.most) + size + RESERVE)
        _PyBytes_Resize(&self.out, room)
        self.run.out = <unsigned char *>PyBytes_AS_STRING(self.out) + used
        self.run.out_end = self.run.out + room - used
        return 0

    cdef bint has_enough(self) noexcept:
        """Whether a call that is to return no more than about `most` bytes has these."""
        cdef unsigned char *start = <unsigned char *>PyBytes_AS_STRING(self.out) + self.before
        return self.run.most > 0 and (
            self.run.out - start >= self.run.most or has_many_notes(&self.run))

    cdef bytes close_output(self, Py_ssize_t size_in):
        cdef Py_ssize_t used
        used = self.run.out - <unsigned char *>PyBytes_AS_STRING(self.out) - self.before
        self.bytes_out += used
        if size_in >= NOGIL_SIZE:
            # A sixteenth more than the last chunk needed.
            self.expected = min(max(used * 272 // size_in, 272), <Py_ssize_t>GROWTH_HIGHEST)
        if used == 0:
            return b""
        # RESERVE bytes were free before the last line, which needs fewer than `after` less.
        _PyBytes_Resize(&self.out, self.before + used + self.after)
        return <bytes>self.out


cdef class LineSplitter:
    """Split a stream of chunks into lines.

    Args:
        max_line_size: longest line in bytes, its LF not counted, from 1 to 1 GiB. A longer
            one is dropped and counted, and never held in memory.

    Attributes:
        lines: lines seen so far, dropped ones included.
        dropped: lines that were longer than `max_line_size`.

    Raises:
        ValueError: `max_line_size` is out of its range.

    Thread-safety: one owner.
    """

    def __init__(self, *, max_line_size=LINE_LIMIT_DEFAULT):
        cdef Py_ssize_t size = checked_line_size(max_line_size)
        check_first_init(self.max_line_size)
        self.max_line_size = size

    def __dealloc__(self):
        PyMem_RawFree(self.tail.start)

    def feed(self, chunk, /):
        """Return the lines that end in this chunk, without LF, as a list of bytes.

        Args:
            chunk: any contiguous bytes-like object.

        Raises:
            StreamStateError: `finish` was called before.
        """
        cdef Py_buffer view
        cdef list lines = []
        with cython.critical_section(self):
            check_initialized(self.max_line_size)
            if self.finished:
                state_error(False)
            PyObject_GetBuffer(chunk, &view, PyBUF_SIMPLE)
            try:
                self.split(<bytes_ptr>view.buf, <bytes_ptr>view.buf + view.len, lines)
            finally:
                PyBuffer_Release(&view)
        return lines

    def finish(self):
        """End the stream; return the last line in a list if it had no LF, else ``[]``.

        Raises:
            StreamStateError: `finish` was called before.
        """
        cdef list lines = []
        with cython.critical_section(self):
            check_initialized(self.max_line_size)
            if self.finished:
                state_error(False)
            self.finished = True
            if self.tail.size > 0:
                self.split(b"\n", <bytes_ptr>b"\n" + 1, lines)
        return lines

    cdef int split(self, bytes_ptr start, bytes_ptr end, list out) except -1:
        cdef Tail *tail = &self.tail
        cdef bytes_ptr lf
        cdef bytes_ptr stop
        while start < end:
            lf = <bytes_ptr>memchr(start, LF, end - start)
            stop = end if lf == NULL else lf
            if not tail.discarding:
                if tail.size + (stop - start) > self.max_line_size:
                    tail.size = 0
                    tail.discarding = True
                    self.lines += 1
                    self.dropped += 1
                elif lf == NULL or tail.size > 0:
                    tail_append(tail, start, stop - start)
            if lf == NULL:
                return 0
            if tail.discarding:
                tail.discarding = False
            else:
                self.lines += 1
                if tail.size > 0:
                    out.append(PyBytes_FromStringAndSize(<char *>tail.start, tail.size))
                    tail.size = 0
                else:
                    out.append(PyBytes_FromStringAndSize(<char *>start, stop - start))
            start = stop + 1
        return 0


# ---------------------------------------------------------------- functions

def count_lines(bytes lines not None, /):
    """Count the line ends in `lines`, some times as fast as `bytes.count` does."""
    cdef bytes_ptr start = <bytes_ptr>PyBytes_AS_STRING(<PyObject *>lines)
    return fst_count_lf(start, start + len(lines))


cdef class Batcher:
    """Cut a stream of chunks into batches of whole lines.

    A line that is longer than `max_line_size` is cut to one byte more than that, so that
    who processes it finds it too long and no more is ever held in memory.

    Args:
        max_line_size: longest line in bytes, its LF not counted, from 1 to 1 GiB.

    Attributes:
        lines: lines in the batches so far, blank ones included.

    Raises:
        ValueError: `max_line_size` is out of its range.

    Thread-safety: one owner.
    """

    def __init__(self, *, max_line_size=LINE_LIMIT_DEFAULT):
        cdef Py_ssize_t size = checked_line_size(max_line_size)
        check_first_init(self.max_line_size)
        self.max_line_size = size

    def __dealloc__(self):
        PyMem_RawFree(self.tail.start)

    @property
    def pending(self):
        """Bytes of the line that has not ended."""
        return self.tail.size

    def feed(self, chunk, /):
        """Return the lines that end in this chunk as one batch, each with its LF.

        Args:
            chunk: any contiguous bytes-like object.

        Raises:
            StreamStateError: `finish` was called before.
        """
        cdef Py_buffer view
        with cython.critical_section(self):
            check_initialized(self.max_line_size)
            if self.finished:
                state_error(False)
            PyObject_GetBuffer(chunk, &view, PyBUF_SIMPLE)
            try:
                return self.batch(<bytes_ptr>view.buf, <bytes_ptr>view.buf + view.len)
            finally:
                PyBuffer_Release(&view)

    def finish(self):
        """End the stream; return the last line, with an LF, if it had none.

        Raises:
            StreamStateError: `finish` was called before.
        """
        with cython.critical_section(self):
            check_initialized(self.max_line_size)
            if self.finished:
                state_error(False)
            self.finished = True
            if self.tail.size == 0:
                return b""
            return self.batch(b"\n", <bytes_ptr>b"\n" + 1)

    cdef bytes batch(self, bytes_ptr start, bytes_ptr end):
        cdef bytes_ptr stop = fst_last_lf(start, end)
        cdef bytes_ptr p
        cdef Py_ssize_t kept
        cdef bytes out
        if stop == NULL:
            self.keep(start, end)
            return b""
        stop += 1
        if self.tail.size > 0:
            p = <bytes_ptr>memchr(start, LF, stop - start)
            self.keep(start, p)
            start = p
        kept = self.tail.size
        out = PyBytes_FromStringAndSize(NULL, kept + (stop - start))
        if kept > 0:
            memcpy(PyBytes_AS_STRING(<PyObject *>out), self.tail.start, kept)
        memcpy(PyBytes_AS_STRING(<PyObject *>out) + kept, start, stop - start)
        self.lines += fst_count_lf(start, stop)
        self.tail.size = 0
        self.keep(stop, end)
        return out

    cdef int keep(self, bytes_ptr start, bytes_ptr end) except -1:
        cdef Py_ssize_t size = min(end - start, self.max_line_size + 1 - self.tail.size)
        if size > 0:
            tail_append(&self.tail, start, size)
        return 0


def check_object(line, /):
    """Raise RecordError if a line is not a JSON object.

    Args:
        line: bytes, without LF.

    Thread-safety: may be called from many threads at once.
    """
    cdef Reading reading
    cdef Tail copy
    cdef Fault fault
    cdef bytes text = bytes(line)
    memset(&copy, 0, sizeof(Tail))
    try:
        tail_append(&copy, <bytes_ptr>PyBytes_AS_STRING(<PyObject *>text), len(text))
        tail_append(&copy, b"\n", 1)
        begin_records(&reading, copy.start, copy.start + copy.size + PADDING, current_path)
        if read_record(&reading, copy.start, copy.start + copy.size - 1, &fault) != NO_FAULT:
            raise record_error(fault.reason, 1, fault.place - copy.start)
    finally:
        PyMem_RawFree(copy.start)


def process_block(buffer, /, *, on_error="skip", max_line_size=LINE_LIMIT_DEFAULT):
    """Process a whole NDJSON input at once.

    Args:
        buffer: any contiguous bytes-like object; the last line needs no LF.
        on_error, max_line_size: as for `RecordStream`.

    Returns:
        The results as NDJSON, one line each, in the order of the input.

    Raises:
        RecordError: with ``on_error="fail"``, at the first line that is not a record.
        ValueError: an argument is out of its range.

    Thread-safety: may be called from many threads at once; the GIL is released for
    buffers of 16 KiB and more. A buffer that can be written to must not be changed
    meanwhile.
    """
    cdef RecordStream stream = RecordStream(on_error=on_error, max_line_size=max_line_size)
    cdef bytes results = stream.take_from(buffer, True)
    if stream.failed:
        raise stream.failure()
    return results


def parse_record(line, /):
    """Read one line as a record.

    Args:
        line: any contiguous bytes-like object; one LF at its end is allowed.

    Returns:
        A dict with the members ``id`` and ``data``, empty strings where the line has
        none or null.

    Raises:
        RecordError: the line is not a record.

    Thread-safety: may be called from many threads at once.
    """
    cdef Py_buffer view
    cdef Tail copy
    cdef Record record
    cdef Fault fault
    memset(&copy, 0, sizeof(Tail))
    PyObject_GetBuffer(line, &view, PyBUF_SIMPLE)
    try:
        tail_append(&copy, <bytes_ptr>view.buf, view.len)
        if copy.size == 0 or copy.start[copy.size - 1] != LF:
            tail_append(&copy, b"\n", 1)
        if parse_line(copy.start, copy.start + copy.size - 1, copy.start + copy.size + PADDING,
                      current_path, &record, &fault) != NO_FAULT:
            raise record_error(fault.reason, 1, fault.place - copy.start)
        # Both strings are checked, and unescaping never makes them longer.
        return {"id": text_of(record.id), "data": text_of(record.data)}
    finally:
        PyMem_RawFree(copy.start)
        PyBuffer_Release(&view)


cdef str text_of(Span span):
    cdef unsigned char *text = <unsigned char *>PyMem_RawMalloc(span.size + 1)
    if text == NULL:
        raise MemoryError()
    try:
        return PyUnicode_DecodeUTF8(<char *>text, unescape(text, span.start, span.size), NULL)
    finally:
        PyMem_RawFree(text)


cdef text_member(object record, str name, int reason):
    value = record.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise record_error(reason, 1, 0)
    return value


def process_record(record, /):
    """Process one record as the compiled path does.

    Args:
        record: a mapping; ``id`` and ``data`` are strings, None or absent.

    Returns:
        A dict with the members ``id``, ``result`` and ``status``.

    Raises:
        RecordError: ``id`` or ``data`` is something else.
        TypeError: `record` is no mapping.

    Thread-safety: may be called from many threads at once.
    """
    if not isinstance(record, Mapping):
        raise TypeError(f"a record must be a mapping, not {type(record).__name__}")
    return {
        "id": text_member(record, "id", WRONG_ID),
        "result": "processed_" + text_member(record, "data", WRONG_DATA),
        "status": "success",
    }
