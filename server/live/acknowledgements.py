"""Acknowledgements of a subscriber, and limits for unacknowledged deliveries."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from forstcore import wire
from forstcore._cancelling import check_cancelled
from forstcore._plural import plural
from forstcore.sources import Reader
from forstcore.wire import StreamErrorCode
from server.errors import StreamError
from server.live.delivery import Delivery

__all__ = ["Unacknowledged", "acknowledgements"]

_LONGEST = 64  # Maximum bytes of an `:ack` line.
_DIGITS = len(str(wire.MAX_LINE_NUMBER))  # Maximum digits of its number.
_LAST_WORDS = 2.0  # Time limit in seconds for forwarding the last acknowledgements.


@dataclass(frozen=True, slots=True)
class _Sent:
    lines: int  # Lines of the stream up to the end of this delivery.
    size: int
    receipts: list[object]


class Unacknowledged:
    """Limit unacknowledged deliveries, and forward acknowledgements to the source.

    Args:
        reader: receives the acknowledgements.
        most_lines, most_bytes: limits for unacknowledged lines and bytes; a single delivery may
            exceed them.
    """

    def __init__(self, reader: Reader, most_lines: int, most_bytes: int) -> None:
        self._reader = reader
        self._most_lines = most_lines
        self._most_bytes = most_bytes
        self._sent: deque[_Sent] = deque()
        self._lines = 0
        self._size = 0
        self._acknowledged = 0
        self._due: list[object] = []
        self._is_due = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    def add(self, delivery: Delivery) -> None:
        """Count a delivery that is about to be sent."""
        self._lines += delivery.counts.lines
        if delivery.receipts:
            self._sent.append(_Sent(self._lines, delivery.size, delivery.receipts))
            self._size += delivery.size
            self._settle()

    def acknowledge(self, lines: int) -> None:
        """Record that the client has acknowledged the first `lines` lines of the stream.

        Raises:
            StreamError: fewer lines have been sent.
        """
        if lines > self._lines:
            raise StreamError(
                StreamErrorCode.BAD_ACK,
                f":ack {lines} came when {self._lines} {plural(self._lines, 'line')} had been sent",
            )
        self._acknowledged = max(self._acknowledged, lines)
        self._settle()

    async def room(self) -> None:
        """Wait until more may be sent."""
        await self._has_room.wait()

    async def tell(self) -> None:
        """Forward acknowledgements to the source until cancelled.

        Raises:
            SourceError: the source does not accept them.
        """
        while True:
            await self._is_due.wait()
            await self._tell()
            check_cancelled()

    async def close(self) -> None:
        """Forward the last acknowledgements within a time limit.

        Raises:
            SourceError: the source does not accept them.
            TimeoutError: the source does not respond in time.
        """
        async with asyncio.timeout(_LAST_WORDS):
            await self._tell()

    async def _tell(self) -> None:
        self._is_due.clear()
        while self._due:
            receipt = self._due.pop(0)
            await self._reader.acknowledge(receipt)

    def _settle(self) -> None:
        while self._sent and self._sent[0].lines <= self._acknowledged:
            done = self._sent.popleft()
            self._size -= done.size
            self._due += done.receipts
        if self._due:
            self._is_due.set()
        waiting = self._lines - self._acknowledged
        if not self._sent or (waiting < self._most_lines and self._size < self._most_bytes):
            self._has_room.set()
        else:
            self._has_room.clear()


async def acknowledgements(
    pieces: AsyncIterator[bytes], before: bytes
) -> AsyncGenerator[int, None]:
    """Read `:ack N` lines from the body of a request; yield the last N of each piece.

    Args:
        pieces: the body.
        before: the part of the body that was read already.

    Raises:
        StreamError: the body has other lines or cannot be read.
    """
    tail = before
    while True:
        *lines, tail = tail.split(b"\n")
        if lines:
            yield max(map(_number, lines))
        if len(tail) > _LONGEST:
            raise _malformed(tail)
        try:
            tail += await anext(pieces)
        except StopAsyncIteration:
            return


def _number(line: bytes) -> int:
    kind, _, number = line.rstrip(b"\r").partition(b" ")
    if kind != wire.ACK or not number.isdigit() or len(number) > _DIGITS:
        raise _malformed(line)
    return int(number)


def _malformed(line: bytes) -> StreamError:
    return StreamError(
        StreamErrorCode.BAD_ACK,
        f"expected a line such as ':ack 12', not {line[:40]!r}",
    )
