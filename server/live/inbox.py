"""The queue between a shared reading and one of its readers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from forstcore import Filter
from forstcore._proc import count_lines
from forstcore.sources import Batch, Notice
from server.live.delivery import add_missed
from server.live.filtered_batch import FilteredBatch

__all__ = ["FellBehindError", "Inbox", "SharedReceipt", "Totals"]

_OVERHEAD = 500  # Bytes of memory of an item besides its lines, approximately.
_MERGED = 1 << 18  # Bytes up to which batches are merged.


class FellBehindError(Exception):
    """The reader was too slow, and has to read the rest from the source again."""


class SharedReceipt:
    """A receipt of the source, shared by all readers that get its batch.

    Args:
        receipt: the receipt.

    Attributes:
        receipt: as above.
        is_acknowledged: whether a reader has acknowledged it.
    """

    __slots__ = ("is_acknowledged", "receipt")

    def __init__(self, receipt: object) -> None:
        self.receipt = receipt
        self.is_acknowledged = False


@dataclass(frozen=True, slots=True)
class Totals:
    """How much of a source has been filtered for several readers together."""

    lines: int = 0
    records: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class _Item:
    """A batch, or a part of one that a filter has selected."""

    lines: bytes
    left_out: int  # Records,
    lines_before: int  # lines that were left out as a whole before these,
    size: int  # and bytes of the source, with what was left out.
    batch: Batch
    receipt: SharedReceipt | None


class Inbox:
    """A queue of batches and notices of limited size, for one reader.

    Args:
        record_filter: the records that the reader wants, None for all.
        limit: maximum bytes; beyond them the reader falls behind, or misses batches.
        resumes: whether the source has offsets, so that the reader can resume by itself.

    Attributes:
        filter: as above.
        on_change: called when the inbox gets full, has room again, or has ended because its reader
            fell behind.
        totals: the totals of the reading when everything for the reader had last been put.
    """

    def __init__(self, record_filter: Filter | None, limit: int, *, resumes: bool) -> None:
        self.filter = record_filter
        self.on_change: Callable[[], None] = _ignore
        self.totals = Totals()
        self._limit = limit
        self._resumes = resumes
        self._items: deque[_Item | Notice] = deque()
        self._size = 0
        self._missed: int | None = 0  # Lines of batches that were dropped,
        self._dropped: list[SharedReceipt] = []  # and their receipts.
        self._receipts: list[SharedReceipt] = []
        self._has_ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether the next batch would make the reader fall behind, or miss a batch."""
        return self._size >= self._limit

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be added."""
        return self._has_ended

    def put(self, batch: Batch, receipt: SharedReceipt | None) -> None:
        """Add a batch as a whole."""
        self._put(_Item(batch.lines, 0, 0, len(batch.lines), batch, receipt))

    def put_selected(
        self,
        lines: bytes,
        left_out: int,
        batch: Batch,
        before: Totals,
        after: Totals,
        receipt: SharedReceipt | None,
    ) -> None:
        """Add the lines of a batch that a filter has selected.

        Args:
            lines: the lines, with empty ones in place of those left out.
            left_out: how many records were left out.
            batch: the batch.
            before, after: the totals before and after it.
            receipt: of the batch.
        """
        seen, self.totals = self.totals, after
        left_out += before.records - seen.records
        size = after.size - seen.size
        self._put(_Item(lines, left_out, before.lines - seen.lines, size, batch, receipt))

    def put_notice(self, notice: Notice) -> None:
        """Add a notice."""
        self._items.append(notice)
        self._size += _OVERHEAD
        self._wake()

    def end(self, error: Exception | None) -> None:
        """End the queue; the reader gets the error, if there is one, after everything else."""
        if not self._has_ended:
            self._has_ended = True
            self._error = error
            self._wake()

    async def take(self) -> FilteredBatch | Notice | None:
        """Wait for a batch or notice; return None at the end of the source.

        Raises:
            FellBehindError: the rest has to be read from the source again.
            Exception: the error of the reading.
        """
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._has_ended:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        was_full = self.is_full
        item = self._pop()
        taken = item if isinstance(item, Notice) else self._merged(item)
        if was_full and not self.is_full:
            self.on_change()
        return taken

    def unacknowledged(self) -> list[SharedReceipt]:
        """Return the receipts that no reader has acknowledged."""
        self._receipts = [each for each in self._receipts if not each.is_acknowledged]
        return self._receipts

    def _put(self, item: _Item) -> None:
        if self._has_ended:
            return
        if self.is_full and self._resumes:
            self.end(FellBehindError())
            self.on_change()
            return
        while self.is_full and self._drop_oldest():
            pass
        if item.receipt is not None:
            self._receipts = [*self.unacknowledged(), item.receipt]
        self._items.append(item)
        self._size += _OVERHEAD + len(item.lines)
        if self.is_full:
            self.on_change()
        self._wake()

    def _drop_oldest(self) -> bool:
        """Drop the oldest batch, if there is one, and add its receipt to the next one."""
        for place, item in enumerate(self._items):
            if isinstance(item, _Item):
                del self._items[place]
                self._size -= _OVERHEAD + len(item.lines)
                self._missed = add_missed(self._missed, item.batch.missed)
                self._missed = add_missed(self._missed, item.lines_before + count_lines(item.lines))
                if item.receipt is not None:
                    self._dropped.append(item.receipt)
                return True
        return False

    def _pop(self) -> _Item | Notice:
        item = self._items.popleft()
        self._size -= _OVERHEAD
        if isinstance(item, _Item):
            self._size -= len(item.lines)
        return item

    def _merged(self, first: _Item) -> FilteredBatch:
        """Merge a batch with those that follow it, up to a size."""
        items = [first]
        size = len(first.lines)
        # A batch without lines has the offset at which reading starts.
        while size and self._items and size < _MERGED:
            item = self._items[0]
            if isinstance(item, Notice) or item.batch.missed != 0:
                break
            self._pop()
            items.append(item)
            size += len(item.lines)
        last = items[-1].batch
        missed, self._missed = self._missed, 0
        receipts = [*self._dropped, *(item.receipt for item in items if item.receipt is not None)]
        self._dropped = []
        return FilteredBatch(
            b"".join([b"\n" * item.lines_before + item.lines for item in items]),
            last.offset,
            add_missed(missed, first.batch.missed),
            last.is_last and not self._items,
            tuple(receipts) or None,
            left_out=sum(item.left_out for item in items),
            size=sum(item.size for item in items),
        )

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _ignore() -> None:
    """Ignore changes: nothing reads for the inbox yet."""
