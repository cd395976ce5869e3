"""Iterating over an async generator from synchronous code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from typing import TypeVar

__all__ = ["check_no_loop", "steps"]

T = TypeVar("T")


def steps(make: Callable[[], AsyncGenerator[T, None]]) -> Generator[T, None, None]:
    """Iterate over an async generator, running a private event loop during each step.

    Args:
        make: creates the async generator, which is closed together with this one.

    Raises:
        TypeError: an event loop runs in this thread.
    """
    check_no_loop("iterate with 'async for', or in another thread")
    with asyncio.Runner() as runner:
        # Runner.run installs a signal handler on each call, which costs more than a step.
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
            # Ctrl-C interrupts the loop in the middle of a step.
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
    # Return a list, because a task cannot raise StopAsyncIteration.
    async for item in source:
        return [item]
    return []
