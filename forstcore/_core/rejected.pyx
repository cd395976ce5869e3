# Rejected lines, separate from the results: what was wrong, where, and the bytes of each line.
#
# The core records them without the GIL, in one growing piece of memory: about 40 bytes and the line
# itself. Iteration makes Python objects of them.

from typing import NamedTuple

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from forstcore.native cimport FST_INTEGER_ROOM, fst_write_integer

cdef enum:
    TEXT_LIMIT = 65535
    PLACE_SIZE = 11             # bytes of a place and the space after it, at most


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
cdef object make_line = tuple.__new__


cdef class RejectedLines:
    """The lines that a call rejected, in the order of the input; iterate over them.

    They are stored as bytes; each becomes a `RejectedLine` on iteration.

    Attributes:
        size: bytes of memory that they use.
        places: the numbers of their error lines in the output of that call, counted from 1;
            lines without one are left out.
        places_text: these numbers as text, separated by spaces.

    Thread-safety: what a `RecordStream` or an `Engine` returns no longer changes and may be
    read from many threads at once.
    """

    def __dealloc__(self):
        drop_notes(&self.notes)

    def __len__(self):
        return self.notes.count

    def __iter__(self):
        cdef const Note *note
        cdef Py_ssize_t at = 0
        cdef const char *last_code = NULL
        cdef const char *last_message = NULL
        cdef const char *text
        cdef str code = ""
        cdef str message = ""
        while at < self.notes.size:
            note = note_at(&self.notes, at)
            at += note_size(note)
            text = <const char *>texts_of(note)
            # Most texts are static and the same as those of the line before.
            if note.code == NULL:
                code = text[:note.code_size].decode()
                text += note.code_size
            elif note.code != last_code:
                code = note.code[:note.code_size].decode()
            last_code = note.code
            if note.message == NULL:
                message = text[:note.message_size].decode("utf-8", "replace")
                text += note.message_size
            elif note.message != last_message:
                message = note.message[:note.message_size].decode()
            last_message = note.message
            yield make_line(
                RejectedLine, (note.line, note.offset, code, message, text[:note.size]))

    @property
    def size(self):
        return self.notes.room

    @property
    def places(self):
        cdef list places = []
        cdef const Note *note
        cdef Py_ssize_t at = 0
        while at < self.notes.size:
            note = note_at(&self.notes, at)
            at += note_size(note)
            if note.place:
                places.append(note.place)
        return places

    @property
    def places_text(self):
        cdef const Note *note
        cdef Py_ssize_t at = 0
        cdef bytes text = PyBytes_FromStringAndSize(
            NULL, self.notes.count * PLACE_SIZE + FST_INTEGER_ROOM)
        cdef char *start = PyBytes_AS_STRING(text)
        cdef char *out = start
        while at < self.notes.size:
            note = note_at(&self.notes, at)
            at += note_size(note)
            if note.place:
                out = fst_write_integer(out, note.place)
                out[0] = c' '
                out += 1
        return text[:max(out - start - 1, 0)]

    def add(self, long long line, int offset, code, message, bytes raw not None, int place, /):
        """Add a line.

        Args:
            line, offset, code, message, raw: as of `RejectedLine`.
            place: the number of its error line in the output, 0 if it has none.
        """
        cdef bytes code_text = code.encode()
        cdef bytes message_text = message.encode("utf-8", "replace")[:TEXT_LIMIT]
        cdef Note *note
        with cython.critical_section(self):
            note = add_note(&self.notes, len(code_text) + len(message_text) + len(raw))
            if note == NULL:
                raise MemoryError()
            note.line = line
            note.code = note.message = NULL
            note.place = place
            note.offset = offset
            note.size = <int>len(raw)
            note.code_size = <unsigned short>len(code_text)
            note.message_size = <unsigned short>len(message_text)
            to = append(texts_of(note), PyBytes_AS_STRING(code_text), note.code_size)
            to = append(to, PyBytes_AS_STRING(message_text), note.message_size)
            append(to, PyBytes_AS_STRING(raw), note.size)
            end_note(&self.notes, note)

    def extend(self, RejectedLines others not None, int before, /):
        """Append the rejected lines of an output that is appended to this one's output.

        Args:
            others: the lines.
            before: number of lines in the output before theirs.
        """
        cdef Note *note
        cdef Py_ssize_t at = self.notes.size
        cdef unsigned char *to = room_for(&self.notes, others.notes.size)
        if to == NULL:
            raise MemoryError()
        append(to, others.notes.start, others.notes.size)
        self.notes.size += others.notes.size
        self.notes.count += others.notes.count
        while before and at < self.notes.size:
            note = note_at(&self.notes, at)
            at += note_size(note)
            if note.place:
                note.place += before

    cdef int take_over(self, Notes *notes) except -1:
        """Move the notes here, without memory that they do not use."""
        cdef void *shrunk = PyMem_RawRealloc(notes.start, notes.size)
        self.notes = notes[0]
        if shrunk != NULL:
            self.notes.start = <unsigned char *>shrunk
            self.notes.room = notes.size
        # 1/16 more than this call needed.
        notes.expected = notes.size + notes.size // 16
        self.notes.expected = 0
        notes.start = NULL
        notes.size = notes.room = notes.count = 0
        return 0
