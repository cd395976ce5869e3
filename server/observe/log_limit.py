"""A rate limit for the log.

The access log is exempt: it has one line for each stream. Without a limit, clients could fill the
log with anything else that they can cause, such as the traceback of an error of the server.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time

from forstcore._json_log import now
from forstcore._plural import plural

__all__ = ["LogLimit", "limit_logging"]

_BURST = 50  # Records that each statement in the code may log at once.
_REFILL = 1.0  # Seconds per additional record.
_INTERVAL = 10.0  # Seconds between two reports about suppressed records.
_EXEMPT = ("forstcore.access", "forstcore.limit")
_LOGGER = logging.getLogger("forstcore.limit")


class LogLimit(logging.Filter):
    """Limit the rate of log records for each statement in the code that logs, and count the rest.

    Thread-safety: any thread may log.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str, int], _TokenBucket] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name in _EXEMPT:
            return True
        key = (record.name, record.pathname, record.lineno)
        with self._lock:
            return self._buckets.setdefault(key, _TokenBucket()).allows(record)

    def report(self) -> None:
        """Log how many records were suppressed since the last call."""
        with self._lock:
            suppressed = [
                (each.suppressed, each.example, each.is_json) for each in self._buckets.values()
            ]
            for each in self._buckets.values():
                each.suppressed = 0
        for count, example, is_json in suppressed:
            if is_json and count:
                entry = {"time": now(), "event": "suppressed", "count": count, "example": example}
                _LOGGER.warning(json.dumps(entry), extra={"is_json": True})
            elif count:
                entries = plural(
                    count, "log entry like this one was", "log entries like this one were"
                )
                _LOGGER.warning("%d %s suppressed: %s", count, entries, example)


class _TokenBucket:
    """The rate limit of one statement."""

    def __init__(self) -> None:
        self.suppressed = 0
        self.example = ""
        self.is_json = False
        self._tokens = float(_BURST)
        self._updated_at = time.monotonic()

    def allows(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        self._tokens = min(_BURST, self._tokens + (now - self._updated_at) / _REFILL)
        self._updated_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return True
        if not self.suppressed:
            self.example = record.getMessage().partition("\n")[0][:200]
            self.is_json = getattr(record, "is_json", False)
        self.suppressed += 1
        return False


def limit_logging(loop: asyncio.AbstractEventLoop) -> LogLimit:
    """Limit the log of this process, including that of aiohttp and asyncio.

    Args:
        loop: the event loop, which reports suppressed records at intervals.

    Returns:
        The limit; its `report` must be called at exit.
    """
    limit = LogLimit()
    for handler in logging.getLogger("forstcore").handlers:
        handler.addFilter(limit)
        for name in ("aiohttp", "asyncio", "opentelemetry"):
            logger = logging.getLogger(name)
            logger.addHandler(handler)
            logger.propagate = False

    def report() -> None:
        limit.report()
        loop.call_later(_INTERVAL, report)

    loop.call_later(_INTERVAL, report)
    return limit
