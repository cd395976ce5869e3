"""A bound on how fast the log grows by what clients do.

A line of the access log is what its stream was asked for. Anything else that a client can cause,
such as the traceback of an error of ours, comes as often as the client likes.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time

__all__ = ["LogLimit", "limit_logging"]

_BURST = 50  # Records that one place in the code may log at once,
_REFILL = 1.0  # and seconds after which it may log one more.
_INTERVAL = 10.0  # Seconds between two lines about what was left out at a place.
_UNLIMITED = ("forstcore.access", "forstcore.limit")
_LOGGER = logging.getLogger("forstcore.limit")


class LogLimit(logging.Filter):
    """Let through a bounded number of records from each place in the code, and count the rest.

    Thread-safety: may be used from many threads at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._places: dict[tuple[str, str, int], _Place] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name in _UNLIMITED:
            return True
        key = (record.name, record.pathname, record.lineno)
        with self._lock:
            place = self._places.setdefault(key, _Place())
            return place.allows(record)

    def tell(self) -> None:
        """Log how many records have been left out since this was last called."""
        with self._lock:
            told = [(each.left_out, each.example) for each in self._places.values()]
            for each in self._places.values():
                each.left_out = 0
        for count, example in told:
            if count:
                _LOGGER.warning("%d log entries like this one were left out: %s", count, example)


class _Place:
    """What one place in the code has logged."""

    def __init__(self) -> None:
        self.left_out = 0
        self.example = ""
        self._allowed = float(_BURST)
        self._at = time.monotonic()

    def allows(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        self._allowed = min(_BURST, self._allowed + (now - self._at) / _REFILL)
        self._at = now
        if self._allowed >= 1:
            self._allowed -= 1
            return True
        if not self.left_out:
            self.example = record.getMessage().partition("\n")[0][:200]
        self.left_out += 1
        return False


def limit_logging(loop: asyncio.AbstractEventLoop) -> LogLimit:
    """Bound what this process logs, also by way of aiohttp and asyncio.

    Args:
        loop: tells now and then what was left out, as long as it runs.

    Returns:
        The limit; what it has not told yet is told by `LogLimit.tell`.
    """
    limit = LogLimit()
    for handler in logging.getLogger("forstcore").handlers:
        handler.addFilter(limit)
        for name in ("aiohttp", "asyncio"):
            logger = logging.getLogger(name)
            logger.addHandler(handler)
            logger.propagate = False

    def tell() -> None:
        limit.tell()
        loop.call_later(_INTERVAL, tell)

    loop.call_later(_INTERVAL, tell)
    return limit
