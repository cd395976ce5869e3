"""What the readers of brokers have in common: they outlive the connection."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from abc import ABC, abstractmethod

from forstcore._cancelling import check_cancelled
from forstcore.sources import Batch, Notice

__all__ = ["BrokerLog", "BrokerReader"]

_LOGGER = logging.getLogger("forstcore")

_FIRST_PAUSE = 0.1  # Seconds before the second attempt to connect; doubles with each failure,
_LONGEST_PAUSE = 10.0  # up to this. Up to half of each pause is left out at random.
_STABLE = 30.0  # Seconds that a connection has to last before the pauses start anew.

_BURST = 10  # Log lines of a source that may come at once,
_REFILL = 30.0  # and seconds after which one more may.


class BrokerLog:
    """The log lines of one source, at a bounded rate, however many readers it has.

    Args:
        name: name of the source.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._allowed = float(_BURST)
        self._looked_at = time.monotonic()
        self._suppressed = 0

    def write(self, level: int, text: str) -> None:
        """Log a line about the source, or count it if there have been too many."""
        now = time.monotonic()
        self._allowed = min(_BURST, self._allowed + (now - self._looked_at) / _REFILL)
        self._looked_at = now
        if self._allowed < 1:
            self._suppressed += 1
            return
        self._allowed -= 1
        if self._suppressed:
            text = f"{text} ({self._suppressed} lines about this source were left out)"
            self._suppressed = 0
        _LOGGER.log(level, "source %s: %s", self._name, text)


class BrokerReader(ABC):
    """Read from a broker, and connect again whenever the connection is lost.

    Pauses between attempts grow, and only a connection that lasted for a while makes them short
    again: a broker that accepts connections and drops them is not called without end.

    Args:
        name: name of the source, for errors.
        log: the log of the source.
    """

    passing: tuple[type[Exception], ...]
    """Errors that may pass: what raises one is tried again."""

    def __init__(self, name: str, log: BrokerLog) -> None:
        self._name = name
        self._log = log
        self._is_connected = False
        self._is_down = False  # What the last notice said.
        self._connected_at = 0.0
        self._failures = 0

    async def read(self) -> Batch | Notice:
        while True:
            try:
                if not self._is_connected:
                    await self._pause()
                    await self._connect()
                    check_cancelled()
                    self._is_connected = True
                    self._connected_at = time.monotonic()
                    if self._is_down:
                        self._is_down = False
                        self._log.write(logging.INFO, "the broker is back")
                        return Notice("up")
                batch = await self._receive()
                check_cancelled()
                return batch
            except self.passing as error:
                if self._is_connected and time.monotonic() - self._connected_at >= _STABLE:
                    self._failures = 0
                self._is_connected = False
                self._failures += 1
                await self._disconnect()
                check_cancelled()
                if not self._is_down:
                    self._is_down = True
                    detail = f"{type(error).__name__}: {error}"[:300]
                    self._log.write(logging.WARNING, f"the broker is away: {detail}")
                    return Notice("down", detail)

    async def acknowledge(self, receipt: object) -> None:  # noqa: B027 (most need none)
        """Do nothing, where nobody else would get the records."""

    async def close(self) -> None:
        if self._is_connected:
            self._is_connected = False
            await self._disconnect()

    @abstractmethod
    async def _connect(self) -> None:
        """Connect, and go on where the reading was."""

    @abstractmethod
    async def _receive(self) -> Batch:
        """Wait for records."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Give the connection up; it may be broken."""

    async def _pause(self) -> None:
        if self._failures:
            # The exponent is bounded: a broker may be away for days.
            pause = min(_FIRST_PAUSE * 2.0 ** min(self._failures - 1, 20), _LONGEST_PAUSE)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
