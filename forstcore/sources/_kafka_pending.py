"""Records on their way from the thread of a consumer to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from forstcore.sources import Notice

__all__ = ["Chunk", "Pending", "Taken"]

_MAX_SIZE = 1 << 20  # Bytes of values after which the thread stops reading.


@dataclass(slots=True)
class Chunk:
    """Some records of one partition.

    Attributes:
        values: the values of its messages, without those that have none.
        position: offset of the message after them.
    """

    values: list[bytes] = field(default_factory=list)
    position: int = 0


@dataclass(slots=True)
class Taken:
    """Everything that the event loop takes in one step.

    Attributes:
        chunks: the records, by partition.
        missed: 0, or None if an unknown number of records before them was lost.
        is_last: whether there was nothing more when they were read.
    """

    chunks: dict[int, Chunk] = field(default_factory=dict)
    missed: int | None = 0
    is_last: bool = False


class Pending:
    """Records, notices and the final error of a thread that reads.

    Args:
        loop: where they are taken.
        on_take: called with the chunks taken, before the thread can discard any.

    Thread-safety: `take` and `records` belong to the event loop, everything else to the thread.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_take: Callable[[dict[int, Chunk]], None]
    ) -> None:
        self._loop = loop
        self._on_take = on_take
        self._room = threading.Condition()
        self._arrived = asyncio.Event()
        self._taken = Taken()
        self._size = 0
        self._is_empty = True
        self._notices: deque[Notice] = deque()
        self._error: Exception | None = None

    async def take(self) -> Taken | Notice:
        """Wait until there is something, and take all of it.

        Raises:
            Exception: the error with which the thread has ended.
        """
        while True:
            with self._room:
                self._arrived.clear()
                if self._notices:
                    return self._notices.popleft()
                if not self._is_empty:
                    taken, self._taken = self._taken, Taken()
                    self._size = 0
                    self._is_empty = True
                    self._on_take(taken.chunks)
                    self._room.notify()
                    return taken
                if self._error is not None:
                    raise self._error
            await self._arrived.wait()

    @property
    def has_records(self) -> bool:
        """Whether there is something to take."""
        return not self._is_empty

    @property
    def records(self) -> int:
        """The number of records to take."""
        with self._room:
            return sum(len(chunk.values) for chunk in self._taken.chunks.values())

    def wait_for_room(self, seconds: float) -> bool:
        """Wait until there is room for more records; return whether there is."""
        with self._room:
            return self._room.wait_for(lambda: self._size < _MAX_SIZE, seconds)

    def add(self, chunks: dict[int, Chunk], is_last: bool) -> None:
        """Add records, and whether nothing comes after them now."""
        with self._room:
            for partition, chunk in chunks.items():
                before = self._taken.chunks.setdefault(partition, Chunk())
                before.values += chunk.values
                before.position = chunk.position
                self._size += sum(map(len, chunk.values))
            self._taken.is_last = is_last
            self._wake()

    def add_missed(self) -> None:
        """Record that records were lost at this point."""
        with self._room:
            self._taken.missed = None
            self._wake()

    def discard(self, partitions: Iterable[int]) -> None:
        """Discard the records of some partitions."""
        with self._room:
            for partition in partitions:
                chunk = self._taken.chunks.pop(partition, Chunk())
                self._size -= sum(map(len, chunk.values))

    def notify(self, notice: Notice) -> None:
        """Add a notice."""
        with self._room:
            self._notices.append(notice)
            self._wake(has_records=False)

    def fail(self, error: Exception) -> None:
        """Record the error with which the thread ends."""
        with self._room:
            self._error = error
            self._wake(has_records=False)

    def _wake(self, has_records: bool = True) -> None:
        if has_records:
            self._is_empty = False
        # The loop may be closed already.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._arrived.set)
