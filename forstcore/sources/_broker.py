"""What readings of brokers have in common: they outlive the connection."""

from __future__ import annotations

import asyncio
import logging
import random
from abc import ABC, abstractmethod

from forstcore.sources import Batch, Notice

__all__ = ["BrokerReader"]

_LOGGER = logging.getLogger("forstcore")

_FIRST_PAUSE = 0.1  # Seconds before the second attempt to connect; it doubles from then on,
_LONGEST_PAUSE = 10.0  # up to this. Up to half is left out at random.


class BrokerReader(ABC):
    """Read from a broker, and connect again whenever it went away.

    Args:
        name: name of the source, for the log.
    """

    passing: tuple[type[Exception], ...]
    """Errors that may pass: what raises one is tried again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_connected = False
        self._failures = 0

    async def read(self) -> Batch | Notice:
        while True:
            try:
                if not self._is_connected:
                    await self._pause()
                    await self._connect()
                    self._is_connected = True
                    if self._failures:
                        self._failures = 0
                        _LOGGER.info("source %s: the broker is back", self._name)
                        return Notice("up")
                return await self._receive()
            except self.passing as error:
                self._is_connected = False
                self._failures += 1
                await self._disconnect()
                if self._failures == 1:
                    detail = f"{type(error).__name__}: {error}"[:300]
                    _LOGGER.warning("source %s: the broker is away: %s", self._name, detail)
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
            pause = min(_FIRST_PAUSE * 2.0 ** (self._failures - 1), _LONGEST_PAUSE)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
