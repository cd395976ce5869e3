# Checks of arguments and of the state of objects, which the classes of the core share.

from forstcore._core.run cimport EMIT, FAIL, SKIP

from forstcore.errors import StreamStateError


cdef Py_ssize_t checked_line_size(object size) except -1:
    if not isinstance(size, int) or not 1 <= size <= LINE_LIMIT_HIGHEST:
        raise ValueError(
            f"max_line_size must be a number of bytes from 1 to {LINE_LIMIT_HIGHEST}, "
            f"not {size!r}")
    return size


cdef long long checked_first_line(object number) except -1:
    if not isinstance(number, int) or not 1 <= number <= 1 << 62:
        raise ValueError(f"first_line must be a number from 1 to 2**62, not {number!r}")
    return number


cdef Py_ssize_t checked_growth(object growth) except -1:
    """Return the growth as output bytes per 256 input bytes."""
    if not isinstance(growth, (int, float)) or not 1 <= growth <= 64:
        raise ValueError(f"growth must be a number from 1 to 64, not {growth!r}")
    return <Py_ssize_t>(<double>growth * 256)


cdef int checked_on_error(object mode) except -1:
    if mode == "skip":
        return SKIP
    if mode == "emit":
        return EMIT
    if mode == "fail":
        return FAIL
    raise ValueError(f"on_error must be 'skip', 'emit' or 'fail', not {mode!r}")


cdef int check_initialized(bint has_been) except -1:
    """Raise StreamStateError if `__init__` has not run: limits would be missing."""
    if not has_been:
        raise StreamStateError("the object was made without a call of __init__")
    return 0


cdef int check_first_init(bint has_been) except -1:
    """Raise StreamStateError if `__init__` has run: another thread may be in a call."""
    if has_been:
        raise StreamStateError("__init__ has been called on this object: make another one")
    return 0


cdef int raise_busy() except -1:
    raise StreamStateError("another thread is in a call on this object")


cdef int raise_finished() except -1:
    raise StreamStateError("the stream is finished")
