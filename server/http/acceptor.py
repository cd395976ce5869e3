"""Accept connections, a few in each turn of the event loop.

asyncio accepts as many in one turn as the queue of the socket holds, and writes tracebacks when
descriptors run out.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable

from server.http.connections import Connection, Connections, Slot
from server.http.handshakes import STARTED_IN_TURN, Handshakes, first_record
from server.http.internals import bound_tls_buffers

__all__ = ["Acceptor"]

_LOGGER = logging.getLogger("forstcore")
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_AGAIN = 10.0  # Seconds between two log lines about the same shortage.
_PAUSE = 0.1  # Seconds until accepting is tried again.
_TLS_BUFFER = 1 << 15  # Bytes a TLS connection reads at once: two records of the longest kind.
_TURN = 16  # Most connections accepted in one turn of the event loop.

MakeConnection = Callable[[Slot], Connection]


class Acceptor:
    """Accept connections on a socket.

    Args:
        listener: the socket; closed at the end.
        connections: the open connections.
        make_connection: makes the protocol of a connection.
        tls: the TLS context, None without TLS. It may be replaced: connections accepted from
            then on use the new one.
        timeout: seconds that a TLS handshake may take, the wait for its first byte included.
    """

    def __init__(
        self,
        listener: socket.socket,
        connections: Connections,
        make_connection: MakeConnection,
        tls: ssl.SSLContext | None,
        timeout: float,
    ) -> None:
        self.tls = tls
        self._listener = listener
        self._connections = connections
        self._make_connection = make_connection
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._handshakes = Handshakes()
        # A connection has some turns for its request before all others could have come after it.
        self._turn = max(1, min(_TURN, connections.limit // 16))
        self._told_at = -_AGAIN
        listener.setblocking(False)
        if tls is not None:
            bound_tls_buffers(_TLS_BUFFER)
        self._task = self._loop.create_task(self._accept())

    async def close(self) -> None:
        """Stop accepting, and close the socket."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._listener.close()

    async def _accept(self) -> None:
        left = self._most()
        while True:
            try:
                connection, _ = await self._loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._tell(error)
                    self._connections.evict()
                    await asyncio.sleep(_PAUSE)
                else:
                    # Linux tells errors of the network that the new connection came over.
                    await asyncio.sleep(0)
                continue
            slot = self._connections.add(connection)
            # The slot refers to the task from its first step on.
            self._loop.create_task(self._open(connection, slot))
            left -= 1
            if left <= 0:
                await asyncio.sleep(0)
                left = self._most()

    def _most(self) -> int:
        """Tell how many connections to accept in one turn of the event loop."""
        if self.tls is not None and len(self._connections) >= self._connections.limit:
            # The last one goes first, so more than can begin would overtake each other for ever.
            return min(self._turn, STARTED_IN_TURN // 2)
        return self._turn

    async def _open(self, connection: socket.socket, slot: Slot) -> None:
        """Hand a connection to its protocol, after the handshake where there is one."""
        if connection.fileno() < 0:
            # It was closed for another one before this ran.
            return
        task = asyncio.current_task()
        assert task is not None
        slot.abort = task.cancel
        try:
            if self.tls is None:
                await self._connect(connection, slot)
                return
            async with asyncio.timeout(self._timeout), self._hello(connection, slot, task):
                await self._connect(connection, slot, self.tls)
        except (OSError, asyncio.CancelledError):
            # The client went away or does not speak TLS, or others needed its place.
            self._connections.remove(slot)

    @contextlib.asynccontextmanager
    async def _hello(
        self, connection: socket.socket, slot: Slot, task: asyncio.Task[None]
    ) -> AsyncIterator[None]:
        """Wait until a handshake can begin; until then the connection is closed here."""
        with contextlib.ExitStack() as closing:
            closing.callback(connection.close)
            await first_record(connection)
            self._connections.renew(slot)
            async with self._handshakes.place(task):
                closing.pop_all()
                yield

    async def _connect(
        self, connection: socket.socket, slot: Slot, tls: ssl.SSLContext | None = None
    ) -> None:
        await self._loop.connect_accepted_socket(
            lambda: self._make_connection(slot),
            connection,
            ssl=tls,
            ssl_handshake_timeout=self._timeout if tls else None,
        )

    def _tell(self, error: OSError) -> None:
        now = self._loop.time()
        if now - self._told_at >= _AGAIN:
            self._told_at = now
            _LOGGER.error(
                "no connection can be accepted: %s; it is tried again every %g seconds",
                os.strerror(error.errno or 0),
                _PAUSE,
            )
