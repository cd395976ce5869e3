"""What clients have sent ahead: request heads, and bytes that nobody can use yet."""

from __future__ import annotations

import asyncio

from server.http.internals import bound_reads

__all__ = ["SURE", "ReadAhead"]

SURE = 1 << 14
"""Bytes that every connection may send ahead, however much the others have."""

_MOST = 1 << 24  # Bytes of all connections together, beyond which each has what is sure.
_READ = 1 << 18  # Bytes that are read from a connection at once, as asyncio does,
_READ_LITTLE = 1 << 12  # and that are when there is too much already.


class ReadAhead:
    """Count the bytes that all connections of a server have sent ahead.

    Attributes:
        total: the count.

    Thread-safety: for the thread of one event loop.
    """

    def __init__(self) -> None:
        self.total = 0

    @property
    def is_full(self) -> bool:
        """Whether no connection may have more than what is sure."""
        return self.total > _MOST

    def bound_reads(self, transport: asyncio.BaseTransport, *, little: bool) -> None:
        """Have a connection read little at once, or as much as usual."""
        bound_reads(transport, _READ_LITTLE if little else _READ)
