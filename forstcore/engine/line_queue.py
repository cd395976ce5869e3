"""A queue of lines that have not been processed yet."""

from __future__ import annotations

from collections import deque

from forstcore._proc import count_lines

__all__ = ["LineQueue"]


class LineQueue:
    """A queue of whole lines.

    Attributes:
        size: bytes in the queue.
    """

    def __init__(self) -> None:
        self.size = 0
        self._pieces: deque[tuple[bytes, int]] = deque()  # Each with its number of lines.
        self._start = 0  # Where the rest of the first piece starts.

    def put(self, lines: bytes, count: int) -> None:
        """Append `count` whole lines, each with its LF."""
        self._pieces.append((lines, count))
        self.size += len(lines)

    def take(self, size: int) -> tuple[bytes, int]:
        """Remove lines of about `size` bytes in total, or one longer line.

        A piece that was put in is taken as a whole if it exceeds `size` by an eighth at most,
        because cutting it costs a copy.

        Returns:
            The lines, and their number.
        """
        taken: list[bytes] = []
        number = 0
        while self._pieces and size > 0:
            (piece, count), start = self._pieces[0], self._start
            end = len(piece)
            if end - start > size + size // 8:
                end = piece.rfind(b"\n", start, start + size) + 1
                if not end and not taken:
                    end = piece.index(b"\n", start) + 1
                if not end:
                    break
            lines = piece[start:end]
            if end == len(piece):
                self._pieces.popleft()
                self._start = 0
            else:
                self._start = end
                count = count_lines(lines)
                self._pieces[0] = piece, self._pieces[0][1] - count
            taken.append(lines)
            number += count
            size -= len(lines)
            self.size -= len(lines)
        return taken[0] if len(taken) == 1 else b"".join(taken), number
