"""Which file each line of an input came from, and lines that wait for their results."""

from __future__ import annotations

import bisect
from collections import deque
from dataclasses import dataclass

from forstcore._proc import count_lines

__all__ = ["Files", "Origin"]


class Files:
    """The files that an input is made of."""

    def __init__(self) -> None:
        self._lines = 0
        self._starts: list[int] = []
        self._names: list[str] = []

    def note(self, name: str, piece: bytes) -> None:
        """Take note of a piece of the input; `name` is the file that it begins, or empty."""
        if name:
            self._starts.append(self._lines + 1)
            self._names.append(name)
        self._lines += count_lines(piece)

    def place(self, number: int) -> tuple[str, int]:
        """Name the file that an input line came from, and its number there."""
        file = bisect.bisect_right(self._starts, number) - 1
        if file < 0:
            return "-", number
        return self._names[file], number - self._starts[file] + 1


@dataclass
class _Kept:
    """A piece: `first` is the number of the line that it begins in."""

    first: int
    breaks: int
    data: bytes
    lines: list[bytes] | None = None


class Origin:
    """Remember the lines that are on their way to a server.

    Args:
        most: bytes of a line that are remembered; more of a longer one is forgotten.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: deque[_Kept] = deque()
        self._number = 1  # of the line that the next piece begins in
        self._length = 0  # of that line so far

    def note(self, data: bytes) -> None:
        """Remember a piece."""
        breaks = data.count(b"\n")
        is_known = breaks or self._length <= self._most
        self._kept.append(_Kept(self._number, breaks, data if is_known else b""))
        self._number += breaks
        self._length = len(data) - data.rfind(b"\n") - 1 + (0 if breaks else self._length)

    def line(self, number: int) -> bytes:
        """Return a line, without LF, or as much of it as is remembered."""
        parts = []
        for kept in self._kept:
            if kept.first + kept.breaks < number:
                continue
            if kept.first > number:
                break
            if kept.lines is None:
                kept.lines = kept.data.split(b"\n")
            # The lines of a piece that is forgotten are one, and empty.
            parts.append(kept.lines[min(number - kept.first, len(kept.lines) - 1)])
        return b"".join(parts)[: self._most]

    def forget(self, number: int) -> None:
        """Forget all lines up to this one: nobody asks for them any more."""
        while self._kept and self._kept[0].first + self._kept[0].breaks <= number:
            self._kept.popleft()
