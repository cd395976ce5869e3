# Selecting the lines of a batch for processors in Python: those that a filter lets through, and
# those that are no records, which give errors. A line that is left out costs no Python object.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawRealloc
from libc.string cimport memcpy

from forstcore._core.checks cimport check_initialized, checked_line_size
from forstcore._core.filter cimport Filter, Visit, is_wanted
from forstcore._core.json cimport BLANK, NO_FAULT, Fault, bytes_ptr
from forstcore._core.loop cimport read_record
from forstcore._core.native_processors cimport CALLS
from forstcore._core.reader cimport (
    MANY_BYTES,
    RecordReader,
    begin_marks,
    begin_records,
    end_records,
    go_on,
    read_line,
)
from forstcore._core.scan cimport fst_next_lf
from forstcore._core.scan_path cimport current_path
from forstcore._core.shapes cimport next_number
from forstcore._core.wanted cimport meets_filter

cdef enum:
    FIRST_ROOM = 64


cdef class SelectedLines:
    """The lines that a `LineSelector` has selected from a batch.

    Attributes:
        lines: the lines, each with its LF.
        count: their number.

    Thread-safety: immutable.
    """

    def __dealloc__(self):
        PyMem_RawFree(self.places)

    def line_of(self, Py_ssize_t index, /):
        """Return how many lines of the batch are before a selected line.

        Args:
            index: of the line; `count` for the end of the batch.

        Raises:
            IndexError: there is no such line.
        """
        return self.at(index).line

    def start_of(self, Py_ssize_t index, /):
        """Return how many bytes of the batch are before a selected line; see `line_of`."""
        return self.at(index).start

    def filtered_before(self, Py_ssize_t index, /):
        """Return how many records before a selected line were left out; see `line_of`."""
        return self.at(index).filtered

    cdef Place at(self, Py_ssize_t index) except *:
        if not 0 <= index <= self.count:
            raise IndexError(index)
        return self.places[index]

    cdef Py_ssize_t select(
            self, LineSelector selector, bytes_ptr start, bytes_ptr end, bint first,
            unsigned char *out) noexcept nogil:
        """Copy the selected lines of [start, end) to `out`; return their size, -1 for no memory.

        Args:
            first: whether the first line is the first of the input, which may begin with a mark.
        """
        cdef bytes_ptr p = start
        cdef bytes_ptr lf
        cdef bytes_ptr text
        cdef unsigned char *begin = out
        cdef RecordReader reader
        cdef Fault fault
        cdef Place place
        cdef bint marked
        cdef bint is_selected
        cdef bint failed = False
        cdef int reason
        cdef int path = current_path
        cdef void *grown
        cdef Visit *visits = <Visit *>PyMem_RawCalloc(selector.filter.program.count, sizeof(Visit))
        if visits == NULL:
            return -1
        place.line = place.filtered = 0
        begin_records(&reader, &CALLS, end, path)
        if end - start >= MANY_BYTES:
            begin_marks(&reader, p, selector.stream, &selector.filter.program, False)
        while True:
            if self.count == self.room:
                self.room = max(2 * self.room, FIRST_ROOM)
                grown = PyMem_RawRealloc(self.places, self.room * sizeof(Place))
                if grown == NULL:
                    failed = True
                    break
                self.places = <Place *>grown
            place.start = p - start
            self.places[self.count] = place
            if p == end:
                break
            reason = NO_FAULT
            lf = read_line(&reader, p, selector.max_line_size, &marked)
            if lf == NULL:
                lf = fst_next_lf(p, end, path)
            is_selected = True
            if marked:
                is_selected = meets_filter(reader.shapes)
            elif lf - p <= selector.max_line_size:
                text = p
                if first and p == start and lf - p >= 3 and (
                        p[0] == 0xEF and p[1] == 0xBB and p[2] == 0xBF):
                    text += 3
                reason = read_record(&reader, text, lf, &fault)
                if reason == NO_FAULT:
                    is_selected = is_wanted(
                        &selector.filter.program, visits, &reader.record, end, path)
            if reader.shapes != NULL:
                go_on(&reader)
            if not is_selected:
                place.filtered += 1
            elif reason != BLANK:
                memcpy(out, p, lf + 1 - p)
                out += lf + 1 - p
                self.count += 1
            place.line += 1
            p = lf + 1
        end_records(&reader, p)
        PyMem_RawFree(visits)
        return -1 if failed else out - begin


cdef class LineSelector:
    """Select the lines of a stream that a processor has to see.

    Args:
        filter: lets records through.
        max_line_size: longest line in bytes, its LF not counted. A longer one is selected, to be
            found too long.

    Raises:
        ValueError: `max_line_size` is out of its range.

    Thread-safety: may be used from many threads at once.
    """

    def __init__(self, Filter filter not None, /, *, max_line_size):
        check_initialized(filter.program.count)
        self.max_line_size = checked_line_size(max_line_size)
        self.filter = filter
        self.stream = next_number()

    def select(self, bytes lines not None, long long number, /):
        """Return the lines that the filter lets through, and those that are no records.

        Args:
            lines: whole lines, each with its LF.
            number: number of the first line, counted from 1.
        """
        cdef SelectedLines selected = SelectedLines.__new__(SelectedLines)
        cdef bytes out = PyBytes_FromStringAndSize(NULL, len(lines))
        cdef bytes_ptr start = <bytes_ptr>PyBytes_AS_STRING(lines)
        cdef bytes_ptr end = start + len(lines)
        cdef unsigned char *to = <unsigned char *>PyBytes_AS_STRING(out)
        cdef bint first = number == 1
        cdef Py_ssize_t size
        check_initialized(self.max_line_size)
        with nogil:
            size = selected.select(self, start, end, first, to)
        if size < 0:
            raise MemoryError()
        selected.lines = out if size == len(lines) else out[:size]
        return selected
