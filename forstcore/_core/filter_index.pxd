# Which of many filters let a record through, in one pass over it.

cimport cython
from libc.stdint cimport uint64_t

from forstcore._core.compare cimport Number
from forstcore._core.filter cimport Condition, ConditionTree
from forstcore._core.json cimport bytes_ptr
from forstcore._core.shapes cimport Shapes
from forstcore.native cimport fst_value


# A range of an array.
cdef struct Slice:
    int first
    int count


# The condition of one filter on a member, other than to equal a constant.
cdef struct OtherCondition:
    int filter
    const Condition *condition


# What the filters want of the member that a node stands for.
cdef struct MemberTests:
    Slice others             # of `FilterIndex.others`
    uint64_t record          # the last record that had this member


# One of the filters.
cdef struct FilterState:
    int needed               # conditions that fail without a value
    uint64_t record          # the last record that one of its conditions was evaluated for
    int met                  # of the conditions of that record that need a value
    bint failed              # whether one was not met by a value that exists
    int first_hit            # of the lines that it lets through; -1 for none yet
    int last_hit
    int hit_count
    int record_count         # of them that are records
    bint takes_all           # whether it gets all lines of the batch


# A line that a filter lets through.
cdef struct Hit:
    bytes_ptr start
    Py_ssize_t size          # with its LF
    Py_ssize_t line          # lines of the batch before it
    int next                 # -1 for none


@cython.final
cdef class FilterIndex(ConditionTree):
    cdef readonly Py_ssize_t lines
    cdef readonly Py_ssize_t records
    cdef list filters        # keeps their conditions
    cdef int count           # of filters
    cdef FilterState *states
    cdef MemberTests *members   # by node
    cdef OtherCondition *others
    cdef Slice *postings     # by constant: of `posted`
    cdef int *posted         # filters that want a constant
    cdef int *undemanding    # filters that need no member
    cdef int undemanding_count
    cdef int *touched        # filters of which a condition was evaluated for the record
    cdef int touched_count
    cdef int *chosen         # filters that let a line of the batch through
    cdef int chosen_count
    cdef Hit *hits
    cdef int hit_count
    cdef int hit_room
    cdef int most_hits       # of a filter, in a batch; beyond, it gets all lines
    cdef uint64_t record     # number of the current record
    cdef Py_ssize_t max_line_size
    cdef Shapes *shapes      # NULL until they are worth it
    cdef bint had_many_lines

    cdef int allocate(self, int nodes, int constants, int posted, int others) except -1
    cdef void begin_batch(self, Py_ssize_t lines) noexcept nogil
    cdef void begin_record(self) noexcept nogil
    cdef void count_node(self, Shapes *shapes, int node) noexcept nogil
    cdef bint read_batch(self, bytes_ptr start, bytes_ptr end) noexcept nogil
    cdef void count_member(self, int node, const fst_value *value) noexcept nogil
    cdef void touch(self, FilterState *state, int number) noexcept nogil
    cdef void count_others(
        self, Slice others, const fst_value *value, const Number *number) noexcept nogil
    cdef void count_marked(self, Shapes *shapes) noexcept nogil
    cdef bint count_parsed(self, bytes_ptr p, bytes_ptr limit, int path) noexcept nogil
    cdef bint choose(self, bytes_ptr p, bytes_ptr lf, Py_ssize_t line) noexcept nogil
    cdef bint choose_all(
        self, bytes_ptr p, bytes_ptr lf, Py_ssize_t line, bint is_record) noexcept nogil
    cdef bint add_hit(
        self, int number, bytes_ptr p, bytes_ptr lf, Py_ssize_t line,
        bint is_record) noexcept nogil
    cdef bytes lines_of(self, const FilterState *state)
