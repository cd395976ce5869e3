# The lines of a batch that a filter lets through.

from libc.stdint cimport uint64_t

from forstcore._core.filter cimport Filter, Visit
from forstcore._core.json cimport bytes_ptr


# Where a selected line begins in its batch.
cdef struct Place:
    Py_ssize_t line          # lines before it
    Py_ssize_t start         # bytes before it
    Py_ssize_t filtered      # records before it that the filter left out


cdef class SelectedLines:
    cdef readonly bytes lines
    cdef readonly Py_ssize_t count
    cdef Place *places       # of each line, and of the end of the batch
    cdef Py_ssize_t room

    cdef Py_ssize_t select(
        self, LineSelector selector, bytes_ptr start, bytes_ptr end, bint first,
        unsigned char *out) noexcept nogil
    cdef Place at(self, Py_ssize_t index) except *


cdef class LineSelector:
    cdef Filter filter
    cdef Py_ssize_t max_line_size
    cdef uint64_t stream     # number, under which the shapes of its records are kept
