"""Run a compiled function, and let Python process the records that it gives back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forstcore._core.lines import end_of_lines
from forstcore._core.program import Program
from forstcore._io.line_file import LineFile
from forstcore.engine.compiled_batch import CompiledBatch, records_of
from forstcore.engine.line_options import LineOptions
from forstcore.engine.runners import PythonRunner, file_outcome
from forstcore.engine.sequencer import Outcome
from forstcore.processors import Processor

__all__ = ["CompiledRunner"]

_WINDOW = 1000  # Records after which the share of those given back counts.
_MAX_ALONE = 512  # Lines that Python processes before the program is tried again.
# Bytes for the program after a record was given back; memory for their results is taken each time.
_SMALL_PIECE = 1 << 13


class CompiledRunner:
    """Run the program of a compiled function, without the GIL.

    A record that it gives back is processed by the function itself, in its turn. If the next one
    is given back, too, the function processes the following lines in growing groups, and all of
    the stream if more than a quarter of the records have been given back.

    Args:
        processor: a processor with a function.
        program: the compiled function.
        options: how lines are treated.

    Thread-safety: may be used from many threads at once, if the function may.
    """

    def __init__(
        self,
        processor: Processor,
        program: Program,
        options: LineOptions,
    ) -> None:
        self._program = program
        self._options = options
        self._compilation = processor.compilation
        self._stopped_at: Any = None  # Where the last record was given back.
        self._python = PythonRunner(processor, options)
        self._growth = 3.0
        # Of recent records; threads may overwrite each other's counts, which need not be exact.
        self._tried = 0
        self._given_back = 0
        self._alone = 1  # Lines that Python processes from the next record given back on.
        self.never_waits = True

    def run(
        self,
        batch: bytes,
        number: int,
        is_stopped: Callable[[], bool],
        max_output: int,
        *,
        may_wait: bool = True,
    ) -> Outcome:
        if not self.never_waits:
            if not may_wait:
                return Outcome(rest=batch, needs_thread=True)
            outcome = self._python.run(batch, number, is_stopped, max_output)
            outcome.given_back = records_of(outcome)
            self._count(outcome.given_back)
            return outcome
        stream = self._options.stream(self._program, number, self._growth)
        work = CompiledBatch(
            batch, number, max_output, stream, has_error_lines=self._options.on_error != "skip"
        )
        piece = len(batch)
        while self.never_waits and not work.has_ended and not is_stopped():
            work.run_program(_end_of_piece(batch, work.at, piece))
            if not stream.given_back:
                piece *= 4
                continue
            if not may_wait:
                return work.finish(needs_thread=True)
            self._stopped_at = stream.given_back_at
            self._run_python(
                work, end_of_lines(batch, work.at, self._alone, len(batch)), is_stopped
            )
            self._decide(work)
            piece = _SMALL_PIECE
        self._decide(work)
        self._growth = stream.growth
        if not self.never_waits and not work.has_ended:
            self._run_python(work, len(batch), is_stopped)
        return work.finish()

    def run_file(
        self,
        file: LineFile,
        number: int,
        is_stopped: Callable[[], bool],
        size: int,
        max_output: int,
    ) -> list[Outcome]:
        """Process the next lines of a file.

        Records that are given back are processed here, too: to read on in batches after each of
        them would cost as much time as hundreds of records.

        Args:
            file, size: as of `file_outcome`.
            number, is_stopped, max_output: as of `run`.
        """
        outcomes = []
        end = file.taken + size
        while not is_stopped():
            stream = self._options.stream(self._program, number, self._growth)
            outcome = file_outcome(stream, file, end - file.taken, max_output)
            self._growth = stream.growth
            self._tried += stream.records - stream.filtered
            self._judge()
            if stream.records > stream.filtered:
                self._alone = 1
            outcomes.append(outcome)
            number += outcome.lines
            max_output -= len(outcome.output)
            if not stream.given_back or max_output <= 0:
                break
            # Memory for the results is taken for each piece: a single record needs less of it.
            lines = file.first_lines(1 if self._alone == 1 else _SMALL_PIECE)
            outcome = self.run(lines, number, is_stopped, max_output)
            file.skip(len(lines) - len(outcome.rest))
            outcomes.append(outcome)
            number += outcome.lines
            max_output -= len(outcome.output)
            if not self.never_waits or file.taken >= end or max_output <= 0:
                break
        return outcomes

    def close(self) -> None:
        self._python.close()

    def _run_python(self, work: CompiledBatch, end: int, is_stopped: Callable[[], bool]) -> None:
        """Let the function process the next lines of a batch, up to `end`."""
        lines = work.lines[work.at : end]
        before = work.given_back
        work.add(self._python.run(lines, work.number, is_stopped, work.room), end)
        self._count(work.given_back - before)

    def _count(self, given_back: int) -> None:
        """Count records that were given back, with the place where the last one was."""
        if self._compilation is not None:
            self._compilation.count_given_back(self._stopped_at, given_back)

    def _decide(self, work: CompiledBatch) -> None:
        """Decide how to process the next records, by those since the last call."""
        processed, given_back = work.take_counts()
        if processed:
            self._alone = 1
        elif given_back:
            self._alone = min(2 * self._alone, _MAX_ALONE)
        self._tried += processed + given_back
        self._given_back += given_back
        self._judge()

    def _judge(self) -> None:
        """Judge by the share of the records given back, after enough of them."""
        if self._tried >= _WINDOW:
            # From about here on, Python alone is faster.
            if 4 * self._given_back > self._tried:
                self.never_waits = False
            self._tried //= 2
            self._given_back //= 2


def _end_of_piece(batch: bytes, start: int, size: int) -> int:
    """Return where lines of about so many bytes end that begin at `start`."""
    if start + size >= len(batch):
        return len(batch)
    return batch.rfind(b"\n", start, start + size) + 1 or batch.index(b"\n", start + size) + 1
