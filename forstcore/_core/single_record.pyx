# One record at a time, as Python objects: for people who try things out, and for Python functions.

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memset

from forstcore._core.built_in cimport Record, Span, parse_line
from forstcore._core.error_lines cimport record_error
from forstcore._core.json cimport (
    LF,
    NO_FAULT,
    WRONG_DATA,
    WRONG_ID,
    Fault,
    bytes_ptr,
    unescape,
)
from forstcore._core.lines cimport PADDING, Tail, tail_append
from forstcore._core.loop cimport read_record
from forstcore._core.native_processors cimport CALLS
from forstcore._core.scan_path cimport current_path
from forstcore._core.reader cimport RecordReader, begin_records

from collections.abc import Mapping


def check_object(line, /):
    """Raise RecordError if a line is not a JSON object.

    Args:
        line: bytes, without LF.

    Thread-safety: may be called from many threads at once.
    """
    cdef RecordReader reader
    cdef Tail copy
    cdef Fault fault
    cdef bytes text = bytes(line)
    memset(&copy, 0, sizeof(Tail))
    try:
        tail_append(&copy, <bytes_ptr>PyBytes_AS_STRING(text), len(text))
        tail_append(&copy, b"\n", 1)
        begin_records(&reader, &CALLS, copy.start + copy.size + PADDING, current_path)
        if read_record(&reader, copy.start, copy.start + copy.size - 1, &fault) != NO_FAULT:
            raise record_error(fault.reason, 1, fault.place - copy.start)
    finally:
        PyMem_RawFree(copy.start)


def parse_record(line, /):
    """Read one line as a record.

    Args:
        line: any contiguous bytes-like object; one LF at its end is allowed.

    Returns:
        A dict with the members ``id`` and ``data``, empty strings where the line has
        none or null.

    Raises:
        RecordError: the line is not a record.

    Thread-safety: may be called from many threads at once.
    """
    cdef Py_buffer view
    cdef Tail copy
    cdef Record record
    cdef Fault fault
    memset(&copy, 0, sizeof(Tail))
    PyObject_GetBuffer(line, &view, PyBUF_SIMPLE)
    try:
        tail_append(&copy, <bytes_ptr>view.buf, view.len)
        if copy.size == 0 or copy.start[copy.size - 1] != LF:
            tail_append(&copy, b"\n", 1)
        if parse_line(copy.start, copy.start + copy.size - 1, copy.start + copy.size + PADDING,
                      current_path, &record, &fault) != NO_FAULT:
            raise record_error(fault.reason, 1, fault.place - copy.start)
        # Both strings are checked, and unescaping never makes them longer.
        return {"id": text_of(record.id), "data": text_of(record.data)}
    finally:
        PyMem_RawFree(copy.start)
        PyBuffer_Release(&view)


cdef str text_of(Span span):
    cdef unsigned char *text = <unsigned char *>PyMem_RawMalloc(span.size + 1)
    if text == NULL:
        raise MemoryError()
    try:
        return PyUnicode_DecodeUTF8(<char *>text, unescape(text, span.start, span.size), NULL)
    finally:
        PyMem_RawFree(text)


cdef text_member(object record, str name, int reason):
    value = record.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise record_error(reason, 1, 0)
    return value


def process_record(record, /):
    """Process one record as the compiled path does.

    Args:
        record: a mapping; ``id`` and ``data`` are strings, None or absent.

    Returns:
        A dict with the members ``id``, ``result`` and ``status``.

    Raises:
        RecordError: ``id`` or ``data`` is something else.
        TypeError: `record` is no mapping.

    Thread-safety: may be called from many threads at once.
    """
    if not isinstance(record, Mapping):
        raise TypeError(f"a record must be a mapping, not {type(record).__name__}")
    return {
        "id": text_member(record, "id", WRONG_ID),
        "result": "processed_" + text_member(record, "data", WRONG_DATA),
        "status": "success",
    }
