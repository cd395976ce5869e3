"""Run a processor on a batch of lines; one runner class for each kind of processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from forstcore._core.lines import end_of_lines
from forstcore._core.rejected import RejectedLines
from forstcore._core.selection import LineSelector
from forstcore._io.line_file import LineFile
from forstcore._io.line_reader import LineReader, error_line, failure_of
from forstcore._proc import RecordStream
from forstcore._received_signals import may_be_signal
from forstcore.engine.batch_progress import BatchProgress
from forstcore.engine.failure_log import FailureLog, Failures
from forstcore.engine.line_options import LineOptions
from forstcore.engine.sequencer import Outcome
from forstcore.errors import RecordError
from forstcore.processors import Processor

__all__ = ["BatchRunner", "NativeRunner", "PythonRunner", "file_outcome"]

_MAX_GROUP = 24  # Lines that are read together: as many as fit into the cache as objects.
_MAX_GROUP_SIZE = 1 << 14  # Bytes of these lines.
_MAX_ALONE = 127  # Lines that are not read together, where groups have turned out unusual.


class BatchRunner(Protocol):
    """Run a processor on batches of lines, in any thread.

    Attributes:
        never_waits: whether a batch usually takes nothing but CPU time.
    """

    never_waits: bool

    def run(
        self,
        batch: bytes,
        number: int,
        is_stopped: Callable[[], bool],
        max_output: int,
        *,
        may_wait: bool = True,
    ) -> Outcome:
        """Process whole lines, each with its LF.

        Args:
            batch: the lines.
            number: number of the first line, counted from 1.
            is_stopped: returns whether the outcome is no longer needed; called before each record
                that a function in Python processes.
            max_output: bytes of results after which no further line is processed. The outcome
                then holds the remaining lines.
            may_wait: whether functions in Python may be called, False only if `never_waits`. If
                one has to be called nevertheless, the outcome holds the remaining lines.
        """

    def close(self) -> None:
        """End the stream: flush its log."""


def file_outcome(stream: RecordStream, file: LineFile, size: int, max_output: int) -> Outcome:
    """Process the next lines of a file.

    Args:
        stream: processes them; an error does not end it.
        file: the file.
        size: bytes after which no further lines are read.
        max_output: as of `BatchRunner.run`.

    Returns:
        The outcome of the lines that were taken from the file. What comes next may be a record
        that is given back.
    """
    outputs: list[bytes] = []
    while size > 0 and max_output > 0:
        lines = file.next_lines()
        outputs.append(stream.feed_part(lines, max_output))
        taken = stream.taken
        file.skip(taken)
        size -= taken
        max_output -= len(outputs[-1])
        if not lines or taken < len(lines):
            break
    return Outcome(
        b"".join(outputs),
        stream.records,
        stream.results,
        stream.errors_by_code(),
        lines=stream.lines,
        filtered=stream.filtered,
    )


class NativeRunner:
    """Run a native processor, without the GIL.

    Args:
        processor: a native processor, or the built-in one.
        options: how lines are treated.

    Thread-safety: may be used from many threads at once.
    """

    never_waits = True

    def __init__(self, processor: Processor, options: LineOptions) -> None:
        self._processor = processor.function
        self._options = options
        self._growth = 3.0

    def run(
        self,
        batch: bytes,
        number: int,
        is_stopped: Callable[[], bool],
        max_output: int,
        *,
        may_wait: bool = True,
    ) -> Outcome:
        del may_wait  # It never does.
        if is_stopped():
            return Outcome()
        stream = self._options.stream(self._processor, number, self._growth)
        output = stream.feed_part(batch, max_output)
        taken = stream.taken
        rejected = stream.take_rejected()
        self._growth = stream.growth
        failure = None
        try:
            # No partial line is left, so this returns nothing; it raises the error, if any.
            stream.finish()
        except RecordError as error:
            failure = error
        return Outcome(
            output,
            stream.records,
            stream.results,
            stream.errors_by_code(),
            failure,
            rejected,
            b"" if failure else batch[taken:],
            stream.lines,
            stream.filtered,
        )

    def run_file(
        self,
        file: LineFile,
        number: int,
        is_stopped: Callable[[], bool],
        size: int,
        max_output: int,
    ) -> list[Outcome]:
        """Process the next lines of a file; see `file_outcome`."""
        if is_stopped():
            return []
        stream = self._options.stream(self._processor, number, self._growth)
        outcome = file_outcome(stream, file, size, max_output)
        self._growth = stream.growth
        return [outcome]

    def close(self) -> None:
        """Do nothing: native processors do not log."""


class PythonRunner:
    """Run a Python function, one record at a time.

    Lines are read in groups: one call that reads many takes less time than many calls.

    Args:
        processor: a processor that decodes its records.
        options: how lines are treated.
        failures: takes the exceptions of the function; None to log them.

    Thread-safety: may be used from many threads at once, if the function may.
    """

    never_waits = False  # The function may do anything.

    def __init__(
        self,
        processor: Processor,
        options: LineOptions,
        failures: Failures | None = None,
    ) -> None:
        assert processor.decode is not None
        self._function = processor.function
        self._options = options
        self._reader = LineReader(processor.decode, options.max_line_size)
        self._group_reader = processor.group_reader
        self._selector: LineSelector | None = None
        if options.record_filter is not None:
            self._selector = LineSelector(
                options.record_filter, max_line_size=options.max_line_size
            )
        self._failures = failures or FailureLog(processor.name)

    def run(
        self,
        batch: bytes,
        number: int,
        is_stopped: Callable[[], bool],
        max_output: int,
        *,
        may_wait: bool = True,
    ) -> Outcome:
        assert may_wait
        progress = BatchProgress(batch, number, is_stopped, max_output, self._selector)
        batch = progress.batch
        read_group = None
        if self._group_reader is not None and batch.find(b"\n") + 1 < len(batch):
            read_group = self._group_reader(self._options.max_line_size)
        if read_group is None:
            self._process_one_by_one(progress, len(batch))
            return progress.finish()
        alone = 0  # Lines to read one by one after a group that has an unusual line.
        while not progress.has_ended:
            end = end_of_lines(batch, progress.at, _MAX_GROUP, _MAX_GROUP_SIZE)
            records = read_group(batch[progress.at : end])
            if records is not None:
                alone = 0
                self._process(progress, records)
            else:
                alone = min(2 * alone + 1, _MAX_ALONE)
                end = end_of_lines(batch, progress.at, _MAX_GROUP + alone, len(batch))
                self._process_one_by_one(progress, end)
        return progress.finish()

    def _process_one_by_one(self, progress: BatchProgress, end: int) -> None:
        """Read and process each line up to `end` on its own."""
        while progress.at < end and not progress.has_ended:
            line, number, before = progress.line(0), progress.number(0), progress.writer.lines
            try:
                record = self.read(line, number)
            except RecordError as error:
                progress.replace(self.refuse(progress.outcome, error, line, before))
            except BaseException as error:  # Raised by code of the record's type.
                if may_be_signal(error):
                    raise
                progress.replace(self.fail(progress.outcome, error, number, line, before))
            else:
                if record is not None:
                    self._process(progress, [record])
                    continue
            progress.go_on(1)

    def _process(self, progress: BatchProgress, records: list[Any]) -> None:
        """Process the records of the next lines, one of each line."""
        function, is_stopped = self._function, progress.is_stopped
        write = progress.writer.write_results
        done = failed = 0
        for record in records:
            if is_stopped():
                progress.has_ended = True
                break
            done += 1
            try:
                result = function(record)
                if result is not None and write(result):
                    break
            except BaseException as error:
                if may_be_signal(error):
                    raise
                failed += 1
                line, before = progress.line(done - 1), progress.writer.lines
                number = progress.number(done - 1)
                progress.replace(self.fail(progress.outcome, error, number, line, before))
                if progress.has_ended or progress.writer.is_full:
                    break
        progress.records += done - failed
        progress.go_on(done)

    def leaves_out(self, line: bytes, number: int) -> bool:
        """Return whether a line is a record that the filter does not let through."""
        if self._selector is None:
            return False
        selected = self._selector.select(line + b"\n", number)
        return selected.filtered_before(selected.count) > 0

    def read(self, line: bytes, number: int) -> Any:
        """Parse a line; return None if it is blank, raise RecordError if it is invalid."""
        return self._reader.read(line, number)

    def refuse(self, outcome: Outcome, error: RecordError, line: bytes, before: int = 0) -> bytes:
        """Count an invalid line, and return its replacement in the output.

        Args:
            outcome: counts the error.
            error: the reason.
            line: the line.
            before: number of lines in the output before this one.
        """
        errors = outcome.errors or {}
        outcome.errors = {**errors, error.code: errors.get(error.code, 0) + 1}
        on_error = self._options.on_error
        if self._options.keep_rejected:
            if outcome.rejected is None:
                outcome.rejected = RejectedLines()
            raw = line[: self._options.max_line_size]
            place = 0 if on_error == "skip" else before + 1
            outcome.rejected.add(error.line, error.offset, error.code, error.message, raw, place)
        if on_error == "skip":
            return b""
        if on_error == "fail":
            outcome.failure = error
        return error_line(error)

    def fail(
        self, outcome: Outcome, error: BaseException, number: int, line: bytes, before: int = 0
    ) -> bytes:
        """Log an exception of the function, then do the same as `refuse`."""
        self._failures.add(error, number)
        return self.refuse(outcome, failure_of(error, number), line, before)

    def close(self) -> None:
        self._failures.close()
