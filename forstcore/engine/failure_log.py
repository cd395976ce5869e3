"""Log the exceptions that processors raise."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from typing import Protocol

from forstcore._plural import plural

__all__ = ["CollectedFailures", "FailureLog", "Failures"]

_LOGGER = logging.getLogger("forstcore.processors")
_MESSAGE = "processor %r failed on line %d%s"
_MOST = 5  # Failures logged per second and stream.


class Failures(Protocol):
    """The log of exceptions that a processor raises."""

    def add(self, error: BaseException, line: int) -> None:
        """Add an exception that the processor raised on a line."""

    def close(self) -> None:
        """Add no more."""


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
        if (note := self._note()) is not None:
            _LOGGER.error(_MESSAGE, self._name, line, note, exc_info=error)

    def add_collected(self, failures: CollectedFailures) -> None:
        """Log failures of another process, or count them as suppressed."""
        for line, text in failures.logged:
            note = self._note()
            if note is not None and _LOGGER.isEnabledFor(logging.ERROR):
                record = _LOGGER.makeRecord(
                    _LOGGER.name, logging.ERROR, "", 0, _MESSAGE, (self._name, line, note), None
                )
                record.exc_text = text
                _LOGGER.handle(record)
        with self._lock:
            self._left_out += failures.left_out

    def close(self) -> None:
        """Log the number of failures suppressed since the last logged one."""
        with self._lock:
            left_out, self._left_out = self._left_out, 0
        if left_out:
            _LOGGER.error(
                "processor %r failed on %d more %s not logged",
                self._name,
                left_out,
                plural(left_out, "line, which was", "lines, which were"),
            )

    def _note(self) -> str | None:
        """Return what to add to the message of a failure, None not to log it."""
        second = int(time.monotonic())
        with self._lock:
            if second != self._second:
                self._second = second
                self._logged = 0
            if self._logged == _MOST:
                self._left_out += 1
                return None
            self._logged += 1
            left_out, self._left_out = self._left_out, 0
        failures = plural(left_out, "failure before this was", "failures before this were")
        return f"; {left_out} more {failures} not logged" if left_out else ""


class CollectedFailures:
    """The failures of a batch in a worker process, for the log of its parent.

    Attributes:
        logged: of the first failures, the lines and the tracebacks.
        left_out: number of the others.
    """

    def __init__(self) -> None:
        self.logged: list[tuple[int, str]] = []
        self.left_out = 0

    def add(self, error: BaseException, line: int) -> None:
        """Keep an exception that the processor raised on a line, or count it."""
        if len(self.logged) < _MOST:
            text = "".join(traceback.format_exception(error)).rstrip()
            self.logged.append((line, text))
        else:
            self.left_out += 1

    def close(self) -> None:
        """Do nothing: the parent takes the failures of each batch."""
