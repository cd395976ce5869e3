"""Iterating over an async generator from synchronous code."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from types import FrameType
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
        loop = runner.get_loop()
        source = make()
        try:
            while found := _run(loop, lambda: _next(source)):
                yield found[0]
        finally:
            _run(loop, lambda: _close(source))


def check_no_loop(instead: str) -> None:
    """Raise TypeError if an event loop runs in this thread, saying what to do instead."""
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        raise TypeError(f"an event loop runs in this thread: {instead}")


def _run(loop: asyncio.AbstractEventLoop, make: Callable[[], Coroutine[None, None, T]]) -> T:
    """Run a coroutine; Ctrl-C cancels it, and raises KeyboardInterrupt when it has ended.

    Raised within the loop, KeyboardInterrupt would end whichever callback runs at that moment,
    and code that waits for this callback would wait forever. `asyncio.Runner.run` costs three times
    as much as a step, and still raises it there once the coroutine has ended.
    """
    task: asyncio.Task[T] | None = None
    interrupts = 0

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal interrupts
        interrupts += 1
        if interrupts > 1:
            raise KeyboardInterrupt
        if task is not None:
            task.cancel()
            # The loop may wait for events, which does not end with a signal.
            loop.call_soon_threadsafe(lambda: None)

    try:
        with _on_ctrl_c(interrupt):
            task = loop.create_task(make())
            if interrupts:
                task.cancel()
            try:
                return loop.run_until_complete(task)
            except (KeyboardInterrupt, SystemExit):
                # Raised by another task, or by a signal handler of the application.
                if not task.done():
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        loop.run_until_complete(task)
                raise
    finally:
        if interrupts == 1:
            raise KeyboardInterrupt


@contextmanager
def _on_ctrl_c(handler: Callable[[int, FrameType | None], None]) -> Generator[None, None, None]:
    """Replace Python's default handler of Ctrl-C, but not a handler of the application."""
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        present = signal.signal(signal.SIGINT, signal.default_int_handler)
        if present is not handler:
            signal.signal(signal.SIGINT, present)


async def _next(source: AsyncGenerator[T, None]) -> list[T]:
    # Return a list, because a task cannot raise StopAsyncIteration.
    async for item in source:
        return [item]
    return []


async def _close(source: AsyncGenerator[T, None]) -> None:
    await source.aclose()
