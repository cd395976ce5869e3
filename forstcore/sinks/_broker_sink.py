"""Base of the sinks that write with a `BrokerWriter`."""

from __future__ import annotations

from abc import ABC, abstractmethod

from forstcore.sinks import Output, SinkLimits
from forstcore.sinks._broker_writer import BrokerWriter
from forstcore.sources import Notice, Reader, Source
from forstcore.sources._broker_log import BrokerLog

__all__ = ["BrokerSink", "lines_of"]


class BrokerSink(ABC):
    """A sink over a network. It does not keep offsets, unless a subclass says so.

    Args:
        name: its name, for people.
        limits: the bytes that its writer holds.

    Attributes:
        name, limits: as above.
        log: its log.
    """

    keeps_offsets = False
    file = ""

    def __init__(self, name: str, limits: SinkLimits) -> None:
        self.name = name
        self.limits = limits
        self.log = BrokerLog(name, "sink")
        self._writer: BrokerWriter | None = None

    def check(self) -> None:  # noqa: B027 (optional)
        """Do nothing: only the broker knows."""

    async def offset(self) -> str:
        """Return the offset that is stored with the output; empty if there is none."""
        return ""

    def acknowledges(self, source: Source) -> bool | None:
        """Return False: the pipeline acknowledges the input."""
        return False

    async def open(self, reader: Reader | None) -> BrokerWriter:
        """Return a writer, which connects at its first output."""
        self._writer = self.make_writer()
        return self._writer

    @abstractmethod
    def make_writer(self) -> BrokerWriter:
        """Return a new writer."""

    def trouble(self) -> Notice | None:
        """Return why it cannot be written now, None if it can."""
        return self._writer.trouble if self._writer is not None else None

    async def close(self) -> None:  # noqa: B027 (optional)
        """Do nothing: connections belong to the writer."""


def lines_of(output: Output) -> list[bytes]:
    """Return the results of an output, each without its LF."""
    return output.results.split(b"\n")[:-1]
