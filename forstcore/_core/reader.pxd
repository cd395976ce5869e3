# Reading the records of a buffer, one after the other.
#
# `read_line` reads the record in a line by what is known of the records before. Usually it marks
# the input and goes over gaps and values in one pass: the gaps are compared with those of earlier
# records, and strings end where their marks are. Records of a few plain strings it reads without
# marks, by an index of the bytes that are not plain. It takes what it is sure of. All else is for
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
    FST_BEHIND,
    FST_CLOSES,
    FST_FLAT_WINDOW,
    FST_OPENS,
    FST_RECORD,
    MOST_BALANCE,
    SHORTEST_FLAT_PAUSE,
    SHORTEST_PAUSE,
    Shapes,
    fst_begin_flat,
    fst_copy_value,
    fst_event,
    fst_flat,
    fst_gap,
    fst_index_flat,
    fst_is_indexed,
    fst_read_flat,
    fst_read_record,
    fst_reader,
    fst_skip_line,
    is_plain,
    keep_shapes,
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
    # What it costs not to find the flat record that was expected, in records that were: parsing the
    # line. Most of them are saved up. Then, so many records are read by their marks.
    COST_OF_ANOTHER = 8
    MOST_FLAT_BALANCE = 64
    LONGEST_FLAT_PAUSE = 1 << 12


cdef struct RecordReader:
    fst_record record           # first, so that a pointer to it is one to the reader
    fst_member members[FST_MEMBERS]
    bytes_ptr limit             # end of readable memory
    int path                    # an FST_ path number
    Shapes *shapes              # for `read_line`; NULL for none
    bint lost                   # the next line has no marks yet
    bint indexed                # but stops in an index instead
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
    reader.indexed = False


cdef inline void begin_marks(
        RecordReader *reader, bytes_ptr p, uint64_t stream, const Program *filter,
        bint insists) noexcept nogil:
    """Prepare for `read_line` from `p` on; without shapes, `read_record` reads all."""
    reader.shapes = take_shapes(stream, filter, insists)
    if reader.shapes != NULL:
        reader.resume = p + reader.shapes.pause_left


cdef inline void end_records(RecordReader *reader, bytes_ptr p) noexcept nogil:
    """Give back what the reader has taken, which has come to `p`."""
    if reader.shapes != NULL:
        reader.shapes.pause_left = max(reader.resume - p, 0)
        keep_shapes(reader.shapes)


cdef inline bytes_ptr read_line(
        RecordReader *reader, bytes_ptr p, Py_ssize_t most, bint *is_read) noexcept nogil:
    """Read the record in the line at `p`, unless the line has more than `most` bytes.

    Args:
        is_read: receives whether it did; if not, the line may be anything.

    Returns:
        The LF of the line, NULL if it is not known.
    """
    cdef bytes_ptr lf
    is_read[0] = False
    if reader.shapes == NULL:
        return NULL
    if reader.shapes.reader.flat.count > 0 and is_indexed(reader, p):
        if read_flat(reader, p, &lf):
            is_read[0] = lf - p <= most
        return lf
    lf = marked_end(reader, p)
    if lf != NULL and lf - p <= most:
        is_read[0] = read_marked(reader, p, lf)
    return lf


cdef inline bint is_indexed(RecordReader *reader, bytes_ptr p) noexcept nogil:
    """Whether there may be a flat record at `p`, and the index has its stops."""
    cdef Shapes *shapes = reader.shapes
    cdef fst_flat *flat = &shapes.reader.flat
    if reader.indexed:
        if fst_is_indexed(flat):
            return True
        count_flat(shapes)
    reader.lost = reader.indexed = True
    if fst_index_flat(&shapes.reader, p, reader.limit, reader.path):
        return True
    if reader.limit - p > 2 * FST_FLAT_WINDOW:
        expect_flat_less(shapes)                # it is too long
    return False


cdef inline void count_flat(Shapes *shapes) noexcept nogil:
    """Count the flat records that have been read since the last time."""
    cdef fst_flat *flat = &shapes.reader.flat
    shapes.flat_balance = min(
        shapes.flat_balance + (flat.next - flat.counted) // flat.stops, <int>MOST_FLAT_BALANCE)
    if shapes.flat_balance == MOST_FLAT_BALANCE:
        shapes.flat_pause = SHORTEST_FLAT_PAUSE


cdef inline void expect_flat_less(Shapes *shapes) noexcept nogil:
    """Count a record that is not flat, and perhaps expect no more flat ones for a while."""
    shapes.flat_balance -= COST_OF_ANOTHER
    if shapes.flat_balance < 0:
        shapes.reader.flat.count = 0
        shapes.flat_pause_left = shapes.flat_pause
        shapes.flat_pause = min(2 * shapes.flat_pause, <int>LONGEST_FLAT_PAUSE)


cdef inline bint read_flat(RecordReader *reader, bytes_ptr p, bytes_ptr *lf) noexcept nogil:
    """Read the line at `p`, which is indexed, as a flat record; return whether it is one.

    Args:
        lf: receives the LF of the line, NULL if it is not known.
    """
    cdef fst_flat *flat = &reader.shapes.reader.flat
    cdef bytes_ptr start
    lf[0] = fst_read_flat(&reader.shapes.reader, p)
    if lf[0] == NULL:
        count_flat(reader.shapes)
        expect_flat_less(reader.shapes)
        lf[0] = fst_skip_line(&reader.shapes.reader)
        return False
    start = p + flat.before
    reader.record.text.start = <const char *>start
    reader.record.text.size = lf[0] + 1 - flat.behind - start
    return True


cdef inline bytes_ptr marked_end(RecordReader *reader, bytes_ptr p) noexcept nogil:
    """Return the LF of the next line, which starts at `p`; NULL if it is not marked."""
    cdef fst_reader *state = &reader.shapes.reader
    if p < reader.resume:
        return NULL
    if reader.lost:
        fst_restart_marks(&state.marks, p)
        state.mark = state.line = 0
        reader.lost = reader.indexed = False
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

    Returns whether it did; if not, the line may be anything.
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
    cdef fst_span text
    cdef int i
    if not reader.shapes.reader.marks.plain:
        list_marked(reader)
        return
    if reader.record.members != flat.members:
        give_shape(reader)
        reader.record.members = flat.members
        reader.record.count = flat.count
        reader.record.more = 0
    for i in range(flat.count):
        text = flat.pieces[i].value.text
        flat.members[i].name.start = text.start + flat.pieces[i].name
        flat.members[i].value.text = text


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
