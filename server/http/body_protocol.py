"""The body of a streaming request, taken over from aiohttp.

aiohttp pays for each HTTP chunk in Python, whatever is in it. Here the connection's bytes go
into one reused buffer, are decoded in place by compiled code, and are processed then and there
where nothing stands in the way: no task is woken for a record.

What this relies on in aiohttp 3.14 (`works` checks it when the server starts; where it does not
hold, streams go the public way):

- a parser that was given the head of a chunked request waits for its first chunk, and takes
  "0 CR LF CR LF" for the end of the body;
- `RequestHandler.data_received` can be given data in any pieces;
- the transport's `set_protocol` moves reading to another protocol and back.
"""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import Callable

from forstcore.wire import StreamErrorCode
from server.errors import StreamError
from server.http._chunked import ChunkedDecoder, ChunkedError
from server.http.internals import detached_handler

__all__ = ["END_OF_BODY", "BodyProtocol", "works"]

END_OF_BODY = b"0\r\n\r\n"
_BUFFER_SIZE = 1 << 17  # With the results of a buffer it should fit the second-level cache.
_GIVE_BACK = getattr(mmap, "MADV_DONTNEED", None)  # Windows has no such thing.


class BodyProtocol(asyncio.BufferedProtocol):
    """Read one chunked body from a connection, in the place of its handler.

    Args:
        transport: the connection.
        handler: aiohttp's protocol; gets the connection back behind the body.
        on_end: called once, with what came behind the body.
        on_broken: called once, when the body turns out to be malformed.
        at_once: processes of a piece of the body what it can without waiting, and returns how
            many bytes that was. The piece is only valid during the call. Errors end the stream.
        go_on: called when that has been done, and may read on from the connection into
            `buffer` by itself; it says in `filled` how many bytes its last read brought.

    Attributes:
        at_once: as above; may be replaced.
        buffer: what the connection is read into.
        filled: bytes of it that the last read brought.
        decoder: the decoder of the body, with its counters.
        transport: the connection.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        handler: asyncio.Protocol,
        on_end: Callable[[bytes], None],
        on_broken: Callable[[], None],
        at_once: Callable[[memoryview], int],
        go_on: Callable[[BodyProtocol], None],
    ) -> None:
        self.transport = transport
        self.decoder = ChunkedDecoder()
        # Pages that are not written to take no memory: a stream of few records needs one.
        self._pages = mmap.mmap(-1, _BUFFER_SIZE)
        self.buffer = memoryview(self._pages)
        self.filled = 0
        self._handler = handler
        self._on_end = on_end
        self._on_broken = on_broken
        self.at_once = at_once
        self._go_on = go_on
        self._queue: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._error: StreamError | None = None
        self._ended = False
        self._discarding = False
        self._broken = False

    def start(self, held: bytes) -> None:
        """Begin to read.

        Args:
            held: bytes behind the head that have been read already.
        """
        self.transport.set_protocol(self)
        for place in range(0, len(held), _BUFFER_SIZE):
            piece = held[place : place + _BUFFER_SIZE]
            self.buffer[: len(piece)] = piece
            self._take(len(piece))
            if self._broken:
                return
            if self.decoder.finished:
                self._end(held[place + self.decoder.rest :])
                return

    async def readany(self) -> bytes:
        """Return what `at_once` did not take; empty at the end of the body.

        Raises:
            StreamError: the body is malformed, or the client went away, or `at_once` failed.
        """
        while not self._queue:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self.transport.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = b"".join(self._queue)
        self._queue.clear()
        return data

    def rest(self) -> None:
        """Give the memory of the buffer back until it is read into again."""
        if _GIVE_BACK is not None:
            self._pages.madvise(_GIVE_BACK)

    def discard(self) -> None:
        """Drop the rest of the body: the stream has ended."""
        self._discarding = True
        self._queue.clear()
        # What has this, or has been here, must not be had in turn: buffer and stream would wait
        # for the garbage collector.
        self.at_once, self._go_on = _not_at_once, _no_further
        self._error = None
        if not self._ended:
            self.transport.resume_reading()

    def keep(self, body: memoryview) -> None:
        """Let the stream ask for a piece of the body, and read no more until it does."""
        self._queue.append(bytes(body))
        self.transport.pause_reading()
        self._wake()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._broken:
            return
        self._take(nbytes)
        if self.decoder.finished:
            self._end(bytes(self.buffer[self.decoder.rest : self.filled]))

    def _take(self, size: int) -> None:
        """Process what has been read into the buffer, and go on while that can be."""
        self.filled = size
        try:
            size = self.decoder.decode(self.buffer, size)
            if size and not self._discarding:
                start = self.decoder.start
                self._process(self.buffer[start : start + size])
            if self._is_waited_for() and not self.decoder.finished:
                self._go_on(self)
        except ChunkedError as error:
            self._broken = True
            self._on_broken()
            self._fail(
                StreamError(StreamErrorCode.MALFORMED_BODY, f"the body is malformed: {error}")
            )
        except StreamError as error:
            self._fail(error)

    def _is_waited_for(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _process(self, body: memoryview) -> None:
        taken = self.at_once(body) if self._is_waited_for() else 0
        if taken < len(body):
            self.keep(body[taken:])

    def _end(self, behind: bytes) -> None:
        self._ended = True
        self.transport.set_protocol(self._handler)
        self._on_end(behind)
        self._wake()

    def _fail(self, error: StreamError) -> None:
        if self._error is None:
            self._error = error
            self._discarding = True
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def eof_received(self) -> bool:
        # A body that has not ended: the rest will not come.
        self._fail(StreamError(StreamErrorCode.DISCONNECTED))
        return False

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(StreamError(StreamErrorCode.DISCONNECTED))
        self._handler.connection_lost(exc)


def _not_at_once(_body: memoryview) -> int:
    return 0


def _no_further(_body_protocol: BodyProtocol) -> None:
    pass


def works() -> bool:
    """Check that aiohttp behaves as this relies on."""
    try:
        handler = detached_handler()
        handler.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        ((message, body),) = handler.parsed
        if not message.chunked or body.is_eof():
            return False
        handler.data_received(END_OF_BODY)
        if len(handler.parsed) > 1 or not body.is_eof():
            return False
        handler.data_received(b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
        return bool(handler.parsed[-1][0].path == "/next")
    except (AttributeError, TypeError, ValueError):
        return False
