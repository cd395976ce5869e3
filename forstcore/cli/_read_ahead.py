"""Read files ahead in a thread, while earlier data is processed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TypeVar

__all__ = ["read_ahead"]

T = TypeVar("T")

_AHEAD = 4  # Items to buffer.


async def read_ahead(produce: Callable[[], Iterable[T]]) -> AsyncGenerator[T, None]:
    """Iterate in a separate thread, a few items ahead.

    The thread is a daemon, so that waiting for a terminal does not keep the process alive.

    Args:
        produce: called in the thread.

    Raises:
        Exception: whatever the iteration raised.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[T] | BaseException | None] = asyncio.Queue()
    room = threading.Semaphore(_AHEAD)
    stopped = threading.Event()

    def tell(item: tuple[T] | BaseException | None) -> None:
        # The loop may have been closed after the iteration was stopped.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def run() -> None:
        try:
            for item in produce():
                room.acquire()
                if stopped.is_set():
                    return
                tell((item,))
        except BaseException as error:
            tell(error)
        else:
            tell(None)

    threading.Thread(target=run, name="forstcore-reader", daemon=True).start()
    try:
        while (item := await queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            room.release()
            yield item[0]
    finally:
        stopped.set()
        room.release()
