# Filters: they select the records of a stream that are processed.
#
# A filter is compiled from its JSON form into a tree of the names in its paths, with the
# conditions at the nodes. A record is read once for all conditions, without the GIL and without a
# Python object: each of its names is looked up among the children of one node. The cost depends on
# the bytes of the records and hardly on the number of conditions: those on members that a record
# does not have are never evaluated, only counted.

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree

from forstcore._core.compare cimport is_fulfilled
from forstcore._core.json cimport Fault, bytes_ptr, skip_space, value_end
from forstcore._core.members cimport read_name, read_value
from forstcore._core.node_names cimport child_of
from forstcore.native cimport (
    FST_FALSE,
    FST_NULL,
    FST_NUMBER,
    FST_OBJECT,
    FST_STRING,
    FST_TRUE,
    fst_member,
    fst_record,
    fst_span,
    fst_value,
)

from collections.abc import Mapping

from forstcore.errors import FilterError, StreamStateError

cdef enum:
    # Limits, as a filter may come from an untrusted client.
    MOST_TESTS = 1000           # in all
    MOST_NAMES = 2000           # in all paths; the start that paths have in common counts once

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

# The evaluation of a filter on one record.
cdef struct Evaluation:
    const Node *nodes
    Visit *visits
    int met                  # conditions met, of those that need a value
    int failed               # conditions not met by a value that exists
    bytes_ptr limit          # end of readable memory
    int path                 # an FST_ path number


cdef int child_named(
        const Program *program, int parent, const char *name, Py_ssize_t size) noexcept nogil:
    """Return the node below `parent` for members with a name, which is unescaped; -1 for none."""
    cdef fst_member member
    cdef int child
    member.name.start = name
    member.name.size = size
    # Text that is not ASCII is compared like ASCII, and there are no escapes.
    member.plain = True
    child = child_of(program.nodes, parent, &member)
    return child if child else -1


cdef void forget_below(Evaluation *state, int number) noexcept nogil:
    """Undo the count of a node's condition, and the visits of all nodes below it.

    Recursive: one call for each level of a path, of which there are few.
    """
    cdef Visit *seen = &state.visits[number]
    cdef int child = seen.first
    state.met -= seen.counted > 0
    state.failed -= seen.counted < 0
    seen.counted = 0
    seen.first = 0
    while child:
        forget_below(state, child)
        state.visits[child].found = False
        child = state.visits[child].next


cdef bint meets_condition(const Condition *condition, const fst_value *value) noexcept nogil:
    """Whether a value meets a condition."""
    return is_fulfilled(condition, value)


cdef inline int count_condition(
        Evaluation *state, const Condition *condition, const fst_value *value) noexcept nogil:
    """Evaluate the condition on a member and count it; return 1 for met, -1 for not, else 0."""
    if condition == NULL:
        return 0
    if not is_fulfilled(condition, value):
        state.failed += 1
        return -1
    state.met += condition.needed
    return condition.needed


cdef inline void visit(
        Evaluation *state, int parent, int number, const fst_value *value) noexcept nogil:
    """Count the condition on a member, and visit its node."""
    cdef Visit *seen = &state.visits[number]
    if seen.found:
        forget_below(state, number)     # of members with the same name the last counts
    else:
        seen.found = True
        seen.next = state.visits[parent].first
        state.visits[parent].first = number
    seen.counted = count_condition(state, state.nodes[number].condition, value)


cdef void scan_record(Evaluation *state, bytes_ptr p) noexcept nogil:
    """Evaluate all conditions on the valid object at `p`, in one pass."""
    cdef int parents[MOST_LEVELS + 1]
    cdef int depth = 0
    cdef int child
    cdef fst_member member
    cdef fst_value *value = &member.value
    cdef Fault fault
    parents[0] = 0
    p = skip_space(p + 1)
    while True:
        if p[0] == c'}':
            if depth == 0:
                return
            depth -= 1
            p = skip_space(p + 1)
        else:
            p = read_name(p, state.limit, state.path, &member, &fault)
            if p == NULL:
                return          # unreachable: it was valid
            child = child_of(state.nodes, parents[depth], &member)
            if child and p[0] == c'{' and state.nodes[child].count:
                value.kind = FST_OBJECT
                visit(state, parents[depth], child, value)
                depth += 1
                parents[depth] = child
                p = skip_space(p + 1)
                continue
            if child:
                p = read_value(p, state.limit, state.path, value, &fault)
            else:
                p = value_end(p, state.limit, state.path, 1, &fault)
            if p == NULL:
                return
            if child:
                visit(state, parents[depth], child, value)
            p = skip_space(p)
        if p[0] == c',':
            p = skip_space(p + 1)


