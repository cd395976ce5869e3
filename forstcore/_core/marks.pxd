# Marks of the ends of strings and lines; see marks.h.

from libc.stdint cimport uint16_t

cdef extern from "marks.h" nogil:
    ctypedef struct fst_counts:
        int lines
    ctypedef struct fst_progress:
        const unsigned char *end
        fst_counts counts
    ctypedef struct fst_marks:
        const unsigned char *start
        fst_progress progress
        bint plain
        uint16_t *at
        uint16_t *ends
    void fst_restart_marks(fst_marks *, const unsigned char *) noexcept
    bint fst_mark_more(fst_marks *, const unsigned char *, int) noexcept
    void fst_move_marks(fst_marks *, const unsigned char *, int, int) noexcept
    bint fst_is_plain_text(
        const fst_marks *, const unsigned char *, Py_ssize_t) noexcept
    bint fst_are_plain_blocks(
        const fst_marks *, const unsigned char *, Py_ssize_t) noexcept
    int fst_utf8_size(const unsigned char *) noexcept
