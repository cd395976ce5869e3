"""Read files ahead in a thread, while earlier data is processed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TypeVar

__all__ = ["read_ahead"]

T = TypeVar("T")

_AHEAD = 4  # Items to buffer.
_RESTART = _AHEAD // 2  # Items that the thread reads at least once it has waited for room.


async def read_ahead(produce: Callable[[], Iterable[T]]) -> AsyncGenerator[T, None]:
    """Iterate in a separate thread, a few items ahead.

    The thread is a daemon, so that waiting for a terminal does not keep the process alive.

    Args:
        produce: called in the thread.

    Raises:
        Exception: whatever the iteration raised.
    """
    loop = asyncio.get_running_loop()
    items: deque[tuple[T] | BaseException | None] = deque()
    # Not set while the loop waits: only then is it woken, which costs more than reading an item.
    arrived = asyncio.Event()
    room = threading.Semaphore(_AHEAD)
    stopped = threading.Event()

    def tell(item: tuple[T] | BaseException | None) -> None:
        items.append(item)
        if not arrived.is_set():
            # The loop may have been closed after the iteration was stopped.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(arrived.set)

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
    taken = 0
    try:
        while True:
            # In a loop, because it may be woken for an item that it has already taken.
            while not items:
                arrived.clear()
                # The waiter was not woken for items that arrived before.
                if not items:
                    await arrived.wait()
            item = items.popleft()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            taken += 1
            if taken == _RESTART:
                room.release(taken)
                taken = 0
            yield item[0]
    finally:
        stopped.set()
        room.release()
