# Declarations for the fast path.

from forstcore._proc cimport RecordStream

cdef enum:
    # Bytes of results after which processing pauses until they are sent. The results of one read
    # of ordinary records fit, and take about a millisecond at worst.
    PART = 1 << 18

cdef enum State:
    SIZE                        # a chunk size, or more of its digits
    EXTENSION                   # the start of a chunk extension's name
    EXTENSION_NAME              # within the name
    EXTENSION_VALUE             # the start of its value
    EXTENSION_TOKEN             # within an unquoted value
    EXTENSION_QUOTED            # within a quoted value
    EXTENSION_PAIR              # after a backslash in a quoted value
    EXTENSION_END               # after the closing quote
    SIZE_LF                     # the LF after a chunk size
    DATA                        # the data of a chunk
    DATA_CR                     # the CR after the data
    DATA_LF                     # the LF after that
    TRAILER_START               # a trailer field, or the CR of the last line
    TRAILER_NAME
    TRAILER_VALUE
    TRAILER_LF
    LAST_LF
    FINISHED


cdef class ChunkedDecoder:
    cdef State state
    cdef unsigned long long left    # bytes left of the chunk (or its size while parsing it)
    cdef int count                  # digits of the size, or bytes of extensions or trailers
    cdef int named                  # length of the trailer field's name
    cdef unsigned char name[17]     # its first bytes, in lower case
    cdef readonly long long chunks
    cdef readonly long long received
    cdef readonly Py_ssize_t start
    cdef readonly Py_ssize_t rest

    cdef Py_ssize_t bring_together(self, unsigned char *start, Py_ssize_t size) except -1
    cdef Py_ssize_t move(self, unsigned char *start, Py_ssize_t size) noexcept
    cdef bint extension(self, unsigned char c) noexcept
    cdef bint trailer(self, unsigned char c) noexcept
    cdef bint name_byte(self, unsigned char c) noexcept
    cdef str place(self)


cdef bytes chunk_of_results(
    RecordStream stream, const unsigned char *start, Py_ssize_t size, object frames)
