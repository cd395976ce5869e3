# Finding the node of a filter for a member of a record, by its name.
#
# Inline for the reason that json.pxd gives.

from libc.string cimport memcmp

from forstcore._core.compare cimport compare_text
from forstcore._core.filter cimport Node
from forstcore.native cimport fst_member, fst_span, fst_value

cdef enum:
    # Up to so many names, comparing them one by one is faster than a binary search.
    FEW = 4


cdef inline int search(
        const Node *nodes, const Node *node, const fst_member *member) noexcept nogil:
    """As `child_of`, by a binary search."""
    cdef fst_value name
    cdef int low = node.first
    cdef int high = low + node.count
    cdef int middle
    cdef int order
    name.text = member.name
    name.plain = member.plain
    while low < high:
        middle = (low + high) >> 1
        order = compare_text(&name, &nodes[middle].name, False)
        if order == 0:
            return middle
        if order < 0:
            high = middle
        else:
            low = middle + 1
    return 0


cdef inline int child_of(
        const Node *nodes, int parent, const fst_member *member) noexcept nogil:
    """The child of a node that has the member's name, 0 for none."""
    cdef const Node *node = &nodes[parent]
    cdef const fst_span *name
    cdef int child
    if member.plain:
        if not node.sizes >> (member.name.size & 63) & 1:
            return 0
        if node.count <= FEW:
            for child in range(node.first, node.first + node.count):
                name = &nodes[child].name
                if name.size == member.name.size and memcmp(
                        name.start, member.name.start, name.size) == 0:
                    return child
            return 0
    return search(nodes, node, member)
