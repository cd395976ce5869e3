# Python values as lines of JSON: the bytes that the json module writes, without spaces and with all
# characters but the necessary escapes as they are.
#
# Values of the usual types are written in one pass over them. For any other value, such as an enum,
# an integer beyond 64 bits or NaN, a function in Python writes the whole line or raises the error.

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_CheckExact, PyDict_GetItem, PyDict_Next, PyDict_Size
from cpython.exc cimport PyErr_Clear
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.list cimport PyList_CheckExact
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF, PyObject
from cpython.tuple cimport PyTuple_Check
from cpython.unicode cimport PyUnicode_CheckExact
from libc.math cimport isfinite
from libc.string cimport memcpy

from forstcore._core.json cimport bytes_ptr
from forstcore._core.scan cimport FST_PAST_COPY, fst_copy_plain
from forstcore._core.scan_path cimport current_path
from forstcore.native cimport (
    FST_INTEGER_ROOM,
    FST_NUMBER_ROOM,
    fst_write_integer,
    fst_write_number,
)

from collections.abc import Iterable, Mapping

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    bint PyUnicode_IS_COMPACT_ASCII(object text) noexcept
    void *PyUnicode_DATA(object text) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object text) noexcept
    PyObject *PyObject_GetAttr(object value, object name) noexcept

cdef enum:
    MOST_DEPTH = 200            # nested containers; deeper ones are left to the function
    # Room past what is written that a number, an escape or the end of a vector may take.
    SLACK = FST_PAST_COPY + FST_NUMBER_ROOM + FST_INTEGER_ROOM
    FIRST_ROOM = 1024
    KNOWN_NAMES = 32            # a power of two
    NAME_ROOM = 32

# What writing a value can return, besides raising an exception.
cdef enum:
    UNSURE                      # leave it to the function
    WRITTEN


# A member's name with quotes and colon, as it was written before.
cdef struct KnownName:
    PyObject *name              # the string, NULL for none
    Py_ssize_t size
    unsigned char text[NAME_ROOM]


