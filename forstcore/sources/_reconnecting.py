"""The pauses before a lost connection to a broker is made again."""

from __future__ import annotations

import asyncio
import random
import time

__all__ = ["ReconnectPauses"]

_FIRST_PAUSE = 0.1  # Seconds before the second attempt to connect; doubles with each failure.
_MAX_PAUSE = 10.0  # Seconds. Each pause is shortened by random jitter of up to half of it.
_STABLE = 30.0  # Seconds that a connection has to last for the pauses to start again.


class ReconnectPauses:
    """Wait before each attempt to connect, longer after each failure.

    The pauses start again only after a connection that lasted for a while, so that a broker that
    accepts and drops connections is not called all the time.

    Attributes:
        failures: how often connecting has failed, or the connection was lost, in a row.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._connected_at: float | None = None

    def connected(self) -> None:
        """Note that the connection was made."""
        self._connected_at = time.monotonic()

    def failed(self) -> None:
        """Note that connecting failed, or the connection was lost."""
        if self._connected_at is not None and time.monotonic() - self._connected_at >= _STABLE:
            self.failures = 0
        self._connected_at = None
        self.failures += 1

    async def wait(self) -> None:
        """Wait before the next attempt to connect, not at all before the first."""
        if self.failures:
            # The exponent is bounded, because a broker may be down for days.
            pause = min(_FIRST_PAUSE * 2.0 ** min(self.failures - 1, 20), _MAX_PAUSE)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
