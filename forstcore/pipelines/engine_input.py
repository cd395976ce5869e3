"""Feeding an engine from a source, and finding the batches whose results are complete."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from forstcore._plural import plural
from forstcore._proc import count_lines
from forstcore.engine import Engine
from forstcore.formats.bad_rows import BadRows
from forstcore.sources import Batch, Notice, Reader

__all__ = ["EngineInput"]

_LOGGER = logging.getLogger("forstcore")


@dataclass(frozen=True, slots=True)
class _Mark:
    """The end of a batch."""

    batch: Batch  # Without its lines.
    end: int  # Number of its last line, counted from the first line read.


class EngineInput:
    """The lines of a source, and its batches after they were processed.

    An engine returns results up to any line, so those returned with the end of a batch may extend
    beyond it. Where they must not, because the offset of the batch is stored with them, reading
    pauses after some batches until the engine has returned all results.

    Args:
        name: name of the pipeline, for its log.
        reader: reads the source.
        engine: the engine.
        bad_rows: gets the invalid rows of CSV, by their numbers among all lines.
        exact_size: bytes to read before such a pause; None for no pauses.
        may_go_on: yielding pauses while it is not set.

    Attributes:
        trouble: why the source cannot be read now, None if it can.
        is_exact: whether batches are returned only with the last of their results, and no more.
    """

    def __init__(
        self,
        name: str,
        reader: Reader,
        engine: Engine,
        bad_rows: BadRows,
        exact_size: int | None,
        may_go_on: asyncio.Event,
    ) -> None:
        self.trouble: Notice | None = None
        self.is_exact = exact_size is not None
        self._name = name
        self._reader = reader
        self._engine = engine
        self._bad_rows = bad_rows
        self._exact_size = exact_size
        self._may_go_on = may_go_on
        self._lines = 0
        self._finished: list[_Mark] = []
        self._all_finished = asyncio.Event()

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Read the source, and yield its lines."""
        size = 0
        while True:
            if (item := await self._reader.read()) is None:
                return
            await self._may_go_on.wait()
            if isinstance(item, Notice):
                self.trouble = item if item.state == "down" else None
                continue
            self._note_missed(item.missed)
            lines = item.lines
            for row in item.bad_rows:
                self._bad_rows.add(self._lines + row.line, *row[1:])
            self._lines += (count := count_lines(lines))
            size += len(lines)
            # Do not keep the lines in memory until they are processed.
            mark = _Mark(replace(item, lines=b"", bad_rows=()), self._lines)
            self._all_finished.clear()
            self._engine.mark(mark, count)
            del item
            yield lines
            if self._exact_size is not None and size >= self._exact_size:
                size = 0
                await self._all_finished.wait()

    def take_finished(self) -> list[Batch]:
        """Return the batches whose ends are covered by the results that the engine returned."""
        self._finished += self._engine.take_marks()
        if not self._finished:
            return []
        if self._engine.lines == self._lines:
            self._all_finished.set()
        elif self.is_exact and self._engine.lines != self._finished[-1].end:
            return []
        finished, self._finished = self._finished, []
        return [each.batch for each in finished]

    def _note_missed(self, missed: int | None) -> None:
        if missed != 0:
            count = "an unknown number of" if missed is None else f"{missed:,}"
            records = plural(missed or 2, "record")
            _LOGGER.warning("source %s: it has lost %s %s", self._name, count, records)
