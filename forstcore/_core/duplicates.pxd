# Equal names of members, in an object that has been written: of these the last value counts,
# in the place of the first, as in a dict.
#
# Where names of an object are equal, `cuts` remembers which parts of the output to leave out and
# which to move. They are applied at the end, all at once: moving members as soon as an object ends
# would move the innermost ones once for each container around them.
#
# Inline for the reason that json.pxd gives.

from libc.string cimport memcmp

from forstcore.native cimport fst_output

cdef enum:
    FEW = 12                    # names that are compared each with each
    AT_HAND = 128               # names of open objects that need no memory from the heap
    ARRAY = -1
    OBJECT = -2


# A member of an object that is being written, or the start of an open container.
cdef struct Name:
    Py_ssize_t start            # of the name; of a container: the place of the one around it
    Py_ssize_t value            # start of the value; ARRAY or OBJECT for a container


# The output [start, end) is replaced by the output [source, source_end), which is further on.
cdef struct Cut:
    Py_ssize_t start
    Py_ssize_t end
    Py_ssize_t source
    Py_ssize_t source_end
    Py_ssize_t outer            # while it is applied: the cut in whose source this one is,
    Py_ssize_t outer_end        # and where that source ends


# The names of the open objects. All places in the output are counted from `origin`, which is
# counted from the start of the result: the output moves when it grows.
cdef struct Members:
    fst_output *output
    Py_ssize_t origin
    Name *names                 # `at_hand`, or memory from the heap
    Py_ssize_t name_count
    Py_ssize_t name_room
    Py_ssize_t container        # place of the innermost open container in `names`, -1 for none
    Cut *cuts
    Py_ssize_t cut_count
    Py_ssize_t cut_room
    Name at_hand[AT_HAND]


cdef int add_room(Members *members) noexcept nogil
cdef int cut_equal_names(Members *members, Py_ssize_t first, Py_ssize_t count) noexcept nogil
cdef int apply_cuts(Members *members) noexcept nogil
cdef void end_members(Members *members) noexcept nogil


cdef inline void begin_members(Members *members, fst_output *output) noexcept nogil:
    """Prepare to write a value at the end of the output."""
    members.output = output
    members.origin = output.at - output.line
    members.names = members.at_hand
    members.name_room = AT_HAND
    members.name_count = 0
    members.container = -1
    members.cuts = NULL
    members.cut_count = members.cut_room = 0


cdef inline Py_ssize_t place_of(const Members *members, const unsigned char *out) noexcept nogil:
    return <const char *>out - members.output.line - members.origin


cdef inline unsigned char *output_at(const Members *members, Py_ssize_t place) noexcept nogil:
    return <unsigned char *>members.output.line + members.origin + place


cdef inline int add_name(Members *members, Py_ssize_t start, Py_ssize_t value) noexcept nogil:
    """Remember a name; return 0, or -1 for no memory."""
    if members.name_count == members.name_room and add_room(members) != 0:
        return -1
    members.names[members.name_count].start = start
    members.names[members.name_count].value = value
    members.name_count += 1
    return 0


cdef inline int open_container(Members *members, Py_ssize_t kind) noexcept nogil:
    if add_name(members, members.container, kind) != 0:
        return -1
    members.container = members.name_count - 1
    return 0


cdef inline Py_ssize_t name_size(const Name *name) noexcept nogil:
    return name.value - name.start


cdef inline int compare_names(
        const Members *members, const Name *name, const Name *other) noexcept nogil:
    """Return less than, equal to or greater than 0 as names sort, by size first."""
    cdef Py_ssize_t size = name_size(name)
    if size != name_size(other):
        return -1 if size < name_size(other) else 1
    return memcmp(output_at(members, name.start), output_at(members, other.start), size)


cdef inline bint has_equal_names(
        const Members *members, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    """Whether two of a few names are equal. Of many it is not known without sorting them."""
    cdef const Name *names = members.names + first
    cdef Py_ssize_t i, j
    if count > FEW:
        return True
    for i in range(1, count):
        for j in range(i):
            if compare_names(members, names + i, names + j) == 0:
                return True
    return False


cdef inline int close_container(Members *members, Py_ssize_t end) noexcept nogil:
    """Close the innermost container, whose bracket is written next, at `end`."""
    cdef Py_ssize_t container = members.container
    cdef Py_ssize_t count = members.name_count - container - 1
    # The end of the last member, as if another one followed.
    if count > 1 and has_equal_names(members, container + 1, count):
        if add_name(members, end + 1, 0) != 0 or cut_equal_names(
                members, container + 1, count) != 0:
            return -1
    members.container = members.names[container].start
    members.name_count = container
    return 0
