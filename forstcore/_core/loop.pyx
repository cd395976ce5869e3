# The compiled loops: whole lines in, results and error lines out.
#
# They run without the GIL and touch no Python object. `run_built_in` is for the built-in processor
# alone, `run_records` for filters and native processors. Records that have the usual members of the
# built-in processor and no others are copied as they are read; `read_line` reads any other, and
# `read_record` parses what both do not take.

from libc.string cimport memcpy

from forstcore._core.built_in cimport (
    Record,
    Span,
    fast_line,
    parse_line,
    usual_lines,
    write_result,
)
from forstcore._core.error_lines cimport reject_line
from forstcore._core.filter cimport is_wanted
from forstcore._core.json cimport (
    AFTER_THE_END,
    BLANK,
    LF,
    NO_FAULT,
    NOT_AN_OBJECT,
    PROCESSOR_FAILED,
    TOO_LONG,
    WRONG_DATA,
    WRONG_ID,
    Fault,
    bytes_ptr,
    refuse,
    skip_space,
    value_end,
)
from forstcore._core.members cimport read_object
from forstcore._core.native_processors cimport CALLS, pass_on
from forstcore._core.reader cimport (
    MANY_BYTES,
    MANY_LINES,
    VERY_MANY_BYTES,
    RecordReader,
    begin_marks,
    begin_records,
    end_records,
    give_shape,
    go_on,
    list_members,
    read_line,
)
from forstcore._core.run cimport (
    GIVEN_BACK,
    RESERVE,
    RUN_DONE,
    RUN_FAILED,
    RUN_FULL,
    RUN_GIVEN_BACK,
    RUN_NO_MEMORY,
    Run,
)
from forstcore._core.scan cimport FST_PORTABLE, fst_next_lf, fst_usual
from forstcore._core.shapes cimport FST_START, Shapes
from forstcore._core.wanted cimport meets_filter
from forstcore.native cimport (
    FST_ABSENT,
    FST_NULL,
    FST_OBJECT,
    FST_OK,
    FST_STRING,
    fst_fail,
    fst_output,
    fst_span,
    fst_value,
)


cdef enum:
    # A line that is not in the usual shape adds this to `Run.unusual`; one that is subtracts 1.
    UNUSUAL = 8
    # Once the sum is so high, lines are read by their marks. A few invalid lines among usual ones
    # do not get it there.
    MANY_UNUSUAL = 24
    MOST_UNUSUAL = 64
    # While lines are read by their marks, one of so many is tried in the usual shape.
    SAMPLE = 64
    # About this many bytes are copied at once, while they are still in the cache.
    PASSED_AT_ONCE = 4096


cdef int read_record(
        RecordReader *reader, bytes_ptr p, bytes_ptr lf, Fault *fault) noexcept nogil:
    """Parse the line [p, lf), which an LF follows; return why it is no record, or 0."""
    cdef bytes_ptr value
    reader.record.shape = 0
    reader.record.members = reader.members
    fault.reason = NO_FAULT
    p = skip_space(p)
    if p == lf:
        refuse(fault, BLANK, p)
        return BLANK
    value = p
    if p[0] != c'{':
        p = value_end(p, reader.limit, reader.path, 0, fault)
        if p == NULL:
            return fault.reason
        refuse(fault, NOT_AN_OBJECT, value)
    else:
        p = read_object(
            p, reader.limit, reader.path, &reader.record, reader.members, fault)
        if p == NULL:
            return fault.reason
    p = skip_space(p)
    if p != lf:
        refuse(fault, AFTER_THE_END, p)
    return fault.reason


# Lines that are passed on as they came, one behind the other, and are to be copied to the output.
cdef struct Passed:
    bytes_ptr start
    bytes_ptr end


cdef inline void copy_passed(fst_output *output, Passed *passed) noexcept nogil:
    cdef Py_ssize_t size = passed.end - passed.start
    if size > 0:
        memcpy(output.at, passed.start, size)
        output.at += size
        passed.start = passed.end


cdef inline bint pass_line(
        fst_output *output, Passed *passed, const fst_span *record, bytes_ptr line,
        bytes_ptr lf) noexcept nogil:
    """Pass on the line [line, lf] if there is no white space around its record."""
    if <bytes_ptr>record.start != line or line + record.size != lf:
        return False
    if line != passed.end or line - passed.start > PASSED_AT_ONCE:
        copy_passed(output, passed)
        passed.start = line
    passed.end = lf + 1
    return True


cdef inline bint is_selected(Run *run, RecordReader *reader, bint marked) noexcept nogil:
    """Whether the filter selects the record that has been read, by its marks or not."""
    if marked:
        return meets_filter(reader.shapes)
    return is_wanted(run.filter, run.visits, &reader.record, reader.limit, reader.path)


