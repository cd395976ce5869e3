# Chunked transfer coding (RFC 9112, section 7.1), decoded in place.
#
# The parser is strict, since a proxy in front could interpret lenient syntax differently: sizes
# are hex digits only, lines end with CR LF, no white space may precede a chunk extension, and
# trailer fields must not be folded or affect framing. No Python code runs per chunk, so that
# chunks of one record cost about as much as large ones.

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport Py_INCREF, PyObject
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy, memmove

from forstcore._proc cimport RecordStream

from forstcore import wire
from server.http.control_lines import rejected_line

cdef extern from "Python.h":
    const Py_ssize_t PY_SSIZE_T_MAX
    int _PyBytes_Resize(PyObject **, Py_ssize_t) except -1
    char *PyBytes_AS_STRING(PyObject *) noexcept
    void Py_XDECREF(PyObject *)

cdef enum:
    SIZE_DIGITS = 15            # so that no sum overflows
    EXTENSION_LIMIT = 256       # bytes of one chunk's extensions
    TRAILER_LIMIT = 8192        # bytes of all trailer fields
    FRAME_BEFORE = 10           # eight digits of a chunk size, CR LF
    FRAME_AFTER = 2             # CR LF
    ACK_SIZE = 26               # ":ack ", 19 digits, LF, NUL


MOST_RESULTS = <int>PART

# As `wire.ack_line`. The pointer is into the bytes object.
cdef bytes ack_format = wire.ACK + b" %lld\n"
cdef const char *ACK_FORMAT = ack_format


class ChunkedError(ValueError):
    """The body is not valid chunked transfer coding."""


cdef inline int hex_digit(unsigned char c) noexcept nogil:
    if c'0' <= c <= c'9':
        return c - c'0'
    c |= 0x20
    if c'a' <= c <= c'f':
        return c - c'a' + 10
    return -1


cdef inline bint is_token(unsigned char c) noexcept nogil:
    """Return whether `c` is a token character (RFC 9110, section 5.6.2)."""
    if c'0' <= c <= c'9' or c'a' <= c | 0x20 <= c'z':
        return True
    return (c == c'!' or c'#' <= c <= c"'" or c == c'*' or c == c'+' or c == c'-' or c == c'.'
            or c == c'^' or c == c'_' or c == c'`' or c == c'|' or c == c'~')


cdef inline bint is_text(unsigned char c) noexcept nogil:
    """Return whether `c` is allowed in a field value or a quoted string."""
    return c >= 0x20 and c != 0x7F or c == c'\t'


