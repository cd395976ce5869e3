"""How far the processing of a batch of lines has come."""

from __future__ import annotations

from collections.abc import Callable

from forstcore._core.lines import end_of_lines
from forstcore._core.selection import LineSelector
from forstcore._io.json_lines import line_writer
from forstcore.engine.sequencer import Outcome

__all__ = ["BatchProgress"]


class BatchProgress:
    """The lines of a batch that have been processed, and what came of them.

    Args:
        batch: whole lines, each with its LF.
        number: number of the first line, counted from 1.
        is_stopped: returns whether the outcome is no longer needed.
        max_output: bytes of results after which no further line is processed.
        selector: selects the lines to process; None for all.

    Attributes:
        batch: the lines to process.
        is_stopped: as above.
        at: where the next line begins.
        records: records that were processed.
        writer: the output.
        outcome: counts the errors.
        has_ended: whether no further line is to be processed now.
    """

    __slots__ = (
        "_error_lines",
        "_first",
        "_next",
        "_selected",
        "_whole",
        "at",
        "batch",
        "has_ended",
        "is_stopped",
        "outcome",
        "records",
        "writer",
    )

    def __init__(
        self,
        batch: bytes,
        number: int,
        is_stopped: Callable[[], bool],
        max_output: int,
        selector: LineSelector | None = None,
    ) -> None:
        self._whole = batch
        self._selected = None if selector is None else selector.select(batch, number)
        self.batch = batch if self._selected is None else self._selected.lines
        self.is_stopped = is_stopped
        self._first = number
        self._next = 0  # Index of the next line among those to process.
        self.at = 0
        self.records = 0
        self.writer = line_writer(max_output)
        self.outcome = Outcome()
        self.has_ended = not self.batch
        self._error_lines = 0

    def line(self, index: int) -> bytes:
        """Return one of the next lines, without LF."""
        start = self._start_of(index)
        return self.batch[start : self.batch.index(b"\n", start)]

    def number(self, index: int) -> int:
        """Return the number of one of the next lines."""
        index += self._next
        return self._first + (index if self._selected is None else self._selected.line_of(index))

    def replace(self, error_line: bytes) -> None:
        """Write an error line, which is empty if errors are not written."""
        if error_line:
            self.writer.append(error_line, 1)
            self._error_lines += 1
        if self.outcome.failure is not None or self.outcome.has_many_rejected:
            self.has_ended = True

    def go_on(self, count: int) -> None:
        """Skip the next `count` lines."""
        self.at = self._start_of(count)
        self._next += count
        if self.at == len(self.batch) or self.writer.is_full:
            self.has_ended = True

    def finish(self) -> Outcome:
        """Return the outcome of the lines that were processed."""
        outcome = self.outcome
        outcome.records = self.records
        outcome.results = self.writer.lines - self._error_lines
        outcome.output = self.writer.take()
        start = self.at
        if self._selected is not None:
            # After a failure, filtered lines behind the failed one do not count.
            next_line = self._next - (outcome.failure is not None)
            outcome.filtered = self._selected.filtered_before(next_line)
            outcome.records += outcome.filtered
            start = self._selected.start_of(self._next)
        if outcome.failure is None and start < len(self._whole):
            outcome.lines = self.number(0) - self._first
            outcome.rest = self._whole[start:]
        return outcome

    def _start_of(self, index: int) -> int:
        if index == 0:
            return self.at
        return end_of_lines(self.batch, self.at, index, len(self.batch))
