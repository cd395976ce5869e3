"""Log the exceptions that processors raise."""

from __future__ import annotations

import logging
import threading
import time

__all__ = ["FailureLog"]

_LOGGER = logging.getLogger("forstcore.processors")
_MOST = 5  # Failures logged per second and stream.


class FailureLog:
    """Log the failures of one stream with their tracebacks, at a limited rate.

    A processor that fails on each of a million records must not fill the disk.

    Args:
        name: the processor's name.

    Thread-safety: may be used from many threads at once.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._second = 0
        self._logged = 0
        self._left_out = 0

    def add(self, error: BaseException, line: int) -> None:
        """Log an exception that the processor raised on a line, or count it as suppressed."""
        second = int(time.monotonic())
        with self._lock:
            if second != self._second:
                self._second = second
                self._logged = 0
            if self._logged == _MOST:
                self._left_out += 1
                return
            self._logged += 1
            left_out, self._left_out = self._left_out, 0
        note = f"; {left_out} more failures before this were not logged" if left_out else ""
        _LOGGER.error("processor %r failed on line %d%s", self._name, line, note, exc_info=error)

    def close(self) -> None:
        """Log the number of failures suppressed since the last logged one."""
        with self._lock:
            left_out, self._left_out = self._left_out, 0
        if left_out:
            _LOGGER.error(
                "processor %r failed on %d more lines, which were not logged", self._name, left_out
            )
