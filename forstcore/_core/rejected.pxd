# Rejected lines: recorded as bytes by the core, made Python objects on iteration.

from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.string cimport memcpy


cdef enum:
    LEAST_ROOM = 1024        # bytes allocated for the first line of a call
    NOTE_ALIGNMENT = 8       # bytes


# The record of one line. In memory it is followed by the texts whose pointers are NULL, by the
# bytes of the line, and by as many others as the alignment of the next record needs.
cdef struct Note:
    long long line           # number of the line in the input
    const char *code         # a static text, or NULL
    const char *message
    int place                # number of the error line in the output, 0 if it has none
    int offset               # bytes from the start of the line
    int size                 # bytes of the line
    unsigned short code_size
    unsigned short message_size


cdef struct Notes:
    unsigned char *start
    Py_ssize_t size          # bytes used
    Py_ssize_t room          # bytes allocated
    Py_ssize_t count         # lines recorded
    Py_ssize_t expected      # bytes that the last call used, for the first allocation of the next
    bint failed              # out of memory: lines are missing


cdef inline unsigned char *room_for(Notes *notes, Py_ssize_t size) noexcept nogil:
    """Return where `size` more bytes may be written, or NULL if there is no memory."""
    cdef Py_ssize_t room = notes.size + size
    cdef void *grown
    if notes.failed:
        return NULL
    if room > notes.room:
        room = max(room, 2 * notes.room, notes.expected, <Py_ssize_t>LEAST_ROOM)
        grown = PyMem_RawRealloc(notes.start, room)
        if grown == NULL:
            notes.failed = True
            return NULL
        notes.start = <unsigned char *>grown
        notes.room = room
    return notes.start + notes.size


cdef inline Note *add_note(Notes *notes, Py_ssize_t size) noexcept nogil:
    """Return a new note with room for `size` bytes after it, or NULL if there is no memory.

    Once it has been written, `end_note` counts it.
    """
    return <Note *>room_for(notes, <Py_ssize_t>sizeof(Note) + size + NOTE_ALIGNMENT)


cdef inline unsigned char *texts_of(const Note *note) noexcept nogil:
    """Return where the texts and the line of a note are."""
    return <unsigned char *>note + sizeof(Note)


cdef inline Py_ssize_t note_size(const Note *note) noexcept nogil:
    """Return the bytes from the start of a note to the start of the next one."""
    cdef Py_ssize_t size = <Py_ssize_t>sizeof(Note) + note.size
    if note.code == NULL:
        size += note.code_size
    if note.message == NULL:
        size += note.message_size
    return (size + NOTE_ALIGNMENT - 1) & -NOTE_ALIGNMENT


cdef inline void end_note(Notes *notes, const Note *note) noexcept nogil:
    notes.size += note_size(note)
    notes.count += 1


cdef inline Note *note_at(const Notes *notes, Py_ssize_t at) noexcept nogil:
    """Return the note that starts after `at` bytes."""
    return <Note *>(notes.start + at)


cdef inline unsigned char *append(
        unsigned char *to, const void *start, Py_ssize_t size) noexcept nogil:
    if size > 0:
        memcpy(to, start, size)
    return to + size


cdef inline void drop_notes(Notes *notes) noexcept nogil:
    notes.failed = False
    if notes.start != NULL:     # in most calls of a stream there are none
        PyMem_RawFree(notes.start)
        notes.start = NULL
        notes.size = notes.room = notes.count = 0


cdef class RejectedLines:
    cdef Notes notes

    cdef int take_over(self, Notes *notes) except -1
