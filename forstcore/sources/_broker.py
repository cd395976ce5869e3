"""Base of the readers of brokers, which survive the loss of a connection."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod

from forstcore._cancelling import check_cancelled
from forstcore._plural import plural
from forstcore.sources import Batch, Lag, Notice
from forstcore.sources._reconnecting import ReconnectPauses

__all__ = ["BrokerLog", "BrokerReader", "on_one_line"]

_LOGGER = logging.getLogger("forstcore")

_BURST = 10  # Log lines of a source that may be written at once.
_REFILL = 30.0  # Seconds after which one more may be written.


def on_one_line(document: bytes) -> bytes:
    """Return a JSON document without line ends, which JSON allows between tokens only."""
    return document.replace(b"\n", b" ")


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


class BrokerReader(ABC):
    """Read from a broker, and reconnect whenever the connection is lost.

    The pauses between attempts grow: see `ReconnectPauses`.

    Args:
        name: name of the source, for errors.
        log: the log of the source.
        max_line_size: maximum bytes of a line.
    """

    transient_errors: tuple[type[Exception], ...]
    """Errors after which the reader reconnects."""

    def __init__(self, name: str, log: BrokerLog, max_line_size: int) -> None:
        self._name = name
        self._log = log
        self._max_line_size = max_line_size
        self._is_connected = False
        self._is_down = False  # according to the last notice
        self._pauses = ReconnectPauses()

    async def read(self) -> Batch | Notice:
        while True:
            try:
                if not self._is_connected:
                    await self._pauses.wait()
                    await self._connect()
                    check_cancelled()
                    self._is_connected = True
                    self._pauses.connected()
                    if self._is_down:
                        self._is_down = False
                        self._log.write(logging.INFO, "the broker is up again")
                        return Notice("up")
                batch = await self._receive()
                check_cancelled()
                return batch
            except self.transient_errors as error:
                self._is_connected = False
                self._pauses.failed()
                await self._disconnect()
                check_cancelled()
                if not self._is_down:
                    self._is_down = True
                    detail = f"{type(error).__name__}: {error}"[:300]
                    self._log.write(logging.WARNING, f"the broker is down: {detail}")
                    return Notice("down", detail)

    async def acknowledge(self, receipt: object) -> None:  # noqa: B027 (optional)
        """Do nothing, unless the broker redelivers records."""

    async def lag(self) -> Lag | None:
        """Return None, unless the broker knows."""
        return None

    @property
    def _failures(self) -> int:
        """How often connecting has failed, or the connection was lost, in a row."""
        return self._pauses.failures

    async def close(self) -> None:
        if self._is_connected:
            self._is_connected = False
            await self._disconnect()

    @abstractmethod
    async def _connect(self) -> None:
        """Connect, and continue after the last record read."""

    @abstractmethod
    async def _receive(self) -> Batch | Notice:
        """Wait for records."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Drop the connection, which may be broken."""

    def _log_too_long(self, what: str) -> None:
        """Log that a record is longer than a line may be."""
        self._log.write(
            logging.WARNING,
            f"{what} is longer than {self._max_line_size} bytes (max_line_size): it is reported as "
            "line_too_long",
        )