cdef bint is_wanted(
        const Program *program, Visit *visits, const fst_record *record, bytes_ptr limit,
        int path) noexcept nogil:
    """Whether a record meets all conditions.

    `visits` has one for each node; all are zero before and after.
    """
    cdef Evaluation state
    cdef bint wanted
    state.nodes = program.nodes
    state.visits = visits
    state.met = state.failed = 0
    state.limit = limit
    state.path = path
    scan_record(&state, <bytes_ptr>record.text.start)
    wanted = state.failed == 0 and state.met == program.needed
    forget_below(&state, 0)
    return wanted


# ---------------------------------------------------------------- compilation

cdef str kind_name(object value):
    return "null" if value is None else type(value).__name__


def _tests_of(object wanted, str place):
    """Return the tests that the JSON form has for a path, and whether one of them suffices."""
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


cdef class ConditionTree:
    """Names with conditions, in the form that the compiled loop evaluates.

    Thread-safety: immutable once `compile` has returned.
    """

    def __dealloc__(self):
        PyMem_RawFree(self.conditions)
        PyMem_RawFree(self.tests)
        PyMem_RawFree(self.nodes)

    cdef int compile(self, dict root, int conditions, int tests, int nodes) except -1:
        """Compile a tree of names, as `add_path` makes it, with the numbers of what it has."""
        cdef Condition *condition
        cdef Test *test
        cdef Node *node
        cdef int next_child = 1
        cdef int number = 0
        self.conditions = <Condition *>PyMem_RawCalloc(conditions + 1, sizeof(Condition))
        self.tests = <Test *>PyMem_RawCalloc(tests + 1, sizeof(Test))
        self.nodes = <Node *>PyMem_RawCalloc(nodes, sizeof(Node))
        if self.conditions == NULL or self.tests == NULL or self.nodes == NULL:
            raise MemoryError()
        condition = self.conditions
        test = self.tests
        # Breadth first, so that the children of a node are consecutive.
        level = [(b"", [None, root])]
        for name, (wanted, children) in level:
            node = &self.nodes[number]
            number += 1
            node.name = self.keep(name)
            node.first = next_child
            node.count = len(children)
            next_child += node.count
            for child in sorted(children):
                node.sizes |= <uint64_t>1 << (<int>len(child) & 63)
                level.append((child, children[child]))
            if wanted is not None:
                self.set_condition(condition, test, wanted[0], wanted[1])
                self.program.needed += condition.needed
                node.condition = condition
                test += condition.count
                condition += 1
        self.program.nodes = self.nodes
        self.program.count = nodes
        return 0

    cdef int set_condition(
            self, Condition *condition, Test *test, list tests, bint any_of) except -1:
        condition.tests = test
        condition.count = len(tests)
        condition.any = any_of
        condition.needed = any_of
        condition.text = NULL
        if any_of:
            tests = sorted(tests, key=rank_of)
        for operator, constant in tests:
            test.operator = operator
            self.set_constant(test, constant)
            if not (operator == NOT_EQUAL or operator == EXISTS and test.kind == FST_FALSE):
                condition.needed = True
            if len(tests) == 1 and operator == EQUAL and test.kind == FST_STRING:
                condition.text = &test.text
            test += 1
        return 0

    cdef fst_span keep(self, bytes text):
        cdef fst_span span
        self.kept.append(text)
        span.start = PyBytes_AS_STRING(text)
        span.size = len(text)
        return span

    cdef int set_constant(self, Test *test, object constant) except -1:
        test.kind = _kind_of(constant)
        if test.kind == FST_STRING:
            test.text = self.keep(_encoded(constant))
        if test.kind != FST_NUMBER:
            return 0
        try:
            test.number = constant
        except OverflowError:
            test.number = float("inf") if constant > 0 else float("-inf")
            return 0
        whole = int(constant)
        test.rest = (constant > test.number) - (constant < test.number)
        if -(1 << 63) <= whole < 1 << 63:
            test.whole = isinstance(constant, int)
            test.integer = whole
        else:
            test.negative = whole < 0
            test.digits = self.keep(b"%d" % abs(whole))
        return 0


