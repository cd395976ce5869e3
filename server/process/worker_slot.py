"""One of the workers of a supervisor, and when it is replaced."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from server.observe.nonblocking_output import own_output
from server.process.supervisor_pipe import RELOAD, STOP

__all__ = ["WorkerSlot"]

_STABLE = 10.0  # Seconds after which a worker that ends is replaced at once.
_FIRST_PAUSE = 0.5  # Seconds before the second replacement; doubled for each further one.
_LONGEST_PAUSE = 30.0

Worker = subprocess.Popen[bytes]


class WorkerSlot:
    """A worker process, and those that replace it.

    A worker that ends is replaced at once, or after growing pauses if the replacements end soon.

    Args:
        start: starts a worker.
        clean_up: called with a worker that has ended on its own.

    Attributes:
        failures: number of workers in a row that ended soon after their start.
        due: monotonic time of the next attempt to start a worker, None while one runs.
        reloads: number of reloads that the current worker was told to do.

    Raises:
        OSError: the first worker cannot be started.
    """

    def __init__(self, start: Callable[[], Worker], clean_up: Callable[[Worker], object]) -> None:
        self._start = start
        self._clean_up = clean_up
        self._worker = start()
        self._started_at = time.monotonic()
        self._failed_to_start = False
        self.failures = 0
        self.due: float | None = None
        self.reloads = 0

    @property
    def pid(self) -> int:
        """The process of the worker."""
        return self._worker.pid

    @property
    def ended(self) -> str:
        """How the worker ended; empty while it runs."""
        status = self._worker.poll()
        if status is None:
            return ""
        how = f"exited with status {status}"
        if status < 0:
            with contextlib.suppress(ValueError):
                how = f"was ended by {signal.Signals(-status).name}"
        return f"worker {self._worker.pid} {how}"

    def check(self) -> None:
        """Replace the worker if it has ended, and if it is time."""
        if not self.ended:
            return
        now = time.monotonic()
        if self.due is None:
            self._clean_up(self._worker)
            self._close_input()
            if now - self._started_at >= _STABLE:
                self.failures = 0
            pause = 0.0
            if self.failures:
                pause = min(_FIRST_PAUSE * 2 ** (self.failures - 1), _LONGEST_PAUSE)
                _log(f"{self.ended}; another one replaces it in {pause:g} seconds")
            self.failures += 1
            self.due = now + pause
            self._failed_to_start = False
        if now < self.due:
            return
        ended = self.ended
        try:
            self._worker = self._start()
        except OSError as error:
            # There may be enough memory or file descriptors at the next attempt.
            if not self._failed_to_start:
                _log(f"{ended}; cannot replace it yet: {error}")
            self._failed_to_start = True
            self.due = now + _FIRST_PAUSE
            return
        if self.failures == 1 or self._failed_to_start:
            _log(f"{ended}; another one replaces it")
        self._started_at = now
        self.due = None
        self.reloads = 0

    def reload(self) -> None:
        """Tell the worker to reload; a signal could be too early."""
        self.reloads += 1
        self._send(RELOAD)

    def stop(self) -> None:
        """Tell the worker to end its streams and to exit."""
        self._send(STOP)
        self._close_input()

    def wait(self, timeout: float) -> int:
        """Wait for the worker to exit; return its status.

        Raises:
            subprocess.TimeoutExpired: it has not exited after `timeout` seconds.
        """
        return abs(self._worker.wait(timeout))

    def kill(self) -> None:
        """End the worker, if it has not ended."""
        if self._worker.poll() is None:
            self._worker.kill()
            self._worker.wait()
        self._close_input()

    def _send(self, message: bytes) -> None:
        if self._worker.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                os.write(self._worker.stdin.fileno(), message)

    def _close_input(self) -> None:
        if self._worker.stdin is not None:
            self._worker.stdin.close()


def _log(text: str) -> None:
    with own_output():
        print(f"forstcore: {text}", file=sys.stderr, flush=True)
