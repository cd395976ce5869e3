# Filters on records, in the form that the compiled loop evaluates.

from libc.stdint cimport int64_t, uint64_t

from forstcore._core.json cimport bytes_ptr
from forstcore.native cimport fst_record, fst_span, fst_value


cdef enum:
    MOST_LEVELS = 16         # of a path; a limit, as filters may come from untrusted clients


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
    fst_span text            # a string constant, unescaped
    double number            # the double nearest to a number
    int rest                 # -1, 0 or 1: how the constant compares with that double
    int64_t integer
    bint whole               # whether the number is an integer that `integer` holds
    fst_span digits          # of an integer beyond 64 bits; empty for others
    bint negative            # the sign of `digits`


# The condition on the value at one path.
cdef struct Condition:
    const Test *tests
    int count
    bint any                 # one of the tests has to hold, not all; sorted for a binary search
    bint needed              # whether it fails if there is no value
    const fst_span *text     # the string that the value has to be; NULL if it is not that simple


# A name in the paths of the filter. The root stands for the record.
cdef struct Node:
    fst_span name
    int first                # number of its first child
    int count                # children: they are consecutive, and sorted by name
    uint64_t sizes           # bit N: a child's name has N bytes, modulo 64
    const Condition *condition  # on the member's value, NULL for none


cdef struct Program:
    const Node *nodes        # the root first
    int count
    int needed               # conditions that fail without a value


# The state of a node during the evaluation of one record; zeros between records.
cdef struct Visit:
    int next                 # the sibling that was found before it, 0 for none
    int first                # its child that was found last, 0 for none
    signed char found        # whether the record has such a member
    signed char counted      # 1: its condition is met; -1: it is not; 0: not counted


cdef bint is_wanted(
    const Program *program, Visit *visits, const fst_record *record, bytes_ptr limit,
    int path) noexcept nogil
cdef bint meets_condition(const Condition *condition, const fst_value *value) noexcept nogil
cdef int child_named(
    const Program *program, int parent, const char *name, Py_ssize_t size) noexcept nogil


cdef tuple rank_of(tuple test)


cdef class ConditionTree:
    cdef Program program
    cdef Condition *conditions
    cdef Test *tests
    cdef Node *nodes
    cdef list kept           # the bytes that the spans are in

    cdef int compile(self, dict root, int conditions, int tests, int nodes) except -1
    cdef int set_condition(
        self, Condition *condition, Test *test, list tests, bint any_of) except -1
    cdef fst_span keep(self, bytes text)
    cdef int set_constant(self, Test *test, object constant) except -1


cdef class Filter(ConditionTree):
    cdef readonly object source
    cdef readonly int size
    cdef dict tree           # names to their tests and the names below them, as compiled
