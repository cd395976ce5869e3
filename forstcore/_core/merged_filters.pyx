# The names in the paths of many filters as one tree, for an index of them.

from forstcore._core.checks cimport check_initialized
from forstcore._core.filter cimport EQUAL, Filter, rank_of
from forstcore.native cimport FST_NUMBER


class Member:
    """What filters want of a member of a record, and of those of its object.

    Attributes:
        children: the members of its object, by name.
        equal: for each constant that it may equal, the test and the numbers of the filters that
            want it. Constants that a value equals together have one key; in their order, keys are
            sorted as a `Condition` needs it.
        others: the number of each filter with another condition, and the node of that.
    """

    def __init__(self):
        self.children = {}
        self.equal = {}
        self.others = []

    @property
    def is_tested(self):
        return bool(self.equal or self.others)


def merged(list filters):
    """Return what the filters want of a record, as the `Member` for the record itself."""
    cdef Filter each
    root = Member()
    for number, each in enumerate(filters):
        check_initialized(each.program.count)
        _merge(root, each.tree, each, 0, number)
    return root


def as_tree(dict children):
    """Return members in the form that `ConditionTree.compile` takes."""
    return {
        name: [
            ([test for test, _ in member.equal.values()], True) if member.is_tested else None,
            as_tree(member.children),
        ]
        for name, member in children.items()
    }


cdef int _merge(object member, dict tree, Filter source, int node, int number) except -1:
    """Add what a filter wants below one of its nodes.

    Recursive: one call for each level of a path, of which there are few.
    """
    cdef int child = source.nodes[node].first
    for name in sorted(tree):       # As the nodes are.
        wanted, below = tree[name]
        into = member.children.get(name)
        if into is None:
            into = member.children[name] = Member()
        if wanted is not None:
            tests, any_of = wanted
            if any_of or tests[0][0] == <int>EQUAL:
                for key, test in {_key_of(test): test for test in tests}.items():
                    into.equal.setdefault(key, (test, []))[1].append(number)
            else:
                into.others.append((number, child))
        _merge(into, below, source, child, number)
        child += 1
    return 0


cdef tuple _key_of(tuple test):
    """Return the same for constants that a value equals together, in the order of `rank_of`."""
    kind, constant = rank_of(test)
    if kind == FST_NUMBER:
        try:
            float(constant)
        except OverflowError:
            constant = float("inf") if constant > 0 else float("-inf")
    return kind, constant
