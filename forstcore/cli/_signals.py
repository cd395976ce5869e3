"""How SIGINT, SIGTERM and SIGHUP end a command."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "end_at_once", "interrupt"]

_AGAIN = 0.01  # Seconds until an exception that was dropped is raised again.


class Interrupted(KeyboardInterrupt):
    """SIGINT, SIGTERM or SIGHUP came."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end_at_once() -> None:
    """Let signals end the process, for as long as it only imports modules.

    Nothing has to be cleaned up yet, and importlib's weakref callbacks drop exceptions.
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
    # Not where `nohup` has set it to be ignored.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers


def _raise(number: int, _frame: FrameType | None) -> None:
    # Who cannot wait until all is cleaned up may ask again.
    signal.signal(number, signal.SIG_DFL)
    raise Interrupted(number)


def _note_dropped(dropped: Any) -> None:
    error = dropped.exc_value
    if not isinstance(error, Interrupted):
        sys.__unraisablehook__(dropped)
        return

    def raise_again(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted(error.number)

    # Raised here, it would be dropped here.
    signal.signal(signal.SIGALRM, raise_again)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN)
