"""Memory that was freed goes back to the system.

The C library keeps what is free between blocks that are not. After some minutes of streams of all
kinds that is most of the process, and grows for as long as no two of them are alike.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from forstcore._heap import trim
from server.background import keep_running
from server.streams.registry import REGISTRY

__all__ = ["keep_memory_small"]

_INTERVAL = 3.0  # Seconds between two looks.
_MANY = 500  # Closed connections whose objects are worth a collection.


async def keep_memory_small(app: web.Application) -> AsyncIterator[None]:
    """Give back what ended streams and connections have left, while the application runs."""
    if trim is None:
        yield
        return

    registry = app[REGISTRY]
    connections = registry.connections

    async def look() -> None:
        ended = collected = 0
        while True:
            await asyncio.sleep(_INTERVAL)
            # Objects of a connection refer to each other. The collector would find most of them
            # much later; its time grows with those that are in use.
            if connections.closed - collected > max(_MANY, len(connections)):
                collected = connections.closed
                gc.collect()
            now = registry.ended + connections.closed
            if now != ended:
                ended = now
                await asyncio.to_thread(give_back, 0)

    give_back: Callable[[int], object] = trim
    async with keep_running("giving memory back", look, registry.metrics.failed):
        yield
