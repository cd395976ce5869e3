# Equal names of members, where there are any or might be: see duplicates.pxd.

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.string cimport memcpy

from forstcore.native cimport fst_output, fst_put

# Compares two items, by their numbers, as memcmp does.
ctypedef int (*Compare)(const Members *, Py_ssize_t, Py_ssize_t) noexcept nogil


cdef void *grown(void *items, Py_ssize_t *room, Py_ssize_t size) noexcept nogil:
    """Return memory for twice as many items of this size, NULL for none."""
    cdef Py_ssize_t count = max(2 * room[0], 16)
    cdef void *larger = PyMem_RawRealloc(items, count * size)
    if larger != NULL:
        room[0] = count
    return larger


cdef int add_room(Members *members) noexcept nogil:
    """Make room for more names; return 0, or -1 for no memory."""
    cdef bint at_hand = members.names == members.at_hand
    cdef void *names = grown(
        NULL if at_hand else members.names, &members.name_room, sizeof(Name))
    if names == NULL:
        return -1
    if at_hand:
        memcpy(names, members.at_hand, sizeof(members.at_hand))
    members.names = <Name *>names
    return 0


cdef void end_members(Members *members) noexcept nogil:
    if members.names != members.at_hand:
        PyMem_RawFree(members.names)
    PyMem_RawFree(members.cuts)


# ---------------------------------------------------------------- names

