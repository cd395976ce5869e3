"""Memory that was freed goes back to the system.

The C library keeps what is free between blocks that are not. After some minutes of streams of all
kinds that is most of the process, and grows for as long as no two of them are alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from forstcore._heap import trim
from server.background import keep_running
from server.state import STATE

__all__ = ["keep_memory_small"]

_INTERVAL = 15.0  # Seconds between two looks.


async def keep_memory_small(app: web.Application) -> AsyncIterator[None]:
    """Give back what ended streams have left, for as long as the application runs."""
    if trim is None:
        yield
        return

    state = app[STATE]

    async def look() -> None:
        ended = 0
        while True:
            await asyncio.sleep(_INTERVAL)
            if state.ended != ended:
                ended = state.ended
                await asyncio.to_thread(give_back, 0)

    give_back: Callable[[int], object] = trim
    async with keep_running("giving memory back", look, state.metrics.failed):
        yield