@cython.final
@cython.freelist(8)
cdef class ResultWriter:
    """Write values as lines, one after the other, into memory of its own.

    Args:
        write_any: returns any value as a line, or raises an error.
        fields_of: returns the names of a type's fields and whether it is a Struct, if its values
            are written as an object of these; None for other types.
        most: bytes after which the writer is full; it writes on nevertheless.

    Attributes:
        size: bytes written.
        lines: lines written.

    Thread-safety: one owner. Values must not be changed while they are written.
    """

    cdef unsigned char *start
    cdef unsigned char *out
    cdef unsigned char *end
    cdef object write_any
    cdef object fields_of
    cdef dict fields            # of the types that have been met, None for no types
    cdef Py_ssize_t most
    cdef readonly Py_ssize_t lines
    cdef KnownName names[KNOWN_NAMES]   # by the addresses of the strings

    def __init__(self, write_any, fields_of, Py_ssize_t most, /):
        self.write_any = write_any
        self.fields_of = fields_of
        self.most = most

    def __dealloc__(self):
        cdef int i
        PyMem_RawFree(self.start)
        for i in range(KNOWN_NAMES):
            Py_XDECREF(self.names[i].name)

    @property
    def size(self):
        return self.out - self.start

    @property
    def is_full(self):
        return self.out - self.start >= self.most

    def write(self, value, /):
        """Write a value as a line.

        Raises:
            TypeError, ValueError: a value in it cannot be written as JSON. Nothing is written.
        """
        self.write_line(value)

    def write_results(self, result, /):
        """Write what a processor returned; return whether the writer is full.

        Args:
            result: None for no result, a result, or an iterable of results.

        Raises:
            Exception: a result cannot be written, or the iterable raises. Nothing is written.
        """
        cdef Py_ssize_t before, lines
        if PyDict_CheckExact(result):
            self.write_line(result)
        elif result is not None:
            if is_iterable(result):
                before = self.out - self.start
                lines = self.lines
                try:
                    for each in result:
                        self.write_line(each)
                except BaseException:
                    self.out = self.start + before
                    self.lines = lines
                    raise
            else:
                self.write_line(result)
        return self.out - self.start >= self.most

    def append(self, bytes lines not None, Py_ssize_t count, /):
        """Append `count` lines."""
        self.put(<bytes_ptr>PyBytes_AS_STRING(lines), len(lines))
        self.lines += count

    def take(self):
        """Return the lines; none are left."""
        cdef bytes lines = PyBytes_FromStringAndSize(<char *>self.start, self.out - self.start)
        self.out = self.start
        self.lines = 0
        return lines

    cdef int write_line(self, object value) except -1:
        cdef Py_ssize_t before = self.out - self.start
        cdef int status = UNSURE
        try:
            status = self.write_value(value, 0, False)
        finally:
            if status == UNSURE:
                self.out = self.start + before
        if status == UNSURE:
            self.append(self.write_any(value), 0)
        else:
            self.out[0] = c'\n'     # there is SLACK
            self.out += 1
        self.lines += 1
        return 0

    cdef inline int reserve(self, Py_ssize_t size) except -1:
        """Make room for `size` bytes and SLACK."""
        if self.end - self.out >= size + SLACK:
            return 0
        return self.grow(size)

    cdef int grow(self, Py_ssize_t size) except -1:
        """Make room for `size` bytes and SLACK. Doubling keeps copies cheap."""
        cdef Py_ssize_t used, room
        cdef void *grown
        used = self.out - self.start
        room = max(2 * (self.end - self.start), used + size + SLACK + FIRST_ROOM)
        grown = PyMem_RawRealloc(self.start, room)
        if grown == NULL:
            raise MemoryError()
        self.start = <unsigned char *>grown
        self.out = self.start + used
        self.end = self.start + room
        return 0

    cdef int put(self, bytes_ptr text, Py_ssize_t size) except -1:
        self.reserve(size)
        memcpy(self.out, text, size)
        self.out += size
        return 0

    cdef int write_value(self, object value, int depth, bint in_struct) except -1:
        """Write a value; return UNSURE, perhaps after some bytes, if it is unusual.

        `depth` is the number of containers around it; `in_struct` is whether one is a Struct.
        """
        cdef int overflow = 0
        cdef long long integer
        cdef double number
        if PyUnicode_CheckExact(value):
            return self.write_text(value)
        self.reserve(0)
        if PyLong_CheckExact(value):
            integer = PyLong_AsLongLongAndOverflow(value, &overflow)
            if overflow:
                return UNSURE
            self.out = <unsigned char *>fst_write_integer(<char *>self.out, integer)
            return WRITTEN
        if PyFloat_CheckExact(value):
            number = PyFloat_AS_DOUBLE(value)
            if not isfinite(number):
                return UNSURE
            self.out = <unsigned char *>fst_write_number(<char *>self.out, number)
            return WRITTEN
        if value is None or value is True:
            memcpy(self.out, b"null" if value is None else b"true", 4)
            self.out += 4
            return WRITTEN
        if value is False:
            memcpy(self.out, b"false", 5)
            self.out += 5
            return WRITTEN
        if depth == MOST_DEPTH:
            return UNSURE
        if PyDict_CheckExact(value):
            return self.write_dict(<dict>value, depth + 1, in_struct)
        if PyList_CheckExact(value) or PyTuple_Check(value):
            return self.write_elements(value, depth + 1, in_struct)
        return self.write_fields(value, depth + 1, in_struct)

    cdef int write_text(self, object text) except -1:
        cdef Py_ssize_t size
        cdef bytes_ptr p
        cdef bytes_ptr end
        cdef bytes_ptr stop
        if PyUnicode_IS_COMPACT_ASCII(text):
            p = <bytes_ptr>PyUnicode_DATA(text)
            size = PyUnicode_GET_LENGTH(text)
        else:
            p = utf8_of(text, &size)
            if p == NULL:
                return UNSURE
        end = p + size
        self.reserve(size)
        self.out[0] = c'"'
        self.out += 1
        while True:
            stop = fst_copy_plain(self.out, p, end, current_path)
            self.out += stop - p
            p = stop
            if p == end:
                break
            if p[0] < 0x80:
                self.write_escape(p[0])
                p += 1
                self.reserve(end - p)
            else:
                while p < end and p[0] >= 0x80:
                    self.out[0] = p[0]
                    self.out += 1
                    p += 1
        self.out[0] = c'"'
        self.out += 1
        return WRITTEN

    cdef void write_escape(self, unsigned char c) noexcept:
        cdef const char *digits = b"0123456789abcdef"
        cdef const char *letters = b"btn\0fr"       # of the characters 8 to 13
        self.out[0] = c'\\'
        if c == c'"' or c == c'\\':
            self.out[1] = c
        elif 8 <= c <= 13 and c != 11:
            self.out[1] = letters[c - 8]
        else:
            memcpy(self.out + 1, b"u00", 3)
            self.out[4] = digits[c >> 4]
            self.out[5] = digits[c & 15]
            self.out += 4
        self.out += 2

    cdef inline int write_name(self, object name) except -1:
        """Write a member's name and the colon. There is SLACK."""
        cdef KnownName *known = &self.names[(<size_t><PyObject *>name >> 4) % KNOWN_NAMES]
        if known.name == <PyObject *>name:
            memcpy(self.out, known.text, NAME_ROOM)
            self.out += known.size
            return WRITTEN
        return self.write_new_name(name, known)

    cdef int write_new_name(self, object name, KnownName *known) except -1:
        """As `write_name`, and remember it as `known`."""
        cdef Py_ssize_t before = self.out - self.start
        cdef Py_ssize_t size
        if self.write_text(name) == UNSURE:
            return UNSURE
        self.out[0] = c':'
        self.out += 1
        size = self.out - self.start - before
        if size <= NAME_ROOM:
            Py_XDECREF(known.name)
            Py_INCREF(name)
            known.name = <PyObject *>name
            known.size = size
            memcpy(known.text, self.start + before, size)
        return WRITTEN

    cdef int write_dict(self, dict members, int depth, bint in_struct) except -1:
        cdef PyObject *name
        cdef PyObject *member
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t size = PyDict_Size(members)
        self.out[0] = c'{'
        self.out += 1
        if size == 0:
            self.out[0] = c'}'
            self.out += 1
            return WRITTEN
        with cython.critical_section(members):
            while PyDict_Next(members, &at, &name, &member):
                if not PyUnicode_CheckExact(<object>name):
                    return UNSURE
                if self.write_name(<object>name) == UNSURE:
                    return UNSURE
                if self.write_value(<object>member, depth, in_struct) == UNSURE:
                    return UNSURE
                if PyDict_Size(members) != size:
                    return UNSURE   # a property of a value has changed it
                self.reserve(0)
                self.out[0] = c','
                self.out += 1
        (self.out - 1)[0] = c'}'
        return WRITTEN

    cdef int write_elements(self, object elements, int depth, bint in_struct) except -1:
        """Write a list or tuple."""
        cdef bint is_empty = True
        self.out[0] = c'['
        self.out += 1
        for element in elements:
            is_empty = False
            if self.write_value(element, depth, in_struct) == UNSURE:
                return UNSURE
            self.reserve(0)
            self.out[0] = c','
            self.out += 1
        if is_empty:
            self.out += 1
        (self.out - 1)[0] = c']'
        return WRITTEN

    cdef int write_fields(self, object value, int depth, bint in_struct) except -1:
        """Write a dataclass or Struct."""
        cdef PyObject *found
        cdef object fields
        cdef object member
        cdef bint is_struct
        if self.fields is None:
            self.fields = {}
        found = PyDict_GetItem(self.fields, type(value))
        if found == NULL:
            fields = self.fields[type(value)] = self.fields_of(type(value))
        else:
            fields = <object>found
        if fields is None:
            return UNSURE
        names, is_struct = <tuple>fields
        if in_struct and not is_struct:
            return UNSURE
        self.out[0] = c'{'
        self.out += 1
        for name in <tuple>names:
            if self.write_name(name) == UNSURE:
                return UNSURE
            found = PyObject_GetAttr(value, name)
            if found == NULL:
                PyErr_Clear()       # the function raises it again
                return UNSURE
            member = <object>found
            Py_DECREF(member)
            if self.write_value(member, depth, is_struct) == UNSURE:
                return UNSURE
            self.reserve(0)
            self.out[0] = c','
            self.out += 1
        if not names:
            self.out += 1
        (self.out - 1)[0] = c'}'
        return WRITTEN


cdef bytes_ptr utf8_of(object text, Py_ssize_t *size) except? NULL:
    """Return a text as UTF-8, NULL if it has a lone surrogate."""
    try:
        return <bytes_ptr>PyUnicode_AsUTF8AndSize(text, size)
    except UnicodeEncodeError:
        return NULL


cdef bint is_iterable(object result) except -1:
    """Whether a processor's return value, which is not None, contains its results."""
    if PyList_CheckExact(result):
        return True
    return isinstance(result, Iterable) and not isinstance(result, (Mapping, str, bytes))
