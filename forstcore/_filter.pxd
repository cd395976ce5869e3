# Filters on records, as the compiled loop evaluates them.

from libc.stdint cimport int64_t

from forstcore._json cimport bytes_ptr
from forstcore.native cimport fst_record, fst_span


cdef enum Operator:
    EQUAL
    NOT_EQUAL
    LESS
    LESS_OR_EQUAL
    GREATER
    GREATER_OR_EQUAL
    PREFIX
    EXISTS


# One comparison with a constant.
cdef struct Test:
    int operator
    int kind                 # an fst_kind: what the constant is
    fst_span text            # of a string, unescaped
    double number
    int64_t integer
    bint whole               # whether the number is one that `integer` holds


# What the value at one path has to be.
cdef struct Condition:
    const fst_span *names    # the path, one name for each level
    int levels
    const Test *tests
    int count
    bint any                 # one of the tests has to hold, not all


cdef struct Program:
    const Condition *conditions
    int count                # all of them have to be met


cdef bint is_wanted(
    const Program *program, const fst_record *record, bytes_ptr limit, int path) noexcept nogil


cdef class Filter:
    cdef Program program
    cdef Condition *conditions
    cdef Test *tests
    cdef fst_span *names
    cdef list kept           # the bytes that the spans are in
    cdef readonly object source

    cdef int compile(self, list conditions) except -1
    cdef fst_span keep(self, str text)
    cdef int set_constant(self, Test *test, object constant) except -1
