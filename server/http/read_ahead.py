"""A limit on the bytes that are received before they can be processed, for all connections."""

from __future__ import annotations

import asyncio

from server.http.internals import bound_reads

__all__ = ["GUARANTEED", "ReadAhead"]

GUARANTEED = 1 << 14
"""Bytes that each connection may hold regardless of the others."""

_LIMIT = 1 << 24  # Bytes of all connections, above which each is limited to GUARANTEED.
_READ_SIZE = 1 << 18  # Bytes per read; asyncio's default.
_SMALL_READ_SIZE = 1 << 12  # The same above the limit.


class ReadAhead:
    """Count the held bytes of all connections: request heads, and bytes received after them.

    Attributes:
        total: the count.

    Thread-safety: for the thread of one event loop.
    """

    def __init__(self) -> None:
        self.total = 0

    @property
    def is_full(self) -> bool:
        """Whether each connection is limited to GUARANTEED."""
        return self.total > _LIMIT

    def bound_reads(self, transport: asyncio.BaseTransport, *, are_small: bool) -> None:
        """Set how many bytes a connection reads at once."""
        bound_reads(transport, _SMALL_READ_SIZE if are_small else _READ_SIZE)
