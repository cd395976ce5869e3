"""Sources in the memory of this process: what is published to them, as far as it fits."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import deque

from forstcore.errors import OffsetError
from forstcore.sources import NOW, START, Batch, Keeps, SourceLimits
from forstcore.sources._url import SourceUrl

__all__ = ["MemoryReader", "MemorySource"]

_BLOCK = 1 << 16  # Bytes up to which what is published is put together.
_OVERHEAD = 256  # Bytes that a block costs beyond its lines, about.
_OFFSET = re.compile(r"([0-9a-f]{8})-([0-9]{1,18})")


class _Block:
    """Lines that were published one after the other."""

    __slots__ = ("count", "first", "lines")

    def __init__(self, first: int) -> None:
        self.first = first
        self.lines = bytearray()
        self.count = 0


class MemorySource:
    """A ring of lines, the oldest of which make room for new ones.

    An offset is a count of records, and a mark of this ring: that of an earlier process is
    known as such.

    Args:
        url: ``memory:``.
        limits: the size of the ring.

    Attributes:
        name: what clients call it.
        count: records ever published.

    Thread-safety: belongs to one event loop.
    """

    is_shared = True
    keeps: Keeps = "offsets"

    def __init__(self, url: SourceUrl, limits: SourceLimits) -> None:
        self.name = url.name
        self.count = 0
        self._limit = limits.ring_size
        self._life = secrets.token_hex(4)
        self._size = 0
        self._blocks: deque[_Block] = deque()
        self._dropped = 0  # Blocks that had to make room.
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def offset(self) -> str:
        """The offset behind the last record."""
        return self.offset_of(self.count)

    @property
    def first(self) -> int:
        """Number of the oldest record that is left, counted from 0."""
        return self._blocks[0].first if self._blocks else self.count

    def publish(self, lines: bytes) -> int:
        """Add records. Never waits: who reads too slowly misses the oldest.

        Args:
            lines: whole lines, each with its LF, none blank.

        Returns:
            How many they are.
        """
        before = self.count
        start = 0
        while start < len(lines):
            end = len(lines)
            if end - start > _BLOCK:
                end = lines.rfind(b"\n", start, start + _BLOCK) + 1
                end = end or lines.index(b"\n", start) + 1
            self._append(lines[start:end])
            start = end
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        return self.count - before

    def _append(self, lines: bytes) -> None:
        count = lines.count(b"\n")
        blocks = self._blocks
        if not blocks or len(blocks[-1].lines) + len(lines) > _BLOCK:
            blocks.append(_Block(self.count))
            self._size += _OVERHEAD
        blocks[-1].lines += lines
        blocks[-1].count += count
        self.count += count
        self._size += len(lines)
        while self._size > self._limit and len(blocks) > 1:
            self._size -= len(blocks.popleft().lines) + _OVERHEAD
            self._dropped += 1

    def check(self, start: str) -> None:
        if start in (NOW, START):
            return
        match = _OFFSET.fullmatch(start)
        if match is None or (match[1] == self._life and int(match[2]) > self.count):
            raise OffsetError(self.name, f"has no offset {start!r}")

    def open(self, start: str, session: str = "") -> MemoryReader:
        if start == NOW:
            return MemoryReader(self, self.count)
        if start == START:
            return MemoryReader(self, self.first)
        life, _, number = start.partition("-")
        if life != self._life:
            # What was lost with the other process, nobody counts.
            return MemoryReader(self, self.first, missed=None)
        return MemoryReader(self, int(number))

    async def close(self) -> None:
        self._blocks.clear()

    def offset_of(self, number: int) -> str:
        """Write the offset behind the first `number` records."""
        return f"{self._life}-{number}"

    def place_of(self, number: int) -> tuple[int, int]:
        """Find a record: the number of its block, ever, and its first byte in there."""
        for place, block in enumerate(self._blocks):
            if number < block.first + block.count:
                at = 0
                for _ in range(number - block.first):
                    at = block.lines.index(b"\n", at) + 1
                return self._dropped + place, at
        place = len(self._blocks) - 1
        return self._dropped + place, len(self._blocks[-1].lines) if self._blocks else 0

    def block(self, place: int) -> _Block | None:
        """Return a block by its number, None if it had to make room."""
        index = place - self._dropped
        return self._blocks[index] if 0 <= index < len(self._blocks) else None

    async def changed(self) -> None:
        """Wait until more is published."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter


class MemoryReader:
    """One reading of a ring.

    Args:
        source: the ring.
        number: records before the first that is wanted.
        missed: how many are known to be missed.
    """

    def __init__(self, source: MemorySource, number: int, *, missed: int | None = 0) -> None:
        self._source = source
        self._number = number
        self._missed = missed
        self._is_new = True
        self._place = -1  # Block that is read, and how far.
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
        block = source.block(self._place)
        if block is not None and self._number == block.first + block.count:
            self._place, self._at = self._place + 1, 0
            block = source.block(self._place)
        if block is None:
            self._place, self._at = source.place_of(self._number)
            block = source.block(self._place)
        assert block is not None
        lines = bytes(memoryview(block.lines)[self._at :])
        self._at += len(lines)
        self._number = block.first + block.count
        return Batch(lines, source.offset_of(self._number), 0, self._number == source.count)

    async def acknowledge(self, receipt: object) -> None:
        """Do nothing: there is nobody else who would get it."""

    async def close(self) -> None:
        """Do nothing: a reading of memory holds nothing."""
