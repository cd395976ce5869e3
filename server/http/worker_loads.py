"""The loads of the processes of a server, in shared memory, to spread connections evenly.

All processes accept from one queue, and the kernel gives whole bursts to the same few. Streams are
long, so that imbalance would last. Therefore each process publishes its load, and leaves a
connection to a process with a lower one.
"""

from __future__ import annotations

import mmap

__all__ = ["FULL", "LOADS_VARIABLE", "WorkerLoads", "size_of_loads"]

LOADS_VARIABLE = "FORSTCORE_LOADS_FD"
"""Environment variable with the file descriptor of the shared memory."""

FULL = 1 << 40
"""The load of a process that refuses new streams, but still answers other requests."""

_ABSENT = -1  # The load of a process that does not accept connections.
_SLOT = 2  # Numbers of each process: its load, and how often it has published it.
_BYTES = 8  # Bytes of a number.
_TOLERANCE = 16  # A load may exceed the lowest one by this fraction of it, and by at least 1.


def size_of_loads(processes: int) -> int:
    """Return the bytes of shared memory for so many processes."""
    return processes * _SLOT * _BYTES


class WorkerLoads:
    """The loads of all processes, of which one publishes its own.

    Args:
        descriptor: of memory with `size_of_loads` bytes.
        processes: number of processes.
        own: index of this one.

    Thread-safety: one thread.
    """

    def __init__(self, descriptor: int, processes: int, own: int = 0) -> None:
        self._map = mmap.mmap(descriptor, size_of_loads(processes))
        self._numbers = memoryview(self._map).cast("q")
        self._own = own
        self._others = [index for index in range(processes) if index != own]
        # Processes that did not react, and how often they had published their load.
        self._ignored: dict[int, int] = {}

    def publish(self, load: int) -> None:
        """Publish the load of this process."""
        self._numbers[self._own * _SLOT] = load
        self._numbers[self._own * _SLOT + 1] += 1

    def withdraw(self, index: int | None = None) -> None:
        """Publish that a process accepts no connections: this one, or the one at an index."""
        self._numbers[(self._own if index is None else index) * _SLOT] = _ABSENT

    def is_accepting(self, index: int) -> bool:
        """Return whether a process accepts connections."""
        return self._numbers[index * _SLOT] != _ABSENT

    def is_low(self) -> bool:
        """Return whether this process should accept the next connection."""
        loads = [load for index in self._others if (load := self._load_of(index)) is not None]
        if not loads:
            return True
        lowest = min(loads)
        return self._numbers[self._own * _SLOT] < lowest + max(1, lowest // _TOLERANCE)

    def ignore_others(self) -> None:
        """Ignore the others, which do not accept a connection, until they publish their loads."""
        for index in self._others:
            self._ignored[index] = self._numbers[index * _SLOT + 1]

    def _load_of(self, index: int) -> int | None:
        load = self._numbers[index * _SLOT]
        if load == _ABSENT or self._ignored.get(index) == self._numbers[index * _SLOT + 1]:
            return None
        return load
