# The vector scan; see scan.h, scan_strings.h and usual_lines.h.

cdef extern from "scan.h" nogil:
    enum:
        FST_PORTABLE
        FST_BASE
        FST_AVX2
        FST_AVX512
    const char *FST_BASE_NAME
    int fst_best_path() noexcept
    const unsigned char *fst_after_space(const unsigned char *) noexcept
    bint fst_is_plain(unsigned char) noexcept
    int fst_escape_kind(unsigned char) noexcept
    int fst_hex4(const unsigned char *) noexcept
    const unsigned char *fst_copy_plain(
        unsigned char *, const unsigned char *, const unsigned char *, int) noexcept
    const unsigned char *fst_next_lf(
        const unsigned char *, const unsigned char *, int) noexcept
    const unsigned char *fst_last_lf(const unsigned char *, const unsigned char *) noexcept

    Py_ssize_t fst_count_lf(const unsigned char *, const unsigned char *) noexcept

cdef extern from "scan_strings.h" nogil:
    enum:
        FST_PAST_COPY
    const unsigned char *fst_copy_string(
        unsigned char *, const unsigned char *, const unsigned char *, int) noexcept

cdef extern from "usual_lines.h" nogil:
    ctypedef struct fst_usual:
        const unsigned char *p
        unsigned char *out
        long long lines
    Py_ssize_t fst_usual_size(int) noexcept
    fst_usual fst_usual_lines(
        const unsigned char *, const unsigned char *, const unsigned char *, int, Py_ssize_t,
        unsigned char *, const unsigned char *) noexcept
