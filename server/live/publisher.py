"""Publishing records to a source in memory, or to the broker of a source."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from forstcore._plural import plural
from forstcore._proc import count_lines
from forstcore.errors import SinkError
from forstcore.sinks import Output, OutputRefusedError
from forstcore.sources.memory import MemorySource
from forstcore.wire import StreamErrorCode
from server.errors import StreamError
from server.live.kept_writers import KeptWriters

__all__ = ["BrokerPublisher", "MemoryPublisher", "Publisher"]


class Publisher(Protocol):
    """Publishes the records of one request.

    Attributes:
        count: how many are confirmed.
        offset: the offset after the last one, None if it is unknown.
    """

    count: int

    @property
    def offset(self) -> str | None: ...

    async def publish(self, lines: bytes) -> None:
        """Publish records; wait until there is room for them.

        Args:
            lines: whole lines, each with its LF; may be empty.

        Raises:
            StreamError: it is not possible.
        """
        ...

    async def finish(self) -> None:
        """Wait until all records are confirmed.

        Raises:
            StreamError: it is not possible.
        """
        ...

    async def close(self) -> None:
        """Free all resources."""
        ...


class MemoryPublisher:
    """Publishes to a source in memory.

    Args:
        source: the source.
    """

    def __init__(self, source: MemorySource) -> None:
        self.count = 0
        self._source = source

    @property
    def offset(self) -> str | None:
        return self._source.offset

    async def publish(self, lines: bytes) -> None:
        self.count += self._source.publish(lines)

    async def finish(self) -> None:
        """Do nothing: there is nothing to wait for."""

    async def close(self) -> None:
        """Do nothing: there is nothing to free."""


class BrokerPublisher:
    """Publishes to a broker, which confirms records.

    Args:
        writers: supplies the writer, and gets it back if all records are confirmed.
        name: name of the source.

    Raises:
        SinkError: nothing can be published to the source.
    """

    offset = None

    def __init__(self, writers: KeptWriters, name: str) -> None:
        self.count = 0
        self._writers = writers
        self._kept = writers.take(name)
        self._is_finished = False
        self._unconfirmed: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def publish(self, lines: bytes) -> None:
        if not lines:
            return
        try:
            writer = await self._kept.open()
            confirmed = await writer.write(Output(lines))
        except SinkError as error:
            raise StreamError(StreamErrorCode.SOURCE, str(error)) from None
        self._unconfirmed.append((count_lines(lines), asyncio.ensure_future(confirmed)))
        while self._unconfirmed and self._unconfirmed[0][1].done():
            await self._confirm()

    async def finish(self) -> None:
        if self._kept.writer is not None:
            await self._kept.writer.flush()
        while self._unconfirmed:
            await self._confirm()
        self._is_finished = True

    async def close(self) -> None:
        if self._is_finished:
            await self._writers.give_back(self._kept)
        else:
            await self._kept.close()

    async def _confirm(self) -> None:
        """Wait until the broker has confirmed the oldest unconfirmed records."""
        count, confirmed = self._unconfirmed[0]
        try:
            await asyncio.shield(confirmed)
        except OutputRefusedError as error:
            self.count += count - len(error.lines)
            refused = plural(len(error.lines), "record")
            reason = next(iter(error.lines.values()))
            raise StreamError(
                StreamErrorCode.BAD_RECORD,
                f"the broker refuses {len(error.lines)} {refused}: {reason}",
            ) from None
        except SinkError as error:
            raise StreamError(StreamErrorCode.SOURCE, str(error)) from None
        self.count += count
        self._unconfirmed.popleft()
