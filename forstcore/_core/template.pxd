# Reading records that are written like the one before them, but for their values: most of a stream.
#
# Then the bytes between the values, the gaps, are the same, and have been parsed already. They are
# compared, and only the values are read; the ends of strings are found in a window.
#
# Inline for the reason that json.pxd gives.

from forstcore._core.json cimport Fault, bytes_ptr, string_end, value_end
from forstcore._core.members cimport kind_of
from forstcore._core.scan cimport (
    FST_SLACK,
    fst_copy_plain,
    fst_fill_window,
    fst_is_same,
    fst_next_stop,
    fst_sample,
    fst_sample_of,
    fst_window,
)
from forstcore.native cimport FST_MEMBERS, FST_STRING, fst_calls, fst_member, fst_record

cdef enum:
    AHEAD = 1024                # bytes after the start of a line that should be in the window


# The bytes before a value: from the end of the value before, or of the line before.
cdef struct Gap:
    fst_sample text
    Py_ssize_t name             # bytes from its start to the name of the member


# Reads the records of one buffer, one after the other: the last one, and how it is written.
cdef struct RecordReader:
    fst_record record           # first, so that a pointer to it is one to the reader
    fst_member members[FST_MEMBERS]
    bytes_ptr limit             # end of readable memory
    int path                    # an FST_ path number
    int gap_count               # gaps of the last record; 0: the next one has to be parsed
    Gap gaps[FST_MEMBERS]
    fst_sample ending           # from the last value to the end of the line, LF included
    bytes_ptr reach             # up to here a gap can be compared without moving the window
    Py_ssize_t largest          # bytes of the largest gap, or of the ending
    Py_ssize_t opening          # bytes from the start of the line to the brace
    Py_ssize_t closing          # bytes from the end of the last value to the end of the object
    fst_window window


cdef inline void begin_records(
        RecordReader *reader, const fst_calls *calls, bytes_ptr start, bytes_ptr limit,
        int path) noexcept nogil:
    """Prepare to read the records of the buffer [start, limit)."""
    reader.record.calls = calls
    reader.record.shape = 0
    reader.limit = limit
    reader.path = path
    reader.gap_count = 0
    reader.window.end = start       # empty: the first comparison moves it


cdef inline void set_reach(RecordReader *reader) noexcept nogil:
    # After a gap there must be the bytes that vectors read past it, and a part of the window.
    reader.reach = min(
        reader.limit - FST_SLACK, <bytes_ptr>reader.window.end - 1) - reader.largest


cdef inline void remember_gaps(RecordReader *reader, bytes_ptr line, bytes_ptr lf) noexcept nogil:
    """Remember how the record is written that has been read from [line, lf)."""
    cdef const fst_record *record = &reader.record
    cdef const fst_member *member
    cdef Gap *gap
    cdef bytes_ptr end = line
    cdef int i
    if record.more:
        return
    reader.largest = 0
    for i in range(record.count):
        member = &reader.members[i]
        gap = &reader.gaps[i]
        gap.text = fst_sample_of(
            end, <bytes_ptr>member.value.text.start - end, reader.path)
        gap.name = <bytes_ptr>member.name.start - end
        end += gap.text.size + member.value.text.size
        reader.largest = max(reader.largest, gap.text.size)
    reader.ending = fst_sample_of(end, lf + 1 - end, reader.path)
    reader.largest = max(reader.largest, reader.ending.size)
    set_reach(reader)
    reader.opening = <bytes_ptr>record.text.start - line
    reader.closing = <bytes_ptr>record.text.start + record.text.size - end
    reader.gap_count = record.count


cdef inline bint move_window(RecordReader *reader, bytes_ptr p) noexcept nogil:
    """Move the window to `p`; return whether a gap there can be compared."""
    fst_fill_window(&reader.window, p, reader.limit, reader.path)
    set_reach(reader)
    return p <= reader.reach


cdef inline bytes_ptr read_alike(RecordReader *reader, bytes_ptr p) noexcept nogil:
    """Read the line at `p` if it is written like the one before; return its LF.

    Returns NULL if it is not: it may be anything, and has to be parsed.
    """
    cdef fst_member *member = &reader.members[0]
    cdef const Gap *gap = &reader.gaps[0]
    cdef const Gap *end_of_gaps = gap + reader.gap_count
    cdef bytes_ptr limit = reader.limit
    cdef bytes_ptr line = p
    cdef bytes_ptr end
    cdef Fault fault
    if reader.gap_count == 0:
        return NULL
    if p > reader.reach - AHEAD and limit - reader.window.end >= 64:
        move_window(reader, p)
    while gap < end_of_gaps:
        if (p > reader.reach and not move_window(reader, p)) or not fst_is_same(p, &gap.text):
            return NULL
        member.name.start = <const char *>p + gap.name
        p += gap.text.size
        member.value.text.start = <const char *>p
        if member.value.kind == FST_STRING:
            end = fst_next_stop(&reader.window, p)
            if end >= reader.window.end:
                end = fst_copy_plain(NULL, end, limit, reader.path)
            if end[0] == c'"':
                member.value.plain = 1
            else:
                member.value.plain = 0
                end = string_end(end, limit, reader.path, &fault)
        else:
            member.value.kind = kind_of(p[0])
            if member.value.kind == FST_STRING:
                return NULL
            end = value_end(p, limit, reader.path, 1, &fault)
        if end == NULL:
            return NULL
        member.value.text.size = end - p
        p = end
        gap += 1
        member += 1
    if (p > reader.reach and not move_window(reader, p)) or not fst_is_same(p, &reader.ending):
        return NULL
    reader.record.text.start = <const char *>line + reader.opening
    reader.record.text.size = p + reader.closing - <bytes_ptr>reader.record.text.start
    return p + reader.ending.size - 1
