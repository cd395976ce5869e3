"""An async generator for who has no event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from typing import TypeVar

__all__ = ["check_no_loop", "steps"]

T = TypeVar("T")


def steps(make: Callable[[], AsyncGenerator[T, None]]) -> Generator[T, None, None]:
    """Iterate where no event loop runs: one of our own does, for as long as each step takes.

    Args:
        make: makes the async generator; it is ended with this one.

    Raises:
        TypeError: an event loop runs in this thread.
    """
    check_no_loop("iterate with 'async for', or in another thread")
    with asyncio.Runner() as runner:
        # Not its `run`, which sets a signal handler anew each time. That costs more than a step.
        loop = runner.get_loop()
        source = make()
        step: asyncio.Task[list[T]] | None = None
        try:
            while True:
                step = loop.create_task(_next(source))
                if not (found := loop.run_until_complete(step)):
                    return
                yield found[0]
        finally:
            # Ctrl-C leaves the loop in the middle of a step.
            if step is not None and not step.done():
                step.cancel()
                with suppress(asyncio.CancelledError):
                    loop.run_until_complete(step)
            loop.run_until_complete(source.aclose())


def check_no_loop(instead: str) -> None:
    """Raise TypeError if an event loop runs in this thread, saying what to do instead."""
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        raise TypeError(f"an event loop runs in this thread: {instead}")


async def _next(source: AsyncGenerator[T, None]) -> list[T]:
    # A StopAsyncIteration would not get through the task.
    async for item in source:
        return [item]
    return []
