"""Rejected lines, and results that the sink refused, in the format of an error file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from forstcore._core.rejected import RejectedLine
from forstcore._io.error_file import SINK_REFUSED, ErrorFileEntry, entry_of, format_entry
from forstcore.errors import SinkError
from forstcore.formats.bad_rows import BadRows
from forstcore.sinks import Output, OutputRefusedError, Writer

__all__ = ["DeadLetters", "LastError"]


@dataclass(frozen=True, slots=True)
class LastError:
    """The last error of a pipeline.

    Attributes:
        time: when, in seconds since 1970.
        text: what happened, for people.
    """

    time: float
    text: str


class DeadLetters:
    """Write dead letters.

    Args:
        pipeline: name of the pipeline.
        origin: the name that entries give for the file of their lines.
        writer: writes them; None to drop them.

    Attributes:
        bad_rows: the invalid rows of CSV.
        refused: results that the sink refused.
        last_error: that of the last rejected line or refused result; None if there was none.
            Without a writer, rejected lines are not known.
    """

    def __init__(self, pipeline: str, origin: str, writer: Writer | None) -> None:
        self.bad_rows = BadRows()
        self.bad_rows.is_kept = writer is not None
        self.refused = 0
        self.last_error: LastError | None = None
        self._pipeline = pipeline
        self._origin = origin
        self._writer = writer
        self._lock = asyncio.Lock()

    async def write_rejected(self, rejected: Iterable[RejectedLine]) -> None:
        """Write rejected input lines, and wait until they are confirmed.

        Raises:
            SinkError: they cannot be written.
        """
        entries = [
            self.bad_rows.explain(each.line, entry_of(self._origin, each.line, each))
            for each in rejected
        ]
        if entries:
            last = entries[-1]
            self._note(f"line {last.line:,}, byte {last.offset:,}: {last.message} ({last.code})")
        await self._write(entries)

    async def write_refused(self, results: bytes, refused: dict[int, str]) -> None:
        """Write results that the sink refused, and wait until they are confirmed.

        Args:
            results: whole lines.
            refused: the numbers of some of them, counted from 0, and why.

        Raises:
            SinkError: they cannot be written.
        """
        self.refused += len(refused)
        self._note(f"the sink refuses a result: {refused[max(refused)]} ({SINK_REFUSED})")
        lines = results.split(b"\n")
        await self._write(
            ErrorFileEntry(self._origin, 0, 0, SINK_REFUSED, why, lines[number])
            for number, why in sorted(refused.items())
        )

    def _note(self, text: str) -> None:
        self.last_error = LastError(time.time(), text)

    async def _write(self, entries: Iterable[ErrorFileEntry]) -> None:
        if self._writer is None:
            return
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        more = {"time": now, "pipeline": self._pipeline}
        output = Output(b"".join([format_entry(entry, **more) for entry in entries]))
        async with self._lock:
            written = await self._writer.write(output)
            await self._writer.flush()
        try:
            await written
        except OutputRefusedError as error:
            why = next(iter(error.lines.values()))
            raise SinkError(self._pipeline, f"refuses dead letters: {why}") from None
