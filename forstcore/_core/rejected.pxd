# Rejected lines: recorded as bytes by the core, made Python objects on iteration.

from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.string cimport memcpy


# The record of one line. In memory it is followed by the texts whose pointers are NULL, and by
# the bytes of the line.
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
    bint failed              # out of memory: lines are missing


cdef inline unsigned char *room_for(Notes *notes, Py_ssize_t size) noexcept nogil:
    """Return where `size` more bytes may be written, or NULL if there is no memory."""
    cdef Py_ssize_t room = notes.size + size
    cdef void *grown
    if notes.failed:
        return NULL
    if room > notes.room:
        room = max(room, 2 * notes.room)
        grown = PyMem_RawRealloc(notes.start, room)
        if grown == NULL:
            notes.failed = True
            return NULL
        notes.start = <unsigned char *>grown
        notes.room = room
    return notes.start + notes.size


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
    cdef bytes text(self, Py_ssize_t at, const char *known, Py_ssize_t size)
