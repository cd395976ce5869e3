"""The signals that arrive while a user's module runs, which may raise KeyboardInterrupt itself."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

__all__ = ["received_signals"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextlib.contextmanager
def received_signals() -> Iterator[set[int]]:
    """Collect the numbers of the signals that this thread handles in the block.

    Only the main thread handles signals; in other threads the set stays empty.
    """
    received: set[int] = set()
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def handle(previous: Callable[[int, Any], object], number: int, frame: Any) -> None:
        received.add(number)
        previous(number, frame)

    replaced = []
    for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
        previous = signal.getsignal(number)
        if callable(previous):
            handler = partial(handle, previous)
            signal.signal(number, handler)
            replaced.append((number, handler, previous))
    try:
        yield received
    finally:
        for number, handler, previous in replaced:
            # The code may have set a handler of its own.
            if signal.getsignal(number) is handler:
                signal.signal(number, previous)
