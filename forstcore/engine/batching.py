"""Lines that have been read and wait for a worker, and how many of them make a batch."""

from __future__ import annotations

from collections import deque

__all__ = ["MOST", "Pace", "Pending"]

MOST = 1 << 18
"""Bytes of the largest batch, one long line excepted."""

_SECONDS = 0.003  # What a batch should take: thirty times what handing it over costs.
_HANDOVER = 0.0001  # That, about: two threads, and what they wait for each other's GIL.
_USUAL = 1 << 16  # Bytes of a batch where all is processed as it comes.


class Pending:
    """A queue of whole lines.

    Attributes:
        size: bytes in it.
    """

    def __init__(self) -> None:
        self.size = 0
        self._pieces: deque[bytes] = deque()
        self._start = 0  # of what is left of the first piece

    def put(self, lines: bytes) -> None:
        """Add whole lines, each with its LF."""
        self._pieces.append(lines)
        self.size += len(lines)

    def take(self, size: int) -> bytes:
        """Take lines of at most `size` bytes, but one at least, if there is one."""
        taken: list[bytes] = []
        while self._pieces and size > 0:
            piece, start = self._pieces[0], self._start
            end = len(piece)
            if end - start > size:
                end = piece.rfind(b"\n", start, start + size) + 1
                if not end and not taken:
                    end = piece.index(b"\n", start) + 1
                if not end:
                    break
            if end == len(piece):
                self._pieces.popleft()
                self._start = 0
            else:
                self._start = end
            taken.append(piece[start:end])
            size -= end - start
            self.size -= end - start
        return taken[0] if len(taken) == 1 else b"".join(taken)


class Pace:
    """Tell how large the next batch should be, from how long the last ones took.

    Many cheap records belong into one batch, as handing it to a worker costs more than they
    do; of dear ones each worker should get its own. So it starts with one line, and grows.

    Attributes:
        size: bytes of the next batch.
    """

    def __init__(self) -> None:
        self.size = 1
        # Of the last batches together; the older one is, the less it counts.
        self._seconds = 0.0
        self._bytes = 0.0

    def is_short(self, size: int) -> bool:
        """Tell whether a batch of that many bytes is not worth being handed over."""
        return min(size, _USUAL) * self._seconds <= _HANDOVER * self._bytes

    def add(self, size: int, seconds: float) -> None:
        """Learn that a batch of that many bytes took so many seconds."""
        if self._bytes:
            # One that took much longer than it should had to wait for the CPU, most likely.
            seconds = min(seconds, max(4 * size * self._seconds / self._bytes, _HANDOVER))
        self._seconds = self._seconds / 2 + seconds
        self._bytes = self._bytes / 2 + size
        wanted = int(_SECONDS * self._bytes / self._seconds) if self._seconds else MOST
        self.size = max(1, min(MOST, 4 * max(self.size, size), wanted))
