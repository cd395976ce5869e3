# The compiled loops: whole lines in, results and error lines out.
#
# They run without the GIL and touch no Python object. `run_built_in` is for the built-in processor
# alone. `run_records` is for filters and native processors, which need the members of each record:
# `read_alike` reads a record that is written like the one before, `read_record` any other.

from forstcore._core.built_in cimport Record, fast_line, parse_line, write_result
from forstcore._core.error_lines cimport reject_line
from forstcore._core.filter cimport Named, is_wanted
from forstcore._core.json cimport (
    AFTER_THE_END,
    BLANK,
    NO_FAULT,
    NOT_AN_OBJECT,
    PROCESSOR_FAILED,
    TOO_LONG,
    Fault,
    bytes_ptr,
    refuse,
    skip_space,
    value_end,
)
from forstcore._core.members cimport read_object
from forstcore._core.native_processors cimport CALLS
from forstcore._core.run cimport (
    RESERVE,
    RUN_DONE,
    RUN_FAILED,
    RUN_FULL,
    RUN_NO_MEMORY,
    Run,
)
from forstcore._core.scan cimport fst_next_lf
from forstcore._core.template cimport RecordReader, begin_records, read_alike, remember_gaps
from forstcore.native cimport FST_OK, fst_fail, fst_output


cdef int read_record(
        RecordReader *reader, bytes_ptr p, bytes_ptr lf, Fault *fault) noexcept nogil:
    """Parse the line [p, lf), which an LF follows; return why it is no record, or 0."""
    cdef bytes_ptr value
    cdef bytes_ptr line = p
    reader.gap_count = 0
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
    elif fault.reason == NO_FAULT:
        remember_gaps(reader, line, lf)
    return fault.reason


cdef inline int use_record(
        Run *run, RecordReader *reader, Named *named, bytes_ptr line, bytes_ptr lf,
        Fault *fault) noexcept nogil:
    """Filter and process the record that has been read from [line, lf).

    Results go to `run.output`. Returns why the record was refused, or 0.
    """
    cdef fst_output *output = &run.output
    cdef Record record
    cdef unsigned char *out
    cdef int status
    if run.filter != NULL and not is_wanted(
            run.filter, run.marks, named, &reader.record, reader.limit, reader.path):
        run.filtered += 1
        return NO_FAULT
    if run.processor != NULL:
        output.line = output.first = output.at
        output.results = 0
        status = run.processor.process(run.state, &reader.record, output)
        if status == FST_OK and output.at == output.line:
            run.results += output.results
            return NO_FAULT
        return drop_results(output, status, line, fault)
    out = fast_line(line, lf, reader.limit, reader.path, <unsigned char *>output.at)
    if out == NULL:
        if parse_line(line, lf, reader.limit, reader.path, &record, fault) != NO_FAULT:
            return fault.reason
        out = write_result(<unsigned char *>output.at, &record)
    output.at = <char *>out
    run.results += 1
    return NO_FAULT


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
    cdef Record record
    cdef Fault fault
    while p < end and status == RUN_DONE:
        if run.out_end - out < end - p + RESERVE:
            status = RUN_FULL
            break
        lf = fst_next_lf(p, limit, path)
        lines += 1
        if lf - p <= run.max_line_size:
            line_out = fast_line(p, lf, limit, path, out)
            if line_out != NULL:
                out = line_out
                records += 1
                p = lf + 1
                continue
            start = skip_byte_order_mark(p, run.lines_before + lines)
            parse_line(start, lf, limit, path, &record, &fault)
        else:
            refuse(&fault, TOO_LONG, p + run.max_line_size)
        if fault.reason == NO_FAULT:
            out = write_result(out, &record)
            records += 1
        elif fault.reason != BLANK:
            out = reject_line(run, &fault, p, lf, lines, run.results + records, out)
            if run.failed_reason != NO_FAULT:
                status = RUN_FAILED
        p = lf + 1
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
    cdef long long lines = run.lines
    cdef long long records = 0
    cdef RecordReader reader
    cdef Named named
    cdef Fault fault
    begin_records(&reader, &CALLS, p, run.limit, run.path)
    output.at = <char *>run.out
    output.end = <char *>run.out_end
    while p < end and status == RUN_DONE:
        if output.end - output.at < end - p + RESERVE:
            status = RUN_FULL
            break
        lines += 1
        start = p
        reason = NO_FAULT
        lf = read_alike(&reader, p)
        if lf == NULL or lf - p > run.max_line_size:
            lf = fst_next_lf(p, run.limit, run.path)
            named.seen = named.count = 0
            if lf - p <= run.max_line_size:
                start = skip_byte_order_mark(p, run.lines_before + lines)
                reason = read_record(&reader, start, lf, &fault)
            else:
                refuse(&fault, TOO_LONG, p + run.max_line_size)
                reason = TOO_LONG
        if reason == NO_FAULT:
            reader.record.line = run.lines_before + lines
            reason = use_record(run, &reader, &named, start, lf, &fault)
            if output.failed:
                # Only the line is counted: there is no room for its result.
                status = RUN_NO_MEMORY
                break
        if reason == NO_FAULT:
            records += 1
        elif reason != BLANK:
            output.at = <char *>reject_line(
                run, &fault, p, lf, lines, run.results, <unsigned char *>output.at)
            if run.failed_reason != NO_FAULT:
                status = RUN_FAILED
        p = lf + 1
    run.lines = lines
    run.records += records
    run.pos = p
    run.out = <unsigned char *>output.at
    return status


cdef inline bytes_ptr skip_byte_order_mark(bytes_ptr p, long long number) noexcept nogil:
    """Return where the text of line `number` at `p` starts: only the first line may have a mark."""
    return p + 3 if number == 1 and p[0] == 0xEF and p[1] == 0xBB and p[2] == 0xBF else p
