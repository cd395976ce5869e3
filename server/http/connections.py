"""The open connections of a process, and eviction at their maximum number.

At the maximum, a new connection evicts the one that has waited longest for a request, as nginx
does. A client that sends a complete request soon after connecting is served regardless of how many
others merely hold connections open. A connection with a stream is never evicted.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from forstcore._plural import plural
from server.errors import ProblemResponse
from server.http.refusals import Refusals
from server.http.request_handler import RequestHandler

__all__ = ["Connection", "Connections", "Slot"]

_LOGGER = logging.getLogger("forstcore")
_LOG_INTERVAL = 10.0  # Seconds between two log lines about evictions.
_IDLE_AFTER = 1.0  # Seconds after the last complete request until a connection counts as idle.


class Slot:
    """The entry of one connection among the open ones.

    Attributes:
        descriptor: the file descriptor of its socket.
        waits_since: time of its last complete ClientHello or request, or of its acceptance.
        abort: closes the connection immediately.
    """

    __slots__ = ("abort", "descriptor", "waits_since")

    def __init__(self, connection: socket.socket) -> None:
        self.descriptor = connection.fileno()
        self.waits_since = time.monotonic()
        self.abort: Callable[[], object] = connection.close


class Connections:
    """The open connections of a process.

    Args:
        limit: maximum number of open connections.

    Attributes:
        limit: as above.
        on_change: called when the number of connections has changed.
        closed: number of closed connections.
        evicted: number of those that were evicted.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.on_change: Callable[[], object] = lambda: None
        self.closed = 0
        self.evicted = 0
        self._open: set[Slot] = set()
        # Connections without a stream, by descriptor, the longest waiting one first.
        self._waiting: dict[int, Slot] = {}
        self._logged_at = -_LOG_INTERVAL

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: socket.socket) -> Slot:
        """Add a connection; above the limit, evict another one."""
        slot = Slot(connection)
        self._open.add(slot)
        self._waiting[slot.descriptor] = slot
        if len(self._open) > self.limit:
            self.evict()
            self._log()
        self.on_change()
        return slot

    def remove(self, slot: Slot) -> None:
        """Remove a closed connection."""
        if slot in self._open:
            self._open.remove(slot)
            if self._is_waiting(slot):
                del self._waiting[slot.descriptor]
            self.closed += 1
            self.on_change()

    def renew(self, slot: Slot) -> None:
        """Make a connection the last to be evicted: its ClientHello or request is complete."""
        if self._is_waiting(slot):
            slot.waits_since = time.monotonic()
            del self._waiting[slot.descriptor]
            self._waiting[slot.descriptor] = slot

    def keep(self, request: web.BaseRequest) -> None:
        """Exempt the connection of a request from eviction until `release`."""
        if isinstance(request.protocol, Connection) and self._is_waiting(request.protocol.slot):
            del self._waiting[request.protocol.slot.descriptor]

    def release(self, request: web.BaseRequest) -> None:
        """Undo `keep`."""
        if isinstance(request.protocol, Connection) and request.protocol.slot in self._open:
            slot = request.protocol.slot
            self._waiting[slot.descriptor] = slot

    def evict(self) -> None:
        """Close the connection that has waited longest for a request, if any."""
        for slot in self._waiting.values():
            self.remove(slot)
            self.evicted += 1
            slot.abort()
            return

    def is_idle(self, descriptor: int) -> bool:
        """Return whether a connection has no stream, and no recent request or ClientHello.

        Args:
            descriptor: the file descriptor of any socket.
        """
        slot = self._waiting.get(descriptor)
        return slot is not None and time.monotonic() - slot.waits_since > _IDLE_AFTER

    def _is_waiting(self, slot: Slot) -> bool:
        # The descriptor may have been reused by another connection.
        return self._waiting.get(slot.descriptor) is slot

    def _log(self) -> None:
        now = time.monotonic()
        if now - self._logged_at >= _LOG_INTERVAL:
            self._logged_at = now
            _LOGGER.warning(
                "%d %s open (max_connections): each new one replaces the one that "
                "has waited longest for a request",
                self.limit,
                plural(self.limit, "connection is", "connections are"),
            )


class Connection(RequestHandler):
    """An HTTP connection, as an entry of `Connections`.

    Args:
        connections: the open connections.
        refusals: the refused requests.
        slot: the entry of this one.
        arguments, options: as for `RequestHandler`.
    """

    def __init__(
        self,
        connections: Connections,
        refusals: Refusals,
        slot: Slot,
        *arguments: Any,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.slot = slot
        self._connections = connections
        self._refusals = refusals

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if isinstance(transport, asyncio.WriteTransport):
            self.slot.abort = transport.abort
        # A TLS handshake may have taken some time.
        self._connections.renew(self.slot)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.remove(self.slot)
        super().connection_lost(exc)

    def request_received(self) -> None:
        """Note that a request is complete."""
        self._connections.renew(self.slot)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, ProblemResponse):
            self._refusals.add(request, resp)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._connections.renew(self.slot)
