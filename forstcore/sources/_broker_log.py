"""The log of a source or sink."""

from __future__ import annotations

import logging
import time

from forstcore._plural import plural

__all__ = ["BrokerLog"]

_LOGGER = logging.getLogger("forstcore")

_BURST = 10  # Log lines of a source in a burst.
_REFILL = 30.0  # Seconds per additional line.


class BrokerLog:
    """Logs about one source or sink, at a limited rate, however many readers it has.

    Args:
        name: its name.
        kind: ``source`` or ``sink``.
    """

    def __init__(self, name: str, kind: str = "source") -> None:
        self._name = name
        self._kind = kind
        self._allowed = float(_BURST)
        self._updated_at = time.monotonic()
        self._suppressed = 0

    def write(self, level: int, text: str) -> None:
        """Write a log line, or count it if there were too many."""
        now = time.monotonic()
        self._allowed = min(_BURST, self._allowed + (now - self._updated_at) / _REFILL)
        self._updated_at = now
        if self._allowed < 1:
            self._suppressed += 1
            return
        self._allowed -= 1
        if self._suppressed:
            lines, were = plural(self._suppressed, "line"), plural(self._suppressed, "was", "were")
            text += f" ({self._suppressed} log {lines} about this {self._kind} {were} suppressed)"
            self._suppressed = 0
        _LOGGER.log(level, "%s %s: %s", self._kind, self._name, text)
