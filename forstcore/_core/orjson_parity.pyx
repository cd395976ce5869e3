# Which lines and values orjson and the standard library treat alike.
#
# They differ in few places: whole numbers beyond 64 bits, very large and very small floats, NaN,
# member names that are no strings, depth. Whatever is or may be one of these is left to one way
# that all installations have, so that an extra makes nothing different but speed.

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.dict cimport PyDict_CheckExact, PyDict_Next
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.list cimport PyList_CheckExact
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.ref cimport PyObject
from cpython.tuple cimport PyTuple_CheckExact
from cpython.unicode cimport PyUnicode_CheckExact
from libc.string cimport memchr

cdef enum:
    SHALLOW = 200               # containers that both handle wherever they are called
    DIGITS = 19                 # of a whole number that may not fit into 64 bits


def reads_alike(bytes lines not None, /):
    """Tell whether both read each line as the same value, or refuse it.

    Of some lines that they do, such as those with a string of many digits, this says no.

    Thread-safety: may be called from many threads at once.
    """
    cdef const unsigned char *start = <const unsigned char *>PyBytes_AS_STRING(lines)
    return are_common(start, start + len(lines))


cdef bint are_common(const unsigned char *start, const unsigned char *end) noexcept nogil:
    cdef const unsigned char *lf
    if has_long_number(start, end - start):
        return False
    while start < end:
        lf = <const unsigned char *>memchr(start, c'\n', end - start)
        if lf == NULL:
            lf = end
        # Each takes two bytes at least, or the line is no JSON and the core says why.
        if lf - start > 2 * SHALLOW and count_containers(start, lf - start) > SHALLOW:
            return False
        start = lf + 1
    return True


cdef Py_ssize_t count_containers(const unsigned char *start, Py_ssize_t size) noexcept nogil:
    """Count the bytes that open one, in strings too."""
    cdef unsigned int count = 0
    cdef Py_ssize_t i
    for i in range(size):
        count += (start[i] | 0x20) == c'{'      # of which one is '['
    return count


cdef bint is_digit(unsigned char c) noexcept nogil:
    return c'0' <= c <= c'9'


cdef bint has_long_number(const unsigned char *start, Py_ssize_t size) noexcept nogil:
    """Whether there are 20 digits in a row, or 19 behind a minus sign."""
    cdef Py_ssize_t at = DIGITS - 1
    cdef Py_ssize_t first, last
    while at < size:
        # A run of so many digits has one in each place that is looked at.
        if is_digit(start[at]):
            first = last = at
            while first > 0 and is_digit(start[first - 1]):
                first -= 1
            while last + 1 < size and is_digit(start[last + 1]):
                last += 1
            if last - first + 1 > DIGITS:
                return True
            if last - first + 1 == DIGITS and first > 0 and start[first - 1] == c'-':
                return True
            at = last
        at += DIGITS
    return False


def depth_of(bytes line not None, /):
    """Count the containers inside each other, at most, in a valid line.

    Thread-safety: may be called from many threads at once.
    """
    cdef const unsigned char *p = <const unsigned char *>PyBytes_AS_STRING(line)
    cdef const unsigned char *end = p + len(line)
    cdef bint in_string = False
    cdef int depth = 0
    cdef int deepest = 0
    while p < end:
        if in_string:
            if p[0] == c'\\':
                p += 1
            elif p[0] == c'"':
                in_string = False
        elif p[0] == c'"':
            in_string = True
        elif p[0] == c'[' or p[0] == c'{':
            depth += 1
            deepest = max(deepest, depth)
        elif p[0] == c']' or p[0] == c'}':
            depth -= 1
        p += 1
    return deepest


def reader(loads, slowly, /):
    """Make a function that reads a line as an object.

    Args:
        loads: reads lines that all read alike.
        slowly: reads any line, and raises an error where it is no object.
    """
    def object_of(bytes line not None, /):
        """Read a line as a JSON object, as a record for a Python function.

        Raises:
            RecordError: it is none; the core says why and where. Its line is 1.
        """
        cdef const unsigned char *start = <const unsigned char *>PyBytes_AS_STRING(line)
        if are_common(start, start + len(line)):
            try:
                value = loads(line)
            except ValueError:
                value = None
            if type(value) is dict:
                return value
        return slowly(line)
    return object_of


def writer(dumps, slowly, option=None, /):
    """Make a function that writes a value as a line.

    Args:
        dumps: writes values that all write alike, without LF.
        slowly: writes any value as a line, or raises an error.
        option: makes orjson's `dumps` append the LF, for lines that are dropped at once. To
            keep many of its buffers, each cut to size, costs malloc ten times what writing
            them costs: without this option they are copied.
    """
    def dump_line(value, /):
        """Write a value as a line of JSON, with LF.

        Raises:
            TypeError, ValueError: it is not of a kind that can be written, or not valid.
        """
        if is_common(value, 0):
            try:
                if option is not None:
                    return dumps(value, None, option)
                return <bytes>dumps(value) + b"\n"
            except (TypeError, ValueError):
                pass                # A string is no text. The error is the same one for all.
        return slowly(value)
    return dump_line


cdef bint is_common(object value, int depth) except -1:
    """Whether both write a value as the same bytes, or refuse it.

    The value must not be changed meanwhile.
    """
    cdef int overflow = 0
    cdef double number
    if PyUnicode_CheckExact(value) or value is None or value is True or value is False:
        return True
    if PyLong_CheckExact(value):
        PyLong_AsLongLongAndOverflow(value, &overflow)
        return overflow == 0
    if PyFloat_CheckExact(value):
        number = abs(PyFloat_AS_DOUBLE(value))
        # Within these none of them writes an exponent.
        return number == 0 or 1e-4 <= number < 1e16
    if depth == SHALLOW:
        return False
    if PyDict_CheckExact(value):
        return is_common_dict(<dict>value, depth + 1)
    if PyList_CheckExact(value):
        for element in <list>value:
            if not is_common(element, depth + 1):
                return False
        return True
    if PyTuple_CheckExact(value):
        for element in <tuple>value:
            if not is_common(element, depth + 1):
                return False
        return True
    return False


cdef bint is_common_dict(dict value, int depth) except -1:
    cdef PyObject *name
    cdef PyObject *member
    cdef Py_ssize_t at = 0
    with cython.critical_section(value):
        while PyDict_Next(value, &at, &name, &member):
            if not PyUnicode_CheckExact(<object>name):
                return False
            if not PyUnicode_CheckExact(<object>member) and not is_common(<object>member, depth):
                return False
    return True
