"""What a worker hears from its supervisor, over the pipe that is its standard input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable

__all__ = ["LOAD_AGAIN", "listen_to_parent"]

LOAD_AGAIN = b"r"
"""Tells a worker to load certificates and token again."""


def listen_to_parent(
    on_load_again: Callable[[], None], on_end: Callable[[], None], patience: float
) -> None:
    """Call back on the event loop for what the supervisor says, from a thread.

    Args:
        on_load_again: called for each `LOAD_AGAIN`.
        on_end: called when the supervisor tells this process to end, or has ended.
        patience: seconds after which this process has to be gone then, whatever keeps it.
    """
    loop = asyncio.get_running_loop()

    def listen() -> None:
        with contextlib.suppress(RuntimeError, OSError):
            while os.read(sys.stdin.fileno(), 1) == LOAD_AGAIN:
                loop.call_soon_threadsafe(on_load_again)
            loop.call_soon_threadsafe(on_end)
        # A processor that never returns would leave a process that nobody looks after.
        time.sleep(patience)
        with contextlib.suppress(OSError):
            os.write(2, b"forstcore: a worker did not end in time, and leaves its work\n")
        os._exit(1)

    threading.Thread(target=listen, name="parent", daemon=True).start()
