"""Messages from the supervisor to a worker, over the pipe that is its standard input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable

__all__ = ["RELOAD", "listen_to_supervisor"]

RELOAD = b"r"
"""The message to reload the configuration."""


def listen_to_supervisor(
    on_reload: Callable[[], None], on_stop: Callable[[], None], timeout: float
) -> None:
    """Start a thread that reads messages, and calls back on the event loop.

    Args:
        on_reload: called for each `RELOAD`.
        on_stop: called when the supervisor closes the pipe, or exits.
        timeout: seconds after which the process then exits in any case.
    """
    loop = asyncio.get_running_loop()

    def listen() -> None:
        with contextlib.suppress(RuntimeError, OSError):
            while os.read(sys.stdin.fileno(), 1) == RELOAD:
                loop.call_soon_threadsafe(on_reload)
            loop.call_soon_threadsafe(on_stop)
        # A processor that never returns would leave a process without a supervisor.
        time.sleep(timeout)
        with contextlib.suppress(OSError):
            os.write(2, b"forstcore: a worker did not end in time, and exits\n")
        os._exit(1)

    threading.Thread(target=listen, name="supervisor", daemon=True).start()
