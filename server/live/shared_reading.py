"""One reading of a source, shared by all readers that have caught up with it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from forstcore._cancelling import check_cancelled
from forstcore.errors import SourceError
from forstcore.sources import Batch, Lag, Notice, Reader
from server.background import log_failure
from server.live.filter_group import FilterGroup
from server.live.inbox import Inbox, SharedReceipt

__all__ = ["SharedReading"]

_SHORT = 0.001  # Seconds that the readers may take for a batch without a pause after it.
_LONGEST = 0.02  # Maximum seconds of that pause.
_PATIENCE = 0.05  # Maximum seconds to wait for a reader whose inbox is full.
_CATCH_UP = 0.5  # Seconds until readers whose filters drop everything are notified of the progress.
_OVERHEAD = 500  # Bytes of memory of a batch besides its lines, approximately.


class SharedReading:
    """Read a source, and put its batches into the inboxes of any number of readers.

    When an inbox is full, reading pauses for a short time and then continues, so that one reader
    never delays the others for longer. Only if all inboxes are full, it waits until one has room.

    Args:
        reader: reads the source.
        offset: its offset if it has begun to read, else None.
        max_line_size: maximum bytes of a line.
        recent_size: bytes of recent batches to keep, for readers that catch up.
        on_end: called when reading has ended.

    Attributes:
        offset: the offset after the last batch; None if reading has not begun.
        trouble: why the source cannot be read now, None if it can.
    """

    def __init__(
        self,
        reader: Reader,
        offset: str | None,
        *,
        max_line_size: int,
        recent_size: int,
        on_end: Callable[[SharedReading], None],
    ) -> None:
        self.offset = offset
        self.trouble: Notice | None = None
        self._reader = reader
        self._on_end = on_end
        self._whole: dict[Inbox, None] = {}  # Inboxes of readers without filters.
        self._filtered: dict[Inbox, None] = {}  # Those of readers with filters.
        self._group = FilterGroup(max_line_size)
        self._full: set[Inbox] = set()
        self._has_room = asyncio.Event()
        self._recent: deque[Batch] = deque()
        self._recent_size = 0
        self._max_recent_size = recent_size
        self._is_at_end = True
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._task = asyncio.create_task(self._run())

    def join(self, inbox: Inbox) -> None:
        """Put everything from now on into an inbox."""
        if self.offset is not None:
            inbox.put(Batch(b"", self.offset, 0, self._is_at_end), None)
        self._add(inbox)

    def resume(self, inbox: Inbox, offset: str) -> bool:
        """Put everything after an offset into an inbox; return whether that is possible."""
        following: list[Batch] = []
        if offset != self.offset:
            for batch in reversed(self._recent):
                if batch.offset == offset:
                    break
                following.append(batch)
            else:
                return False
        for batch in reversed(following):
            inbox.put(batch, None)
        self._add(inbox)
        return True

    async def leave(self, inbox: Inbox) -> None:
        """Remove an inbox, and stop reading with the last one."""
        self._remove(inbox)
        if not self._whole and not self._filtered:
            await self._close()
        elif receipts := inbox.unacknowledged():
            with suppress(SourceError):  # The reading itself reports it.
                await self.acknowledge(receipts)

    async def acknowledge(self, receipts: Iterable[SharedReceipt]) -> None:
        """Acknowledge batches to the source, unless another reader has done so.

        Raises:
            SourceError: the source cannot acknowledge.
        """
        for each in receipts:
            if not each.is_acknowledged:
                each.is_acknowledged = True
                await self._reader.acknowledge(each.receipt)

    async def lag(self) -> Lag | None:
        """Return how much of the source has not been read; None if that is unknown."""
        return await self._reader.lag()

    def _add(self, inbox: Inbox) -> None:
        if self.trouble is not None:
            inbox.put_notice(self.trouble)
        inbox.on_change = partial(self._changed, inbox)
        if inbox.filter is None:
            self._whole[inbox] = None
        else:
            self._filtered[inbox] = None
            self._group.add(inbox)

    def _remove(self, inbox: Inbox) -> None:
        self._whole.pop(inbox, None)
        self._filtered.pop(inbox, None)
        self._group.remove(inbox)
        self._full.discard(inbox)
        self._has_room.set()

    def _changed(self, inbox: Inbox) -> None:
        """Note that an inbox is full, has room again, or has ended."""
        if inbox.has_ended:
            self._remove(inbox)
        elif inbox.is_full:
            self._full.add(inbox)
        else:
            self._full.discard(inbox)
            self._has_room.set()

    async def _close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._on_end(self)
        if self._timer is not None:
            self._timer.cancel()
        self._task.cancel()
        await asyncio.wait([self._task])
        # Not in the task, which may be cancelled before its first step.
        await log_failure("closing a source's reader", self._reader.close())

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        error: Exception | None = None
        try:
            while (item := await self._reader.read()) is not None:
                check_cancelled()
                started = clock()
                if isinstance(item, Notice):
                    self._put_notice(item)
                else:
                    await self._put(item)
                # Let the readers that are waiting for it take it.
                await asyncio.sleep(0)
                if (took := clock() - started) > _SHORT:
                    # Leave as much time to other tasks; the next batch is larger then.
                    await asyncio.sleep(min(took, _LONGEST))
                if self._full:
                    await self._wait_for_room()
        except Exception as ending:
            error = ending
        self._on_end(self)
        for inbox in (*self._whole, *self._filtered):
            inbox.end(error)

    async def _wait_for_room(self) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + _PATIENCE
        while self._full:
            self._has_room.clear()
            is_stuck = len(self._full) == len(self._whole) + len(self._filtered)
            if not is_stuck and clock() >= deadline:
                return
            try:
                async with asyncio.timeout_at(None if is_stuck else deadline):
                    await self._has_room.wait()
            except TimeoutError:
                return
            check_cancelled()

    def _put_notice(self, notice: Notice) -> None:
        self.trouble = notice if notice.state == "down" else None
        for inbox in (*self._whole, *self._filtered):
            inbox.put_notice(notice)

    async def _put(self, batch: Batch) -> None:
        self.offset = batch.offset
        self._is_at_end = batch.is_last
        self._remember(batch)
        receipt = None if batch.receipt is None else SharedReceipt(batch.receipt)
        has_taken = bool(self._whole)
        for inbox in tuple(self._whole):
            inbox.put(batch, receipt)
        if not batch.lines or batch.missed != 0:
            self._group.put_to_all(batch, receipt)
        elif self._filtered:
            has_taken = self._group.put(batch, receipt) or has_taken
            if self._timer is None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(_CATCH_UP, self._catch_up)
        if receipt is not None and not has_taken:
            await self.acknowledge([receipt])

    def _catch_up(self) -> None:
        self._timer = None
        self._group.catch_up()

    def _remember(self, batch: Batch) -> None:
        if not batch.offset:
            return
        self._recent.append(batch)
        self._recent_size += _OVERHEAD + len(batch.lines)
        while self._recent_size > self._max_recent_size:
            self._recent_size -= _OVERHEAD + len(self._recent.popleft().lines)
