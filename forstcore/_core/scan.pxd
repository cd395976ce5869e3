# The vector scan; see scan.h and scan_strings.h.

cdef extern from "scan.h" nogil:
    enum:
        FST_PORTABLE
        FST_BASE
        FST_AVX2
        FST_AVX512
    const char *FST_BASE_NAME
    int fst_best_path() noexcept
    int fst_hex4(const unsigned char *) noexcept
    const unsigned char *fst_copy_plain(
        unsigned char *, const unsigned char *, const unsigned char *, int) noexcept
    const unsigned char *fst_next_lf(
        const unsigned char *, const unsigned char *, int) noexcept
    const unsigned char *fst_last_lf(const unsigned char *, const unsigned char *) noexcept

    ctypedef struct fst_window:
        const unsigned char *start
        const unsigned char *end
    void fst_fill_window(
        fst_window *, const unsigned char *, const unsigned char *, int) noexcept
    const unsigned char *fst_next_stop(const fst_window *, const unsigned char *) noexcept

    enum:
        FST_SLACK
    ctypedef struct fst_sample:
        const unsigned char *start
        Py_ssize_t size
    fst_sample fst_sample_of(const unsigned char *, Py_ssize_t, int) noexcept
    bint fst_is_same(const unsigned char *, const fst_sample *) noexcept

    Py_ssize_t fst_count_lf(const unsigned char *, const unsigned char *) noexcept

cdef extern from "scan_strings.h" nogil:
    const unsigned char *fst_copy_string(
        unsigned char *, const unsigned char *, const unsigned char *, int) noexcept
