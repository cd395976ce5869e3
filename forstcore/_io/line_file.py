"""The rest of a file, read and processed in pieces that stay in the cache of the CPU."""

from __future__ import annotations

from typing import Protocol

__all__ = ["LineFile"]

# Bytes per read. The kernel copies them to where the last ones were, so that processing them
# finds them in the cache, with the Python objects that it needs for each piece.
_SIZE = 1 << 18


class _Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class LineFile:
    """What has not been read of a file.

    Args:
        file: an unbuffered binary file that does not block.

    Attributes:
        tail: bytes that were read before, and have not been processed.
        taken: number of bytes that `skip` was told.

    Thread-safety: one owner.
    """

    def __init__(self, file: _Readable) -> None:
        self.taken = 0
        self._file = file
        self._tail = b""
        self._buffer = bytearray()
        self._view = memoryview(self._buffer)
        self._size = 0  # Bytes in the buffer; if there are any, the tail is empty.

    @property
    def tail(self) -> bytes:
        return self._tail or bytes(self._view[: self._size])

    @tail.setter
    def tail(self, data: bytes) -> None:
        self._tail = data
        self._size = 0

    def next_lines(self) -> memoryview:
        """Read on, and return the whole lines that come next, until `skip` is called.

        They are empty if none has ended, at the end of the file, and if it cannot be read; the
        bytes so far are the tail.
        """
        if not self._buffer:
            self._buffer = bytearray(2 * _SIZE)
            self._view = memoryview(self._buffer)
        if self._tail:
            if len(self._tail) > _SIZE:
                return self._view[:0]
            self._size = len(self._tail)
            self._buffer[: self._size] = self._tail
            self._tail = b""
        size = self._size
        if size < _SIZE:
            try:
                read = self._file.readinto(self._view[size : size + _SIZE])
            except OSError:
                # Whoever reads on gets the same error, when this has been processed.
                read = None
            self._size = size = size + (read or 0)
        return self._view[: self._buffer.rfind(b"\n", 0, size) + 1]

    def first_lines(self, size: int) -> bytes:
        """Return the first lines of those that come next: up to `size` bytes, or a longer one.

        There must be a whole one.
        """
        lines = bytes(self._view[: min(size, self._size)])
        end = lines.rfind(b"\n") + 1 or self._buffer.index(b"\n", size) + 1
        return lines[:end] if end <= size else bytes(self._view[:end])

    def skip(self, count: int) -> None:
        """Forget the first bytes of what `next_lines` returned: they have been processed."""
        rest = self._size - count
        # Between views, because these may overlap; a bytearray would be assigned by memcpy.
        self._view[:rest] = self._view[count : self._size]
        self._size = rest
        self.taken += count
