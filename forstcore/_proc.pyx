# The Python interface of the core, and `RecordStream`: bytes of NDJSON in, bytes of results out.
#
#   chunk ── whole lines ─┬─> run_built_in ──> fast_line ──────────────────> output
#     └ tail, kept         │       └ other members: read_line ────────────┤
#                          └─> run_records ───> read_line ──> processor ──┘
#                                   └ anything unusual: read_record ↗
#
# `RecordStream` cuts chunks into whole lines and keeps the rest, the tail; it owns the output and
# the counters. The loops in _core/loop.pyx process the whole lines, without the GIL and without a
# Python object. They call _core/built_in.pxd, the built-in processor, and _core/reader.pxd, which
# reads records with any members: by their marks (_core/marks.h) and shapes (_core/shapes.h), and
# those of a few plain strings without marks (_core/flat.h). What is unusual or invalid goes to the
# parser, _core/json.pxd. _core/error_lines.pyx handles invalid lines.
#
# Invariants
# - Every line handed to the parser is followed by an LF in readable memory. No JSON
#   token contains one, so scalar code needs no bounds check: the LF stops it.
# - Before a line is read, the output has room for all remaining input plus RESERVE
#   bytes, so that writing a line needs no check.
# - Functions that run without the GIL return error numbers; only `record_error` turns them into
#   exceptions.

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from cpython.ref cimport PyObject
from libc.string cimport memchr

from forstcore._core.checks cimport (
    LINE_LIMIT_DEFAULT,
    LINE_LIMIT_HIGHEST,
    check_first_init,
    check_initialized,
    checked_first_line,
    checked_growth,
    checked_line_size,
    checked_on_error,
    raise_busy,
    raise_finished,
)
from forstcore._core.error_lines cimport count_by_code, record_error, reject_long_line
from forstcore._core.filter cimport Filter, Visit
from forstcore._core.json cimport DEPTH_LIMIT, LF, NO_FAULT, bytes_ptr
from forstcore._core.lines cimport PADDING, Batcher, LineSplitter, Tail, tail_append
from forstcore._core.loop cimport run_lines
from forstcore._core.native_processors cimport processor_of
from forstcore._core.output_bytes cimport (
    output_close,
    output_has_enough,
    output_open,
    output_reserve,
    output_size,
)
from forstcore._core.program cimport COMPILED, Program
from forstcore._core.rejected cimport RejectedLines, drop_notes
from forstcore._core.run cimport (
    RUN_FULL,
    RUN_GIVEN_BACK,
    RUN_NO_MEMORY,
    SKIP,
    Run,
)
from forstcore._core.scan cimport fst_last_lf
from forstcore._core.scan_path cimport current_path
from forstcore.native cimport fst_output, fst_processor

from forstcore._core.error_lines import ERROR_CODES
from forstcore._core.lines import count_lines
from forstcore._core.native_processors import PASS_ON
from forstcore._core.scan_path import scan_path, scan_paths, use_scan_path
from forstcore._core.shapes cimport next_number
from forstcore._core.single_record import check_object, parse_record, process_record

__all__ = [
    "Batcher",
    "DEFAULT_MAX_LINE_SIZE",
    "ERROR_CODES",
    "HIGHEST_MAX_LINE_SIZE",
    "LineSplitter",
    "MAX_DEPTH",
    "PASS_ON",
    "RecordStream",
    "check_object",
    "count_lines",
    "parse_record",
    "process_block",
    "process_record",
    "scan_path",
    "scan_paths",
    "use_scan_path",
]

cdef extern from "Python.h":
    void Py_XDECREF(PyObject *)

cdef enum:
    # Rejected lines that `feed_part` keeps: its caller handles each in Python.
    MOST_REJECTED = 500
    # Below this many bytes, giving up the GIL costs more than the work.
    NOGIL_SIZE = 16384

MAX_DEPTH = DEPTH_LIMIT
DEFAULT_MAX_LINE_SIZE = LINE_LIMIT_DEFAULT
HIGHEST_MAX_LINE_SIZE = LINE_LIMIT_HIGHEST

# `cimport` alone does not make a class importable from Python.
globals()["Batcher"] = Batcher
globals()["LineSplitter"] = LineSplitter


cdef int grow_call(fst_output *output, Py_ssize_t size) noexcept nogil:
    """Make room for `size` more bytes of a native processor's results."""
    cdef int status
    with gil:
        status = grow_output(<RecordStream>output.owner, output, size)
    return status


