"""A queue of lines that have not been processed yet."""

from __future__ import annotations

from collections import deque

__all__ = ["LineQueue"]


class LineQueue:
    """A queue of whole lines.

    Attributes:
        size: bytes in the queue.
    """

    def __init__(self) -> None:
        self.size = 0
        self._pieces: deque[bytes] = deque()
        self._start = 0  # Where the rest of the first piece starts.

    def put(self, lines: bytes) -> None:
        """Append whole lines, each with its LF."""
        self._pieces.append(lines)
        self.size += len(lines)

    def take(self, size: int) -> bytes:
        """Remove lines of at most `size` bytes in total, or one longer line."""
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
