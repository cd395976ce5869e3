# The C face of the core: the shapes that its functions exchange.
#
# Structs only grow at their end, so that code compiled against an older version of
# this file keeps working.

from forstcore._core.built_in cimport Record, Span
from forstcore._core.filter cimport Filter
from forstcore._core.json cimport bytes_ptr
from forstcore._core.lines cimport Batcher, LineSplitter, Tail
from forstcore._core.output_bytes cimport OutputBytes
from forstcore._core.rejected cimport Notes, RejectedLines
from forstcore._core.run cimport Run


cdef class RecordStream:
    cdef Run run
    cdef Tail tail
    cdef object capsule      # keeps the processor
    cdef Filter filter
    cdef Notes notes         # lines rejected by the call in progress
    cdef RejectedLines kept  # what the last call rejected, None for nothing
    cdef bint busy           # a call is in progress
    cdef bint finished
    cdef readonly Py_ssize_t taken
    cdef readonly bint given_back
    cdef readonly long long bytes_in
    cdef readonly long long bytes_out
    cdef OutputBytes output

    cdef bytes take_from(self, object buffer, Py_ssize_t most, bint last)
    cdef bytes take(
        self, bytes_ptr start, Py_ssize_t size, Py_ssize_t most, Py_ssize_t most_rejected,
        bint last)
    cdef object failure(self)
    cdef int consume(self, bytes_ptr start, bytes_ptr end, bint last) except -1
    cdef int extend_tail(self, bytes_ptr start, bytes_ptr stop, bint ended) except -1
    cdef int drive(self, bytes_ptr start, bytes_ptr end, bytes_ptr limit) except -1
    cdef int use_filter(self, Filter wanted) except -1
    cdef int use_processor(self, object capsule) except -1
