"""How far the processing of a batch of lines has come."""

from __future__ import annotations

from collections.abc import Callable

from forstcore._core.lines import end_of_lines
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

    Attributes:
        batch, is_stopped: as above.
        number: number of the next line.
        at: where the next line begins.
        records: records that were processed.
        writer: the output.
        outcome: counts the errors.
        has_ended: whether no further line is to be processed now.
    """

    __slots__ = (
        "_error_lines",
        "_first",
        "at",
        "batch",
        "has_ended",
        "is_stopped",
        "number",
        "outcome",
        "records",
        "writer",
    )

    def __init__(
        self, batch: bytes, number: int, is_stopped: Callable[[], bool], max_output: int
    ) -> None:
        self.batch = batch
        self.is_stopped = is_stopped
        self.number = self._first = number
        self.at = 0
        self.records = 0
        self.writer = line_writer(max_output)
        self.outcome = Outcome()
        self.has_ended = not batch
        self._error_lines = 0

    def line(self, index: int) -> bytes:
        """Return one of the next lines, without LF."""
        start = self._start_of(index)
        return self.batch[start : self.batch.index(b"\n", start)]

    def replace(self, error_line: bytes) -> None:
        """Write an error line, which is empty if errors are not written."""
        if error_line:
            self.writer.append(error_line, 1)
            self._error_lines += 1
        if self.outcome.failure is not None or self.outcome.has_many_rejected:
            self.has_ended = True

    def go_on(self, count: int) -> None:
        """Go on to the lines after the next `count`."""
        self.at = self._start_of(count)
        self.number += count
        if self.at == len(self.batch) or self.writer.is_full:
            self.has_ended = True

    def finish(self) -> Outcome:
        """Return the outcome of the lines that were processed."""
        outcome = self.outcome
        outcome.records = self.records
        outcome.results = self.writer.lines - self._error_lines
        outcome.output = self.writer.take()
        if outcome.failure is None and self.at < len(self.batch):
            outcome.lines = self.number - self._first
            outcome.rest = self.batch[self.at :]
        return outcome

    def _start_of(self, index: int) -> int:
        if index == 0:
            return self.at
        return end_of_lines(self.batch, self.at, index, len(self.batch))
