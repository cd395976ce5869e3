"""KeyboardInterrupt by a signal, as opposed to one that a user's code raises itself."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

__all__ = ["may_be_signal", "received_signals"]

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


def may_be_signal(error: BaseException) -> bool:
    """Return whether an exception of a user's function may be an interrupt by a signal.

    Signals are handled in the main thread. Commands raise a subclass of KeyboardInterrupt, and
    event loops that handle SIGINT raise nothing in the functions that they call.
    """
    if isinstance(error, BaseExceptionGroup):
        return any(map(may_be_signal, error.exceptions))
    if not isinstance(error, KeyboardInterrupt):
        return False
    is_main = threading.current_thread() is threading.main_thread()
    is_of_command = type(error) is not KeyboardInterrupt
    return is_main and (
        is_of_command or signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
