# Comparison of a record's value with the constants of a filter: strings by code points, numbers
# by value.
#
# Integers are exact, however long they are. Numbers with a fraction or an exponent are compared
# as the nearest double, as by every JSON parser that has doubles.
#
# Inline for the reason that json.pxd gives.

from libc.stdint cimport int64_t
from libc.string cimport memcmp

from forstcore._core.filter cimport (
    EQUAL,
    EXISTS,
    GREATER,
    GREATER_OR_EQUAL,
    LESS,
    LESS_OR_EQUAL,
    NOT_EQUAL,
    PREFIX,
    Condition,
    Test,
)
from forstcore._core.json cimport bytes_ptr, is_digit, unescape
from forstcore._core.members cimport escape_size
from forstcore.native cimport (
    FST_NUMBER,
    FST_STRING,
    FST_TRUE,
    fst_integer,
    fst_number,
    fst_span,
    fst_value,
)


cdef inline int sign_of(int64_t number) noexcept nogil:
    return (number > 0) - (number < 0)


cdef inline int compare_text(
        const fst_value *value, const fst_span *text, bint prefix) noexcept nogil:
    """Return -1, 0 or 1 as the string sorts before, equals or sorts after `text`.

    With `prefix`, return 0 if it starts with `text`.
    """
    cdef unsigned char buffer[8]
    cdef bytes_ptr p = <bytes_ptr>value.text.start
    cdef bytes_ptr end = p + value.text.size
    cdef bytes_ptr piece
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t size, i
    cdef int order
    if value.plain:
        size = min(value.text.size, text.size)
        order = memcmp(value.text.start, text.start, size)
        if order != 0:
            return -1 if order < 0 else 1
        if value.text.size < text.size:
            return -1
        return 0 if prefix or value.text.size == text.size else 1
    while p < end:
        size = escape_size(p)
        piece = p
        p += size
        if size > 1:
            size = unescape(buffer, piece, size)
            piece = buffer
        for i in range(size):
            if at == text.size:
                return 0 if prefix else 1
            if piece[i] != <unsigned char>text.start[at]:
                return -1 if piece[i] < <unsigned char>text.start[at] else 1
            at += 1
    return 0 if at == text.size else -1


cdef inline bint is_text(const fst_value *value, const fst_span *text) noexcept nogil:
    """Whether the string is `text`."""
    if value.plain:
        return value.text.size == text.size and memcmp(
            value.text.start, text.start, text.size) == 0
    return compare_text(value, text, False) == 0


# A number of a record, parsed once for all comparisons.
cdef struct Number:
    bint whole               # an integer that `integer` holds
    int64_t integer
    fst_span digits          # of an integer beyond 64 bits; empty for others
    bint negative            # the sign of `digits`
    double number            # any other number


cdef inline void read_number(Number *number, const fst_value *value) noexcept nogil:
    cdef Py_ssize_t i
    number.digits.size = 0
    number.whole = fst_integer(value[0], &number.integer)
    if number.whole:
        return
    number.negative = value.text.start[0] == c'-'
    for i in range(number.negative, value.text.size):
        if not is_digit(<unsigned char>value.text.start[i]):
            fst_number(value[0], &number.number)
            return
    number.digits.start = value.text.start + number.negative
    number.digits.size = value.text.size - number.negative


cdef inline int compare_mixed(int64_t integer, double number) noexcept nogil:
    """Return -1, 0 or 1 as the integer is less than, equal to or greater than the double."""
    cdef int64_t whole
    # The bounds are exact as doubles; an infinity is beyond one of them.
    if number >= 9223372036854775808.0:
        return -1
    if number < -9223372036854775808.0:
        return 1
    whole = <int64_t>number
    if integer != whole:
        return -1 if integer < whole else 1
    return (<double>whole > number) - (<double>whole < number)


cdef inline int compare_digits(const Number *number, const Test *test) noexcept nogil:
    """As `compare_number`, for an integer beyond 64 bits."""
    cdef int order
    if test.digits.size == 0 or number.negative != test.negative:
        # The constant is closer to zero, has the other sign, or is infinite as a double.
        if test.number - test.number != 0:
            return -1 if test.number > 0 else 1
        return -1 if number.negative else 1
    if number.digits.size != test.digits.size:
        order = -1 if number.digits.size < test.digits.size else 1
    else:
        order = memcmp(number.digits.start, test.digits.start, test.digits.size)
    return sign_of(-order if number.negative else order)


cdef inline int compare_number(const Number *number, const Test *test) noexcept nogil:
    """Return -1, 0 or 1 as the number is less than, equal to or greater than the constant."""
    cdef int order
    if number.digits.size > 0:
        return compare_digits(number, test)
    if not number.whole:
        order = (number.number > test.number) - (number.number < test.number)
    elif test.whole:
        return (number.integer > test.integer) - (number.integer < test.integer)
    else:
        order = compare_mixed(number.integer, test.number)
    return order if order != 0 else -test.rest


# ---------------------------------------------------------------- conditions

cdef inline bint is_ordered(int operator, int order) noexcept nogil:
    if operator == LESS:
        return order < 0
    if operator == LESS_OR_EQUAL:
        return order <= 0
    if operator == GREATER:
        return order > 0
    if operator == GREATER_OR_EQUAL:
        return order >= 0
    return order == 0


cdef inline bint is_met(
        const Test *test, const fst_value *value, const Number *number) noexcept nogil:
    """Whether a value passes a test; `number` is the value as a number, NULL if it is none."""
    cdef int order
    cdef inline bint holds
    if test.operator == EXISTS:
        return test.kind == FST_TRUE
    holds = test.kind == <int>value.kind
    if holds and test.kind == FST_STRING:
        if test.operator == EQUAL or test.operator == NOT_EQUAL:
            holds = is_text(value, &test.text)
        else:
            order = compare_text(value, &test.text, test.operator == PREFIX)
            holds = is_ordered(test.operator, order)
    elif holds and test.kind == FST_NUMBER:
        holds = is_ordered(test.operator, compare_number(number, test))
    return holds != (test.operator == NOT_EQUAL)


cdef inline int constant_of(
        const Condition *condition, const fst_value *value, const Number *number) noexcept nogil:
    """Return which of the sorted constants a value equals, by a binary search; -1 for none."""
    cdef const Test *test
    cdef int low = 0
    cdef int high = condition.count
    cdef int middle
    cdef int order
    while low < high:
        middle = (low + high) >> 1
        test = &condition.tests[middle]
        order = <int>value.kind - test.kind
        if order == 0 and test.kind == FST_STRING:
            order = compare_text(value, &test.text, False)
        elif order == 0 and test.kind == FST_NUMBER:
            order = compare_number(number, test)
        if order == 0:
            return middle
        if order < 0:
            high = middle
        else:
            low = middle + 1
    return -1


cdef inline bint is_fulfilled_by(
        const Condition *condition, const fst_value *value, const Number *number) noexcept nogil:
    """As `is_fulfilled`; `number` is the value as a number, NULL if it is none."""
    cdef int i
    if condition.any:
        return constant_of(condition, value, number) >= 0
    for i in range(condition.count):
        if not is_met(&condition.tests[i], value, number):
            return False
    return True


cdef inline bint is_fulfilled(const Condition *condition, const fst_value *value) noexcept nogil:
    cdef Number read
    cdef const Number *number = NULL
    if value.kind == FST_NUMBER:
        read_number(&read, value)
        number = &read
    return is_fulfilled_by(condition, value, number)
