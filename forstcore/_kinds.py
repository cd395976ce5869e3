"""From lines to what comes of them, for each kind of processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from forstcore._failures import FailureLog
from forstcore._lines import LineReader, dump, dump_all, error_line, failure_of
from forstcore._order import Outcome
from forstcore._proc import RecordStream
from forstcore.errors import RecordError
from forstcore.processors import Processor

if TYPE_CHECKING:
    from forstcore._proc import OnError

__all__ = ["Batches", "NativeLines", "PythonLines", "batches_of"]


class Batches(Protocol):
    """Process batches of lines, in any thread.

    Attributes:
        never_waits: whether a batch takes no longer than it takes the CPU.
    """

    never_waits: bool

    def run(self, batch: bytes, number: int, is_stopped: Callable[[], bool]) -> Outcome:
        """Process whole lines, each with its LF.

        Args:
            batch: the lines.
            number: number of the first, counted from 1.
            is_stopped: whether the outcome is of use no more; looked at before each record.
        """

    def close(self) -> None:
        """Say what is left to say: the stream has ended."""


def batches_of(processor: Processor, on_error: OnError, max_line_size: int) -> Batches:
    """Make what processes the batches of one stream."""
    if processor.kind == "native":
        return NativeLines(processor, on_error, max_line_size)
    return PythonLines(processor, on_error, max_line_size)


class NativeLines:
    """Process lines in compiled code, without the GIL.

    Args:
        processor: a native one, or the built-in one.
        on_error, max_line_size: as for `RecordStream`.

    Thread-safety: may be used from many threads at once.
    """

    never_waits = True

    def __init__(self, processor: Processor, on_error: OnError, max_line_size: int) -> None:
        self._processor = processor.function
        self._on_error = on_error
        self._max_line_size = max_line_size
        self._growth = 3.0

    def run(self, batch: bytes, number: int, is_stopped: Callable[[], bool]) -> Outcome:
        if is_stopped():
            return Outcome()
        stream = RecordStream(
            on_error=self._on_error,
            max_line_size=self._max_line_size,
            first_line=number,
            processor=self._processor,
            growth=self._growth,
        )
        output = stream.feed(batch)
        self._growth = stream.growth
        failure = None
        try:
            stream.finish()
        except RecordError as error:
            failure = error
        return Outcome(output, stream.records, stream.results, stream.errors_by_code(), failure)

    def close(self) -> None:
        """Do nothing: native processors have no log."""


class PythonLines:
    """Process lines by a Python function, one at a time.

    Args:
        processor: one that decodes its records.
        on_error, max_line_size: as for `RecordStream`.

    Thread-safety: may be used from many threads at once, if the function may.
    """

    never_waits = False  # Who knows what the function does.

    def __init__(self, processor: Processor, on_error: OnError, max_line_size: int) -> None:
        assert processor.decode is not None
        self._function = processor.function
        self._lines = LineReader(processor.decode, max_line_size)
        self._on_error = on_error
        self._failures = FailureLog(processor.name)

    def run(self, batch: bytes, number: int, is_stopped: Callable[[], bool]) -> Outcome:
        outcome = Outcome()
        out: list[bytes] = []
        write = out.append
        function, read = self._function, self._lines.read
        records = results = 0
        for at, line in enumerate(batch.split(b"\n")[:-1], number):
            if is_stopped() or outcome.failure is not None:
                break
            try:
                record = read(line, at)
            except RecordError as error:
                write(self.refuse(outcome, error))
                continue
            if record is None:
                continue
            try:
                result = function(record)
                if type(result) is dict:
                    write(dump(result))
                    results += 1
                else:
                    several = dump_all(result)
                    out += several
                    results += len(several)
                records += 1
            except (Exception, SystemExit) as error:
                write(self.fail(outcome, error, at))
        outcome.output = b"".join(out)
        outcome.records = records
        outcome.results = results
        return outcome

    def read(self, line: bytes, number: int) -> Any:
        """Return the record of a line, None if it is blank; raise RecordError if it is none."""
        return self._lines.read(line, number)

    def refuse(self, outcome: Outcome, error: RecordError) -> bytes:
        """Count a line that is no record, and return what is to stand in its place."""
        before = outcome.errors or {}
        outcome.errors = {**before, error.code: before.get(error.code, 0) + 1}
        if self._on_error == "skip":
            return b""
        if self._on_error == "fail":
            outcome.failure = error
        return error_line(error)

    def fail(self, outcome: Outcome, error: BaseException, number: int) -> bytes:
        """Count and log what the function raised, and return what is to stand in its place."""
        self._failures.add(error, number)
        return self.refuse(outcome, failure_of(error, number))

    def close(self) -> None:
        self._failures.close()
