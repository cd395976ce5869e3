"""What clients have sent ahead: request heads, and bytes that nobody can use yet."""

from __future__ import annotations

__all__ = ["SURE", "Ahead"]

SURE = 1 << 14
"""Bytes that every connection may send ahead, however much the others have."""

_MOST = 1 << 24  # Bytes of all connections together, beyond which each has what is sure.
_READ = 1 << 18  # Bytes that are read from a connection at once,
_READ_LITTLE = 1 << 12  # and that are when there is too much already.


class Ahead:
    """Count the bytes that all connections of a server have sent ahead.

    Attributes:
        total: the count.

    Thread-safety: for the thread of one event loop.
    """

    def __init__(self) -> None:
        self.total = 0
        self._buffer = memoryview(bytearray(_READ))

    @property
    def is_full(self) -> bool:
        """Whether no connection may have more than what is sure."""
        return self.total > _MOST

    def buffer(self) -> memoryview:
        """Return the buffer that all connections are read into, one after the other."""
        return self._buffer[:_READ_LITTLE] if self.is_full else self._buffer

    def take(self, size: int) -> bytes:
        """Return what was read into the buffer."""
        return bytes(self._buffer[:size])
