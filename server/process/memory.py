"""Returning freed memory to the operating system.

The C library keeps free pages between blocks in use. After some minutes with streams of all kinds
these are most of the memory of the process, and continue to grow.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from forstcore._heap import trim
from server.background import keep_running
from server.streams.registry import REGISTRY

__all__ = ["return_freed_memory"]

_INTERVAL = 3.0  # Seconds.
_MIN_CLOSED = 500  # Closed connections that justify a garbage collection.


async def return_freed_memory(app: web.Application) -> AsyncIterator[None]:
    """Return the memory of ended streams and connections, while the application runs."""
    if trim is None:
        yield
        return

    registry = app[REGISTRY]
    connections = registry.connections

    async def run() -> None:
        ended = collected = 0
        while True:
            await asyncio.sleep(_INTERVAL)
            # The objects of a connection form cycles, and the garbage collector runs rarely. A
            # collection takes longer with more objects in use, hence the comparison.
            if connections.closed - collected > max(_MIN_CLOSED, len(connections)):
                collected = connections.closed
                gc.collect()
            now = registry.ended + connections.closed
            if now != ended:
                ended = now
                await asyncio.to_thread(trim_heap, 0)

    trim_heap: Callable[[int], object] = trim
    async with keep_running("returning freed memory", run, registry.metrics.failed):
        yield
