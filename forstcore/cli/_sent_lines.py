"""Lines that were sent to a server, kept until their results arrive."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

__all__ = ["SentLines"]


@dataclass
class _Piece:
    """A piece of the input; `first` is the number of the line it starts in."""

    first: int
    breaks: int
    data: bytes
    lines: list[bytes] | None = None


class SentLines:
    """Keep the lines that were sent, so that rejected ones can be reported.

    Args:
        max_line_size: maximum bytes to keep of a line.
    """

    def __init__(self, max_line_size: int) -> None:
        self._max_line_size = max_line_size
        self._pieces: deque[_Piece] = deque()
        self._number = 1  # Number of the line in which the next piece starts.
        self._length = 0  # Bytes of that line so far.

    def add(self, data: bytes) -> None:
        """Keep a piece."""
        breaks = data.count(b"\n")
        is_needed = breaks or self._length <= self._max_line_size
        self._pieces.append(_Piece(self._number, breaks, data if is_needed else b""))
        self._number += breaks
        self._length = len(data) - data.rfind(b"\n") - 1 + (0 if breaks else self._length)

    def line(self, number: int) -> bytes:
        """Return a line, without LF, or as much of it as was kept."""
        parts = []
        for piece in self._pieces:
            if piece.first + piece.breaks < number:
                continue
            if piece.first > number:
                break
            if piece.lines is None:
                piece.lines = piece.data.split(b"\n")
            # A piece whose data was not kept has a single, empty line.
            parts.append(piece.lines[min(number - piece.first, len(piece.lines) - 1)])
        return b"".join(parts)[: self._max_line_size]

    def forget(self, number: int) -> None:
        """Drop all lines up to this one."""
        while self._pieces and self._pieces[0].first + self._pieces[0].breaks <= number:
            self._pieces.popleft()
