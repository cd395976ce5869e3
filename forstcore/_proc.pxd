# The C face of the core: the shapes that its functions exchange.
#
# Structs only grow at their end, so that code compiled against an older version of
# this file keeps working.

from cpython.ref cimport PyObject

from forstcore._core.filter cimport Filter, Mark, Program
from forstcore._core.json cimport REASONS, bytes_ptr
from forstcore._core.rejected cimport Notes, RejectedLines
from forstcore.native cimport fst_output, fst_processor


# A piece of the input. For a string: its contents between the quotes as they came
# from the wire, escapes intact, known to be valid JSON and UTF-8.
cdef struct Span:
    bytes_ptr start
    Py_ssize_t size          # bytes


cdef struct Record:
    Span id                  # empty where absent or null
    Span data


# One run over whole lines without the GIL, and the counters that it moves.
cdef struct Run:
    bytes_ptr pos            # start of the next line
    bytes_ptr end            # end of the whole lines: the byte before it is an LF
    bytes_ptr limit          # end of readable memory, at or past `end`
    unsigned char* out       # start of free space in the output
    unsigned char* out_end
    int on_error             # an OnError number
    int path                 # an FST_ path number
    Py_ssize_t max_line_size  # bytes, LF excluded
    long long lines          # input lines seen, blank ones included
    long long records        # lines that were valid records
    long long errors         # lines that were neither blank nor a record
    long long results        # result lines written
    long long faults[REASONS]  # of the errors, how many for each reason
    int failed_reason        # the error that ended the stream, 0 for none
    Py_ssize_t failed_offset  # bytes from the start of line `lines`
    long long lines_before   # lines of the input that went to an earlier stream
    const fst_processor *processor  # NULL for the built-in one
    void *state              # what its `create` returned
    fst_output output        # where it writes
    const Program *filter    # NULL for none
    Mark *marks              # one for each node of the filter
    long long filtered       # valid records that it left out
    Notes *notes             # where rejected lines are noted, NULL for nowhere
    Py_ssize_t most          # bytes of output behind which no line is begun, 0 for any
    long long lines_out      # result and error lines of earlier calls


# A growing piece of memory that is reused: the unfinished line between two chunks.
cdef struct Tail:
    unsigned char* start
    Py_ssize_t size          # bytes held
    Py_ssize_t room          # bytes allocated
    bint discarding          # the line is over the limit: drop bytes up to its LF


cdef class RecordStream:
    cdef Run run
    cdef Tail tail
    cdef object capsule      # keeps the processor
    cdef Filter filter
    cdef Notes notes         # of the call that is under way
    cdef RejectedLines kept  # what the last call rejected, None for nothing
    cdef bint busy           # a call is under way
    cdef bint finished
    cdef readonly Py_ssize_t taken
    cdef readonly long long bytes_in
    cdef readonly long long bytes_out
    cdef PyObject *out       # the bytes object being filled, NULL outside of a call
    cdef Py_ssize_t expected  # output bytes per 256 input bytes, for the next guess
    # Bytes left free around results that are not empty, for what the caller puts there;
    # at most 64 each.
    cdef Py_ssize_t before
    cdef Py_ssize_t after

    cdef bytes take_from(self, object buffer, bint last)
    cdef bytes take(self, bytes_ptr start, Py_ssize_t size, Py_ssize_t most, bint last)
    cdef object failure(self)
    cdef int consume(self, bytes_ptr start, bytes_ptr end, bint last) except -1
    cdef int extend_tail(self, bytes_ptr start, bytes_ptr stop, bint ended) except -1
    cdef int too_long(self, bytes_ptr start) except -1
    cdef int drive(self, bytes_ptr start, bytes_ptr end, bytes_ptr limit) except -1
    cdef int use_filter(self, Filter wanted) except -1
    cdef int use_processor(self, object capsule) except -1
    cdef int open_output(self, Py_ssize_t size_in) except -1
    cdef int reserve(self, Py_ssize_t size) except -1
    cdef bint has_enough(self) noexcept
    cdef bytes close_output(self, Py_ssize_t size_in)


cdef class LineSplitter:
    cdef Tail tail
    cdef bint busy
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
