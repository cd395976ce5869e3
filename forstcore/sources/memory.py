"""Sources in the memory of this process: the last records that were published to them."""

from __future__ import annotations

import asyncio
import re
import secrets
import sys
from collections import deque

from forstcore._proc import count_lines
from forstcore.errors import OffsetError
from forstcore.sources import NOW, START, Batch, Keeps, Lag, SourceLimits
from forstcore.sources._url import SourceUrl

__all__ = ["MemoryReader", "MemorySource"]

_SEGMENT_SIZE = 1 << 16  # Bytes up to which published lines are merged.
_MAX_GROWING_BATCH = 1 << 18  # Bytes beyond which the size of batches is not limited.
_OVERHEAD = 256  # Approximate bytes of memory per segment, besides its lines.
_OFFSET = re.compile(r"([0-9a-f]{8})-([0-9]{1,18})")


class _Segment:
    """Consecutive lines."""

    __slots__ = ("count", "first", "lines")

    def __init__(self, first: int) -> None:
        self.first = first
        self.lines = bytearray()
        self.count = 0


class MemorySource:
    """A ring buffer of lines: new ones replace the oldest.

    An offset has a random id of the ring and a count of records, so that offsets of an earlier
    process are recognized.

    Args:
        url: ``memory:``.
        limits: the size of the ring.

    Attributes:
        name: its name for clients.
        count: records ever published.

    Raises:
        SourceError: the URL names more than that.

    Thread-safety: belongs to one event loop.
    """

    is_shared = True
    keeps: Keeps = "offsets"

    def __init__(self, url: SourceUrl, limits: SourceLimits) -> None:
        if url.address or url.path:
            raise url.error(url.name, "is in memory, so that its URL is memory: alone")
        self.name = url.name
        self.count = 0
        self._limit = limits.ring_size
        self._ring_id = secrets.token_hex(4)
        self._size = 0
        self._segments: deque[_Segment] = deque()
        self._dropped = 0  # Number of segments dropped so far.
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def offset(self) -> str:
        """The offset after the last record."""
        return self.offset_of(self.count)

    @property
    def first(self) -> int:
        """Number of the oldest record still in the ring, counted from 0."""
        return self._segments[0].first if self._segments else self.count

    def publish(self, lines: bytes) -> int:
        """Add records, without waiting: readers that are too slow miss the oldest ones.

        Args:
            lines: whole lines, each with its LF, none blank.

        Returns:
            Their number.
        """
        before = self.count
        start = 0
        while start < len(lines):
            end = len(lines)
            if end - start > _SEGMENT_SIZE:
                end = lines.rfind(b"\n", start, start + _SEGMENT_SIZE) + 1
                end = end or lines.index(b"\n", start) + 1
            self._append(lines[start:end])
            start = end
        self.wake()
        return self.count - before

    def wake(self) -> None:
        """Wake everything that waits in `changed`."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _append(self, lines: bytes) -> None:
        count = count_lines(lines)
        segments = self._segments
        if not segments or len(segments[-1].lines) + len(lines) > _SEGMENT_SIZE:
            segments.append(_Segment(self.count))
            self._size += _OVERHEAD
        segments[-1].lines += lines
        segments[-1].count += count
        self.count += count
        self._size += len(lines)
        while self._size > self._limit and len(segments) > 1:
            self._size -= len(segments.popleft().lines) + _OVERHEAD
            self._dropped += 1

    def check(self, start: str) -> None:
        if start in (NOW, START):
            return
        match = _OFFSET.fullmatch(start)
        if match is None or (match[1] == self._ring_id and int(match[2]) > self.count):
            raise OffsetError(self.name, f"has no offset {start!r}")

    def open(self, start: str, session: str = "") -> MemoryReader:
        if start == NOW:
            return MemoryReader(self, self.count)
        if start == START:
            return MemoryReader(self, self.first)
        ring_id, _, number = start.partition("-")
        if ring_id != self._ring_id:
            # The number of records lost with the other process is unknown.
            return MemoryReader(self, self.first, missed=None)
        return MemoryReader(self, int(number))

    async def close(self) -> None:
        self._segments.clear()

    def offset_of(self, number: int) -> str:
        """Return the offset after the first `number` records."""
        return f"{self._ring_id}-{number}"

    def place_of(self, number: int) -> tuple[int, int]:
        """Find a record: return the number of its segment, and its first byte there."""
        for place, segment in enumerate(self._segments):
            if number < segment.first + segment.count:
                at = 0
                for _ in range(number - segment.first):
                    at = segment.lines.index(b"\n", at) + 1
                return self._dropped + place, at
        place = len(self._segments) - 1
        return self._dropped + place, len(self._segments[-1].lines) if self._segments else 0

    def segment(self, place: int) -> _Segment | None:
        """Return a segment by its number, None if it was dropped."""
        index = place - self._dropped
        return self._segments[index] if 0 <= index < len(self._segments) else None

    async def changed(self) -> None:
        """Wait until more is published."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter


class MemoryReader:
    """Reads a ring.

    Args:
        source: the ring.
        number: number of the first record to read, counted from 0.
        missed: how many records were missed before it.
    """

    def __init__(self, source: MemorySource, number: int, *, missed: int | None = 0) -> None:
        self._source = source
        self._number = number
        self._missed = missed
        self._is_new = True
        # A client resumes from the offset after the last batch that it has received as a whole. If
        # its connections were cut within the first batch, it would get the same records for ever.
        # So a reader that catches up begins with one line.
        self._batch_size = 1 if number < source.count else sys.maxsize  # Bytes.
        self._place = -1  # Number of the current segment, and position in it.
        self._at = 0

    async def read(self) -> Batch:
        source = self._source
        while True:
            if self._number < source.first:
                if self._missed is not None:
                    self._missed += source.first - self._number
                self._number = source.first
            if self._is_new or (self._number < source.count and self._missed != 0):
                self._is_new = False
                missed, self._missed = self._missed, 0
                offset = source.offset_of(self._number)
                return Batch(b"", offset, missed, self._number == source.count)
            if self._number < source.count:
                return self._take()
            await source.changed()

    def _take(self) -> Batch:
        source = self._source
        segment = source.segment(self._place)
        if segment is not None and self._number == segment.first + segment.count:
            self._place, self._at = self._place + 1, 0
            segment = source.segment(self._place)
        if segment is None:
            self._place, self._at = source.place_of(self._number)
            segment = source.segment(self._place)
        assert segment is not None
        end = len(segment.lines)
        if self._batch_size <= _MAX_GROWING_BATCH:
            if end - self._at > self._batch_size:
                end = segment.lines.index(b"\n", self._at + self._batch_size - 1) + 1
            self._batch_size *= 2
        lines = bytes(memoryview(segment.lines)[self._at : end])
        self._at = end
        self._number += count_lines(lines)
        return Batch(lines, source.offset_of(self._number), 0, self._number == source.count)

    async def acknowledge(self, receipt: object) -> None:
        """Do nothing: records are not redelivered."""

    async def lag(self) -> Lag:
        return Lag(self._source.count - self._number, "records")

    async def close(self) -> None:
        """Do nothing: there is nothing to free."""
