# How an invalid line is handled; see error_lines.pyx.

from forstcore._core.json cimport Fault, bytes_ptr
from forstcore._core.run cimport Run

cdef unsigned char *reject_line(
    Run *run, const Fault *fault, bytes_ptr line, bytes_ptr lf, long long lines,
    long long results, unsigned char *out) noexcept nogil
cdef void reject_long_line(
    Run *run, bytes_ptr start, Py_ssize_t size, bytes_ptr more) noexcept nogil
cdef object record_error(int reason, long long line, Py_ssize_t offset)
cdef dict count_by_code(const long long *faults)
