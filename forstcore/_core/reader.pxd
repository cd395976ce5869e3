# Reading the records of a buffer, one after the other.
#
# `read_marked` reads a record in one pass over its gaps and values: the gaps are compared with
# those of earlier records, and strings end where their marks are. It takes what it is sure of. All
# else is for `read_record` in loop.pyx, which parses any line and locates errors.
#
# Inline for the reason that json.pxd gives.

from libc.stdint cimport uint64_t

from forstcore._core.filter cimport Program
from forstcore._core.json cimport bytes_ptr
from forstcore._core.marks cimport (
    fst_is_plain_text,
    fst_mark_more,
    fst_move_marks,
    fst_restart_marks,
)
from forstcore._core.shapes cimport (
    FST_BEHIND,
    FST_CLOSES,
    FST_OPENS,
    FST_RECORD,
    Shapes,
    fst_event,
    fst_gap,
    fst_read_record,
    fst_reader,
    keep_shapes,
    take_shapes,
)
from forstcore.native cimport (
    FST_MEMBERS,
    FST_STRING,
    fst_calls,
    fst_member,
    fst_record,
    fst_value,
)

cdef enum:
    # Learning shapes pays if a call has so many bytes of lines, or its stream had so many lines.
    MANY_BYTES = 4096
    MANY_LINES = 32
    # Bytes of marks behind the reader that are kept before they are moved.
    BEHIND_READER = 8192
    # New gaps in a record that are many: reading it was slow.
    MUCH_NEW = 4
    # Records in a row with much that is new before some are left out, and the most left out.
    MANY_STRANGE = 16
    LONGEST_REST = 1024


cdef struct RecordReader:
    fst_record record           # first, so that a pointer to it is one to the reader
    fst_member members[FST_MEMBERS]
    bytes_ptr limit             # end of readable memory
    int path                    # an FST_ path number
    Shapes *shapes              # for `read_marked`; NULL for none
    bint lost                   # the next line has no marks yet


cdef inline void begin_records(
        RecordReader *reader, const fst_calls *calls, bytes_ptr limit, int path) noexcept nogil:
    """Prepare to read the records of a buffer that ends at `limit`."""
    reader.record.calls = calls
    reader.record.members = reader.members
    reader.record.shape = 0
    reader.limit = limit
    reader.path = path
    reader.shapes = NULL


cdef inline void begin_marks(
        RecordReader *reader, uint64_t stream, const Program *filter, bint insists) noexcept nogil:
    """Prepare for `read_marked`; without shapes, `read_record` reads all."""
    reader.shapes = take_shapes(stream, filter, reader.path, insists)
    reader.lost = True


cdef inline void end_records(RecordReader *reader) noexcept nogil:
    """Give back what the reader has taken."""
    if reader.shapes != NULL:
        keep_shapes(reader.shapes)


cdef inline bytes_ptr marked_end(RecordReader *reader, bytes_ptr p) noexcept nogil:
    """Return the LF of the next line, which starts at `p`; NULL if it is not marked."""
    cdef fst_reader *state = &reader.shapes.reader
    if reader.shapes.rest > 0:
        reader.shapes.rest -= 1
        reader.lost = True
        return NULL
    if reader.lost:
        fst_restart_marks(&state.marks, p)
        state.mark = state.line = 0
        reader.lost = False
    while state.line >= state.marks.progress.line_count:
        if p - state.marks.start >= BEHIND_READER:
            fst_move_marks(&state.marks, p, state.mark, state.line)
            state.mark = state.line = 0
        if not fst_mark_more(&state.marks, reader.limit, reader.path):
            reader.lost = True
            return NULL
    return state.marks.start + state.marks.at[state.marks.ends[state.line]]


cdef inline bint read_marked(RecordReader *reader, bytes_ptr p, bytes_ptr lf) noexcept nogil:
    """Read the record in the line [p, lf), whose LF `marked_end` returned.

    Returns whether it did; if not, the line may be anything.
    """
    cdef Shapes *shapes = reader.shapes
    cdef bytes_ptr start
    if reader.limit - lf < FST_BEHIND:
        return False
    if not fst_read_record(&shapes.reader, p, lf, reader.path):
        tire(shapes)
        return False
    if shapes.learned | shapes.strange:
        if shapes.learned > MUCH_NEW:
            tire(shapes)
        else:
            shapes.strange = 0
        shapes.learned = 0
    start = p + shapes.reader.gaps[0].events[0].at
    reader.record.text.start = <const char *>start
    reader.record.text.size = shapes.reader.record_end - start
    return True


cdef inline void tire(Shapes *shapes) noexcept nogil:
    """Leave out more and more records while all of them have much that is new."""
    shapes.strange += 1
    if shapes.strange > MANY_STRANGE:
        shapes.rest = min(1 << min(shapes.strange - MANY_STRANGE, 16), <int>LONGEST_REST)


cdef inline void go_on(RecordReader *reader) noexcept nogil:
    """Go on to the next line."""
    cdef fst_reader *state = &reader.shapes.reader
    if not reader.lost:
        state.mark = state.marks.ends[state.line] + 1
        state.line += 1


# ---------------------------------------------------------------- for native processors

cdef inline void list_members(RecordReader *reader) noexcept nogil:
    """Fill in the members of the record that `read_marked` has read."""
    cdef Shapes *shapes = reader.shapes
    cdef const fst_gap *gap
    cdef const fst_event *event
    cdef fst_value *value
    cdef const char *start
    cdef int nodes[FST_MEMBERS]
    cdef int count = 0
    cdef int i
    reader.record.count = reader.record.more = 0
    reader.record.shape = shapes.number
    reader.record.values = shapes.reader.values
    while True:
        gap = shapes.reader.gaps[count]
        count += 1
        start = <const char *>shapes.reader.end - gap.size
        if gap.value != NULL:
            start = gap.value.text.start - gap.size
            gap.value.plain = gap.value.kind == FST_STRING
            if gap.value.plain:
                start -= 1              # its text begins behind the quote
                gap.value.plain = fst_is_plain_text(
                    &shapes.reader.marks, <bytes_ptr>gap.value.text.start, gap.value.text.size)
        for i in range(gap.event_count):
            event = &gap.events[i]
            value = &shapes.reader.values[event.node]
            if event.kind == FST_OPENS:
                value.text.start = start + event.at
                value.plain = 0
            elif event.kind == FST_CLOSES:
                value.text.size = start + event.at + 1 - value.text.start
            if event.kind == FST_CLOSES or shapes.nodes[event.node].parent != FST_RECORD:
                continue
            if reader.record.count == FST_MEMBERS:
                reader.record.more = 1
                continue
            nodes[reader.record.count] = event.node
            reader.members[reader.record.count].name.start = start + event.name_at
            reader.members[reader.record.count].name.size = event.name_size
            reader.members[reader.record.count].plain = event.plain
            reader.record.count += 1
        if gap.value == NULL:
            break
    # Now that all objects have ended.
    for i in range(reader.record.count):
        reader.members[i].value = shapes.reader.values[nodes[i]]
