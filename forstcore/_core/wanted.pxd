# Whether a record that `read_line` has read meets the conditions of a filter.
#
# Inline for the reason that json.pxd gives.

from libc.string cimport memcmp

from forstcore._core.filter cimport Condition, meets_condition
from forstcore._core.shapes cimport FST_CLOSES, Shapes, fst_gap, is_plain
from forstcore.native cimport FST_ABSENT, FST_STRING, fst_span, fst_value

cdef enum:
    FEW_CONDITIONS = 8


cdef inline int meets(
        Shapes *shapes, const Condition *condition, fst_value *value) noexcept nogil:
    """Return -1 if a condition is not met, 1 if it is and needs a value, else 0."""
    cdef const fst_span *text
    cdef bint met
    if condition == NULL or value.kind == FST_ABSENT:
        return 0
    value.plain = value.kind == FST_STRING and is_plain(shapes, &value.text)
    text = condition.text
    if text != NULL and value.plain:
        met = value.text.size == text.size and memcmp(
            value.text.start, text.start, text.size) == 0
    else:
        met = meets_condition(condition, value)
    return condition.needed if met else -1


cdef inline bint meets_filter(Shapes *shapes) noexcept nogil:
    """Whether the record meets all conditions of the filter."""
    cdef const fst_gap *gap
    cdef int count = 0
    cdef int met = 0
    cdef int result
    cdef int node
    cdef int i
    if shapes.condition_count <= FEW_CONDITIONS:
        for i in range(shapes.condition_count):
            result = meets(shapes, shapes.conditions[i].condition, shapes.conditions[i].value)
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
            node = gap.events[i].node
            result = meets(shapes, shapes.nodes[node].condition, &shapes.reader.values[node])
            if result < 0:
                return False
            met += result
        if gap.value == NULL:
            return met == shapes.filter.needed
