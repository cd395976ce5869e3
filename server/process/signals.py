"""Signals of a supervisor, which it waits for without polling."""

from __future__ import annotations

import contextlib
import os
import select
import signal

__all__ = ["SupervisorSignals"]


class SupervisorSignals:
    """Receive SIGTERM, SIGINT, SIGHUP and SIGCHLD.

    Attributes:
        is_stopping: whether SIGTERM or SIGINT was received.
        is_reload_due: whether SIGHUP was received; to be reset.
    """

    def __init__(self) -> None:
        self.is_stopping = False
        self.is_reload_due = False
        self._reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._reader, select.POLLIN)
        # A signal does not interrupt a wait that begins after it; a byte in a pipe does.
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def wait(self, seconds: float | None) -> None:
        """Wait for a signal, for at most `seconds`; None for no limit."""
        self._poll.poll(None if seconds is None else max(0, seconds * 1000))
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 1 << 16)

    def _stop(self, _number: int, _frame: object) -> None:
        self.is_stopping = True

    def _reload(self, _number: int, _frame: object) -> None:
        self.is_reload_due = True
