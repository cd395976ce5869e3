# Rejected lines, separate from the results: what was wrong, where, and the bytes of each line.
#
# The core records them without the GIL, in one growing piece of memory: 40 bytes and the line
# itself. Iteration makes Python objects of them.

from typing import NamedTuple

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memset

cdef enum:
    TEXT_LIMIT = 65535


class RejectedLine(NamedTuple):
    """A line that gave an error.

    Attributes:
        line: its number in the input, counted from 1.
        offset: the byte in the line where the error is, counted from 0.
        code: what kind of error; see `RecordError`.
        message: the reason, human-readable.
        raw: the line without its LF; the first bytes of a line that is too long.
    """

    line: int
    offset: int
    code: str
    message: str
    raw: bytes


# Looked up once, not for each line.
cdef object make_line = RejectedLine._make


cdef class RejectedLines:
    """The lines that a call rejected, in the order of the input; iterate over them.

    They are stored as bytes; each becomes a `RejectedLine` on iteration.

    Attributes:
        size: bytes of memory that they use.
        places: the numbers of their error lines in the output of that call, counted from 1;
            lines without one are left out.

    Thread-safety: what a `RecordStream` or an `Engine` returns no longer changes and may be
    read from many threads at once.
    """

    def __dealloc__(self):
        drop_notes(&self.notes)

    def __len__(self):
        return self.notes.count

    def __iter__(self):
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t end = self.notes.size
        cdef Note note
        while at < end:
            memcpy(&note, self.notes.start + at, sizeof(Note))
            at += sizeof(Note)
            code = self.text(at, note.code, note.code_size)
            if note.code == NULL:
                at += note.code_size
            message = self.text(at, note.message, note.message_size)
            if note.message == NULL:
                at += note.message_size
            raw = self.text(at, NULL, note.size)
            at += note.size
            yield make_line((
                note.line, note.offset, code.decode(), message.decode("utf-8", "replace"), raw))

    @property
    def size(self):
        return self.notes.room

    @property
    def places(self):
        cdef list places = []
        cdef Py_ssize_t at = 0
        cdef Note note
        while at < self.notes.size:
            memcpy(&note, self.notes.start + at, sizeof(Note))
            if note.place:
                places.append(note.place)
            at += note_size(&note)
        return places

    def add(self, long long line, int offset, code, message, bytes raw not None, int place, /):
        """Add a line.

        Args:
            line, offset, code, message, raw: as of `RejectedLine`.
            place: the number of its error line in the output, 0 if it has none.
        """
        cdef bytes code_text = code.encode()
        cdef bytes message_text = message.encode("utf-8", "replace")[:TEXT_LIMIT]
        cdef Note note
        memset(&note, 0, sizeof(Note))
        note.line = line
        note.place = place
        note.offset = offset
        note.code_size = <unsigned short>len(code_text)
        note.message_size = <unsigned short>len(message_text)
        note.size = <int>len(raw)
        cdef unsigned char *to
        with cython.critical_section(self):
            to = room_for(&self.notes, note_size(&note))
            if to == NULL:
                raise MemoryError()
            to = append(to, &note, sizeof(Note))
            to = append(to, PyBytes_AS_STRING(code_text), note.code_size)
            to = append(to, PyBytes_AS_STRING(message_text), note.message_size)
            append(to, PyBytes_AS_STRING(raw), note.size)
            self.notes.size += note_size(&note)
            self.notes.count += 1

    def extend(self, RejectedLines others not None, int before, /):
        """Append the rejected lines of an output that is appended to this one's output.

        Args:
            others: the lines.
            before: number of lines in the output before theirs.
        """
        cdef Note note
        cdef Py_ssize_t at = self.notes.size
        cdef unsigned char *to = room_for(&self.notes, others.notes.size)
        if to == NULL:
            raise MemoryError()
        append(to, others.notes.start, others.notes.size)
        self.notes.size += others.notes.size
        self.notes.count += others.notes.count
        while before and at < self.notes.size:
            memcpy(&note, self.notes.start + at, sizeof(Note))
            if note.place:
                note.place += before
                memcpy(self.notes.start + at, &note, sizeof(Note))
            at += note_size(&note)

    cdef int take_over(self, Notes *notes) except -1:
        """Move the notes here."""
        self.notes = notes[0]
        notes.start = NULL
        notes.size = notes.room = notes.count = 0
        return 0

    cdef bytes text(self, Py_ssize_t at, const char *known, Py_ssize_t size):
        if known != NULL:
            return known[:size]
        return PyBytes_FromStringAndSize(<char *>self.notes.start + at, size)


cdef Py_ssize_t note_size(const Note *note) noexcept:
    """Return the bytes of a note with the texts and the line that follow it."""
    return (
        <Py_ssize_t>sizeof(Note) + note.size
        + (note.code_size if note.code == NULL else 0)
        + (note.message_size if note.message == NULL else 0)
    )
