# Checks of arguments and of the state of objects, which the classes of the core share.

cdef enum:
    LINE_LIMIT_DEFAULT = 1 << 20
    LINE_LIMIT_HIGHEST = 1 << 30

cdef Py_ssize_t checked_line_size(object size) except -1
cdef long long checked_first_line(object number) except -1
cdef Py_ssize_t checked_growth(object growth) except -1
cdef int checked_on_error(object mode) except -1
cdef int check_initialized(bint has_been) except -1
cdef int check_first_init(bint has_been) except -1
cdef int raise_busy() except -1
cdef int raise_finished() except -1
