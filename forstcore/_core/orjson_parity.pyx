# Reads lines with orjson, where it reads them as the json module does.
#
# They differ in few cases: integers beyond 64 bits and deep nesting. Every line that may be such a
# case goes to the json module, with orjson installed or not: orjson changes the speed, never a
# result.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_CheckExact
from cpython.long cimport PyLong_AsUnsignedLongLongMask, PyLong_CheckExact
from libc.string cimport memchr, memcpy

from forstcore._core.scan cimport fst_count_lf

from os import urandom

cdef enum:
    SHALLOW = 200               # nested containers that both handle in any call stack
    DIGITS = 19                 # of an integer that may not fit into 64 bits
    HALF = DIGITS // 2


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
        if not is_shallow(start, lf):
            return False
        start = lf + 1
    return True


cdef inline bint is_shallow(const unsigned char *start, const unsigned char *lf) noexcept nogil:
    # A container takes at least two bytes; otherwise the line is invalid for both.
    return lf - start <= 2 * SHALLOW or count_containers(start, lf - start) <= SHALLOW


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
        # Every run of DIGITS digits covers one of the places that are inspected, and continues from
        # there for half of its length to one side or the other.
        if is_digit(start[at]) and (
                is_digit(start[at - HALF]) or at + HALF < size and is_digit(start[at + HALF])):
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


def group_reader(loads, /):
    """Make a function that reads many lines as objects in one call of `loads`.

    That takes less time than a call for each line.

    Args:
        loads: parses lines that all parsers treat alike.
    """
    # The lines become an array, with this number between them, which no line can guess. So if the
    # array has all of them, with one value between two, that value is all of a line.
    cdef unsigned long long number = int.from_bytes(urandom(7), "big")
    cdef bytes separator = b",%d," % number

    def objects_of(bytes lines not None, Py_ssize_t longest, /):
        """Read lines as JSON objects; return None if one of them has to be read on its own.

        Args:
            lines: whole lines, each with its LF.
            longest: bytes of the longest line to accept, its LF not counted.
        """
        cdef list values
        cdef Py_ssize_t i
        cdef Py_ssize_t count = count_lines_of(lines)
        cdef bytes array = array_of(lines, count, longest, separator)
        if array is None:
            return None
        try:
            values = loads(array)
        except ValueError:
            return None
        if len(values) != 2 * count - 1 or not PyDict_CheckExact(values[0]):
            return None
        for i in range(1, len(values), 2):
            if not PyLong_CheckExact(values[i]) or not PyDict_CheckExact(values[i + 1]):
                return None
            if PyLong_AsUnsignedLongLongMask(values[i]) != number:
                return None
        return values[::2]
    return objects_of


cdef Py_ssize_t count_lines_of(bytes lines) noexcept:
    cdef const unsigned char *start = <const unsigned char *>PyBytes_AS_STRING(lines)
    return fst_count_lf(start, start + len(lines))


cdef bytes array_of(bytes lines, Py_ssize_t count, Py_ssize_t longest, bytes separator):
    """Put lines into an array, separated by `separator`; return None if one is unusual."""
    cdef const unsigned char *p = <const unsigned char *>PyBytes_AS_STRING(lines)
    cdef const unsigned char *end = p + len(lines)
    cdef const unsigned char *lf
    cdef const char *text = PyBytes_AS_STRING(separator)
    cdef Py_ssize_t size = len(separator)
    cdef bytes array
    cdef char *out
    if count == 0 or (end - 1)[0] != c'\n' or has_long_number(p, end - p):
        return None
    array = PyBytes_FromStringAndSize(NULL, len(lines) + count * (size - 1) + 2 - size)
    out = PyBytes_AS_STRING(array)
    out[0] = c'['
    out += 1
    while True:
        lf = <const unsigned char *>memchr(p, c'\n', end - p)
        if lf - p > longest or not is_shallow(p, lf):
            return None
        memcpy(out, p, lf - p)
        out += lf - p
        p = lf + 1
        if p == end:
            break
        memcpy(out, text, size)
        out += size
    out[0] = c']'
    return array
