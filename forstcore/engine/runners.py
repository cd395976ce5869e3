"""Run a processor on a batch of lines; one runner class for each kind of processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from forstcore._core.rejected import RejectedLines
from forstcore._io.json_lines import dump_line
from forstcore._io.line_reader import LineReader, dump_all, error_line, failure_of
from forstcore._proc import RecordStream
from forstcore.engine.failure_log import FailureLog
from forstcore.engine.sequencer import Outcome
from forstcore.errors import RecordError
from forstcore.processors import Processor
from forstcore.wire import OnError

__all__ = ["BatchRunner", "NativeRunner", "PythonRunner", "runner_of"]

_MAX_UNCHECKED = 32  # Most lines between two checks of the size of the results.


class BatchRunner(Protocol):
    """Run a processor on batches of lines, in any thread.

    Attributes:
        never_waits: whether a batch only takes CPU time.
    """

    never_waits: bool

    def run(
        self, batch: bytes, number: int, is_stopped: Callable[[], bool], max_output: int
    ) -> Outcome:
        """Process whole lines, each with its LF.

        Args:
            batch: the lines.
            number: number of the first line, counted from 1.
            is_stopped: returns whether the outcome is no longer needed; called before each record.
            max_output: bytes of results after which no further line is processed. The outcome
                then holds the remaining lines.
        """

    def close(self) -> None:
        """End the stream: flush its log."""


def runner_of(
    processor: Processor, on_error: OnError, max_line_size: int, *, keep_rejected: bool
) -> BatchRunner:
    """Return the runner for one stream; the arguments are those of `RecordStream`."""
    kind = NativeRunner if processor.kind == "native" else PythonRunner
    return kind(processor, on_error, max_line_size, keep_rejected=keep_rejected)


class NativeRunner:
    """Run a native processor, without the GIL.

    Args:
        processor: a native processor, or the built-in one.
        on_error, max_line_size, keep_rejected: as for `RecordStream`.

    Thread-safety: may be used from many threads at once.
    """

    never_waits = True

    def __init__(
        self, processor: Processor, on_error: OnError, max_line_size: int, *, keep_rejected: bool
    ) -> None:
        self._processor = processor.function
        self._on_error = on_error
        self._max_line_size = max_line_size
        self._keep_rejected = keep_rejected
        self._growth = 3.0

    def run(
        self, batch: bytes, number: int, is_stopped: Callable[[], bool], max_output: int
    ) -> Outcome:
        if is_stopped():
            return Outcome()
        stream = RecordStream(
            on_error=self._on_error,
            max_line_size=self._max_line_size,
            first_line=number,
            processor=self._processor,
            growth=self._growth,
            keep_rejected=self._keep_rejected,
        )
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
        )

    def close(self) -> None:
        """Do nothing: native processors do not log."""


class PythonRunner:
    """Run a Python function, one line at a time.

    Args:
        processor: a processor that decodes its records.
        on_error, max_line_size, keep_rejected: as for `RecordStream`.

    Thread-safety: may be used from many threads at once, if the function may.
    """

    never_waits = False  # The function may do anything.

    def __init__(
        self, processor: Processor, on_error: OnError, max_line_size: int, *, keep_rejected: bool
    ) -> None:
        assert processor.decode is not None
        self._function = processor.function
        self._reader = LineReader(processor.decode, max_line_size)
        self._on_error = on_error
        self._max_line_size = max_line_size
        self._keep_rejected = keep_rejected
        self._failures = FailureLog(processor.name)

    def run(
        self, batch: bytes, number: int, is_stopped: Callable[[], bool], max_output: int
    ) -> Outcome:
        outcome = Outcome()
        out: list[bytes] = []
        write = out.append
        # Saves a call of `self.read` for each record.
        function, decode, longest = self._function, self._reader.decode, self._max_line_size
        records = results = size = measured = 0
        next_check = number + 1
        lines = batch.split(b"\n")[:-1]
        for at, line in enumerate(lines, number):
            if is_stopped():
                break
            if at == next_check:
                size += sum(map(len, out[measured:]))
                measured = len(out)
                outcome.lines = at - number
                if size >= max_output or outcome.has_many_rejected:
                    outcome.rest = b"\n".join([*lines[outcome.lines :], b""])
                    break
                # Estimate from the lines so far how many more fit.
                fitting = (max_output - size) * outcome.lines // (size + 1)
                next_check += min(_MAX_UNCHECKED, 1 + fitting)
            try:
                record = decode(line) if len(line) <= longest else self.read(line, at)
            except RecordError as refusal:
                try:
                    record = self._reader.reread(line, at, refusal)
                except RecordError as error:
                    write(self.refuse(outcome, error, line, len(out)))
                    if outcome.failure is not None:
                        break
                    continue
                if record is None:
                    continue
            try:
                result = function(record)
                if type(result) is dict:
                    write(dump_line(result))
                    results += 1
                else:
                    several = dump_all(result)
                    out += several
                    results += len(several)
                records += 1
            except (Exception, SystemExit) as error:
                write(self.fail(outcome, error, at, line, len(out)))
                if outcome.failure is not None:
                    break
        outcome.output = b"".join(out)
        outcome.records = records
        outcome.results = results
        return outcome

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
        if self._keep_rejected:
            if outcome.rejected is None:
                outcome.rejected = RejectedLines()
            raw = line[: self._max_line_size]
            place = 0 if self._on_error == "skip" else before + 1
            outcome.rejected.add(error.line, error.offset, error.code, error.message, raw, place)
        if self._on_error == "skip":
            return b""
        if self._on_error == "fail":
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
