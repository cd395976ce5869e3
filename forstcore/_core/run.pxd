# The state of one run: the compiled loop over the whole lines of one call, without the GIL.

from libc.stdint cimport uint64_t

from forstcore._core.filter cimport Program, Visit
from forstcore._core.json cimport REASONS, bytes_ptr
from forstcore._core.rejected cimport Notes
from forstcore.native cimport fst_output, fst_processor

cdef enum:
    # Free bytes of the output beyond the size of the remaining input: enough for an error line, the
    # longest line that the core writes by itself, and for what vectors write past the end of a
    # copy.
    RESERVE = 512

cdef enum:
    # A compiled processor returns this for a record that the Python function has to process.
    GIVEN_BACK = 1 << 20

cdef enum OnError:
    SKIP
    EMIT
    FAIL

cdef enum RunStatus:
    RUN_DONE                    # all lines have been processed
    RUN_FULL                    # the output needs room before the line at `pos`
    RUN_FAILED                  # an error line was written and ends the stream
    RUN_NO_MEMORY               # no room for a native processor's results
    RUN_GIVEN_BACK              # the line at `pos` is for the function in Python


# The text of an error line up to the offset. It is kept for a hundred consecutive input lines,
# whose numbers differ in the last two digits only.
cdef struct LineStart:
    long long base           # the first of these numbers, a multiple of 100; 0 if it fits one only
    int pair_at              # where the two digits are
    int size                 # bytes of the text
    unsigned char text[56]


cdef struct Run:
    uint64_t stream          # number of the stream: no other of the process has it
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
    long long faults[REASONS]  # errors by reason
    int failed_reason        # the error that ended the stream, 0 for none
    Py_ssize_t failed_offset  # bytes from the start of line `lines`
    long long lines_before   # lines of the input that went to an earlier stream
    const fst_processor *processor  # NULL for the built-in one
    void *state              # what the processor's `create` returned
    bint reads_members       # whether the processor needs the members of a record, or paths alone
    fst_output output        # where a native processor writes
    const Program *filter    # NULL for none
    Visit *visits            # one for each node of the filter
    long long filtered       # valid records that the filter left out
    Notes *notes             # rejected lines are kept here; NULL to keep none
    Py_ssize_t most          # no line is begun once the output has so many bytes; 0: no bound
    Py_ssize_t most_notes    # nor once so many rejected lines are kept, if there is that bound
    long long lines_out      # result and error lines of earlier calls
    LineStart line_start     # of the last error line
    int unusual              # grows with lines that are not in the usual shape; see loop.pyx


cdef inline bint has_many_notes(const Run *run) noexcept nogil:
    """Whether a call with bounded output has kept as many rejected lines as it may."""
    return run.most > 0 and run.notes != NULL and (
        run.notes.count >= run.most_notes or run.notes.size >= run.most)