cdef int cut_equal_names(Members *members, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    """Keep the last value of each name, in the first place; return 0, or -1 for no memory.

    The names are sorted, so that the cost does not depend on what they are.
    """
    cdef Py_ssize_t *order = <Py_ssize_t *>PyMem_RawMalloc(2 * count * sizeof(Py_ssize_t))
    cdef const Py_ssize_t *sorted_names
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t end, i
    cdef int status = 0
    if order == NULL:
        return -1
    for i in range(count):
        order[i] = first + i
    sorted_names = merge_sort(members, compare_by_name, order, count)
    while start < count and status == 0:
        end = start + 1
        while end < count and compare_by_name(
                members, sorted_names[start], sorted_names[end]) == 0:
            end += 1
        if end > start + 1:
            status = cut_values(members, sorted_names + start, end - start)
        start = end
    PyMem_RawFree(order)
    return status


cdef int compare_by_name(const Members *members, Py_ssize_t name, Py_ssize_t other) noexcept nogil:
    return compare_names(members, &members.names[name], &members.names[other])


cdef int compare_by_place(const Members *members, Py_ssize_t cut, Py_ssize_t other) noexcept nogil:
    return -1 if members.cuts[cut].start < members.cuts[other].start else 1


cdef const Py_ssize_t *merge_sort(
        const Members *members, Compare compare, Py_ssize_t *order,
        Py_ssize_t count) noexcept nogil:
    """Sort the first half of `order`, which has room for twice `count`; return the half it is in.

    The sort is stable. No order of names makes it slow, as some do to quicksort, and no choice of
    names does, as to hash tables.
    """
    cdef Py_ssize_t *source = order
    cdef Py_ssize_t *target = order + count
    cdef Py_ssize_t width = 1
    cdef Py_ssize_t left, left_end, right, right_end, i
    while width < count:
        right_end = 0
        while right_end < count:
            left = i = right_end
            left_end = right = min(left + width, count)
            right_end = min(right + width, count)
            if right == right_end or compare(members, source[right - 1], source[right]) <= 0:
                memcpy(target + i, source + i, (right_end - i) * sizeof(Py_ssize_t))
                continue
            while left < left_end and right < right_end:
                if compare(members, source[left], source[right]) <= 0:
                    target[i] = source[left]
                    left += 1
                else:
                    target[i] = source[right]
                    right += 1
                i += 1
            memcpy(target + i, source + left, (left_end - left) * sizeof(Py_ssize_t))
            i += left_end - left
            memcpy(target + i, source + right, (right_end - right) * sizeof(Py_ssize_t))
        source, target = target, source
        width *= 2
    return source


# ---------------------------------------------------------------- cuts

cdef int add_cut(
        Members *members, Py_ssize_t start, Py_ssize_t end, Py_ssize_t source,
        Py_ssize_t source_end) noexcept nogil:
    cdef void *cuts
    cdef Cut *cut
    if members.cut_count == members.cut_room:
        cuts = grown(members.cuts, &members.cut_room, sizeof(Cut))
        if cuts == NULL:
            return -1
        members.cuts = <Cut *>cuts
    cut = &members.cuts[members.cut_count]
    members.cut_count += 1
    cut.start = start
    cut.end = end
    cut.source = source
    cut.source_end = source_end
    return 0


cdef int cut_values(
        Members *members, const Py_ssize_t *equal, Py_ssize_t count) noexcept nogil:
    """Cut all members with one name but the last value, which moves to the first place."""
    cdef const Name *name = &members.names[equal[0]]
    cdef const Name *last = &members.names[equal[count - 1]]
    cdef Py_ssize_t i
    # A comma is before each name but the first, and after each value but the last.
    if add_cut(members, name.value, name[1].start - 1, last.value, last[1].start - 1) != 0:
        return -1
    for i in range(1, count):
        name = &members.names[equal[i]]
        if add_cut(members, name.start - 1, name[1].start - 1, 0, 0) != 0:
            return -1
    return 0


cdef int apply_cuts(Members *members) noexcept nogil:
    """Write the output again, as the cuts say; return 0, or -1 for no memory."""
    cdef fst_output *output = members.output
    cdef Py_ssize_t count = members.cut_count
    cdef Py_ssize_t size = place_of(members, <unsigned char *>output.at)
    cdef Py_ssize_t *order
    cdef Py_ssize_t i
    cdef char *written
    cdef int status = -1
    if count == 0:
        return 0
    written = <char *>PyMem_RawMalloc(size)
    order = <Py_ssize_t *>PyMem_RawMalloc(2 * count * sizeof(Py_ssize_t))
    if written != NULL and order != NULL:
        memcpy(written, output_at(members, 0), size)
        output.at = <char *>output_at(members, 0)
        for i in range(count):
            order[i] = i
        copy_uncut(
            members, written, size, merge_sort(members, compare_by_place, order, count))
        status = 0
    PyMem_RawFree(written)
    PyMem_RawFree(order)
    return status


cdef void copy_uncut(
        Members *members, const char *written, Py_ssize_t size,
        const Py_ssize_t *order) noexcept nogil:
    """Copy what was written to the output, with the cuts in this order."""
    cdef Py_ssize_t start = 0       # what is to be copied next, in the source of the cut `outer`
    cdef Py_ssize_t end = size
    cdef Py_ssize_t outer = -1
    cdef Py_ssize_t stop, next_cut
    cdef Cut *cut
    while True:
        next_cut = cut_from(members, order, start)
        if next_cut < members.cut_count and members.cuts[order[next_cut]].start < end:
            cut = &members.cuts[order[next_cut]]
            stop = cut.start
            cut.outer = outer
            cut.outer_end = end
            outer = order[next_cut]
            fst_put(members.output, written + start, stop - start)
            start = cut.source
            end = cut.source_end
            continue
        fst_put(members.output, written + start, end - start)
        if outer < 0:
            return
        cut = &members.cuts[outer]
        start = cut.end
        end = cut.outer_end
        outer = cut.outer


cdef inline Py_ssize_t cut_from(
        const Members *members, const Py_ssize_t *order, Py_ssize_t place) noexcept nogil:
    """Return the place in `order` of the first cut that starts at or behind `place`."""
    cdef Py_ssize_t low = 0
    cdef Py_ssize_t high = members.cut_count
    cdef Py_ssize_t middle
    while low < high:
        middle = (low + high) >> 1
        if members.cuts[order[middle]].start < place:
            low = middle + 1
        else:
            high = middle
    return low
