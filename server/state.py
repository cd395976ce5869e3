"""What the streams of one process share: the configuration, the limits, who is running."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from server.access_log import log_stream
from server.config import ServerConfig
from server.errors import ProblemError, StreamError
from server.metrics import Metrics

if TYPE_CHECKING:
    from server.streaming import Exchange

__all__ = ["STATE", "State"]


class State:
    """The streams of this process.

    Args:
        config: the configuration.

    Attributes:
        config: the configuration.
        metrics: the figures for /metrics.
        draining: whether the process is on its way out.
    """

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.metrics = Metrics()
        self.draining = False
        self._streams: set[Exchange] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def check_room(self) -> None:
        """Raise ProblemError 503 if no further stream is taken now."""
        if self.draining:
            raise ProblemError(503, "the server is going down", headers={"Retry-After": "5"})
        if len(self._streams) >= self.config.max_streams:
            raise ProblemError(
                503,
                f"{self.config.max_streams} streams are open already (max_streams)",
                headers={"Retry-After": "1"},
            )

    @contextmanager
    def admit(self, exchange: Exchange) -> Iterator[None]:
        """Count a stream in for as long as it runs, and write it down when it ends.

        Raises:
            ProblemError: 503, there is no room.
        """
        self.check_room()
        self._streams.add(exchange)
        self._idle.clear()
        self.metrics.started()
        try:
            yield
        finally:
            self._streams.discard(exchange)
            if not self._streams:
                self._idle.set()
            self.metrics.ended(exchange)
            if self.config.access_log:
                log_stream(exchange)

    def update_metrics(self) -> None:
        """Bring the figures up to date with the streams that still run."""
        for exchange in self._streams:
            self.metrics.progressed(exchange)

    async def drain(self, seconds: float) -> None:
        """End every stream at a line boundary; after `seconds`, end it where it is."""
        self.draining = True
        for exchange in list(self._streams):
            exchange.drain()
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            late = StreamError("draining", 503, "the server is going down and cannot wait longer")
            for exchange in list(self._streams):
                exchange.interrupt(late)
            await asyncio.wait_for(self._idle.wait(), 5)


STATE = web.AppKey("STATE", State)
