# Records that are written like the one before them, but for their values: most of a stream.
#
# What is between the values then is the same bytes, which have been read already. They are
# compared, and only the values are read; the ends of strings are found in a window.
#
# Inline for the reason that json.pxd gives.

from forstcore._core.json cimport Fault, bytes_ptr, string_end, value_end
from forstcore._core.members cimport kind_of
from forstcore._core.scan cimport (
    FST_SLACK,
    fst_copy_plain,
    fst_is_same,
    fst_look,
    fst_next_stop,
    fst_sample,
    fst_sample_of,
    fst_window,
)
from forstcore.native cimport FST_MEMBERS, FST_STRING, fst_member, fst_record

cdef enum:
    AHEAD = 1024                # bytes behind the start of a line that should be in the window


# What stands before a value: from the end of the value before, or of the line before.
cdef struct Gap:
    fst_sample text
    Py_ssize_t name             # from its start to the name of the member


# The record that was read last, in a buffer of lines, and what it takes to read the next.
cdef struct Reading:
    fst_record record           # first, so that a pointer to it is one to all
    fst_member members[FST_MEMBERS]
    bytes_ptr limit             # end of readable memory
    int path                    # an FST_ path number
    int known                   # values that the gaps are of; 0 where nothing is known
    Gap gaps[FST_MEMBERS]
    fst_sample ending           # from the last value to the end of the line, LF included
    bytes_ptr reach             # past this, `reaches` has to tell whether a gap can be compared
    Py_ssize_t largest          # bytes of the largest gap, or of the ending
    Py_ssize_t opening          # from the start of the line to the brace
    Py_ssize_t closing          # from the end of the last value to behind the brace
    fst_window window


cdef inline void set_reach(Reading *reading) noexcept nogil:
    # Behind a gap there must be what vectors read past it, and some of the window.
    reading.reach = min(
        reading.limit - FST_SLACK, <bytes_ptr>reading.window.end - 1) - reading.largest


cdef inline void learn(Reading *reading, bytes_ptr line, bytes_ptr lf) noexcept nogil:
    """Note how the record is written that has been read from [line, lf)."""
    cdef const fst_record *record = &reading.record
    cdef const fst_member *member
    cdef Gap *gap
    cdef bytes_ptr end = line
    cdef int i
    if record.more:
        return
    reading.largest = 0
    for i in range(record.count):
        member = &reading.members[i]
        gap = &reading.gaps[i]
        gap.text = fst_sample_of(
            end, <bytes_ptr>member.value.text.start - end, reading.path)
        gap.name = <bytes_ptr>member.name.start - end
        end += gap.text.size + member.value.text.size
        reading.largest = max(reading.largest, gap.text.size)
    reading.ending = fst_sample_of(end, lf + 1 - end, reading.path)
    reading.largest = max(reading.largest, reading.ending.size)
    set_reach(reading)
    reading.opening = <bytes_ptr>record.text.start - line
    reading.closing = <bytes_ptr>record.text.start + record.text.size - end
    reading.known = record.count


cdef inline bint reaches(Reading *reading, bytes_ptr p) noexcept nogil:
    """Move the window on to `p`; tell whether it is large enough for a gap there."""
    fst_look(&reading.window, p, reading.limit, reading.path)
    set_reach(reading)
    return p <= reading.reach


cdef inline bytes_ptr alike_end(Reading *reading, bytes_ptr p) noexcept nogil:
    """The LF of the line at `p`, if it is like the one before; then it has been read.

    NULL says "look yourself": it may be anything.
    """
    cdef fst_member *member = &reading.members[0]
    cdef const Gap *gap = &reading.gaps[0]
    cdef const Gap *behind = gap + reading.known
    cdef bytes_ptr limit = reading.limit
    cdef bytes_ptr line = p
    cdef bytes_ptr end
    cdef Fault fault
    if reading.known == 0:
        return NULL
    if p > reading.reach - AHEAD and limit - reading.window.end >= 64:
        reaches(reading, p)
    while gap < behind:
        if (p > reading.reach and not reaches(reading, p)) or not fst_is_same(p, &gap.text):
            return NULL
        member.name.start = <const char *>p + gap.name
        p += gap.text.size
        member.value.text.start = <const char *>p
        if member.value.kind == FST_STRING:
            end = fst_next_stop(&reading.window, p)
            if end >= reading.window.end:
                end = fst_copy_plain(NULL, end, limit, reading.path)
            if end[0] == c'"':
                member.value.plain = 1
            else:
                member.value.plain = 0
                end = string_end(end, limit, reading.path, &fault)
        else:
            member.value.kind = kind_of(p[0])
            if member.value.kind == FST_STRING:
                return NULL
            end = value_end(p, limit, reading.path, 1, &fault)
        if end == NULL:
            return NULL
        member.value.text.size = end - p
        p = end
        gap += 1
        member += 1
    if (p > reading.reach and not reaches(reading, p)) or not fst_is_same(p, &reading.ending):
        return NULL
    reading.record.text.start = <const char *>line + reading.opening
    reading.record.text.size = p + reading.closing - <bytes_ptr>reading.record.text.start
    return p + reading.ending.size - 1
