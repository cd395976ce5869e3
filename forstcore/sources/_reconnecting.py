"""Reconnecting to brokers, with growing pauses."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from abc import ABC, abstractmethod

from forstcore._cancelling import check_cancelled
from forstcore.sources import Notice
from forstcore.sources._broker_log import BrokerLog

__all__ = ["ReconnectPauses", "Reconnecting", "described"]

_FIRST_PAUSE = 0.1  # Seconds before the second attempt to connect; doubles with each failure.
_MAX_PAUSE = 10.0  # Seconds. Each pause is shortened by random jitter of up to half of it.
_MAX_DETAIL = 300  # Characters of an error.
_STABLE = 30.0  # Seconds that a connection has to last to reset the pauses.


class ReconnectPauses:
    """Wait before each attempt to connect, longer after each failure.

    The pauses are reset only after a connection that lasted for a while, so that the client does
    not constantly reconnect to a broker that accepts and drops connections.

    Attributes:
        failures: how often connecting has failed, or the connection was lost, in a row.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._connected_at: float | None = None

    def connected(self) -> None:
        """Record that the connection was made."""
        self._connected_at = time.monotonic()

    def failed(self) -> None:
        """Record that connecting failed, or that the connection was lost."""
        if self._connected_at is not None and time.monotonic() - self._connected_at >= _STABLE:
            self.failures = 0
        self._connected_at = None
        self.failures += 1

    def succeeded(self) -> None:
        """Record that something was accepted: the next pause is short again."""
        self.failures = 0

    async def wait(self) -> None:
        """Wait before the next attempt to connect, not at all before the first."""
        if self.failures:
            # The exponent is bounded, because a broker may be down for days.
            pause = min(_FIRST_PAUSE * 2.0 ** min(self.failures - 1, 20), _MAX_PAUSE)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))


class Reconnecting(ABC):
    """A connection to a source or sink that is restored whenever it is lost.

    Args:
        name: name of the source or sink, for errors.
        log: its log.

    Attributes:
        trouble: why it cannot be reached now, None if it can.
    """

    transient_errors: tuple[type[Exception], ...]
    """Errors after which to reconnect."""

    def __init__(self, name: str, log: BrokerLog) -> None:
        self.trouble: Notice | None = None
        self._name = name
        self._log = log
        self._is_connected = False
        self._pauses = ReconnectPauses()

    @abstractmethod
    async def _connect(self) -> None:
        """Connect."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Drop the connection, which may be broken."""

    async def _ensure_connected(self) -> bool:
        """Connect after a pause, unless connected; return whether that was needed."""
        if self._is_connected:
            return False
        await self._pauses.wait()
        await self._connect()
        check_cancelled()
        self._is_connected = True
        self._pauses.connected()
        return True

    async def _drop_connection(self, error: Exception) -> Notice | None:
        """Drop the connection after a transient error; return a notice if the state has changed."""
        self._pauses.failed()
        # Also after an attempt to connect that failed half way.
        self._is_connected = False
        await self._disconnect()
        check_cancelled()
        return self._report_down(described(error))

    def _report_up(self) -> Notice | None:
        """Log and return a notice that it is up, unless it was."""
        if self.trouble is None:
            return None
        self.trouble = None
        self._log.write(logging.INFO, "it is up again")
        return Notice("up")

    def _report_down(self, detail: str) -> Notice | None:
        """Log and return a notice that it is down, unless it was."""
        was_down = self.trouble is not None
        self.trouble = Notice("down", detail[:_MAX_DETAIL])
        if was_down:
            return None
        self._log.write(logging.WARNING, f"it is down: {self.trouble.detail}")
        return self.trouble


def described(error: Exception) -> str:
    """Return an error in words; those of libraries often say little without their class."""
    kind, text = type(error), str(error)
    if isinstance(error, TimeoutError) and not text:
        return "it does not answer in time"
    return text if text and kind.__module__.startswith("forstcore.") else f"{kind.__name__}: {text}"
