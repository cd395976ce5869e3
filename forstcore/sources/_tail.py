"""One file that grows, read line by line."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["Tail"]

_PIECE = 1 << 18  # Bytes that are read at once, if lines are not longer.


class Tail:
    """A file, and how far it has been read.

    Args:
        key: what the file is known by.
        path: where it is.
        max_line_size: bytes of the longest line; of a longer one just enough is kept to tell.

    Attributes:
        key: as above.
        position: start of the next line.
    """

    def __init__(self, key: str, path: Path, max_line_size: int) -> None:
        self.key = key
        self.position = 0
        self._file = path.open("rb", buffering=0)
        self._limit = max_line_size
        self._piece = max(_PIECE, max_line_size + 2)
        self._passed = 0  # Bytes of a line that is too long,
        self._head = b""  # and what of it is kept.

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def to_end(self) -> None:
        """Go behind the last whole line."""
        end = self._size()
        while end > 0:
            start = max(0, end - self._piece)
            found = self._read_at(start, end - start).rfind(b"\n")
            if found >= 0:
                self.position = start + found + 1
                return
            end = start

    def to(self, position: int) -> bool:
        """Go to a position; tell whether that can have been where a line starts."""
        if not self._is_line(position):
            return False
        self.position = position
        return True

    def is_at_end(self) -> bool:
        """Tell whether there is nothing more to read."""
        return self._size() == self.position

    def read(self, *, is_whole: bool) -> bytes:
        """Return the next lines, each with its LF; nothing where there are none yet.

        Args:
            is_whole: whether a last line without LF is one.
        """
        if not self._is_line(self.position):
            # Truncated, or written anew.
            self.position = self._passed = 0
        while data := self._read_at(self.position + self._passed, self._piece):
            if self._passed:
                end = data.find(b"\n") + 1
                if end:
                    return self._advance(self._head + b"\n", self._passed + end)
                self._passed += len(data)
                continue
            end = data.rfind(b"\n") + 1
            if end:
                return self._advance(data[:end], end)
            if len(data) <= self._limit:
                return self._advance(data + b"\n", len(data)) if is_whole else b""
            self._head = data[: self._limit + 1]
            self._passed = len(data)
        if self._passed and is_whole:
            return self._advance(self._head + b"\n", self._passed)
        return b""

    def _advance(self, lines: bytes, size: int) -> bytes:
        self.position += size
        self._passed = 0
        return lines

    def _is_line(self, position: int) -> bool:
        size = self._size()
        if position == 0 or position > size:
            return position == 0
        # At the end of a file that will not grow, a line may lack its LF.
        return self._read_at(position - 1, 1) == b"\n" or position == size

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _read_at(self, position: int, size: int) -> bytes:
        self._file.seek(position)
        return self._file.read(size)
