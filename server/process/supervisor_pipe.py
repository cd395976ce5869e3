"""Messages from the supervisor to a worker, over the pipe that is its standard input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable

__all__ = ["RELOAD", "STOP", "SupervisorPipe"]

RELOAD = b"r"
"""The message to reload the configuration."""

STOP = b"s"
"""The message to end all streams and to exit."""

_INTERVAL = 0.01  # Seconds between two checks whether the supervisor has ended.
_LONGEST_END = 10.0  # Seconds that a killed supervisor may take to end.


class SupervisorPipe:
    """The pipe from the supervisor, which closes when the supervisor is killed.

    Create it as early as possible, because it remembers the process of the supervisor.
    """

    def __init__(self) -> None:
        self._supervisor = os.getppid()
        self._was_closed = False

    def listen(
        self, on_reload: Callable[[], None], on_stop: Callable[[], None], timeout: float
    ) -> None:
        """Start a thread that reads messages, and calls back on the event loop.

        Args:
            on_reload: called for each `RELOAD`.
            on_stop: called for `STOP`, and when the supervisor is killed.
            timeout: seconds after which the process then exits in any case.
        """
        loop = asyncio.get_running_loop()

        def listen() -> None:
            with contextlib.suppress(RuntimeError, OSError):
                while (message := os.read(sys.stdin.fileno(), 1)) == RELOAD:
                    loop.call_soon_threadsafe(on_reload)
                self._was_closed = not message
                loop.call_soon_threadsafe(on_stop)
            # A processor that never returns would leave a process without a supervisor.
            time.sleep(timeout)
            with contextlib.suppress(OSError):
                os.write(2, b"forstcore: a worker did not end in time, and exits\n")
            os._exit(1)

        threading.Thread(target=listen, name="supervisor", daemon=True).start()

    def wait_for_killed_supervisor(self) -> None:
        """Wait until a supervisor that was killed has ended; return at once if it was not killed.

        The system closes the files of a killed process one after the other. The pipe may be closed
        while the locks are still held. When a process has another parent, they are released.
        """
        deadline = time.monotonic() + _LONGEST_END
        while self._was_closed and os.getppid() == self._supervisor and time.monotonic() < deadline:
            time.sleep(_INTERVAL)
