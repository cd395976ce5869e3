"""Map line numbers of the input to files."""

from __future__ import annotations

import bisect

from forstcore._proc import count_lines

__all__ = ["LineOrigins"]


class LineOrigins:
    """The files of an input, indexed by the numbers of their first lines."""

    def __init__(self) -> None:
        self._lines = 0
        self._starts: list[int] = []
        self._names: list[str] = []

    def add(self, name: str, piece: bytes) -> None:
        """Add the next piece of the input; `name` is the file that starts with it, or empty."""
        if name:
            self._starts.append(self._lines + 1)
            self._names.append(name)
        self._lines += count_lines(piece)

    def find(self, number: int) -> tuple[str, int]:
        """Return the file of an input line, and the number of the line in it."""
        file = bisect.bisect_right(self._starts, number) - 1
        if file < 0:
            return "-", number
        return self._names[file], number - self._starts[file] + 1
