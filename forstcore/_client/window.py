"""Buffers between a producer and a connection: with resume, the lines that may be sent again."""

from __future__ import annotations

import asyncio
import sys
from collections import deque

from forstcore.errors import StreamFailedError

__all__ = ["PassThrough", "Window"]

_LONGEST_LINE = 1 << 26


class PassThrough:
    """Takes the place of a window in a stream without resume: keeps nothing.

    Args:
        chunk_size: bytes; larger chunks are cut.

    Attributes:
        acked: lines acknowledged so far.
        is_empty: False: nothing is known about what arrived.
    """

    is_empty = False

    def __init__(self, chunk_size: int) -> None:
        self.acked = 0
        self._chunk_size = chunk_size
        self._chunk = b""
        self._start = 0

    def put(self, chunk: bytes) -> None:
        """Add a chunk; the previous one must have been sent."""
        self._chunk = chunk
        self._start = 0

    def finish(self) -> None:
        """Note that there are no more chunks."""

    async def next(self) -> bytes | None:
        """Return what is sent next, None if there is nothing."""
        start = self._start
        self._start += self._chunk_size
        return self._chunk[start : start + self._chunk_size] or None

    async def room(self) -> None:
        """Do nothing: there is always room."""

    def ack(self, lines: int) -> None:
        """Count the first lines as done."""
        self.acked = lines

    def rewind(self) -> None:
        """Start a new connection."""


class Window:
    """Keeps what is sent until it is acknowledged, to send it again after a lost connection.

    The window is full at `buffer_size` lines or `chunk_size` bytes, whichever is more, and at four
    times `chunk_size` in any case; the chunk that fills it may exceed that.

    The server acknowledges what it has processed at once, so a connection that is cut within that
    makes no progress. After a lost connection, the next one therefore begins with one line, and
    then has at most as many lines in flight, besides that one, as it has got acknowledged.

    Args:
        buffer_size: lines.
        chunk_size: bytes.

    Attributes:
        acked: lines acknowledged so far, over all connections.
    """

    def __init__(self, buffer_size: int, chunk_size: int) -> None:
        self.acked = 0
        self._buffer_size = buffer_size
        self._chunk_size = chunk_size
        self._unsent: deque[tuple[bytes, int]] = deque()
        self._sent: deque[tuple[bytes, int]] = deque()
        self._acked_before = 0  # by earlier connections
        self._acked_of_first = 0
        self._in_flight = 0  # lines
        self._max_in_flight = sys.maxsize
        self._lines = 0
        self._size = 0
        self._tail: list[bytes] = []
        self._tail_size = 0
        self._acked: asyncio.Future[None] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether everything that was put in has been acknowledged."""
        return not self._lines and not self._tail

    def put(self, chunk: bytes) -> None:
        """Add a chunk; what follows its last LF waits for the next one.

        Raises:
            StreamFailedError: a line is too long to be kept.
        """
        # In pieces, so that several are in flight at a time.
        limit = max(1, self._chunk_size // 4)
        start = 0
        while end := self._end_of_piece(chunk, start, limit):
            piece = chunk[start:end]
            if self._tail:
                piece = b"".join([*self._tail, piece])
                self._tail.clear()
                self._tail_size = 0
            self._add(piece)
            start = end
        if start < len(chunk):
            self._tail.append(chunk[start:])
            self._tail_size += len(chunk) - start
            if self._tail_size > _LONGEST_LINE:
                raise StreamFailedError(
                    "line_too_long",
                    f"line {self.acked + self._lines + 1} has more than {_LONGEST_LINE} bytes, "
                    "too many to keep and send again (resume)",
                )

    def finish(self) -> None:
        """Terminate the last line, if it has no LF."""
        if self._tail:
            self.put(b"\n")

    async def next(self) -> bytes | None:
        """Return what is sent next over this connection, None if there is nothing."""
        if not self._unsent:
            return None
        while self._in_flight >= self._max_in_flight:
            await self._next_ack()
        piece, count = self._unsent.popleft()
        room = self._max_in_flight - self._in_flight
        if count > room:
            end = _end_of_lines(piece, room)
            self._unsent.appendleft((piece[end:], count - room))
            piece, count = piece[:end], room
        self._sent.append((piece, count))
        self._in_flight += count
        return piece

    async def room(self) -> None:
        """Wait while the window is full."""
        while self._is_full():
            await self._next_ack()

    def ack(self, lines: int) -> None:
        """Drop the first lines of this connection.

        Raises:
            StreamFailedError: they are more than were sent.
        """
        new = lines - (self.acked - self._acked_before)
        self.acked += new
        self._lines -= new
        self._in_flight -= new
        self._max_in_flight += new
        rest = self._acked_of_first + new
        while self._sent and rest >= self._sent[0][1]:
            piece, count = self._sent.popleft()
            rest -= count
            self._size -= len(piece)
        self._acked_of_first = rest
        if rest and not self._sent:
            raise StreamFailedError("protocol", f"too many lines are acknowledged: {rest}")
        if self._acked is not None and not self._acked.done():
            self._acked.set_result(None)

    def rewind(self) -> None:
        """Start a new connection, at the first line that is not acknowledged."""
        if self._sent or self.acked > self._acked_before:
            self._max_in_flight = 1
        self._in_flight = 0
        self._acked_before = self.acked
        self._unsent.extendleft(reversed(self._sent))
        self._sent.clear()
        if self._acked_of_first:
            piece, count = self._unsent.popleft()
            start = _end_of_lines(piece, self._acked_of_first)
            self._unsent.appendleft((piece[start:], count - self._acked_of_first))
            self._size -= start
            self._acked_of_first = 0

    async def _next_ack(self) -> None:
        self._acked = asyncio.get_running_loop().create_future()
        await self._acked

    def _add(self, piece: bytes) -> None:
        count = piece.count(b"\n")
        self._unsent.append((piece, count))
        self._lines += count
        self._size += len(piece)

    def _is_full(self) -> bool:
        if self._size >= 4 * self._chunk_size:
            return True
        return self._size >= self._chunk_size and self._lines >= self._buffer_size

    @staticmethod
    def _end_of_piece(chunk: bytes, start: int, limit: int) -> int:
        """Return where a piece of whole lines ends, 0 if there is no whole line."""
        if len(chunk) - start > limit:
            end = chunk.rfind(b"\n", start, start + limit) + 1
            return end or chunk.find(b"\n", start + limit) + 1
        return chunk.rfind(b"\n", start) + 1


def _end_of_lines(piece: bytes, lines: int) -> int:
    """Return where the first lines of a piece end."""
    end = 0
    for _ in range(lines):
        end = piece.index(b"\n", end) + 1
    return end
