# Reading the records of a buffer, one after the other.
#
# `read_line` reads the record in a line by what is known of the records before. Usually it marks
# the input and goes over gaps and values in one pass: the gaps are compared with those of earlier
# records, and strings end where their marks are. Records of a few plain strings it reads without
# marks, by the bits of the bytes that are not plain. It takes what it is sure of. All else is for
# `read_record` in loop.pyx, which parses any line and locates errors.
#
# Inline for the reason that json.pxd gives.

from libc.stdint cimport uint64_t

from forstcore._core.filter cimport Program
from forstcore._core.json cimport bytes_ptr
from forstcore._core.marks cimport (
    fst_are_plain_blocks,
    fst_mark_more,
    fst_move_marks,
    fst_restart_marks,
)
from forstcore._core.shapes cimport (
    COST_OF_ANOTHER,
    FST_BEHIND,
    FST_CLOSES,
    FST_OPENS,
    FST_RECORD,
    LONGEST_FLAT_PAUSE,
    MOST_BALANCE,
    SHORTEST_PAUSE,
    Shapes,
    fst_begin_flat,
    fst_copy_value,
    fst_event,
    fst_flat,
    fst_gap,
    fst_read_flat,
    fst_read_record,
    fst_reader,
    is_plain,
    keep_shapes,
    read_other,
    take_shapes,
)
from forstcore.native cimport (
    FST_MEMBERS,
    FST_STRING,
    fst_calls,
    fst_member,
    fst_record,
    fst_span,
    fst_value,
)

cdef enum:
    # Learning shapes pays if a call has so many bytes of lines, or its stream had so many lines.
    MANY_BYTES = 4096
    MANY_LINES = 32
    # So many bytes of lines justify that another stream loses what it has learned.
    VERY_MANY_BYTES = 32768
    # Bytes of marks behind the reader that are kept before they are moved.
    BEHIND_READER = 8192
    # What it costs to have marked a line in vain, compared with parsing a byte.
    COST_OF_A_MISS = 64
    # Bytes that are parsed at most when the balance is negative, and the balance after them.
    LONGEST_PAUSE = 1 << 18
    BALANCE_AFTER_PAUSE = 1 << 11


cdef struct RecordReader:
    fst_record record           # first, so that a pointer to it is one to the reader
    fst_member members[FST_MEMBERS]
    bytes_ptr limit             # end of readable memory
    int path                    # an FST_ path number
    Shapes *shapes              # for `read_line`; NULL for none
    bint lost                   # the next line has no marks yet
    bytes_ptr resume            # lines before are parsed: marks have not been worth it


cdef inline void begin_records(
        RecordReader *reader, const fst_calls *calls, bytes_ptr limit, int path) noexcept nogil:
    """Prepare to read the records of a buffer that ends at `limit`."""
    reader.record.calls = calls
    reader.record.members = reader.members
    reader.record.shape = 0
    reader.limit = limit
    reader.path = path
    reader.shapes = NULL
    reader.lost = True


cdef inline void begin_marks(
        RecordReader *reader, bytes_ptr p, uint64_t stream, const Program *filter,
        bint insists) noexcept nogil:
    """Prepare for `read_line` from `p` on; without shapes, `read_record` reads all."""
    cdef Shapes *shapes = take_shapes(stream, filter, insists)
    if shapes != NULL:
        use_shapes(reader, shapes, p)


cdef inline void use_shapes(RecordReader *reader, Shapes *shapes, bytes_ptr p) noexcept nogil:
    """Use shapes for `read_line` from `p` on."""
    reader.shapes = shapes
    reader.resume = p + shapes.pause_left
    shapes.reader.flat.noted = 0                # what has been found was in another buffer


cdef inline void end_records(RecordReader *reader, bytes_ptr p) noexcept nogil:
    """Give back what the reader has taken, which has come to `p`."""
    if reader.shapes != NULL:
        reader.shapes.pause_left = max(reader.resume - p, 0)
        keep_shapes(reader.shapes)


cdef inline bytes_ptr read_line(
        RecordReader *reader, bytes_ptr p, Py_ssize_t most, bint *is_read) noexcept nogil:
    """Read the record in the line at `p`, unless the line has more than `most` bytes.

    Args:
        is_read: receives whether it did; if not, nothing is known about the line.

    Returns:
        The LF of the line, NULL if it is not known.
    """
    cdef bytes_ptr lf, start
    cdef bint is_flat = True
    cdef Shapes *shapes = reader.shapes
    is_read[0] = False
    if shapes == NULL:
        return NULL
    if shapes.reader.flat.count > 0:
        lf = fst_read_flat(&shapes.reader, p)
        if lf == NULL:
            reader.lost = True
            lf = read_other(shapes, p, reader.limit, reader.path, &is_flat)
        if lf != NULL:
            if is_flat:
                start = p + shapes.reader.flat.before
                reader.record.text.start = <const char *>start
                reader.record.text.size = lf + 1 - shapes.reader.flat.behind - start
                is_read[0] = lf - p <= most
            return lf
    lf = marked_end(reader, p)
    if lf != NULL and lf - p <= most:
        is_read[0] = read_marked(reader, p, lf)
    return lf


