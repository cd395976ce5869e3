"""How far the processing of a batch by a compiled function and by Python has come."""

from __future__ import annotations

from collections.abc import Mapping

from forstcore._core.rejected import RejectedLines
from forstcore._proc import RecordStream
from forstcore.engine.sequencer import Outcome
from forstcore.errors import RecordError

__all__ = ["CompiledBatch", "records_of"]


class CompiledBatch:
    """The lines of a batch that have been processed, and what came of them.

    Args:
        lines: whole lines, each with its LF.
        number: number of the first line, counted from 1.
        max_output: bytes of results after which no further line is processed.
        stream: processes lines with the compiled function.
        has_error_lines: whether the output has error lines.

    Attributes:
        lines: as above.
        at: where the next line begins.
        number: number of the next line.
        has_ended: whether no further line is to be processed now.
    """

    def __init__(
        self,
        lines: bytes,
        number: int,
        max_output: int,
        stream: RecordStream,
        *,
        has_error_lines: bool,
    ) -> None:
        self.lines = lines
        self.at = 0
        self.number = self._first = number
        self.has_ended = not lines
        self._view = memoryview(lines)
        self._room = max_output
        self._stream = stream
        self._has_error_lines = has_error_lines
        self._outputs: list[bytes] = []
        self._python = Outcome()  # What Python has processed, without its output.
        self._errors: dict[str, int] = {}  # What Python has rejected, by code.
        self._seen = 0  # Records of the stream at the last call of `take_counts`,
        self._seen_given_back = 0  # and records that Python had processed.

    @property
    def given_back(self) -> int:
        """Records that Python has processed."""
        return self._python.given_back

    @property
    def room(self) -> int:
        """Bytes of results until no further line is processed."""
        return max(self._room, 1)

    def run_program(self, end: int) -> None:
        """Process the lines up to `end`, or up to one that is given back."""
        stream = self._stream
        before = self._lines_out()
        self._add_output(stream.feed_part(self._view[self.at : end], self.room))
        self._add_rejected(stream.take_rejected(), before)
        self.at += stream.taken
        self.number = self._first + stream.lines
        self.has_ended = self.has_ended or stream.failed or self.at == len(self.lines)

    def add(self, outcome: Outcome, end: int) -> None:
        """Add what Python made of the lines up to `end`, which the program did not process."""
        before = self._lines_out()
        python = self._python
        start, self.at = self.at, end - len(outcome.rest)
        for _ in range(self.lines.count(b"\n", start, self.at)):
            self._stream.skip_line()
        self.number = self._first + self._stream.lines
        python.records += outcome.records
        python.results += outcome.results
        python.filtered += outcome.filtered
        python.given_back += records_of(outcome)
        python.failure = outcome.failure
        if outcome.errors:
            self._errors = _sum(self._errors, outcome.errors)
        self._add_output(outcome.output)
        self._add_rejected(outcome.rejected, before)
        if outcome.failure is not None or outcome.rest or self.at == len(self.lines):
            self.has_ended = True

    def take_counts(self) -> tuple[int, int]:
        """Return the records that the program has processed, and those given back, since the last
        call."""
        seen, given_back = self._stream.records - self._stream.filtered, self._python.given_back
        counts = seen - self._seen, given_back - self._seen_given_back
        self._seen, self._seen_given_back = seen, given_back
        return counts

    def finish(self, *, needs_thread: bool = False) -> Outcome:
        """Return the outcome of the lines that were processed.

        Args:
            needs_thread: as of the outcome.
        """
        stream, python = self._stream, self._python
        failure = python.failure
        try:
            # No partial line is left, so this returns nothing; it raises the error, if any.
            stream.finish()
        except RecordError as error:
            failure = error
        return Outcome(
            b"".join(self._outputs),
            stream.records + python.records,
            stream.results + python.results,
            _sum(self._errors, stream.errors_by_code()),
            failure,
            python.rejected,
            b"" if failure else self.lines[self.at :],
            self.number - self._first,
            stream.filtered + python.filtered,
            python.given_back,
            needs_thread,
        )

    def _lines_out(self) -> int:
        """Return the number of lines in the output so far."""
        stream = self._stream
        lines = stream.results + self._python.results
        if self._has_error_lines:
            lines += stream.errors + sum(self._errors.values())
        return lines

    def _add_output(self, output: bytes) -> None:
        self._outputs.append(output)
        self._room -= len(output)
        if self._room <= 0:
            self.has_ended = True

    def _add_rejected(self, rejected: RejectedLines | None, before: int) -> None:
        if rejected is None:
            return
        if self._python.rejected is None:
            self._python.rejected = RejectedLines()
        self._python.rejected.extend(rejected, before)
        if self._python.has_many_rejected:
            self.has_ended = True


def records_of(outcome: Outcome) -> int:
    """Return the number of records that the function was called with."""
    failed = outcome.errors.get("processor_failed", 0) if outcome.errors else 0
    return outcome.records - outcome.filtered + failed


def _sum(counts: dict[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {code: counts.get(code, 0) + more.get(code, 0) for code in {**counts, **more}}