cdef inline int use_record(
        Run *run, RecordReader *reader, bint marked, bytes_ptr line, bytes_ptr lf,
        Fault *fault) noexcept nogil:
    """Process the record that has been read from [line, lf), by its marks or not.

    Results go to `run.output`. Returns why the record was refused, GIVEN_BACK, or 0.
    """
    cdef fst_output *output = &run.output
    cdef Record record
    cdef unsigned char *out
    cdef int status
    if run.processor != NULL:
        if marked and run.reads_members:
            list_members(reader)
        elif marked:
            give_shape(reader)
        output.line = output.first = output.at
        output.results = 0
        status = run.processor.process(run.state, &reader.record, output)
        if status == FST_OK and output.at == output.line:
            run.results += output.results
            return NO_FAULT
        if status == GIVEN_BACK:
            output.at = output.first
            return GIVEN_BACK
        return drop_results(output, status, line, fault)
    out = NULL
    if marked:
        out = write_marked(reader.shapes, <unsigned char *>output.at)
        if out == NULL and refuse_wrong_type(reader.shapes, fault):
            return fault.reason
    if out == NULL:
        out = fast_line(line, lf, reader.limit, reader.path, <unsigned char *>output.at)
    if out == NULL:
        if parse_line(line, lf, reader.limit, reader.path, &record, fault) != NO_FAULT:
            return fault.reason
        out = write_result(<unsigned char *>output.at, &record)
    output.at = <char *>out
    run.results += 1
    return NO_FAULT


cdef inline bint is_text_or_null(
        const Shapes *shapes, int node, Span *span) noexcept nogil:
    """Whether a member is a string, null or absent; give its text."""
    cdef const fst_value *value = &shapes.reader.values[node]
    span.size = 0
    if node == FST_START or value.kind == FST_ABSENT or value.kind == FST_NULL:
        return True
    span.start = <bytes_ptr>value.text.start
    span.size = value.text.size
    return value.kind == FST_STRING


cdef inline unsigned char *write_marked(const Shapes *shapes, unsigned char *out) noexcept nogil:
    """Write the result of the built-in processor for the record that has been read.

    Returns NULL if the record is not one for it.
    """
    cdef Record record
    record.id.start = record.data.start = out   # anything: they may be empty
    if is_text_or_null(shapes, shapes.id, &record.id) and is_text_or_null(
            shapes, shapes.data, &record.data):
        return write_result(out, &record)
    return NULL


cdef bint refuse_wrong_type(const Shapes *shapes, Fault *fault) noexcept nogil:
    """Refuse the record that has been read, and is not one for the built-in processor.

    Returns False if it cannot: where an object starts is not known.
    """
    cdef Span text
    cdef int node = shapes.id
    cdef int reason = WRONG_ID
    if is_text_or_null(shapes, node, &text):
        node = shapes.data
        reason = WRONG_DATA
    if shapes.reader.values[node].kind == FST_OBJECT:
        return False
    refuse(fault, reason, <bytes_ptr>shapes.reader.values[node].text.start)
    return True


cdef int drop_results(
        fst_output *output, int status, bytes_ptr line, Fault *fault) noexcept nogil:
    """Drop the results of a record that a native processor refused, or did not write to the end."""
    if output.failed:
        return NO_FAULT             # no memory, whatever it returned
    if status == FST_OK:
        if output.line[0] == c':':
            fst_fail(output, b"a result starts with ':'")
        else:
            fst_fail(output, b"it left a result without end")
    output.at = output.first
    refuse(fault, PROCESSOR_FAILED, line)
    return PROCESSOR_FAILED


cdef inline void begin_shapes(Run *run, RecordReader *reader, bytes_ptr p) noexcept nogil:
    """Prepare to read the lines from `p` on by their marks, if that is worth it."""
    cdef Py_ssize_t size = run.end - p
    cdef bint insists = size >= VERY_MANY_BYTES
    if size >= MANY_BYTES or run.lines >= MANY_LINES:
        begin_marks(reader, p, run.stream, run.filter, insists)


cdef inline void count_unusual(Run *run, long long usual, bytes_ptr p) noexcept nogil:
    """Count lines in the usual shape, and the one at `p`, which is not, unless it is empty."""
    run.unusual = <int>max(run.unusual - usual, 0)
    if p[0] != LF:
        run.unusual = min(run.unusual + UNUSUAL, <int>MOST_UNUSUAL)


