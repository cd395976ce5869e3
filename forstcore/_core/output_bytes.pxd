# The bytes object that one call of `RecordStream` fills with its results.

from cpython.ref cimport PyObject

from forstcore._core.run cimport RESERVE, Run, has_many_notes

cdef extern from "Python.h":
    PyObject *PyBytes_New "PyBytes_FromStringAndSize" (const char *, Py_ssize_t) except NULL
    int _PyBytes_Resize(PyObject **, Py_ssize_t) except -1
    char *PyBytes_AS_STRING(PyObject *) noexcept

cdef enum:
    # The most output bytes per 256 input bytes to allocate in advance.
    GROWTH_HIGHEST = 1 << 14
    # A smaller input says little about the size of the next output.
    GROWTH_INPUT = 16384


cdef struct OutputBytes:
    PyObject *filled         # the bytes object being filled, NULL outside of a call
    Py_ssize_t expected      # output bytes per 256 input bytes, to size the next object
    # Bytes left free around results that are not empty, for the caller to fill; at most 64 each.
    Py_ssize_t before
    Py_ssize_t after


cdef inline unsigned char *output_start(OutputBytes *output) noexcept:
    return <unsigned char *>PyBytes_AS_STRING(output.filled) + output.before


cdef inline int output_open(
        OutputBytes *output, Run *run, Py_ssize_t size_in, Py_ssize_t tail_size) except -1:
    """Allocate the output for a chunk of `size_in` bytes and the tail before it."""
    cdef Py_ssize_t size = (size_in >> 8) * output.expected + tail_size + 2 * RESERVE
    if run.most > 0:
        size = min(size, run.most + size_in + tail_size + 2 * RESERVE)
    output.filled = PyBytes_New(NULL, size)
    run.out = output_start(output)
    run.out_end = run.out + size - output.before
    return 0


cdef inline int output_reserve(OutputBytes *output, Run *run, Py_ssize_t size) except -1:
    """Make room for `size` input bytes and RESERVE. Doubling keeps copies cheap."""
    cdef Py_ssize_t used, room
    if run.out_end - run.out >= size + RESERVE:
        return 0
    used = run.out - <unsigned char *>PyBytes_AS_STRING(output.filled)
    room = max(2 * (run.out_end - run.out + used), used + 2 * size + RESERVE)
    if run.most > 0:
        room = min(room, max(used, run.most) + size + RESERVE)
    _PyBytes_Resize(&output.filled, room)
    run.out = <unsigned char *>PyBytes_AS_STRING(output.filled) + used
    run.out_end = run.out + room - used
    return 0


cdef inline Py_ssize_t output_size(OutputBytes *output, const Run *run) noexcept:
    """Return the number of result bytes so far."""
    return run.out - output_start(output)


cdef inline bint output_has_enough(OutputBytes *output, const Run *run) noexcept:
    """Return whether a call with bounded output has reached its bound."""
    return run.most > 0 and (
        output_size(output, run) >= run.most or has_many_notes(run))


cdef inline bytes output_close(OutputBytes *output, const Run *run, Py_ssize_t size_in):
    """Return the results, with the free bytes around them unless they are empty."""
    cdef Py_ssize_t used = output_size(output, run)
    if size_in >= GROWTH_INPUT:
        # 1/16 more than this chunk needed.
        output.expected = min(max(used * 272 // size_in, 272), <Py_ssize_t>GROWTH_HIGHEST)
    if used == 0:
        return b""
    # The last line left at least `after` of the RESERVE bytes free.
    _PyBytes_Resize(&output.filled, output.before + used + output.after)
    return <bytes>output.filled
