"""Handshakes of TLS: begun when a client has said hello, a bounded number at a time.

asyncio allocates all buffers of a TLS connection before its first byte, and computes a signature
as soon as the hello of the client is there. So a hello waits in the kernel for its turn.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["STARTED_IN_TURN", "Handshakes", "first_record"]

STARTED_IN_TURN = 2
"""Handshakes started in one turn of the event loop; each takes about 1 ms."""

_AT_ONCE = 1024  # Handshakes under way; each takes about 100 KB.
_RECORD_HEAD = 5  # Bytes before the contents of a TLS record.
_LONGEST_RECORD = 1 << 14
_IS_HANDSHAKE = 22  # First byte of a TLS record with a message of the handshake.


class Handshakes:
    """Let handshakes begin a few at a time, and not more than there are places.

    The client that came last goes first: where more come than can be served, the others have
    waited too long to be still there. Where all places are taken, it takes that of the oldest
    handshake.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[asyncio.Future[None], asyncio.Task[None]]] = []
        self._under_way: dict[asyncio.Task[None], None] = {}

    @asynccontextmanager
    async def place(self, task: asyncio.Task[None]) -> AsyncIterator[None]:
        """Wait for a turn, and hold a place.

        Args:
            task: does the handshake; cancelled if another one needs its place.
        """
        if not self._waiting:
            self._loop.call_soon(self._serve)
        turn = self._loop.create_future()
        self._waiting.append((turn, task))
        try:
            await turn
            yield
        finally:
            self._under_way.pop(task, None)

    def _serve(self) -> None:
        left = STARTED_IN_TURN
        while left and self._waiting:
            turn, task = self._waiting.pop()
            if not turn.done():
                if len(self._under_way) >= _AT_ONCE:
                    oldest = next(iter(self._under_way))
                    del self._under_way[oldest]
                    oldest.cancel()
                self._under_way[task] = None
                turn.set_result(None)
                left -= 1
        if self._waiting:
            self._loop.call_soon(self._serve)


async def first_record(connection: socket.socket) -> None:
    """Wait until the first record of TLS is there as a whole, and leave it there.

    Raises:
        ConnectionError: the client went away.
    """
    if sys.platform == "win32":
        # Its event loop cannot wait for bytes without taking them.
        return
    wanted = _RECORD_HEAD
    waited_for = 0
    while True:
        try:
            seen = connection.recv(wanted, socket.MSG_PEEK)
        except BlockingIOError:
            seen = b""
        else:
            if not seen:
                raise ConnectionResetError
        if len(seen) >= wanted:
            if wanted > _RECORD_HEAD or seen[0] != _IS_HANDSHAKE:
                break
            wanted += min(int.from_bytes(seen[3:5]), _LONGEST_RECORD)
        elif waited_for == wanted:
            # Nothing more comes, or this kind of socket wakes for less than was asked for.
            break
        else:
            waited_for = wanted
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
            await _readable(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


async def _readable(connection: socket.socket) -> None:
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
