# The C interface for native processors written in Cython: `cimport forstcore.native`, with
# forstcore.get_include() among the include directories.

from libc.stdint cimport int64_t, uint64_t

cdef extern from "forstcore.h" nogil:
    enum:
        FST_ABI
        FST_MEMBERS
        FST_MESSAGE
        FST_OK
        FST_FAILED
    const char *FST_CAPSULE

    enum fst_kind:
        FST_ABSENT
        FST_NULL
        FST_FALSE
        FST_TRUE
        FST_NUMBER
        FST_STRING
        FST_ARRAY
        FST_OBJECT

    ctypedef struct fst_span:
        const char *start
        Py_ssize_t size

    ctypedef struct fst_value:
        fst_span text
        fst_kind kind
        int plain

    ctypedef struct fst_member:
        fst_span name
        fst_value value
        int plain

    ctypedef struct fst_record

    ctypedef struct fst_path:
        const char *text
        uint64_t shape
        int place

    ctypedef struct fst_items:
        const fst_record *record
        const char *at
        int named

    ctypedef struct fst_output

    ctypedef struct fst_calls:
        int (*find)(const fst_record *, const char *, Py_ssize_t, fst_value *) noexcept nogil
        Py_ssize_t (*unescape)(char *, const char *, Py_ssize_t) noexcept nogil
        void (*put_canonical)(const fst_record *, fst_output *, const fst_value *) noexcept nogil
        void (*find_path)(const fst_record *, fst_path *, fst_value *) noexcept nogil
        void (*get)(
            const fst_record *, const fst_value *, const char *, Py_ssize_t,
            fst_value *) noexcept nogil
        bint (*next)(fst_items *, fst_member *) noexcept nogil
        bint (*unescapes_to)(const fst_span *, const char *, Py_ssize_t) noexcept nogil

    ctypedef struct fst_record:
        fst_span text
        int64_t line
        const fst_member *members
        int count
        int more
        const fst_calls *calls
        uint64_t shape
        const fst_value *values

    ctypedef struct fst_output:
        char *at
        char *end
        char *line
        char *first
        int64_t results
        int (*grow)(fst_output *, Py_ssize_t) noexcept nogil
        void *owner
        int failed
        char message[FST_MESSAGE]

    ctypedef struct fst_processor:
        int abi
        size_t size
        const char *name
        void *(*create)() noexcept nogil
        void (*destroy)(void *) noexcept nogil
        int (*process)(void *, const fst_record *, fst_output *) noexcept nogil

    fst_value fst_find(const fst_record *record, const char *name, Py_ssize_t size)
    fst_path fst_path_of(const char *text)
    fst_value fst_find_path(const fst_record *record, fst_path *path)
    fst_value fst_find_at(const fst_record *record, const char *text)
    fst_value fst_root(const fst_record *record)
    fst_value fst_get(
        const fst_record *record, fst_value object, const char *name, Py_ssize_t size)
    fst_value fst_element(const fst_record *record, fst_value array, Py_ssize_t index)
    fst_items fst_iterate(const fst_record *record, fst_value value)
    bint fst_next(fst_items *items, fst_member *item)
    fst_value fst_name(const fst_member *member)
    bint fst_is(const fst_record *record, fst_value value, const char *text)
    bint fst_is_escaped(fst_value value)
    Py_ssize_t fst_text(const fst_record *record, fst_value value, char *to)
    bint fst_integer(fst_value value, int64_t *to)
    bint fst_number(fst_value value, double *to)

    # Numbers apart from records: see forstcore_numbers.h.
    enum:
        FST_INTEGER_ROOM
        FST_NUMBER_ROOM
    bint fst_read_integer(const char *text, Py_ssize_t size, int64_t *to)
    double fst_read_number(const char *text, Py_ssize_t size)
    char *fst_write_integer(char *to, int64_t number)
    char *fst_write_number(char *to, double number)
    char *fst_write_normalized(char *to, const char *text, Py_ssize_t size)

    bint fst_room(fst_output *out, Py_ssize_t size)
    void fst_put(fst_output *out, const char *bytes, Py_ssize_t size)
    void fst_put_raw(fst_output *out, fst_value value)
    void fst_put_value(fst_output *out, fst_value value)
    void fst_put_escaped(fst_output *out, const char *text, Py_ssize_t size)
    void fst_put_string(fst_output *out, const char *text, Py_ssize_t size)
    void fst_put_integer(fst_output *out, int64_t number)
    void fst_put_number(fst_output *out, double number)
    void fst_put_canonical(const fst_record *record, fst_output *out, fst_value value)
    void fst_end(fst_output *out)
    int fst_fail(fst_output *out, const char *message)