cdef int run_built_in(Run *run) noexcept nogil:
    """As `run_lines`, for the built-in processor alone."""
    cdef bytes_ptr p = run.pos
    cdef bytes_ptr end = run.end
    cdef bytes_ptr limit = run.limit
    cdef bytes_ptr lf
    cdef bytes_ptr start
    cdef unsigned char *out = run.out
    cdef unsigned char *line_out
    cdef int path = run.path
    cdef int status = RUN_DONE
    cdef long long lines = run.lines
    cdef long long records = 0
    cdef fst_usual done
    cdef bint marked
    cdef bint known             # whether its marks say why a line is refused
    cdef bint begun = False     # whether shapes have been asked for
    cdef bint marking = False   # whether lines are read by their marks
    cdef RecordReader reader
    cdef Record record
    cdef Fault fault
    begin_records(&reader, &CALLS, limit, path)
    while p < end and status == RUN_DONE:
        if not marking or lines % SAMPLE == 0:
            done = usual_lines(
                p, end, limit, path, run.max_line_size, out, run.out_end - RESERVE)
            p = done.p
            out = done.out
            lines += done.lines
            records += done.lines
            if p == end:
                run.unusual = 0
                break
            if done.lines or not marking:
                reader.lost = True
            count_unusual(run, done.lines, p)
            # Without vectors, parsing is faster where two members are wanted.
            marking = run.unusual >= MANY_UNUSUAL and path != FST_PORTABLE
            if marking and not begun:
                begun = True
                begin_shapes(run, &reader, p)
            marking = marking and reader.shapes != NULL
        if run.out_end - out < end - p + RESERVE:
            status = RUN_FULL
            break
        lines += 1
        known = False
        lf = read_line(&reader, p, run.max_line_size, &marked) if marking else NULL
        if lf != NULL:
            line_out = NULL
            if marked:
                line_out = write_marked(reader.shapes, out)
                known = line_out == NULL and refuse_wrong_type(reader.shapes, &fault)
            go_on(&reader)
            if line_out != NULL:
                out = line_out
                records += 1
                p = lf + 1
                continue
        else:
            lf = fst_next_lf(p, limit, path)
        if lf - p > run.max_line_size:
            refuse(&fault, TOO_LONG, p + run.max_line_size)
        elif not known:
            start = skip_byte_order_mark(p, run.lines_before + lines)
            parse_line(start, lf, limit, path, &record, &fault)
        if fault.reason == NO_FAULT:
            out = write_result(out, &record)
            records += 1
        elif fault.reason != BLANK:
            out = reject_line(run, &fault, p, lf, lines, run.results + records, out)
            if run.failed_reason != NO_FAULT:
                status = RUN_FAILED
        p = lf + 1
    end_records(&reader, p)
    run.lines = lines
    run.records += records
    run.results += records
    run.pos = p
    run.out = out
    return status


cdef int run_records(Run *run) noexcept nogil:
    """As `run_lines`, for a filter or a native processor, which need its members."""
    cdef bytes_ptr p = run.pos
    cdef bytes_ptr end = run.end
    cdef bytes_ptr lf
    cdef bytes_ptr start
    cdef fst_output *output = &run.output
    cdef int status = RUN_DONE
    cdef int reason
    cdef bint marked
    cdef long long lines = run.lines
    cdef long long records = 0
    cdef bint passes_on = run.processor != NULL and run.processor.process == pass_on
    cdef Passed passed
    cdef RecordReader reader
    cdef Fault fault
    passed.start = passed.end = NULL
    begin_records(&reader, &CALLS, run.limit, run.path)
    begin_shapes(run, &reader, p)
    output.at = <char *>run.out
    output.end = <char *>run.out_end
    while p < end and status == RUN_DONE:
        if output.end - output.at < end - p + RESERVE:
            status = RUN_FULL
            break
        lines += 1
        start = p
        reason = NO_FAULT
        lf = read_line(&reader, p, run.max_line_size, &marked)
        if lf == NULL:
            lf = fst_next_lf(p, run.limit, run.path)
        if not marked:
            if lf - p <= run.max_line_size:
                start = skip_byte_order_mark(p, run.lines_before + lines)
                reason = read_record(&reader, start, lf, &fault)
            else:
                refuse(&fault, TOO_LONG, p + run.max_line_size)
                reason = TOO_LONG
        if reason != NO_FAULT:
            copy_passed(output, &passed)
        elif run.filter != NULL and not is_selected(run, &reader, marked):
            run.filtered += 1
        elif passes_on and pass_line(output, &passed, &reader.record.text, p, lf):
            run.results += 1
        else:
            if passes_on:
                copy_passed(output, &passed)
            reader.record.line = run.lines_before + lines
            reason = use_record(run, &reader, marked, start, lf, &fault)
            if output.failed:
                # Only the line is counted: there is no room for its result.
                status = RUN_NO_MEMORY
                break
            if reason == GIVEN_BACK:
                lines -= 1
                status = RUN_GIVEN_BACK
                break
        if reader.shapes != NULL:
            go_on(&reader)
        if reason == NO_FAULT:
            records += 1
        elif reason != BLANK:
            output.at = <char *>reject_line(
                run, &fault, p, lf, lines, run.results, <unsigned char *>output.at)
            if run.failed_reason != NO_FAULT:
                status = RUN_FAILED
        p = lf + 1
    copy_passed(output, &passed)
    end_records(&reader, p)
    run.lines = lines
    run.records += records
    run.pos = p
    run.out = <unsigned char *>output.at
    return status


cdef inline bytes_ptr skip_byte_order_mark(bytes_ptr p, long long number) noexcept nogil:
    """Return where the text of line `number` at `p` starts: only the first line may have a mark."""
    return p + 3 if number == 1 and p[0] == 0xEF and p[1] == 0xBB and p[2] == 0xBF else p
