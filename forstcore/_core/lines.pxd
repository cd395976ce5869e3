# Cutting a stream of chunks into lines.

from forstcore._core.json cimport bytes_ptr

cdef enum:
    # Readable bytes behind a tail, so that vectors can load up to its last byte.
    PADDING = 64


# The unfinished line between two chunks. Its memory is reused.
cdef struct Tail:
    unsigned char* start
    Py_ssize_t size          # bytes held
    Py_ssize_t room          # bytes allocated
    bint discarding          # the line is over the limit: drop bytes up to its LF


cdef int tail_append(Tail *tail, bytes_ptr start, Py_ssize_t size) except -1


cdef class LineSplitter:
    cdef Tail tail
    cdef bint finished
    cdef Py_ssize_t max_line_size
    cdef readonly long long lines
    cdef readonly long long dropped

    cdef int split(self, bytes_ptr start, bytes_ptr end, list out) except -1


cdef class Batcher:
    cdef Tail tail
    cdef bint finished
    cdef Py_ssize_t max_line_size
    cdef readonly long long lines

    cdef bytes batch(self, bytes_ptr start, bytes_ptr end)
    cdef int keep(self, bytes_ptr start, bytes_ptr end) except -1
