"""A limit on concurrent TLS handshakes.

asyncio allocates all buffers of a TLS connection before its first byte arrives, and computes a
signature as soon as it has received the ClientHello. So the server leaves a ClientHello in the
kernel until its handshake may start.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["STARTED_PER_ITERATION", "TlsHandshakes", "wait_for_client_hello"]

STARTED_PER_ITERATION = 2
"""Handshakes started in one iteration of the event loop; each takes about 1 ms."""

_CONCURRENT = 1024  # Handshakes; each takes about 100 KB.
_RECORD_HEADER = 5  # Bytes before the contents of a TLS record.
_MAX_RECORD = 1 << 14
_HANDSHAKE = 22  # The first byte of a TLS record with a handshake message.


class TlsHandshakes:
    """Start handshakes a few at a time, up to a maximum of concurrent ones.

    The most recent client goes first: if more arrive than can be served, the others have waited
    too long to be still there. At the maximum, it replaces the oldest handshake.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[asyncio.Future[None], asyncio.Task[None]]] = []
        self._running: dict[asyncio.Task[None], None] = {}

    @asynccontextmanager
    async def slot(self, task: asyncio.Task[None]) -> AsyncIterator[None]:
        """Wait until a handshake may start, and count it while the block runs.

        Args:
            task: performs the handshake; cancelled if another handshake replaces it.
        """
        if not self._waiting:
            self._loop.call_soon(self._start_some)
        turn = self._loop.create_future()
        self._waiting.append((turn, task))
        try:
            await turn
            yield
        finally:
            self._running.pop(task, None)

    def _start_some(self) -> None:
        left = STARTED_PER_ITERATION
        while left and self._waiting:
            turn, task = self._waiting.pop()
            if not turn.done():
                if len(self._running) >= _CONCURRENT:
                    oldest = next(iter(self._running))
                    del self._running[oldest]
                    oldest.cancel()
                self._running[task] = None
                turn.set_result(None)
                left -= 1
        if self._waiting:
            self._loop.call_soon(self._start_some)


async def wait_for_client_hello(connection: socket.socket) -> None:
    """Wait until the first TLS record has been received completely, without consuming it.

    Raises:
        ConnectionError: the client disconnected.
    """
    if sys.platform == "win32":
        # Its event loop cannot wait for bytes without consuming them.
        return
    wanted = _RECORD_HEADER
    waited_for = 0
    while True:
        try:
            received = connection.recv(wanted, socket.MSG_PEEK)
        except BlockingIOError:
            received = b""
        else:
            if not received:
                raise ConnectionResetError
        if len(received) >= wanted:
            if wanted > _RECORD_HEADER or received[0] != _HANDSHAKE:
                break
            wanted += min(int.from_bytes(received[3:5]), _MAX_RECORD)
        elif waited_for == wanted:
            # The client sends no more, or sockets of this kind ignore SO_RCVLOWAT.
            break
        else:
            waited_for = wanted
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
            await _wait_until_readable(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


async def _wait_until_readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def wake() -> None:
        loop.remove_reader(connection)
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(connection, wake)
    try:
        await ready
    finally:
        loop.remove_reader(connection)
