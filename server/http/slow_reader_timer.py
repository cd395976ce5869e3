"""A timeout for clients that do not read a response."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from server.http.socket_state import bytes_in_flight

__all__ = ["SlowReaderTimer"]


class SlowReaderTimer:
    """Abort a connection if its client reads nothing for some time.

    Without this, aiohttp would wait for the client without a limit, even when closing the
    connection. Streams have a watchdog of their own.

    Args:
        loop: the event loop.
        seconds: the timeout.
        is_streaming: whether the connection has a stream.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        seconds: float,
        is_streaming: Callable[[], bool],
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._is_streaming = is_streaming
        self._timer: asyncio.TimerHandle | None = None

    def start(self, transport: asyncio.Transport | None) -> None:
        """Start the timer, if bytes are waiting to be sent and it is not running."""
        if self._timer is None and transport is not None and transport.get_write_buffer_size():
            self._timer = self._loop.call_later(
                self._seconds, self._check, transport, bytes_in_flight(transport)
            )

    def stop(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, transport: asyncio.Transport, before: int) -> None:
        self._timer = None
        if self._is_streaming() or not transport.get_write_buffer_size():
            return
        if bytes_in_flight(transport) < before:
            self.start(transport)
        else:
            transport.abort()
