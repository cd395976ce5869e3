"""Memory that was freed goes back to the system.

The C library keeps what is free between blocks that are not. After some minutes of streams of all
kinds that is most of the process, and grows for as long as no two of them are alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from forstcore._heap import trim
from server.state import STATE

__all__ = ["keep_memory_small"]

_INTERVAL = 15.0  # Seconds between two looks.


async def keep_memory_small(app: web.Application) -> AsyncIterator[None]:
    """Give back what ended streams have left, for as long as the application runs."""
    if trim is None:
        yield
        return

    async def look(trim: Callable[[int], object]) -> None:
        state = app[STATE]
        ended = 0
        while True:
            await asyncio.sleep(_INTERVAL)
            if state.ended != ended:
                ended = state.ended
                await asyncio.to_thread(trim, 0)

    task = asyncio.create_task(look(trim))
    yield
    task.cancel()
