# Whether a record that `read_line` has read meets the conditions of a filter.
#
# Inline for the reason that json.pxd gives.

from forstcore._core.compare cimport is_fulfilled
from forstcore._core.filter cimport Condition
from forstcore._core.shapes cimport FST_CLOSES, Shapes, fst_gap, is_plain
from forstcore.native cimport FST_ABSENT, FST_STRING, fst_value

cdef enum:
    FEW_CONDITIONS = 8


cdef inline int meets(Shapes *shapes, int node) noexcept nogil:
    """Return -1 if the condition of a node is not met, 1 if it is and needs a value, else 0."""
    cdef const Condition *condition = shapes.nodes[node].condition
    cdef fst_value *value = &shapes.reader.values[node]
    if condition == NULL or value.kind == FST_ABSENT:
        return 0
    value.plain = value.kind == FST_STRING and is_plain(shapes, &value.text)
    if not is_fulfilled(condition, value):
        return -1
    return condition.needed


cdef inline bint meets_filter(Shapes *shapes) noexcept nogil:
    """Whether the record meets all conditions of the filter."""
    cdef const fst_gap *gap
    cdef int count = 0
    cdef int met = 0
    cdef int result
    cdef int i
    if shapes.condition_count <= FEW_CONDITIONS:
        for i in range(shapes.condition_count):
            result = meets(shapes, shapes.conditions[i])
            if result < 0:
                return False
            met += result
        return met == shapes.filter.needed
    # The cost must not depend on members that the record does not have.
    while True:
        gap = shapes.reader.gaps[count]
        count += 1
        for i in range(gap.event_count):
            if gap.events[i].kind == FST_CLOSES:
                continue
            result = meets(shapes, gap.events[i].node)
            if result < 0:
                return False
            met += result
        if gap.value == NULL:
            return met == shapes.filter.needed