cdef int grow_output(RecordStream stream, fst_output *output, Py_ssize_t size) noexcept:
    cdef Py_ssize_t line = output.at - output.line
    cdef Py_ssize_t first = output.at - output.first
    stream.run.out = <unsigned char *>output.at
    try:
        output_reserve(&stream.output, &stream.run, size)
    except MemoryError:
        output.failed = 1
        output.end = output.at
        return -1
    output.at = <char *>stream.run.out
    output.end = <char *>stream.run.out_end
    output.line = output.at - line
    output.first = output.at - first
    return 0


# The garbage collector would free the native processor before its `destroy` is called.
@cython.no_gc_clear
cdef class RecordStream:
    """Process one NDJSON stream, chunk by chunk.

    The results do not depend on how the input is split into chunks. Memory: one line of at most
    `max_line_size` bytes is kept between calls, in a buffer of up to twice that size.

    Args:
        on_error: what to do with a line that is not a record: ``"skip"`` drops and counts
            it; ``"emit"`` puts an error line in its place; ``"fail"`` does that too and
            ends the stream.
        max_line_size: longest line in bytes, without its LF, from 1 to 1 GiB. A longer
            line is rejected, and the stream continues after its LF.
        first_line: number of the first line, from 1 to 2**62, for line numbers in errors when
            another stream processed the start of the input.
        filter: only matching records are processed; the others are counted.
        processor: a native processor, as the capsule that forstcore.h describes, or a compiled
            one, as `Program`; None for the built-in one. It is called without the GIL.
        growth: initial estimate of the output bytes per input byte, from 1 to 64. A low estimate
            costs copies, a high one memory.
        keep_rejected: whether `take_rejected` returns the rejected lines, for any value of
            `on_error`. Memory: the rejected lines of one call, and about 40 bytes for each.

    Attributes:
        growth: output bytes per input byte, as estimated from the last large chunk.
        lines: input lines so far, including blank ones.
        records: lines that were valid records.
        errors: lines that were neither blank nor a record.
        results: result lines written; error lines are not counted.
        filtered: valid records that did not match the filter.
        bytes_in: bytes fed.
        taken: bytes of the last chunk that were processed; less than all only after `feed_part`.
        bytes_out: bytes returned.
        given_back: whether the last call stopped before a line whose record the compiled processor
            gives back: it starts at `taken`, and is to be processed in Python. Then call
            `skip_line`, and feed what comes behind it.
        failed: whether an error ended the stream (``on_error="fail"`` only).

    Raises:
        ValueError: an argument is out of range, or the processor was built for another version
            of the C interface.
        TypeError: `processor` is not such a capsule.

    Thread-safety: one owner. A call while another thread is in a call raises
    `StreamStateError`. The GIL is released for chunks of 16 KiB and more; a mutable chunk
    must not be changed meanwhile.

    Sources: RFC 8259 (JSON), the NDJSON specification (lines).
    """

    def __init__(self, *, on_error="skip", max_line_size=LINE_LIMIT_DEFAULT, first_line=1,
                 Filter filter=None, processor=None, growth=3.0, keep_rejected=False):
        cdef int mode = checked_on_error(on_error)
        cdef Py_ssize_t line_size = checked_line_size(max_line_size)
        cdef long long number = checked_first_line(first_line)
        cdef Py_ssize_t guess = checked_growth(growth)
        cdef bint keeps = keep_rejected
        # After this point, no user code runs that could call `__init__` again.
        check_first_init(self.output.expected)
        self.output.expected = guess
        self.run.stream = next_number()
        self.run.on_error = mode
        self.run.max_line_size = line_size
        self.run.lines_before = number - 1
        self.run.notes = &self.notes if keeps else NULL
        if filter is not None:
            self.use_filter(filter)
        if processor is not None:
            self.use_processor(processor)

    def __dealloc__(self):
        PyMem_RawFree(self.tail.start)
        PyMem_RawFree(self.run.visits)
        drop_notes(&self.notes)
        Py_XDECREF(self.output.filled)
        if self.run.state != NULL and self.run.processor.destroy != NULL:
            self.run.processor.destroy(self.run.state)

    cdef int use_filter(self, Filter wanted) except -1:
        check_initialized(wanted.program.count)
        self.run.visits = <Visit *>PyMem_RawCalloc(wanted.program.count, sizeof(Visit))
        if self.run.visits == NULL:
            raise MemoryError()
        self.filter = wanted
        self.run.filter = &wanted.program
        return 0

    cdef int use_processor(self, object capsule) except -1:
        cdef const fst_processor *processor
        if isinstance(capsule, Program):
            processor = &COMPILED
            self.run.state = (<Program>capsule).new_machine()
        else:
            processor = processor_of(capsule)
            self.run.reads_members = capsule is not PASS_ON
            if processor.create != NULL:
                self.run.state = processor.create()
                if self.run.state == NULL:
                    raise MemoryError("the native processor could not make its state")
        self.capsule = capsule
        self.run.processor = processor
        self.run.output.grow = grow_call
        self.run.output.owner = <void *>self
        return 0

    def feed(self, chunk, /):
        """Process the lines that end in this chunk and keep the rest as the tail.

        Args:
            chunk: any contiguous bytes-like object.

        Returns:
            The results as NDJSON, perhaps empty.

        Raises:
            RecordError: an error ended the stream in an earlier call (``on_error="fail"``). That
                call returned the results before the error, and the error line.
            StreamStateError: the stream is finished, or another thread is in a call.
        """
        return self.take_from(chunk, 0, False)

    def feed_part(self, chunk, Py_ssize_t most, /):
        """As `feed`, but stop once there are about `most` bytes of results.

        The rest of the chunk starts at `taken`; feed it next. This bounds the memory for
        results when error lines or results are many times longer than their input lines.

        Args:
            chunk: any contiguous bytes-like object.
            most: no further line is processed once there are this many bytes of results (the last
                result may exceed it), or once 500 rejected lines are kept.

        Returns, Raises:
            As `feed`.
        """
        return self.take_from(chunk, most, False)

    def skip_line(self):
        """Count the next line, which was given back, and is processed in Python instead."""
        self.run.lines += 1

    def finish(self):
        """End the stream: process the tail, a last line without LF.

        Returns:
            Its result, or empty bytes.

        Raises:
            RecordError, StreamStateError: as `feed`.
        """
        return self.take(b"", 0, 0, 0, True)

    @property
    def lines(self):
        return self.run.lines

    @property
    def records(self):
        return self.run.records

    @property
    def errors(self):
        return self.run.errors

    @property
    def results(self):
        return self.run.results

    @property
    def filtered(self):
        return self.run.filtered

    @property
    def growth(self):
        return self.output.expected / 256.0

    def take_rejected(self):
        """Return the lines that the last call rejected, as `RejectedLines`, once.

        Returns:
            None if there are none, or if they are not kept.

        Raises:
            StreamStateError: another thread is in a call.
        """
        cdef RejectedLines taken
        with cython.critical_section(self):
            if self.busy:
                raise_busy()
            taken = self.kept
            self.kept = None
        return taken

    def errors_by_code(self):
        """Return the number of errors of each code so far.

        Returns:
            A dict from codes to counts, without zeros; the sum of the counts is `errors`.
        """
        return count_by_code(self.run.faults)

    @property
    def given_back_at(self):
        """The place where the compiled processor gave the last record back, and why: a status of
        vm/values.h; None if it is not known."""
        if not isinstance(self.capsule, Program):
            return None
        return (<Program>self.capsule).stopped_at(self.run.state)

    @property
    def failed(self):
        return self.run.failed_reason != NO_FAULT

    cdef bytes take_from(self, object buffer, Py_ssize_t most, bint last):
        cdef Py_buffer view
        PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
        try:
            return self.take(<bytes_ptr>view.buf, view.len, most, MOST_REJECTED, last)
        finally:
            PyBuffer_Release(&view)

    cdef bytes take(
            self, bytes_ptr start, Py_ssize_t size, Py_ssize_t most, Py_ssize_t most_rejected,
            bint last):
        cdef bint entered = False
        cdef bytes results
        with cython.critical_section(self):
            if not self.busy:
                self.busy = entered = True
        if not entered:
            raise_busy()
        try:
            check_initialized(self.output.expected)
            if self.run.failed_reason != NO_FAULT:
                raise self.failure()
            if self.finished:
                raise_finished()
            self.kept = None
            self.run.lines_out = self.run.results
            if self.run.on_error != SKIP:
                self.run.lines_out += self.run.errors
            self.taken = size
            self.finished = last
            self.run.most = most
            self.run.most_notes = most_rejected
            self.given_back = False
            output_open(&self.output, &self.run, size, self.tail.size)
            self.consume(start, start + size, last)
            self.bytes_in += self.taken
            self.bytes_out += output_size(&self.output, &self.run)
            results = output_close(&self.output, &self.run, self.taken)
            if self.notes.count:
                self.kept = RejectedLines.__new__(RejectedLines)
                self.kept.take_over(&self.notes)
            return results
        finally:
            Py_XDECREF(self.output.filled)
            self.output.filled = NULL
            drop_notes(&self.notes)
            self.busy = False

    cdef object failure(self):
        return record_error(
            self.run.failed_reason, self.run.lines_before + self.run.lines, self.run.failed_offset)

    cdef int consume(self, bytes_ptr start, bytes_ptr end, bint last) except -1:
        """Split a chunk into the end of the tail, whole lines, and a new tail."""
        cdef Tail *tail = &self.tail
        cdef bytes_ptr first = start
        cdef bytes_ptr lf
        cdef bytes_ptr stop
        if tail.discarding or tail.size > 0:
            lf = <bytes_ptr>memchr(start, LF, end - start)
            stop = end if lf == NULL else lf + 1
            if tail.discarding:
                tail.discarding = lf == NULL
            else:
                self.extend_tail(start, stop, lf != NULL)
            start = stop
        if start < end and self.run.failed_reason == NO_FAULT:
            lf = fst_last_lf(start, end)
            if lf != NULL:
                self.drive(start, lf + 1, end)
                if self.run.pos <= lf and self.run.failed_reason == NO_FAULT:
                    self.taken = self.run.pos - first
                    return 0
                start = lf + 1
        if start < end and self.run.failed_reason == NO_FAULT:
            self.extend_tail(start, end, False)
        if last and tail.size > 0 and self.run.failed_reason == NO_FAULT:
            self.extend_tail(b"\n", <bytes_ptr>b"\n" + 1, True)
        return 0

    cdef int extend_tail(self, bytes_ptr start, bytes_ptr stop, bint ended) except -1:
        """Add to the tail. Process it if it has `ended`; reject it if it gets too long."""
        cdef Tail *tail = &self.tail
        if tail.size + (stop - start) - ended > self.run.max_line_size:
            tail.discarding = not ended
            output_reserve(&self.output, &self.run, 0)
            reject_long_line(&self.run, tail.start, tail.size, start)
            if self.notes.failed:
                raise MemoryError()
            tail.size = 0
            return 0
        tail_append(tail, start, stop - start)
        if ended:
            self.drive(tail.start, tail.start + tail.size, tail.start + tail.size + PADDING)
            if self.given_back:
                raise ValueError("a compiled processor has to be fed whole lines")
            tail.size = 0
        return 0

    cdef int drive(self, bytes_ptr start, bytes_ptr end, bytes_ptr limit) except -1:
        cdef Run *run = &self.run
        cdef int status = RUN_FULL
        run.pos = start
        run.end = end
        run.limit = limit
        run.path = current_path
        while status == RUN_FULL:
            if run.pos > start and output_has_enough(&self.output, &self.run):
                return 0
            output_reserve(&self.output, &self.run, end - run.pos)
            if end - run.pos < NOGIL_SIZE:
                status = run_lines(run)
            else:
                with nogil:
                    status = run_lines(run)
        if status == RUN_NO_MEMORY or self.notes.failed:
            raise MemoryError()
        self.given_back = status == RUN_GIVEN_BACK
        return 0


def process_block(buffer, /, *, on_error="skip", max_line_size=LINE_LIMIT_DEFAULT):
    """Process a whole NDJSON input at once.

    Args:
        buffer: any contiguous bytes-like object; the last line needs no LF.
        on_error, max_line_size: as for `RecordStream`.

    Returns:
        The results as NDJSON, one line each, in the order of the input.

    Raises:
        RecordError: with ``on_error="fail"``, at the first line that is not a record.
        ValueError: an argument is out of range.

    Thread-safety: may be called from many threads at once; the GIL is released for
    buffers of 16 KiB and more. A buffer that can be written to must not be changed
    meanwhile.
    """
    cdef RecordStream stream = RecordStream(on_error=on_error, max_line_size=max_line_size)
    cdef bytes results = stream.take_from(buffer, 0, True)
    if stream.failed:
        raise stream.failure()
    return results
