"""Memory that was freed goes back to the system.

The C library keeps what is free between blocks that are not. After some minutes of streams of all
kinds that is most of the process, and grows for as long as no two of them are alike.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from server.state import STATE

__all__ = ["keep_memory_small", "trim"]

_INTERVAL = 15.0  # Seconds between two looks.


def _find_trim() -> Callable[[int], object] | None:
    """Return glibc's malloc_trim; other libraries have none, and keep less."""
    try:
        found: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return found


trim = _find_trim()
"""Gives whole free pages back. Takes some 20 ms for a hundred megabytes of these."""


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
