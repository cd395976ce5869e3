"""The open connections of a process, and which of them is closed when there are too many.

When the limit is reached, a new connection takes the place of the one that has waited longest for
a request: nginx reuses its idle connections in the same way. A client that sends a whole request
soon after it has connected is served, however many others only hold connections open. A
connection that runs a stream is never closed for another.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from server.http.protocol import RequestHandler

__all__ = ["Connection", "Connections", "Slot"]

_LOGGER = logging.getLogger("forstcore")
_AGAIN = 10.0  # Seconds between two log lines about the same shortage.
_FRESH = 1.0  # Seconds after its last whole request before a connection counts as idle.


class Slot:
    """The place of one connection among those that are open.

    Attributes:
        descriptor: that of its socket.
        waits_since: when it was accepted, or its last whole hello or request came.
        abort: closes the connection at once.
    """

    __slots__ = ("abort", "descriptor", "waits_since")

    def __init__(self, connection: socket.socket) -> None:
        self.descriptor = connection.fileno()
        self.waits_since = time.monotonic()
        self.abort: Callable[[], object] = connection.close


class Connections:
    """The open connections of a process.

    Args:
        limit: most connections at once.

    Attributes:
        limit: as above.
        closed: connections that have ended.
        evicted: those of them that were closed to make room for others.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.closed = 0
        self.evicted = 0
        self._open: set[Slot] = set()
        # Without a stream, by descriptor; the one that has waited longest for a request first.
        self._waiting: dict[int, Slot] = {}
        self._told_at = -_AGAIN

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: socket.socket) -> Slot:
        """Add a connection; over the limit, close the one that has waited longest."""
        slot = Slot(connection)
        self._open.add(slot)
        self._waiting[slot.descriptor] = slot
        if len(self._open) > self.limit:
            self.evict()
            self._tell()
        return slot

    def remove(self, slot: Slot) -> None:
        """Forget a connection that was closed."""
        if slot in self._open:
            self._open.remove(slot)
            if self._is_waiting(slot):
                del self._waiting[slot.descriptor]
            self.closed += 1

    def renew(self, slot: Slot) -> None:
        """Put a connection behind all that wait: a hello or a request has come as a whole."""
        if self._is_waiting(slot):
            slot.waits_since = time.monotonic()
            del self._waiting[slot.descriptor]
            self._waiting[slot.descriptor] = slot

    def keep(self, request: web.BaseRequest) -> None:
        """Do not close the connection of this request for another, until `release`."""
        if isinstance(request.protocol, Connection) and self._is_waiting(request.protocol.slot):
            del self._waiting[request.protocol.slot.descriptor]

    def release(self, request: web.BaseRequest) -> None:
        """Undo `keep`."""
        if isinstance(request.protocol, Connection) and request.protocol.slot in self._open:
            slot = request.protocol.slot
            self._waiting[slot.descriptor] = slot

    def evict(self) -> None:
        """Close the connection that has waited longest for a request, if one waits."""
        for slot in self._waiting.values():
            self.remove(slot)
            self.evicted += 1
            slot.abort()
            return

    def is_idle(self, descriptor: int) -> bool:
        """Tell whether a connection has no stream and has brought nothing whole lately.

        Args:
            descriptor: that of a socket, which may be no connection.
        """
        slot = self._waiting.get(descriptor)
        return slot is not None and time.monotonic() - slot.waits_since > _FRESH

    def _is_waiting(self, slot: Slot) -> bool:
        # Its descriptor may belong to another connection by now.
        return self._waiting.get(slot.descriptor) is slot

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told_at >= _AGAIN:
            self._told_at = now
            _LOGGER.warning(
                "%d connections are open (max_connections): for each new one, the connection that "
                "has waited longest for a request is closed",
                self.limit,
            )


class Connection(RequestHandler):
    """A connection of HTTP, counted among those that are open.

    Args:
        connections: the open connections.
        slot: the place of this one.
        arguments, options: as for aiohttp's `RequestHandler`.
    """

    def __init__(
        self, connections: Connections, slot: Slot, *arguments: Any, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.slot = slot
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if isinstance(transport, asyncio.WriteTransport):
            self.slot.abort = transport.abort
        # Behind a handshake, if there was one.
        self._connections.renew(self.slot)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.remove(self.slot)
        super().connection_lost(exc)

    def request_came(self) -> None:
        """Note that a request has been read and is to be answered."""
        self._connections.renew(self.slot)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._connections.renew(self.slot)