cdef inline bytes_ptr marked_end(RecordReader *reader, bytes_ptr p) noexcept nogil:
    """Return the LF of the next line, which starts at `p`; NULL if it is not marked."""
    cdef fst_reader *state = &reader.shapes.reader
    if p < reader.resume:
        return NULL
    if reader.lost:
        fst_restart_marks(&state.marks, p)
        state.mark = state.line = 0
        state.flat.noted = 0
        reader.lost = False
        reader.record.members = reader.members
    while state.line >= state.marks.progress.counts.lines:
        if p - state.marks.start >= BEHIND_READER:
            fst_move_marks(&state.marks, p, state.mark, state.line)
            state.mark = state.line = 0
        if not fst_mark_more(&state.marks, reader.limit, reader.path):
            pay(reader, p, state.marks.progress.end - p + COST_OF_A_MISS)
            reader.lost = True
            return NULL
    return state.marks.start + state.marks.at[state.marks.ends[state.line]]


cdef inline bint read_marked(RecordReader *reader, bytes_ptr p, bytes_ptr lf) noexcept nogil:
    """Read the record in the line [p, lf), whose LF `marked_end` returned.

    Returns whether it did; if not, nothing is known about the line.
    """
    cdef Shapes *shapes = reader.shapes
    cdef fst_reader *state = &shapes.reader
    cdef bytes_ptr start
    cdef Py_ssize_t size = lf - p
    if reader.limit - lf < FST_BEHIND:
        return False
    shapes.searches = 0
    if not fst_read_record(state, p, lf, reader.path):
        pay(reader, lf, size + COST_OF_A_MISS)
        return False
    if shapes.searches > size:
        pay(reader, lf, shapes.searches - size)
    else:
        shapes.balance += <int>size - shapes.searches
        if shapes.balance > MOST_BALANCE:
            shapes.balance = MOST_BALANCE
            shapes.pause = SHORTEST_PAUSE
    if shapes.flat_pause_left > 0:
        shapes.flat_pause_left -= 1
    elif fst_begin_flat(state):
        shapes.flat_balance = COST_OF_ANOTHER
    else:
        shapes.flat_pause_left = shapes.flat_pause
        shapes.flat_pause = min(2 * shapes.flat_pause, <int>LONGEST_FLAT_PAUSE)
    start = p + shapes.reader.gaps[0].events[0].at
    reader.record.text.start = <const char *>start
    reader.record.text.size = shapes.reader.record_end - start
    return True


cdef inline void pay(RecordReader *reader, bytes_ptr p, Py_ssize_t cost) noexcept nogil:
    """Pay for work that parsing would have saved; pause at `p` if it gets too much.

    What records are worth that parsing would have read more slowly is about their bytes. So marks
    and shapes, at worst, cost a part of what parsing costs, whatever the input.
    """
    cdef Shapes *shapes = reader.shapes
    shapes.balance -= <int>cost
    if shapes.balance < 0:
        shapes.balance = BALANCE_AFTER_PAUSE
        reader.resume = p + shapes.pause
        shapes.pause = min(2 * shapes.pause, <int>LONGEST_PAUSE)
        reader.lost = True


cdef inline void go_on(RecordReader *reader) noexcept nogil:
    """Go on to the next line."""
    cdef fst_reader *state = &reader.shapes.reader
    if not reader.lost:
        state.mark = state.marks.ends[state.line] + 1
        state.line += 1


# ---------------------------------------------------------------- for processors

cdef inline void give_shape(RecordReader *reader) noexcept nogil:
    """Give access by paths to the record that `read_line` has read."""
    reader.record.shape = reader.shapes.number
    reader.record.values = reader.shapes.reader.values


cdef inline void list_members(RecordReader *reader) noexcept nogil:
    """Fill in the members of the record that `read_line` has read."""
    cdef fst_flat *flat = &reader.shapes.reader.flat
    if not reader.shapes.reader.marks.plain:
        list_marked(reader)
        return
    if reader.record.members != flat.members:
        give_shape(reader)
        reader.record.members = flat.members
        reader.record.count = flat.count
        reader.record.more = 0


cdef inline void list_marked(RecordReader *reader) noexcept nogil:
    """As `list_members`, for a record that has been read by its marks."""
    cdef Shapes *shapes = reader.shapes
    cdef const fst_gap *gap
    cdef const fst_event *event
    cdef fst_value *value
    cdef fst_member *member = reader.members
    cdef fst_member *object = NULL      # a member whose object has not ended yet
    cdef const char *start
    cdef bint plain = fst_are_plain_blocks(
        &shapes.reader.marks, <bytes_ptr>reader.record.text.start, reader.record.text.size)
    cdef bint is_string
    cdef int count = 0
    cdef int i
    give_shape(reader)
    reader.record.more = 0
    while True:
        gap = shapes.reader.gaps[count]
        count += 1
        if gap.value == NULL:
            start = <const char *>shapes.reader.end - gap.size
        else:
            is_string = gap.value.kind == FST_STRING
            gap.value.plain = is_string and (plain or is_plain(shapes, &gap.value.text))
            if gap.event_count == 1 and not gap.events[0].top:
                continue            # the next member of a nested object: it is not listed
            start = gap.value.text.start - is_string - gap.size     # text is behind the quote
        for i in range(gap.event_count):
            event = &gap.events[i]
            value = &shapes.reader.values[event.node]
            if event.kind == FST_OPENS:
                value.text.start = start + event.at
                value.plain = 0
            elif event.kind == FST_CLOSES:
                value.text.size = start + event.at + 1 - value.text.start
                if event.top and object != NULL:
                    fst_copy_value(&object.value, value)
                    object = NULL
                continue
            if not event.top:
                continue
            if member == reader.members + FST_MEMBERS:
                reader.record.more = 1
                continue
            member.name.start = start + event.name_at
            member.name.size = event.name_size
            member.plain = event.plain
            if event.kind == FST_OPENS:
                object = member
            else:
                fst_copy_value(&member.value, value)
            member += 1
        if gap.value == NULL:
            reader.record.count = <int>(member - reader.members)
            return
