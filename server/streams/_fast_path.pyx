# One stream from its socket through the core and back, without the event loop.
#
# A loop in Python costs a lone record more than its processing and both system calls do.
# While nothing but this connection has anything to do, the loop's own epoll is waited on
# here, so that whatever else happens still wakes the process at once.

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from forstcore._proc cimport RecordStream
from server.http._chunked cimport FINISHED, ChunkedDecoder, chunk_of_results

cdef extern from "_fast_path.h" nogil:
    enum:
        FST_CAN_RELAY
    long long fst_now()
    ptrdiff_t fst_receive_alone(int loop_fd, int fd, void *start, size_t size, int milliseconds)
    bint fst_has_more(int fd)
    void fst_pause(long long nanoseconds)
    ptrdiff_t fst_send(int fd, const void *start, size_t size)

cdef enum:
    PATIENCE = 5                # milliseconds to wait for more
    TURN = 20_000_000           # nanoseconds; timers of the event loop are late by up to that
    PARTS = 2_000_000           # nanoseconds that the results of one read may take
    SMALL = 4096                # bytes of a read that is hardly worth its system calls
    HASTE = 3                   # such reads with more behind them, until they are held up
    HOLD = 50_000               # nanoseconds that this takes

AVAILABLE = bool(FST_CAN_RELAY)


# The garbage collector would clear the view while it still has to be released.
@cython.no_gc_clear
cdef class FastPath:
    """Serve one stream while nothing else has anything to do.

    Args:
        loop_fd: the epoll on which the event loop waits.
        fd: the connection's socket.
        buffer: a writable bytes-like object to receive into; held as long as this lives.
        decoder: the decoder of the body.
        stream: the stream that processes it.
        frames: the writer of control lines, None for none.

    Attributes:
        size: bytes received by the last call that it read in.
        sent: bytes sent.
        nanoseconds: time spent in the core.
        rest, left: where in the buffer input starts that has been read and not been processed,
            and how many bytes that is.

    Thread-safety: one owner. The GIL is released while it waits.
    """

    cdef int loop_fd
    cdef int fd
    cdef Py_buffer view
    cdef ChunkedDecoder decoder
    cdef RecordStream stream
    cdef object frames
    cdef readonly Py_ssize_t size
    cdef readonly long long sent
    cdef readonly long long nanoseconds
    cdef readonly Py_ssize_t rest
    cdef readonly Py_ssize_t left

    def __cinit__(self, int loop_fd, int fd, buffer, ChunkedDecoder decoder not None,
                  RecordStream stream not None, frames=None):
        PyObject_GetBuffer(buffer, &self.view, PyBUF_WRITABLE)
        self.loop_fd = loop_fd
        self.fd = fd
        self.decoder = decoder
        self.stream = stream
        self.frames = frames

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    def run(self, long long lines, long long received, long long chunks, /):
        """Receive, process and send, until the event loop has something to do.

        That is so when another descriptor is ready or the socket takes no more, when the
        body or the stream has ended, when lines were rejected that somebody asks for, when 20
        milliseconds are over or nothing came for 5, before a limit could be passed, and when a
        read has so many results that others should have a turn before all of it is processed.

        Args:
            lines: input lines that the stream may come to have.
            received: bytes of the body that the decoder may come to have.
            chunks: HTTP chunks that it may come to have.

        Returns:
            The results that the socket did not take.

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
        # A byte is at most one line, one of the body, and one HTTP chunk.
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
            # More has come before this has been answered: the sender does not wait for
            # answers, and is better served by fewer and larger reads.
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
                    if now - began > PARTS or stream.kept is not None:
                        return b""
            if decoder.state == FINISHED or stream.run.failed_reason or stream.kept is not None:
                break
            if haste >= HASTE:
                with nogil:
                    fst_pause(HOLD)
        return b""
