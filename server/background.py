"""What runs beside the streams: tasks whose failures are seen, and that begin anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["keep_running", "told", "watched"]

_LOGGER = logging.getLogger("forstcore")

_FIRST_PAUSE = 1.0  # Seconds until what has failed begins anew; twice as long each time,
_LONGEST_PAUSE = 60.0  # but no longer than this.


@asynccontextmanager
async def keep_running(
    name: str, run: Callable[[], Awaitable[object]], on_failure: Callable[[str], None]
) -> AsyncIterator[None]:
    """Run something that never ends, for as long as the block lasts.

    Where it fails it begins anew after a pause. The same failure is logged once, with its
    traceback.

    Args:
        name: what it is, for people.
        run: makes what is awaited.
        on_failure: is told the name at each failure.
    """
    task = asyncio.create_task(_run_on(name, run, on_failure))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _run_on(
    name: str, run: Callable[[], Awaitable[object]], on_failure: Callable[[str], None]
) -> None:
    clock = asyncio.get_running_loop().time
    pause = _FIRST_PAUSE
    last = ""
    while True:
        began = clock()
        try:
            await run()
            return
        except Exception as error:
            on_failure(name)
            if clock() - began > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            if (text := repr(error)) != last:
                last = text
                _LOGGER.exception("%s failed; it begins anew", name)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def watched(name: str, coroutine: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
    """Run something in a task of its own whose failure, if nobody awaits it, is logged.

    Args:
        name: what it is, for people.
        coroutine: what to run.
    """
    task = asyncio.create_task(coroutine)
    task.add_done_callback(lambda task: _tell(name, task))
    return task


def _tell(name: str, task: asyncio.Task[object]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _LOGGER.error("%s failed by an error of the server", name, exc_info=error)


async def told(name: str, ending: Awaitable[object]) -> None:
    """Await the end of something; a failure is logged and no more, so that other ends follow.

    Args:
        name: what it is, for people.
        ending: what to await.
    """
    try:
        await ending
    except Exception:
        _LOGGER.exception("%s failed", name)
