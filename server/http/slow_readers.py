"""Giving up on clients that do not take the answers that they asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from server.http.kernel import in_flight

__all__ = ["SlowReaderTimer"]


class SlowReaderTimer:
    """Abort a connection that takes nothing of what waits for it.

    Else it would be waited for as long as it lives, even if it is being closed.

    Args:
        loop: the event loop.
        seconds: how long a client may take nothing.
        is_streaming: whether a stream runs, which is watched apart.
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
        """Watch what waits now, if something does and nothing is watched yet."""
        if self._timer is None and transport is not None and transport.get_write_buffer_size():
            self._timer = self._loop.call_later(
                self._seconds, self._look, transport, in_flight(transport)
            )

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, transport: asyncio.Transport, before: int) -> None:
        self._timer = None
        if self._is_streaming() or not transport.get_write_buffer_size():
            return
        if in_flight(transport) < before:
            self.start(transport)
        else:
            transport.abort()
