# Tells which lines and values orjson and the json module treat alike.
#
# They differ in few cases: integers beyond 64 bits, very large and very small floats, NaN, member
# names that are not strings, and deep nesting. Everything that may be such a case goes to the json
# module, with orjson installed or not: orjson changes the speed, never a result.

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
    SHALLOW = 200               # nested containers that both handle in any call stack
    DIGITS = 19                 # of an integer that may not fit into 64 bits


def reads_alike(bytes lines not None, /):
    """Return whether both parse each line to the same value, or refuse it.

    May be false though they do, for example for a string of many digits.

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
        # A container takes at least two bytes; otherwise the line is invalid for both.
        if lf - start > 2 * SHALLOW and count_containers(start, lf - start) > SHALLOW:
            return False
        start = lf + 1
    return True


cdef Py_ssize_t count_containers(const unsigned char *start, Py_ssize_t size) noexcept nogil:
    """Count the opening brackets, including those in strings."""
    cdef unsigned int count = 0
    cdef Py_ssize_t i
    for i in range(size):
        count += (start[i] | 0x20) == c'{'      # '[' becomes '{' too
    return count


cdef bint is_digit(unsigned char c) noexcept nogil:
    return c'0' <= c <= c'9'


cdef bint has_long_number(const unsigned char *start, Py_ssize_t size) noexcept nogil:
    """Whether there are 20 digits in a row, or 19 after a minus sign."""
    cdef Py_ssize_t at = DIGITS - 1
    cdef Py_ssize_t first, last
    while at < size:
        # Every run of DIGITS digits covers one of the places that are inspected.
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
    """Return the nesting depth of the containers in a valid line.

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
        loads: parses lines that all parsers treat alike.
        slowly: parses any line, and raises RecordError if it is not an object.
    """
    def object_of(bytes line not None, /):
        """Read a line as a JSON object, as a record for a Python function.

        Raises:
            RecordError: it is not an object; the core finds why and where. The line is 1.
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
        dumps: writes values that all writers treat alike, without LF.
        slowly: writes any value as a line, or raises an error.
        option: orjson's option to append the LF, for lines that are discarded at once. Keeping
            many of its buffers, each shrunk to size, costs ten times as much in malloc as
            writing them: without this option they are copied.
    """
    def dump_line(value, /):
        """Write a value as a line of JSON, with LF.

        Raises:
            TypeError, ValueError: a value in it cannot be written as JSON.
        """
        if is_common(value, 0):
            try:
                if option is not None:
                    return dumps(value, None, option)
                return <bytes>dumps(value) + b"\n"
            except (TypeError, ValueError):
                pass                # a lone surrogate: raise the error of `slowly`
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
        # In this range neither writes an exponent.
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
