# Reads lines with orjson, where it reads them as the json module does.
#
# They differ in few cases: integers beyond 64 bits and deep nesting. Every line that may be such a
# case goes to the json module, with orjson installed or not: orjson changes the speed, never a
# result.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_CheckExact
from libc.string cimport memchr, memcpy

from os import urandom

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


def group_reader(loads, /):
    """Make a function that reads many lines as objects in one call of `loads`.

    That takes less time than a call for each line.

    Args:
        loads: parses lines that all parsers treat alike.
    """
    # The lines become an array, with this number between them, which no line can guess. So if the
    # array has all of them, with one value between two, that value is all of a line.
    number = int.from_bytes(urandom(7), "big")
    cdef bytes separator = b",%d," % number

    def objects_of(bytes lines not None, Py_ssize_t longest, /):
        """Read lines as JSON objects; return None if one of them has to be read on its own.

        Args:
            lines: whole lines, each with its LF.
            longest: bytes of the longest line to accept, its LF not counted.
        """
        cdef list values
        cdef Py_ssize_t i
        cdef Py_ssize_t count = 0
        cdef bytes array = array_of(lines, longest, separator, &count)
        if array is None:
            return None
        try:
            values = loads(array)
        except ValueError:
            return None
        if len(values) != 2 * count - 1:
            return None
        for i in range(len(values)):
            if i % 2 == 0:
                if not PyDict_CheckExact(values[i]):
                    return None
            elif values[i] != number:
                return None
        return values[::2]
    return objects_of


cdef bytes array_of(bytes lines, Py_ssize_t longest, bytes separator, Py_ssize_t *count):
    """Put lines into an array, separated by `separator`, and count them.

    Returns None if one is unusual.
    """
    cdef const unsigned char *p = <const unsigned char *>PyBytes_AS_STRING(lines)
    cdef const unsigned char *end = p + len(lines)
    cdef const unsigned char *lf
    cdef const char *text = PyBytes_AS_STRING(separator)
    cdef Py_ssize_t size = len(separator)
    cdef bytes array
    cdef char *out
    if not are_common(p, end):
        return None
    while p < end:
        lf = <const unsigned char *>memchr(p, c'\n', end - p)
        if lf == NULL or lf - p > longest:
            return None
        count[0] += 1
        p = lf + 1
    if count[0] == 0:
        return None
    array = PyBytes_FromStringAndSize(NULL, len(lines) + count[0] * (size - 1) + 2 - size)
    out = PyBytes_AS_STRING(array)
    out[0] = c'['
    out += 1
    p = <const unsigned char *>PyBytes_AS_STRING(lines)
    while True:
        lf = <const unsigned char *>memchr(p, c'\n', end - p)
        memcpy(out, p, lf - p)
        out += lf - p
        p = lf + 1
        if p == end:
            break
        memcpy(out, text, size)
        out += size
    out[0] = c']'
    return array