cdef class Filter(ConditionTree):
    """Select the records whose named members all have the values wanted.

    Args:
        wanted: a mapping from member names to what they must be: a string, number, bool or
            None to be equal to; a list to be equal to one of; or a mapping with one or more
            of ``gt``, ``gte``, ``lt``, ``lte`` (number or string), ``ne`` (also holds where
            the member is absent), ``prefix`` (string) and ``exists`` (bool). A dot in a name
            leads into an object: ``"place.room"``.

    Attributes:
        source: `wanted`, as it was given.
        size: comparisons, and names in its paths: what an index of it costs.

    A value of another kind than the constant is neither equal to it nor less or greater.
    Strings are compared by code points, numbers by value: integers exactly, however long
    they are, others as the nearest double. Of members with the same name the last counts.
    Limits: 1000 comparisons, 2000 names in all paths, 16 names in one path.

    Raises:
        FilterError: `wanted` is not like that; the error names the place.

    Thread-safety: immutable.
    """

    def __init__(self, wanted, /):
        cdef dict root = {}
        cdef int conditions = 0
        cdef int total = 0
        cdef int nodes = 0
        if not isinstance(wanted, Mapping):
            raise FilterError("filters", f"must be an object, not {kind_name(wanted)}")
        for name, value in wanted.items():
            if not isinstance(name, str):
                raise FilterError("filters", f"has a name that is no string: {name!r}")
            names = name.split(".")
            place = f"filters.{name}"
            if len(names) > MOST_LEVELS:
                raise FilterError(place, f"goes deeper than {MOST_LEVELS} levels")
            tests, any_of = _tests_of(value, place)
            conditions += 1
            total += len(tests)
            if total > MOST_TESTS:
                raise FilterError("filters", f"has more than {MOST_TESTS} comparisons")
            nodes += _add_path(root, names, (tests, any_of))
            if nodes > MOST_NAMES:
                raise FilterError("filters", f"has more than {MOST_NAMES} names in its paths")
        if self.kept is not None:
            raise StreamStateError("__init__ has been called on this filter: make another one")
        self.kept = []
        self.source = wanted
        self.tree = root
        self.size = total + nodes
        self.compile(root, conditions, total, nodes + 1)

    def __repr__(self):
        return f"Filter({self.source!r})"


cdef bytes _encoded(str text):
    # A lone surrogate encodes to bytes that no valid record contains: it never matches.
    return text.encode(errors="surrogatepass")


cdef int _kind_of(object constant) except -1:
    if constant is None:
        return FST_NULL
    if isinstance(constant, bool):
        return FST_TRUE if constant else FST_FALSE
    return FST_STRING if isinstance(constant, str) else FST_NUMBER


cdef tuple rank_of(tuple test):
    """Return the sort key of a constant among those that a value may be equal to."""
    _, constant = test
    kind = _kind_of(constant)
    if kind == FST_STRING:
        return kind, _encoded(constant)
    return kind, constant if kind == FST_NUMBER else 0


cdef int _add_path(dict tree, list names, tuple wanted) except -1:
    """Add a path to a tree of names; return the number of new names."""
    cdef int new = 0
    cdef list node = None
    for name in names:
        node = tree.get(name_bytes := _encoded(name))
        if node is None:
            node = tree[name_bytes] = [None, {}]
            new += 1
        tree = node[1]
    node[0] = wanted
    return new
