# Filters: which records of a stream are wanted.
#
# A filter is compiled from its JSON form into arrays of comparisons, which are evaluated on
# the members of a record as they came, without the GIL and without a Python object.

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from libc.string cimport memcmp

from forstcore._json cimport bytes_ptr, unescape
from forstcore._members cimport escape_size, find_member
from forstcore.native cimport (
    FST_ABSENT,
    FST_FALSE,
    FST_NULL,
    FST_NUMBER,
    FST_OBJECT,
    FST_STRING,
    FST_TRUE,
    fst_find,
    fst_integer,
    fst_number,
    fst_record,
    fst_span,
    fst_value,
)

from collections.abc import Mapping

from forstcore.errors import FilterError

cdef enum:
    MOST_TESTS = 1000           # of a filter in all: it may come from a stranger
    MOST_LEVELS = 16            # of a path

OPERATORS = {
    "gt": <int>GREATER,
    "gte": <int>GREATER_OR_EQUAL,
    "lt": <int>LESS,
    "lte": <int>LESS_OR_EQUAL,
    "ne": <int>NOT_EQUAL,
    "prefix": <int>PREFIX,
    "exists": <int>EXISTS,
}


# ---------------------------------------------------------------- evaluation

cdef int compare_text(const fst_value *value, const fst_span *text, bint prefix) noexcept nogil:
    """-1, 0 or 1 as the string is before, at or behind `text` in the order of code points.

    With `prefix`, 0 where it starts with `text`.
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


cdef bint is_ordered(int operator, int order) noexcept nogil:
    if operator == LESS:
        return order < 0
    if operator == LESS_OR_EQUAL:
        return order <= 0
    if operator == GREATER:
        return order > 0
    if operator == GREATER_OR_EQUAL:
        return order >= 0
    return order == 0


cdef int compare_mixed(int64_t integer, double number) noexcept nogil:
    """-1, 0 or 1 as the integer is less than, equal to or greater than the double."""
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


cdef bint is_as_tested(const Test *test, const fst_value *value) noexcept nogil:
    """Whether the comparison holds, NOT_EQUAL read as EQUAL."""
    cdef int64_t integer
    cdef double number
    if test.kind != <int>value.kind:
        return False
    if test.kind == FST_STRING:
        return is_ordered(
            test.operator, compare_text(value, &test.text, test.operator == PREFIX))
    if test.kind == FST_NUMBER:
        if fst_integer(value[0], &integer):
            if not test.whole:
                return is_ordered(test.operator, compare_mixed(integer, test.number))
            return is_ordered(test.operator, (integer > test.integer) - (integer < test.integer))
        if not fst_number(value[0], &number):
            return False            # it is one, so this cannot be
        if test.whole:
            return is_ordered(test.operator, -compare_mixed(test.integer, number))
        return is_ordered(test.operator, (number > test.number) - (number < test.number))
    return True


cdef bint is_met(const Test *test, const fst_value *value) noexcept nogil:
    if test.operator == EXISTS:
        return (value.kind != FST_ABSENT) == (test.kind == FST_TRUE)
    if test.operator == NOT_EQUAL:
        return not is_as_tested(test, value)
    return is_as_tested(test, value)


cdef fst_value value_at(
        const Condition *condition, const fst_record *record, bytes_ptr limit,
        int path) noexcept nogil:
    cdef fst_record inner
    cdef fst_value value = fst_find(record, condition.names[0].start, condition.names[0].size)
    cdef int level
    for level in range(1, condition.levels):
        if value.kind != FST_OBJECT:
            value.kind = FST_ABSENT
            break
        inner.text = value.text
        find_member(
            &inner, condition.names[level].start, condition.names[level].size, &value, limit,
            path)
    return value


cdef bint is_wanted(
        const Program *program, const fst_record *record, bytes_ptr limit,
        int path) noexcept nogil:
    cdef const Condition *condition
    cdef fst_value value
    cdef int i, j
    cdef bint met
    for i in range(program.count):
        condition = &program.conditions[i]
        value = value_at(condition, record, limit, path)
        met = not condition.any
        for j in range(condition.count):
            if is_met(&condition.tests[j], &value) == condition.any:
                met = condition.any
                break
        if not met:
            return False
    return True


# ---------------------------------------------------------------- compilation

cdef str kind_name(object value):
    return "null" if value is None else type(value).__name__


def _tests_of(object wanted, str place):
    """Return the tests that a member's value stands for, and whether one is enough."""
    if isinstance(wanted, Mapping):
        if not wanted:
            raise FilterError(place, f"needs one of {', '.join(OPERATORS)}")
        tests = []
        for name, constant in wanted.items():
            if name not in OPERATORS:
                raise FilterError(
                    f"{place}.{name}", f"is no operator; there are {', '.join(OPERATORS)}")
            here = f"{place}.{name}"
            if name == "exists":
                if not isinstance(constant, bool):
                    raise FilterError(here, f"must be true or false, not {kind_name(constant)}")
            elif name == "prefix":
                if not isinstance(constant, str):
                    raise FilterError(here, f"must be a string, not {kind_name(constant)}")
            elif name != "ne" and (
                    isinstance(constant, bool) or not isinstance(constant, str | int | float)):
                raise FilterError(
                    here, f"must be a number or a string, not {kind_name(constant)}")
            tests.append((OPERATORS[name], _constant(constant, here)))
        return tests, False
    if isinstance(wanted, list | tuple):
        if not wanted:
            raise FilterError(place, "an empty list can never hold")
        return [
            (<int>EQUAL, _constant(constant, f"{place}[{number}]"))
            for number, constant in enumerate(wanted)
        ], True
    return [(<int>EQUAL, _constant(wanted, place))], False


