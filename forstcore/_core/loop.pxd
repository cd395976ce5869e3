# The compiled loops; see loop.pyx.

from forstcore._core.json cimport Fault, bytes_ptr
from forstcore._core.run cimport Run
from forstcore._core.reader cimport RecordReader

cdef int run_built_in(Run *run) noexcept nogil
cdef int run_records(Run *run) noexcept nogil
cdef int read_record(
    RecordReader *reader, bytes_ptr p, bytes_ptr lf, Fault *fault) noexcept nogil


cdef inline int run_lines(Run *run) noexcept nogil:
    """Process the whole lines from `pos` on; update `pos`, `out` and the counters."""
    if run.processor == NULL and run.filter == NULL:
        return run_built_in(run)
    return run_records(run)
