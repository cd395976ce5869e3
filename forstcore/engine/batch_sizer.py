"""How large the next batch should be."""

from __future__ import annotations

__all__ = ["FILE_BATCH", "MAX_BATCH", "BatchSizer"]

MAX_BATCH = 1 << 18
"""Bytes of the largest batch, except for a single longer line, of a stream that is one of many."""

FILE_BATCH = 1 << 20
"""The same for the only stream of a process. Smaller ones would cost more time in Python."""

_TARGET_SECONDS = 0.003  # Thirty times the cost of handing a batch to a thread.
# The same with a single worker and no other stream, which nobody waits for. Each batch costs
# some tens of microseconds in Python, and a copy of the lines behind it where it is cut out.
_KEPT_SECONDS = 0.02
# Bytes of a file that are processed together, at most; a command shows its progress in between.
_MAX_FILE_PART = 8 << 20
_HANDOVER_SECONDS = 0.0001  # Approximately; two threads also wait for each other's GIL.
_SHORT_BATCH = 1 << 16  # Bytes of a typical batch when everything is processed as it arrives.


class BatchSizer:
    """Choose the size of the next batch from how long recent batches took.

    Cheap records are processed in large batches, because handing a batch to a worker costs more
    than processing a few of them. Expensive records are spread over the workers. The first batch
    is a single line, and the size then grows.

    Args:
        max_size: bytes of the largest batch, except for a single longer line.
        alone: whether this is the only stream of the event loop. A single worker then gets no
            batches, because handing them over costs CPU time and gains little; several workers get
            large batches, even if that costs more CPU time in total, so that they share the work.
        workers: number of workers.

    Attributes:
        size: bytes of the next batch.
        max_size: as above.
        keeps: whether the event loop processes all batches itself, instead of a single worker.
    """

    def __init__(self, max_size: int = MAX_BATCH, *, alone: bool = False, workers: int = 1) -> None:
        self.size = 1
        self.max_size = max_size
        self._spreads = alone and workers > 1
        self.keeps = alone and workers == 1
        self._target = _KEPT_SECONDS if self.keeps else _TARGET_SECONDS
        # Decaying sums over recent batches.
        self._seconds = 0.0
        self._bytes = 0.0

    def is_short(self, size: int) -> bool:
        """Return whether to process that many bytes in the event loop."""
        if self.keeps:
            return True
        if not self._spreads:
            size = min(size, _SHORT_BATCH)
        return size * self._seconds <= _HANDOVER_SECONDS * self._bytes

    @property
    def file_part(self) -> int:
        """Bytes of a file to process where it is read; 0 if it should be read in batches."""
        if not self.keeps or self.size < self.max_size:
            return 0
        most = self._target * self._bytes / max(self._seconds, 1e-9)
        return int(min(max(self.max_size, most), _MAX_FILE_PART))

    def add(self, size: int, seconds: float) -> None:
        """Record that a batch of `size` bytes took `seconds`."""
        if self._bytes:
            # A batch that took much longer than expected probably waited for the CPU.
            seconds = min(seconds, max(4 * size * self._seconds / self._bytes, _HANDOVER_SECONDS))
        max_size = self.max_size
        self._seconds = self._seconds / 2 + seconds
        self._bytes = self._bytes / 2 + size
        wanted = int(self._target * self._bytes / self._seconds) if self._seconds else max_size
        self.size = max(1, min(max_size, 4 * max(self.size, size), wanted))