cdef class ChunkedDecoder:
    """Decode one body, buffer by buffer.

    Attributes:
        chunks: number of HTTP chunks begun so far.
        received: number of bytes of the body so far.
        finished: whether the body has ended.
        start: offset of the body's bytes in the last buffer.
        rest: offset of the bytes after the body in the last buffer.

    Thread-safety: one owner.
    """

    @property
    def finished(self):
        return self.state == FINISHED

    def decode(self, buffer, Py_ssize_t size, /):
        """Decode the first `size` bytes of `buffer` in place, removing the chunk framing.

        The first chunk's data stays where it is, at `start`; the rest is moved up to it.

        Args:
            buffer: a writable bytes-like object.
            size: how many bytes were received.

        Returns:
            The length of the body data at `start`.

        Raises:
            ChunkedError: the bytes are not valid chunked transfer coding.
        """
        cdef Py_buffer view
        PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        try:
            if not 0 <= size <= view.len:
                raise ValueError(f"size must be from 0 to {view.len}, not {size}")
            return self.bring_together(<unsigned char *>view.buf, size)
        finally:
            PyBuffer_Release(&view)

    cdef Py_ssize_t bring_together(self, unsigned char *start, Py_ssize_t size) except -1:
        cdef Py_ssize_t body = self.move(start, size)
        if body < 0:
            raise ChunkedError(f"malformed chunked transfer coding at {self.place()}")
        self.received += body
        return body

    cdef str place(self):
        if self.state == SIZE or self.state == SIZE_LF:
            return "a chunk size"
        if EXTENSION <= self.state <= EXTENSION_END:
            return "a chunk extension"
        if self.state == DATA_CR or self.state == DATA_LF:
            return "the end of a chunk"
        return "the trailer"

    cdef Py_ssize_t move(self, unsigned char *start, Py_ssize_t size) noexcept:
        """Move the data in [start, start + size) together; return its length, or -1."""
        cdef const unsigned char *p = start
        cdef const unsigned char *end = start + size
        cdef unsigned char *out = NULL      # the end of the body so far
        cdef unsigned char *first = start
        cdef Py_ssize_t run
        cdef unsigned char c
        cdef int digit
        while p < end and self.state != FINISHED:
            if self.state == DATA:
                run = end - p
                if <unsigned long long>run > self.left:
                    run = <Py_ssize_t>self.left
                if out == NULL:
                    out = first = start + (p - start)
                if out != p:
                    memmove(out, p, run)
                out += run
                p += run
                self.left -= run
                if self.left == 0:
                    self.state = DATA_CR
                continue
            c = p[0]
            p += 1
            if self.state == SIZE:
                digit = hex_digit(c)
                if digit >= 0:
                    self.count += 1
                    if self.count > SIZE_DIGITS:
                        return -1
                    self.left = self.left << 4 | digit
                elif self.count == 0:
                    return -1
                elif c == c'\r':
                    self.state = SIZE_LF
                elif c == c';':
                    self.state = EXTENSION
                    self.count = 0
                else:
                    return -1
            elif self.state == SIZE_LF:
                if c != c'\n':
                    return -1
                self.chunks += 1
                self.count = 0
                self.state = DATA if self.left else TRAILER_START
            elif self.state == DATA_CR:
                if c != c'\r':
                    return -1
                self.state = DATA_LF
            elif self.state == DATA_LF:
                if c != c'\n':
                    return -1
                self.state = SIZE
                self.count = 0
            elif EXTENSION <= self.state <= EXTENSION_END:
                self.count += 1
                if self.count > EXTENSION_LIMIT or not self.extension(c):
                    return -1
            elif self.state == LAST_LF:
                if c != c'\n':
                    return -1
                self.state = FINISHED
            else:
                self.count += 1
                if self.count > TRAILER_LIMIT or not self.trailer(c):
                    return -1
        self.start = first - start
        self.rest = p - start
        return 0 if out == NULL else out - first

    cdef bint extension(self, unsigned char c) noexcept:
        """Parse a byte of the extensions; return whether it is valid."""
        if self.state == EXTENSION:
            self.state = EXTENSION_NAME
            return is_token(c)
        if self.state == EXTENSION_VALUE:
            self.state = EXTENSION_QUOTED if c == c'"' else EXTENSION_TOKEN
            return c == c'"' or is_token(c)
        if self.state == EXTENSION_QUOTED:
            if c == c'"':
                self.state = EXTENSION_END
            elif c == c'\\':
                self.state = EXTENSION_PAIR
            return is_text(c)
        if self.state == EXTENSION_PAIR:
            self.state = EXTENSION_QUOTED
            return is_text(c)
        if c == c'\r':
            self.state = SIZE_LF
        elif c == c';':
            self.state = EXTENSION
        elif c == c'=' and self.state == EXTENSION_NAME:
            self.state = EXTENSION_VALUE
        else:
            return self.state != EXTENSION_END and is_token(c)
        return True

    cdef bint trailer(self, unsigned char c) noexcept:
        """Parse a byte of the trailer; return whether it is valid."""
        if self.state == TRAILER_START:
            if c == c'\r':
                self.state = LAST_LF
                return True
            self.state = TRAILER_NAME
            self.named = 0
            return self.name_byte(c)
        if self.state == TRAILER_NAME:
            if c != c':':
                return self.name_byte(c)
            self.state = TRAILER_VALUE
            # A peer that honours framing fields here would see other requests (smuggling).
            return not (self.named == 14 and memcmp(self.name, b"content-length", 14) == 0
                        or self.named == 17 and memcmp(self.name, b"transfer-encoding", 17) == 0)
        if self.state == TRAILER_VALUE:
            if c == c'\r':
                self.state = TRAILER_LF
                return True
            return is_text(c)
        self.state = TRAILER_START
        return c == c'\n'

    cdef bint name_byte(self, unsigned char c) noexcept:
        """Parse a byte of a trailer field's name; return whether it is valid."""
        if self.named < <int>sizeof(self.name):
            self.name[self.named] = c | 0x20 if c'A' <= c <= c'Z' else c
        self.named += 1
        return is_token(c)


