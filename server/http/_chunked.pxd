# What the fast path shares with the decoder.

from forstcore._proc cimport RecordStream

cdef enum:
    # Bytes of results behind which no further line is processed before these are on their way:
    # those of a read of ordinary records fit, and take about a millisecond at worst.
    PART = 1 << 18

cdef enum State:
    SIZE                        # a chunk size, or more of its digits
    EXTENSION                   # the extensions of a chunk: the start of a name,
    EXTENSION_NAME              # within one,
    EXTENSION_VALUE             # the start of a value,
    EXTENSION_TOKEN             # within one,
    EXTENSION_QUOTED            # within one in quotes,
    EXTENSION_PAIR              # behind a backslash there,
    EXTENSION_END               # behind its closing quote
    SIZE_LF                     # the LF behind a chunk size
    DATA                        # the data of a chunk
    DATA_CR                     # the CR LF behind it
    DATA_LF
    TRAILER_START               # a trailer field or the CR of the last line
    TRAILER_NAME
    TRAILER_VALUE
    TRAILER_LF
    LAST_LF
    FINISHED


cdef class ChunkedDecoder:
    cdef State state
    cdef unsigned long long left    # of the size, or of the data, of this chunk
    cdef int count                  # digits, or bytes of the extensions or the trailer
    cdef int named                  # bytes of the name of this trailer field,
    cdef unsigned char name[17]     # of which these are the first, in lower case
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
