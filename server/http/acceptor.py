"""Accepting connections, a few in each iteration of the event loop.

asyncio's own server accepts all connections in the queue of the socket in one iteration, and logs
a traceback for each when file descriptors run out.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence

from server.http.connections import Connection, Connections, Slot
from server.http.internals import bound_tls_buffers
from server.http.tls_handshakes import (
    STARTED_PER_ITERATION,
    TlsHandshakes,
    wait_for_client_hello,
)
from server.http.worker_loads import WorkerLoads

__all__ = ["Acceptor"]

_LOGGER = logging.getLogger("forstcore")
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_LOG_INTERVAL = 10.0  # Seconds between two log lines about a shortage.
_RETRY_INTERVAL = 0.1  # Seconds between two attempts during a shortage.
_TLS_BUFFER = 1 << 15  # Bytes per read of a TLS connection: two records of maximum length.
_LEAVE_INTERVAL = 0.001  # Seconds to leave a connection to a process with a lower load,
_PATIENCE = 50  # and how often, until this process accepts it.
_PER_ITERATION = 16  # Maximum number of connections accepted in one iteration of the event loop.

MakeConnection = Callable[[Slot], Connection]


class Acceptor:
    """Accept connections on listening sockets.

    Args:
        listeners: the sockets; closed at the end.
        connections: the open connections.
        make_connection: makes the protocol of a connection.
        tls: the TLS context for new connections, None without TLS; may be replaced.
        timeout: time limit in seconds for a TLS handshake, including the wait for its first byte.
        loads: the loads of all processes that accept on the sockets; None for a single one.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        connections: Connections,
        make_connection: MakeConnection,
        tls: ssl.SSLContext | None,
        timeout: float,
        loads: WorkerLoads | None = None,
    ) -> None:
        self.tls = tls
        self._loads = loads
        self._listeners = listeners
        self._connections = connections
        self._make_connection = make_connection
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._handshakes = TlsHandshakes()
        # A connection has some iterations to send its request before others can replace it.
        self._per_iteration = max(1, min(_PER_ITERATION, connections.limit // 16))
        self._logged_at = -_LOG_INTERVAL
        for listener in listeners:
            listener.setblocking(False)
        if tls is not None:
            bound_tls_buffers(_TLS_BUFFER)
        self._tasks = [self._loop.create_task(self._accept(listener)) for listener in listeners]

    async def close(self) -> None:
        """Stop accepting, and close the sockets."""
        for task, listener in zip(self._tasks, self._listeners, strict=True):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            listener.close()

    async def _accept(self, listener: socket.socket) -> None:
        left = self._max_accepted()
        while True:
            try:
                if self._loads is not None:
                    connection = await self._accept_in_turn(listener, self._loads)
                else:
                    connection, _ = await self._loop.sock_accept(listener)
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._log(error)
                    self._connections.evict()
                    await asyncio.sleep(_RETRY_INTERVAL)
                else:
                    # Linux reports network errors of the new connection here.
                    await asyncio.sleep(0)
                continue
            slot = self._connections.add(connection)
            # The slot refers to the task from its first step on.
            self._loop.create_task(self._open(connection, slot))
            left -= 1
            if left <= 0:
                await asyncio.sleep(0)
                left = self._max_accepted()

    async def _accept_in_turn(self, listener: socket.socket, loads: WorkerLoads) -> socket.socket:
        """Accept a connection that no other process with a lower load accepts."""
        left = _PATIENCE
        while True:
            if loads.is_low():
                with contextlib.suppress(BlockingIOError):
                    connection, _ = listener.accept()
                    connection.setblocking(False)
                    return connection
                left = _PATIENCE
                await self._is_readable(listener)
                continue
            await self._is_readable(listener)
            await asyncio.sleep(_LEAVE_INTERVAL)
            left -= 1
            if left == 0:
                # They are stopped, or busy with a processor.
                loads.ignore_others()
                left = _PATIENCE

    async def _is_readable(self, listener: socket.socket) -> None:
        """Wait until a connection is in the queue."""
        future: asyncio.Future[None] = self._loop.create_future()
        descriptor = listener.fileno()
        self._loop.add_reader(descriptor, _wake, future)
        try:
            await future
        finally:
            self._loop.remove_reader(descriptor)

    def _max_accepted(self) -> int:
        """Return how many connections to accept in one iteration of the event loop."""
        if self.tls is not None and len(self._connections) >= self._connections.limit:
            # The most recent handshake goes first. If more were accepted than can start, they
            # would replace each other forever.
            return min(self._per_iteration, STARTED_PER_ITERATION // 2)
        return self._per_iteration

    async def _open(self, connection: socket.socket, slot: Slot) -> None:
        """Perform the TLS handshake, if any, and connect the protocol."""
        if connection.fileno() < 0:
            # It has been evicted already.
            return
        task = asyncio.current_task()
        assert task is not None
        slot.abort = task.cancel
        try:
            if self.tls is None:
                await self._connect(connection, slot)
                return
            async with asyncio.timeout(self._timeout), self._handshake(connection, slot, task):
                await self._connect(connection, slot, self.tls)
        except (OSError, asyncio.CancelledError):
            # The client disconnected or does not speak TLS, or was evicted.
            self._connections.remove(slot)

    @contextlib.asynccontextmanager
    async def _handshake(
        self, connection: socket.socket, slot: Slot, task: asyncio.Task[None]
    ) -> AsyncIterator[None]:
        """Wait until a handshake may start. Closes the connection on errors before that."""
        with contextlib.ExitStack() as closing:
            closing.callback(connection.close)
            await wait_for_client_hello(connection)
            self._connections.renew(slot)
            async with self._handshakes.slot(task):
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

    def _log(self, error: OSError) -> None:
        now = self._loop.time()
        if now - self._logged_at >= _LOG_INTERVAL:
            self._logged_at = now
            _LOGGER.error(
                "cannot accept connections: %s; retrying every %g seconds",
                os.strerror(error.errno or 0),
                _RETRY_INTERVAL,
            )


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