def feed_chunk(RecordStream stream not None, piece, frames=None, /):
    """Feed the start of a piece, and return its results as one HTTP chunk, without a copy.

    Works like `RecordStream.feed_part` with PART bytes of results. `stream.taken` is the offset
    of the rest of the piece.

    Args:
        stream: the stream.
        piece: any contiguous bytes-like object, as for `RecordStream.feed`.
        frames: the writer of control lines, None for none; adds an acknowledgement.

    Returns:
        The results as one HTTP chunk, whose size may have leading zeros (RFC 9112, section 7.1),
        or b"" if there are none.

    Raises:
        RecordError, StreamStateError: as `RecordStream.feed`.
    """
    cdef Py_buffer view
    PyObject_GetBuffer(piece, &view, PyBUF_SIMPLE)
    try:
        return chunk_of_results(stream, <const unsigned char *>view.buf, view.len, frames)
    finally:
        PyBuffer_Release(&view)


cdef bytes chunk_of_results(
        RecordStream stream, const unsigned char *start, Py_ssize_t size, object frames):
    cdef bytes chunk
    cdef bytes line = b""
    cdef char *out
    # The bytes object may be modified: there is no other reference to it yet.
    cdef PyObject *whole
    stream.output.before = FRAME_BEFORE
    stream.output.after = FRAME_AFTER if frames is None else ACK_SIZE + FRAME_AFTER
    try:
        # The memory of rejected lines is bounded. Their number need not be: no Python code handles
        # each of them before the next call.
        chunk = stream.take(start, size, PART, PY_SSIZE_T_MAX, False)
        size = max(len(chunk) - stream.output.before - stream.output.after, 0)
    finally:
        stream.output.before = stream.output.after = 0
    if frames is not None:
        if size > 0:
            frames.digest.update(memoryview(chunk)[FRAME_BEFORE:FRAME_BEFORE + size])
        if stream.kept is not None:
            line = rejected_line(stream.kept)
        if line or size == 0:
            chunk = with_control_line(line, chunk, size)
            size += len(line)
        if stream.run.lines != <long long>frames.acked:
            frames.acked = stream.run.lines
            out = PyBytes_AS_STRING(<PyObject *>chunk) + FRAME_BEFORE + size
            size += snprintf(out, ACK_SIZE, ACK_FORMAT, stream.run.lines)
        whole = <PyObject *>chunk
        Py_INCREF(chunk)
        chunk = None
        _PyBytes_Resize(&whole, FRAME_BEFORE + size + FRAME_AFTER)
        chunk = <bytes>whole
        Py_XDECREF(whole)
    if size == 0:
        return b""
    write_frame(PyBytes_AS_STRING(<PyObject *>chunk), size)
    return chunk


cdef bytes with_control_line(bytes line, bytes chunk, Py_ssize_t size):
    """Return a chunk like `chunk` with a line before its `size` bytes of results."""
    cdef Py_ssize_t line_size = len(line)
    cdef bytes longer = PyBytes_FromStringAndSize(
        NULL, FRAME_BEFORE + line_size + size + ACK_SIZE + FRAME_AFTER)
    cdef char *out = PyBytes_AS_STRING(<PyObject *>longer) + FRAME_BEFORE
    memcpy(out, PyBytes_AS_STRING(<PyObject *>line), line_size)
    if size > 0:
        memcpy(out + line_size, PyBytes_AS_STRING(<PyObject *>chunk) + FRAME_BEFORE, size)
    return longer


cdef void write_frame(char *out, Py_ssize_t size) noexcept:
    """Write the chunk framing around the `size` bytes after the space for the chunk head."""
    cdef int place
    out[FRAME_BEFORE + size] = out[FRAME_BEFORE - 2] = c'\r'
    out[FRAME_BEFORE + size + 1] = out[FRAME_BEFORE - 1] = c'\n'
    for place in range(FRAME_BEFORE - 3, -1, -1):
        out[place] = b"0123456789abcdef"[size & 15]
        size >>= 4
