"""Ending the server together with the program that started it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading

__all__ = ["end_with_parent"]

_INTERVAL = 1.0  # Seconds between two checks of the parent.


def end_with_parent() -> None:
    """Start a thread that sends this process SIGTERM when its parent has ended.

    It detects that by the end of standard input, a pipe from the parent, or by a change of the
    parent's process ID, in case a third process has inherited the other end of the pipe.
    """
    parent = os.getppid()

    def watch() -> None:
        with contextlib.suppress(OSError, ValueError):
            descriptor = sys.stdin.fileno()
            while os.getppid() == parent:
                readable, _, _ = select.select([descriptor], [], [], _INTERVAL)
                if readable and not os.read(descriptor, 4096):
                    break
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
