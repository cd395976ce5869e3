"""Acknowledging inputs, or saving their offset, once their results are confirmed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from forstcore._cancelling import check_cancelled
from forstcore._proc import count_lines
from forstcore.pipelines.dead_letters import DeadLetters
from forstcore.sinks import Output, OutputDroppedError, OutputRefusedError
from forstcore.sources import Reader

__all__ = ["Confirmations"]


class Confirmations:
    """Wait for the confirmations of outputs, in order, and acknowledge the inputs behind them.

    Args:
        reader: receives the acknowledgements; None if the sink acknowledges.
        dead_letters: receives what the sink refuses.
        save_offset: saves an offset; None if the sink keeps offsets.
        max_size: bytes of outputs that are not acknowledged yet; a single one may be larger.

    Attributes:
        results: results that were confirmed.
    """

    def __init__(
        self,
        reader: Reader | None,
        dead_letters: DeadLetters,
        save_offset: Callable[[str], Awaitable[None]] | None,
        max_size: int,
    ) -> None:
        self.results = 0
        self._max_size = max_size
        self._size = 0
        self._unsaved = 0  # Of these, what the next saved offset covers.
        self._reader = reader
        self._dead_letters = dead_letters
        self._save_offset = save_offset
        self._waiting: deque[tuple[Output, asyncio.Future[None]]] = deque()
        self._has_changed = asyncio.Event()
        self._has_room = asyncio.Event()
        self._ended = False

    async def wait_for_room(self) -> None:
        """Wait while too many outputs, confirmed or not, are not acknowledged.

        A sink can be faster than the disk that has the offset, or than the source's broker.
        """
        while self._size >= self._max_size:
            self._has_room.clear()
            await self._has_room.wait()
            check_cancelled()

    def add(self, output: Output, confirmed: Awaitable[None]) -> None:
        """Add an output that was written."""
        self._size += output.size
        self._waiting.append((output, asyncio.ensure_future(confirmed)))
        self._has_changed.set()

    def end(self) -> None:
        """Make `run` return once all outputs are confirmed."""
        self._ended = True
        self._has_changed.set()

    async def run(self) -> None:
        """Acknowledge until `end` is called.

        Raises:
            SinkError: the sink, or that for dead letters, has failed for good.
            SourceError: the source cannot acknowledge.
        """
        while self._waiting or not self._ended:
            if not self._waiting:
                self._has_changed.clear()
                await self._has_changed.wait()
                check_cancelled()
                continue
            await self._confirm(*self._waiting[0])
            check_cancelled()

    async def _confirm(self, output: Output, confirmed: asyncio.Future[None]) -> None:
        refused = 0
        try:
            try:
                await confirmed
            except OutputRefusedError as error:
                refused = len(error.lines)
                await self._dead_letters.write_refused(output.results, error.lines)
                await error.confirm_rest()
        except OutputDroppedError:
            self._waiting.popleft()
            self._note_done(output)
            return
        self._waiting.popleft()
        self.results += count_lines(output.results) - refused
        if self._reader is not None:
            for receipt in output.receipts:
                await self._reader.acknowledge(receipt)
        if self._save_offset is not None and output.offset:
            if self._next_is_confirmed():
                self._unsaved += output.size
                return
            await self._save_offset(output.offset)
        self._note_done(output)

    def _note_done(self, output: Output) -> None:
        self._size -= output.size + self._unsaved
        self._unsaved = 0
        self._has_room.set()

    def _next_is_confirmed(self) -> bool:
        """Return whether a later offset can be saved immediately instead."""
        return bool(self._waiting and self._waiting[0][0].offset and self._waiting[0][1].done())
