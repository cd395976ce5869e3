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
        # Each with its number of lines; None if they have not been counted.
        self._pieces: deque[tuple[bytes, int | None]] = deque()
        self._start = 0  # Where the rest of the first piece starts.

    def put(self, lines: bytes, count: int | None) -> None:
        """Append whole lines, each with its LF.

        Args:
            lines: the lines.
            count: number of lines; None if they have not been counted.
        """
        self._pieces.append((lines, count))
        self.size += len(lines)

    def count(self) -> int:
        """Return the number of lines in the queue."""
        if any(count is None for _, count in self._pieces):
            starts = [self._start, *[0] * (len(self._pieces) - 1)]
            counted = [
                (piece, count_lines(piece[start:]) if count is None else count)
                for (piece, count), start in zip(self._pieces, starts, strict=True)
            ]
            self._pieces = deque(counted)
        return sum(count or 0 for _, count in self._pieces)

    def take(self, size: int) -> tuple[bytes, int | None]:
        """Remove lines of about `size` bytes in total, or one longer line.

        A piece that was put in is taken as a whole if it exceeds `size` by an eighth at most,
        because cutting it costs a copy.

        Returns:
            The lines, and their number; None if they have not been counted.
        """
        taken: list[bytes] = []
        number: int | None = 0
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
                if count is not None:
                    before, count = count, count_lines(lines)
                    self._pieces[0] = piece, before - count
            taken.append(lines)
            number = None if number is None or count is None else number + count
            size -= len(lines)
            self.size -= len(lines)
        return taken[0] if len(taken) == 1 else b"".join(taken), number
