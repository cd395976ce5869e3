"""From lines to what comes of them, for each kind of processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from forstcore._core.rejected import RejectedLines
from forstcore._io.line_reader import LineReader, dump, dump_all, error_line, failure_of
from forstcore._proc import RecordStream
from forstcore.engine.failure_log import FailureLog
from forstcore.engine.sequencer import Outcome
from forstcore.errors import RecordError
from forstcore.processors import Processor

if TYPE_CHECKING:
    from forstcore._proc import OnError

_LOOK = 32  # Lines behind which it is looked how long the results have become, at most.

__all__ = ["Batches", "NativeLines", "PythonLines", "batches_of"]


class Batches(Protocol):
    """Process batches of lines, in any thread.

    Attributes:
        never_waits: whether a batch takes no longer than it takes the CPU.
    """

    never_waits: bool

    def run(
        self, batch: bytes, number: int, is_stopped: Callable[[], bool], most: int = 0
    ) -> Outcome:
        """Process whole lines, each with its LF.

        Args:
            batch: the lines.
            number: number of the first, counted from 1.
            is_stopped: whether the outcome is of use no more; looked at before each record.
            most: bytes of results behind which no further line is begun, 0 for any; the
                outcome then has the rest of the lines.
        """

    def close(self) -> None:
        """Say what is left to say: the stream has ended."""


def batches_of(
    processor: Processor, on_error: OnError, max_line_size: int, *, keep_rejected: bool
) -> Batches:
    """Make what processes the batches of one stream; for the arguments see `RecordStream`."""
    kind = NativeLines if processor.kind == "native" else PythonLines
    return kind(processor, on_error, max_line_size, keep_rejected=keep_rejected)


class NativeLines:
    """Process lines in compiled code, without the GIL.

    Args:
        processor: a native one, or the built-in one.
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
        self, batch: bytes, number: int, is_stopped: Callable[[], bool], most: int = 0
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
        output = stream.feed_part(batch, most)
        taken = stream.taken
        # These are whole lines, so `finish` finds nothing more.
        rejected = stream.take_rejected()
        self._growth = stream.growth
        failure = None
        try:
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
        """Do nothing: native processors have no log."""


class PythonLines:
    """Process lines by a Python function, one at a time.

    Args:
        processor: one that decodes its records.
        on_error, max_line_size, keep_rejected: as for `RecordStream`.

    Thread-safety: may be used from many threads at once, if the function may.
    """

    never_waits = False  # Who knows what the function does.

    def __init__(
        self, processor: Processor, on_error: OnError, max_line_size: int, *, keep_rejected: bool
    ) -> None:
        assert processor.decode is not None
        self._function = processor.function
        self._lines = LineReader(processor.decode, max_line_size)
        self._on_error = on_error
        self._max_line_size = max_line_size
        self._keep_rejected = keep_rejected
        self._failures = FailureLog(processor.name)

    def run(
        self, batch: bytes, number: int, is_stopped: Callable[[], bool], most: int = 0
    ) -> Outcome:
        outcome = Outcome()
        out: list[bytes] = []
        write = out.append
        # One call less for each record than with `self.read`.
        function, decode, longest = self._function, self._lines.decode, self._max_line_size
        records = results = size = looked = 0
        look_at = number + 1 if most else 0
        lines = batch.split(b"\n")[:-1]
        for at, line in enumerate(lines, number):
            if is_stopped():
                break
            if at == look_at:
                size += sum(map(len, out[looked:]))
                looked = len(out)
                outcome.lines = at - number
                if size >= most or outcome.has_many_rejected:
                    outcome.rest = b"\n".join([*lines[outcome.lines :], b""])
                    break
                look_at += min(_LOOK, 1 + (most - size) * outcome.lines // (size + 1))
            try:
                record = decode(line) if len(line) <= longest else self.read(line, at)
            except RecordError as refusal:
                try:
                    record = self._lines.reread(line, at, refusal)
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
                    write(dump(result))
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
        """Return the record of a line, None if it is blank; raise RecordError if it is none."""
        return self._lines.read(line, number)

    def refuse(self, outcome: Outcome, error: RecordError, line: bytes, before: int = 0) -> bytes:
        """Count a line that is no record, and return what is to stand in its place.

        Args:
            outcome: what is to tell of it.
            error: why it is none.
            line: the line.
            before: lines of the output before that place.
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
        """Count and log what the function raised; the rest is as for `refuse`."""
        self._failures.add(error, number)
        return self.refuse(outcome, failure_of(error, number), line, before)

    def close(self) -> None:
        self._failures.close()
