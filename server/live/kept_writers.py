"""Unused writers to brokers, kept for a while so that requests can reuse their connections."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from forstcore.sinks import Sink, SinkLimits, Writer
from forstcore.sinks.publishing import open_sink_of_source
from server.background import log_failure
from server.config import ServerConfig

__all__ = ["WRITERS", "KeptWriter", "KeptWriters"]

_MOST: Final = 8  # Maximum unused writers per source.
_IDLE: Final = 15.0  # Seconds after which an unused writer is closed.


@dataclass(eq=False)
class KeptWriter:
    """A writer to the place that a source reads.

    Attributes:
        name: name of the source.
        sink: opens the writer.
        writer: the writer, None before it is needed.
        timer: closes it, None while it is in use.
    """

    name: str
    sink: Sink
    writer: Writer | None = None
    timer: asyncio.TimerHandle | None = None

    async def open(self) -> Writer:
        """Return the writer.

        Raises:
            SinkError: the sink cannot be written.
        """
        if self.writer is None:
            self.writer = await self.sink.open(None)
        return self.writer

    async def close(self) -> None:
        """Close the writer and its sink."""
        if self.writer is not None:
            await self.writer.close()
        await self.sink.close()


class KeptWriters:
    """The unused writers of this process; one that is in use belongs to its request.

    Args:
        config: the sources and their limits.

    Thread-safety: belongs to one event loop.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._idle: defaultdict[str, list[KeptWriter]] = defaultdict(list)
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def take(self, name: str) -> KeptWriter:
        """Return a writer for exclusive use by the caller, which gives it back or closes it.

        Raises:
            SinkError: nothing can be published to the source.
        """
        if idle := self._idle[name]:
            # Take the newest one, so that surplus ones become old and are closed.
            kept = idle.pop()
            if kept.timer is not None:
                kept.timer.cancel()
                kept.timer = None
            return kept
        limits = SinkLimits(buffer_size=self._config.queue_size)
        return KeptWriter(name, open_sink_of_source(name, self._config.sources[name], limits))

    async def give_back(self, kept: KeptWriter) -> None:
        """Keep a writer that has confirmed everything, or close it if there are enough."""
        idle = self._idle[kept.name]
        if self._is_closed or kept.writer is None or len(idle) >= _MOST:
            await kept.close()
            return
        idle.append(kept)
        kept.timer = asyncio.get_running_loop().call_later(_IDLE, self._expire, kept)

    async def close(self) -> None:
        """Close all unused writers."""
        self._is_closed = True
        for idle in self._idle.values():
            while idle:
                kept = idle.pop()
                if kept.timer is not None:
                    kept.timer.cancel()
                await log_failure("closing a writer", kept.close())
        if self._closing:
            await asyncio.wait(self._closing)

    def _expire(self, kept: KeptWriter) -> None:
        self._idle[kept.name].remove(kept)
        task = asyncio.create_task(log_failure("closing a writer", kept.close()))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


WRITERS = web.AppKey("WRITERS", KeptWriters)
