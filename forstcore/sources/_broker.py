"""Base of the readers of brokers, which survive the loss of a connection."""

from __future__ import annotations

import logging
from abc import abstractmethod

from forstcore._cancelling import check_cancelled
from forstcore.sources import Batch, Lag, Notice
from forstcore.sources._broker_log import BrokerLog
from forstcore.sources._reconnecting import Reconnecting

__all__ = ["BrokerReader", "on_one_line"]


def on_one_line(document: bytes) -> bytes:
    """Return a JSON document without line ends, which JSON allows between tokens only."""
    return document.replace(b"\n", b" ")


class BrokerReader(Reconnecting):
    """Read from a broker, and reconnect whenever the connection is lost.

    Args:
        name: name of the source, for errors.
        log: the log of the source.
        max_line_size: maximum bytes of a line.
    """

    def __init__(self, name: str, log: BrokerLog, max_line_size: int) -> None:
        super().__init__(name, log)
        self._max_line_size = max_line_size

    async def read(self) -> Batch | Notice:
        while True:
            try:
                if await self._ensure_connected() and (notice := self._report_up()):
                    return notice
                batch = await self._receive()
                check_cancelled()
                return batch
            except self.transient_errors as error:
                if notice := await self._drop_connection(error):
                    return notice

    async def acknowledge(self, receipt: object) -> None:
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
    async def _receive(self) -> Batch | Notice:
        """Wait for records."""

    def _log_too_long(self, what: str) -> None:
        """Log that a record is longer than a line may be."""
        self._log.write(
            logging.WARNING,
            f"{what} is longer than {self._max_line_size} bytes (max_line_size): it is reported as "
            "line_too_long",
        )
