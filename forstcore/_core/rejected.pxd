# Rejected lines, noted where they are found and read when somebody asks.

from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.string cimport memcpy


# What is noted of one line. Behind it in memory stand the texts whose pointers are NULL, and
# the bytes of the line.
cdef struct Note:
    long long line           # number of the line in the input
    const char *code         # a text that lives as long as the process, or NULL
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
    Py_ssize_t count         # lines noted
    bint failed              # there was no memory


cdef inline unsigned char *room_for(Notes *notes, Py_ssize_t size) noexcept nogil:
    """Where `size` more bytes may be written, or NULL where there is no memory."""
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
    PyMem_RawFree(notes.start)
    notes.start = NULL
    notes.size = notes.room = notes.count = 0
    notes.failed = False


cdef class RejectedLines:
    cdef Notes notes

    cdef int take_over(self, Notes *notes) except -1
    cdef bytes text(self, Py_ssize_t at, const char *known, Py_ssize_t size)
