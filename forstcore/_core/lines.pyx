# Cutting a stream of chunks into lines: one by one, or in batches.

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.object cimport PyObject
from libc.string cimport memchr, memcpy, memset

from forstcore._core.checks cimport (
    LINE_LIMIT_DEFAULT,
    check_first_init,
    check_initialized,
    checked_line_size,
    raise_finished,
)
from forstcore._core.json cimport LF, bytes_ptr
from forstcore._core.scan cimport fst_count_lf, fst_last_lf

cdef extern from "Python.h":
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *, Py_ssize_t) except NULL
    char *bytes_start "PyBytes_AS_STRING"(PyObject *)
    int shrink_bytes "_PyBytes_Resize"(PyObject **, Py_ssize_t) except -1
    void Py_XDECREF(PyObject *)


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
                raise_finished()
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
                raise_finished()
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


def count_lines(bytes lines not None, /):
    """Count the line ends in `lines`, some times as fast as `bytes.count` does."""
    cdef bytes_ptr start = <bytes_ptr>PyBytes_AS_STRING(lines)
    return fst_count_lf(start, start + len(lines))


def read_lines(file, Py_ssize_t size, bytes tail not None, /):
    """Read whole lines from a file, without copying them afterwards.

    Args:
        file: an unbuffered binary file.
        size: bytes to read at most, at least 1.
        tail: what an earlier call has returned behind its lines.

    Returns:
        The lines, each with its LF, and the bytes behind the last of them. If no line has ended,
        all bytes so far and ``b""``; both are empty at the end of the file. None if the file does
        not block and has nothing yet.

    Raises:
        OSError: the file cannot be read.
        ValueError: `size` is less than 1.
    """
    cdef Py_ssize_t before = len(tail)
    cdef Py_ssize_t end
    cdef bytes_ptr start
    cdef bytes_ptr stop
    cdef PyObject *made
    if size < 1:
        raise ValueError("size must be at least 1")
    made = new_bytes(NULL, before + size)
    try:
        start = <bytes_ptr>bytes_start(made)
        memcpy(<char *>start, PyBytes_AS_STRING(tail), before)
        view = PyMemoryView_FromMemory(<char *>start + before, size, PyBUF_WRITE)
        try:
            read = file.readinto(view)
        finally:
            view.release()
        if read is None:
            return None
        end = before + read
        if not before <= end <= before + size:
            raise ValueError("readinto returned another number of bytes than it has read")
        stop = fst_last_lf(start, start + end)
        stop = start + end if stop == NULL else stop + 1
        rest = PyBytes_FromStringAndSize(<char *>stop, start + end - stop)
        # There is no other reference to these bytes, so they may shrink without being copied.
        shrink_bytes(&made, stop - start)
        return <object>made, rest
    finally:
        Py_XDECREF(made)


def end_of_lines(bytes lines not None, Py_ssize_t start, Py_ssize_t count, Py_ssize_t size, /):
    """Return where up to `count` lines end that begin at `start`.

    Args:
        lines: whole lines.
        start: where a line begins; not the end.
        count: number of lines, at least 1.
        size: bytes of these lines together; a single line may be longer.
    """
    cdef bytes_ptr first = <bytes_ptr>PyBytes_AS_STRING(lines)
    cdef bytes_ptr end = first + len(lines)
    cdef bytes_ptr p = first + start
    cdef bytes_ptr limit = p + size
    cdef bytes_ptr lf
    cdef Py_ssize_t i
    for i in range(count):
        lf = <bytes_ptr>memchr(p, LF, end - p)
        if lf == NULL or (i > 0 and lf >= limit):
            break
        p = lf + 1
    return p - first


cdef class Batcher:
    """Cut a stream of chunks into batches of whole lines.

    A line that is longer than `max_line_size` is cut to one byte more than that, so that
    whoever processes it finds it too long and no more is ever held in memory.

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
            chunk: any contiguous bytes-like object. If it is `bytes` and has whole lines only,
                it is returned itself, unless an earlier chunk ended within a line.

        Raises:
            StreamStateError: `finish` was called before.
        """
        cdef Py_buffer view
        cdef bytes_ptr start
        cdef bytes_ptr end
        with cython.critical_section(self):
            check_initialized(self.max_line_size)
            if self.finished:
                raise_finished()
            PyObject_GetBuffer(chunk, &view, PyBUF_SIMPLE)
            try:
                start = <bytes_ptr>view.buf
                end = start + view.len
                if (
                    self.tail.size == 0
                    and view.len > 0
                    and (end - 1)[0] == LF
                    and PyBytes_CheckExact(chunk)
                ):
                    self.lines += fst_count_lf(start, end)
                    return chunk
                return self.batch(start, end)
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
                raise_finished()
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
            memcpy(PyBytes_AS_STRING(out), self.tail.start, kept)
        memcpy(PyBytes_AS_STRING(out) + kept, start, stop - start)
        self.lines += fst_count_lf(start, stop)
        self.tail.size = 0
        self.keep(stop, end)
        return out

    cdef int keep(self, bytes_ptr start, bytes_ptr end) except -1:
        cdef Py_ssize_t size = min(end - start, self.max_line_size + 1 - self.tail.size)
        if size > 0:
            tail_append(&self.tail, start, size)
        return 0