def _constant(object value, str place):
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    raise FilterError(
        place, f"must be a string, a finite number, true, false or null, not {kind_name(value)}")


cdef class Filter:
    """Select the records for which every member named has the value wanted.

    Args:
        wanted: a mapping from member names to what they must be: a string, number, bool or
            None to be equal to; a list to be equal to one of; or a mapping with one or more
            of ``gt``, ``gte``, ``lt``, ``lte`` (number or string), ``ne`` (also holds where
            the member is absent), ``prefix`` (string) and ``exists`` (bool). A dot in a name
            leads into an object: ``"place.room"``.

    Attributes:
        source: `wanted`, as it was given.

    Values of another kind than the constant are not equal to it, and neither before nor
    behind it. Strings are compared by code points, numbers by value: whole ones of 64 bits
    exactly, others as the nearest double. Of members with one name the last counts.

    Raises:
        FilterError: `wanted` is not like that; the error names the place.

    Thread-safety: immutable.
    """

    def __init__(self, wanted, /):
        cdef list conditions = []
        cdef int total = 0
        if not isinstance(wanted, Mapping):
            raise FilterError("filters", f"must be an object, not {kind_name(wanted)}")
        if self.kept is not None:
            return
        for name, value in wanted.items():
            if not isinstance(name, str):
                raise FilterError("filters", f"has a name that is no string: {name!r}")
            names = name.split(".")
            place = f"filters.{name}"
            if len(names) > MOST_LEVELS:
                raise FilterError(place, f"goes deeper than {MOST_LEVELS} levels")
            tests, any_of = _tests_of(value, place)
            total += len(tests)
            if total > MOST_TESTS:
                raise FilterError("filters", f"has more than {MOST_TESTS} comparisons")
            conditions.append((names, tests, any_of))
        self.source = wanted
        self.kept = []
        self.compile(conditions)

    def __dealloc__(self):
        PyMem_RawFree(self.conditions)
        PyMem_RawFree(self.tests)
        PyMem_RawFree(self.names)

    def __repr__(self):
        return f"Filter({self.source!r})"

    cdef int compile(self, list conditions) except -1:
        cdef Condition *condition
        cdef Test *test
        cdef fst_span *name
        self.conditions = <Condition *>PyMem_RawCalloc(len(conditions) + 1, sizeof(Condition))
        self.tests = <Test *>PyMem_RawCalloc(
            sum([len(tests) for _, tests, _ in conditions]) + 1, sizeof(Test))
        self.names = <fst_span *>PyMem_RawCalloc(
            sum([len(names) for names, _, _ in conditions]) + 1, sizeof(fst_span))
        if self.conditions == NULL or self.tests == NULL or self.names == NULL:
            raise MemoryError()
        self.program.conditions = self.conditions
        test = self.tests
        name = self.names
        for names, tests, any_of in conditions:
            condition = &self.conditions[self.program.count]
            self.program.count += 1
            condition.names = name
            condition.levels = len(names)
            condition.tests = test
            condition.count = len(tests)
            condition.any = any_of
            for text in names:
                name[0] = self.keep(text)
                name += 1
            for operator, constant in tests:
                test.operator = operator
                self.set_constant(test, constant)
                test += 1
        return 0

    cdef fst_span keep(self, str text):
        cdef fst_span span
        # What is no UTF-8 can never be equal to what came from the wire.
        cdef bytes encoded = text.encode(errors="surrogatepass")
        self.kept.append(encoded)
        span.start = PyBytes_AS_STRING(encoded)
        span.size = len(encoded)
        return span

    cdef int set_constant(self, Test *test, object constant) except -1:
        if constant is None:
            test.kind = FST_NULL
        elif isinstance(constant, bool):
            test.kind = FST_TRUE if constant else FST_FALSE
        elif isinstance(constant, str):
            test.kind = FST_STRING
            test.text = self.keep(constant)
        else:
            test.kind = FST_NUMBER
            test.whole = isinstance(constant, int) and -(1 << 63) <= constant < 1 << 63
            if test.whole:
                test.integer = constant
            try:
                test.number = constant
            except OverflowError:
                test.number = float("inf") if constant > 0 else float("-inf")
        return 0
