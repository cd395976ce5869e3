"""Background tasks, whose failures are logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["create_logged_task", "keep_running", "log_failure"]

_LOGGER = logging.getLogger("forstcore")

_FIRST_DELAY = 1.0  # Seconds until the first restart after a failure; then doubled.
_MAX_DELAY = 60.0


@asynccontextmanager
async def keep_running(
    name: str, run: Callable[[], Awaitable[object]], on_failure: Callable[[str], None]
) -> AsyncIterator[None]:
    """Run a background task while the block runs, and restart it after failures.

    Repetitions of the same failure are not logged.

    Args:
        name: the name of the task in the log.
        run: the function to run.
        on_failure: called with the name at each failure.
    """
    task = asyncio.create_task(_run_with_restarts(name, run, on_failure))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _run_with_restarts(
    name: str, run: Callable[[], Awaitable[object]], on_failure: Callable[[str], None]
) -> None:
    clock = asyncio.get_running_loop().time
    delay = _FIRST_DELAY
    last = ""
    while True:
        started = clock()
        try:
            await run()
            return
        except Exception as error:
            on_failure(name)
            if clock() - started > _MAX_DELAY:
                delay = _FIRST_DELAY
            if (text := repr(error)) != last:
                last = text
                _LOGGER.exception("%s failed, and is restarted", name)
        await asyncio.sleep(delay)
        delay = min(2 * delay, _MAX_DELAY)


def create_logged_task(name: str, coroutine: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
    """Create a task that is not awaited, and log its failure.

    Args:
        name: the name of the task in the log.
        coroutine: the coroutine to run.
    """

    def log(task: asyncio.Task[object]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _LOGGER.error("%s failed: an error of the server", name, exc_info=error)

    task = asyncio.create_task(coroutine)
    task.add_done_callback(log)
    return task


async def log_failure(name: str, operation: Awaitable[object]) -> None:
    """Await an operation; log its failure instead of raising it.

    Args:
        name: the name of the operation in the log.
        operation: the operation.
    """
    try:
        await operation
    except Exception:
        _LOGGER.exception("%s failed", name)
