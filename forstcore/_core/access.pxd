# Access to the values of a record, nested ones included, for native processors.

from forstcore.native cimport fst_items, fst_member, fst_path, fst_record, fst_span, fst_value


cdef int find(
    const fst_record *record, const char *name, Py_ssize_t size,
    fst_value *value) noexcept nogil
cdef void find_path(const fst_record *record, fst_path *path, fst_value *value) noexcept nogil
cdef void get(
    const fst_record *record, const fst_value *object, const char *name, Py_ssize_t size,
    fst_value *value) noexcept nogil
cdef bint next_item(fst_items *items, fst_member *item) noexcept nogil
cdef bint is_text(const fst_span *string, const char *text, Py_ssize_t size) noexcept nogil
