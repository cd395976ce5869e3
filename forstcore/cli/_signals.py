"""Signal handling of commands: SIGINT, SIGTERM and SIGHUP."""

from __future__ import annotations

import signal
import sys
import warnings
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "end_at_once", "interrupt"]

_is_interrupted = False
_AGAIN = 0.01  # Seconds until a dropped exception is raised again.


class Interrupted(KeyboardInterrupt):
    """The process received SIGINT, SIGTERM or SIGHUP."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end_at_once() -> None:
    """Let signals end the process immediately while it only imports modules.

    Nothing needs cleanup yet, and importlib's weakref callbacks drop exceptions.
    """
    for number in _numbers():
        signal.signal(number, signal.SIG_DFL)


def interrupt() -> None:
    """Let signals raise Interrupted in the main thread, once each; a second one ends the process.

    An exception that a destructor or a weakref callback drops is raised again.
    """
    for number in _numbers():
        signal.signal(number, _raise)
    if hasattr(signal, "setitimer"):
        sys.unraisablehook = _note_dropped


def _numbers() -> list[int]:
    numbers: list[int] = [signal.SIGINT, signal.SIGTERM]
    # Stay ignored under `nohup`.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers


def _raise(number: int, _frame: FrameType | None) -> None:
    # A second signal ends the process without cleanup.
    global _is_interrupted
    _is_interrupted = True
    signal.signal(number, signal.SIG_DFL)
    # It may interrupt asyncio.run before the coroutine starts.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    raise Interrupted(number)


def _note_dropped(dropped: Any) -> None:
    error = dropped.exc_value
    if not isinstance(error, Interrupted):
        # Destructors complain about objects whose constructor the signal interrupted.
        if not _is_interrupted:
            sys.__unraisablehook__(dropped)
        return

    def raise_again(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted(error.number)

    # An exception raised in this hook would be dropped, too.
    signal.signal(signal.SIGALRM, raise_again)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN)
