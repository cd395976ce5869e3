# The epoll fast path: receives, processes and sends for one stream without the event loop.
#
# For a single record, the event loop costs more than processing and both system calls. While
# only this connection is active, the fast path waits on the event loop's own epoll instance, so
# that any other event ends the wait immediately.

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from forstcore._proc cimport RecordStream
from server.http._chunked cimport FINISHED, ChunkedDecoder, chunk_of_results

cdef extern from "_fast_path.h" nogil:
    enum:
        FST_HAS_FAST_PATH
    long long fst_now()
    ptrdiff_t fst_receive_alone(int loop_fd, int fd, void *start, size_t size, int milliseconds)
    bint fst_has_more(int fd)
    void fst_pause(long long nanoseconds)
    ptrdiff_t fst_send(int fd, const void *start, size_t size)

cdef enum:
    PATIENCE = 5                # milliseconds to wait for input
    TURN = 20_000_000           # nanoseconds of one run, which delays timers of the event loop
    PARTS = 2_000_000           # nanoseconds for the results of one read
    SMALL = 4096                # bytes below which a read counts as small
    HASTE = 3                   # small reads in a row with more waiting, before a pause
    HOLD = 50_000               # nanoseconds of that pause

AVAILABLE = bool(FST_HAS_FAST_PATH)


# The garbage collector must not clear the view before it is released.
@cython.no_gc_clear
cdef class FastPath:
    """Serve one stream while no other descriptor of the event loop is ready.

    Args:
        loop_fd: the epoll descriptor of the event loop.
        fd: the socket of the connection.
        buffer: a writable bytes-like object to receive into; held for the lifetime of the object.
        decoder: the decoder of the body.
        stream: processes the body.
        frames: the writer of control lines, None for none.
        records_rejected: whether rejected lines must be taken from the stream after each read.

    Attributes:
        size: bytes of the last read in the last call of `run`, 0 if it read nothing.
        sent: bytes sent in total.
        nanoseconds: time spent in the core.
        rest, left: start and length of the unprocessed input in the buffer.

    Thread-safety: one owner. The GIL is released while waiting.
    """

    cdef int loop_fd
    cdef int fd
    cdef Py_buffer view
    cdef ChunkedDecoder decoder
    cdef RecordStream stream
    cdef object frames
    cdef bint records_rejected
    cdef readonly Py_ssize_t size
    cdef readonly long long sent
    cdef readonly long long nanoseconds
    cdef readonly Py_ssize_t rest
    cdef readonly Py_ssize_t left

    def __cinit__(self, int loop_fd, int fd, buffer, ChunkedDecoder decoder not None,
                  RecordStream stream not None, frames=None, bint records_rejected=False):
        PyObject_GetBuffer(buffer, &self.view, PyBUF_WRITABLE)
        self.loop_fd = loop_fd
        self.fd = fd
        self.decoder = decoder
        self.stream = stream
        self.frames = frames
        self.records_rejected = records_rejected

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    def run(self, long long lines, long long received, long long chunks, /):
        """Receive, process and send until the event loop is needed.

        Returns if another descriptor is ready, the socket is full, the body or the stream has
        ended, rejected lines are to be recorded, 20 milliseconds have passed, no input arrived for
        5, a limit could be exceeded by the next read, or the results of one read take too long.

        Args:
            lines: limit of the stream's input lines in total.
            received: limit of the body's bytes in total.
            chunks: limit of the body's HTTP chunks in total.

        Returns:
            The results that could not be sent.

        Raises:
            ChunkedError: the body is malformed.
        """
        cdef unsigned char *start = <unsigned char *>self.view.buf
        cdef ChunkedDecoder decoder = self.decoder
        cdef RecordStream stream = self.stream
        cdef Py_ssize_t room = self.view.len
        cdef Py_ssize_t body
        cdef Py_ssize_t size
        cdef Py_ssize_t sent
        cdef char *out
        cdef long long began
        cdef long long now = fst_now()
        cdef long long end = now + TURN
        cdef int haste = 0
        cdef bytes results
        self.size = 0
        self.left = 0
        # A byte received adds at most one line, one byte of the body and one HTTP chunk.
        while (
            now < end
            and stream.run.lines + room <= lines
            and decoder.received + room <= received
            and decoder.chunks + room <= chunks
        ):
            with nogil:
                body = fst_receive_alone(self.loop_fd, self.fd, start, room, PATIENCE)
            if body == 0:
                break
            self.size = body
            # More input has arrived already: the client does not wait for results, so fewer and
            # larger reads are faster.
            haste = haste + 1 if body < SMALL and fst_has_more(self.fd) else 0
            began = now = fst_now()
            self.left = decoder.bring_together(start, body)
            self.rest = decoder.start
            while self.left > 0:
                results = chunk_of_results(stream, start + self.rest, self.left, self.frames)
                self.rest += stream.taken
                self.left -= stream.taken
                self.nanoseconds -= now
                now = fst_now()
                self.nanoseconds += now
                out = PyBytes_AS_STRING(results)
                size = PyBytes_GET_SIZE(results)
                with nogil:
                    sent = fst_send(self.fd, out, size)
                self.sent += sent
                if sent < size:
                    return results[sent:]
                if self.left > 0:
                    now = fst_now()
                    if now - began > PARTS or self.has_rejected():
                        return b""
            if decoder.state == FINISHED or stream.run.failed_reason or self.has_rejected():
                break
            if haste >= HASTE:
                with nogil:
                    fst_pause(HOLD)
        return b""

    cdef bint has_rejected(self) noexcept:
        return self.records_rejected and self.stream.kept is not None
