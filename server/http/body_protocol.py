"""Chunked request bodies, read from the connection without aiohttp's parser.

aiohttp spends Python time on each HTTP chunk, even if it contains a single record. The body
protocol receives into one reused buffer, decodes it in place with compiled code, and passes the
bytes directly to the stream: no task wakes up for a record.

It relies on this behaviour of aiohttp, which `is_supported` checks when the server starts (if it
differs, aiohttp reads all bodies):

- After the head of a chunked request, the parser waits for the first chunk, and accepts
  "0 CR LF CR LF" as the end of the body.
- `RequestHandler.data_received` accepts data that is cut anywhere.
"""

from __future__ import annotations

import asyncio
import mmap
from typing import Protocol

from forstcore.wire import StreamErrorCode
from server.errors import StreamError
from server.http._chunked import ChunkedDecoder, ChunkedError
from server.http.internals import detached_handler

__all__ = ["END_OF_BODY", "BodyConnection", "BodyProtocol", "BodySink", "is_supported"]

END_OF_BODY = b"0\r\n\r\n"
_BUFFER_SIZE = 1 << 17  # Together with its results, a buffer should fit the second-level cache.
_RELEASE_PAGES = getattr(mmap, "MADV_DONTNEED", None)  # Windows does not have it.


class BodySink(Protocol):
    """The stream that processes a body.

    Methods may raise StreamError, which ends the stream.
    """

    def begin(self) -> None:
        """Called once, when the client has begun to send records."""

    def process_now(self, piece: memoryview, /) -> int:
        """Process the start of a piece, as far as possible without waiting.

        Args:
            piece: a part of the body; valid during the call only.

        Returns:
            How many bytes were processed. `BodyProtocol.readany` returns the rest.
        """

    def read_directly(self, body: BodyProtocol, /) -> None:
        """Read from the connection into `body.buffer`, if possible, and process that.

        Called after each piece that was processed completely. Sets `body.filled` to the number
        of bytes of its last read.
        """


class BodyConnection(Protocol):
    """The connection of a body."""

    def body_ended(self, rest: bytes, /) -> None:
        """Read from the transport again. `rest` are bytes received after the body."""

    def body_broken(self) -> None:
        """The body is malformed, so that the next request cannot be found."""

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def connection_lost(self, exc: Exception | None, /) -> None: ...


class BodyProtocol(asyncio.BufferedProtocol):
    """The protocol of a transport while it receives a chunked body.

    Args:
        transport: the transport.
        connection: the protocol before and after the body.
        sink: processes the body.

    Attributes:
        transport: as above.
        buffer: receives the bytes of the connection.
        filled: how many bytes the last read brought.
        decoder: decodes the body, and counts its bytes and chunks.
    """

    def __init__(
        self, transport: asyncio.Transport, connection: BodyConnection, sink: BodySink
    ) -> None:
        self.transport = transport
        self.decoder = ChunkedDecoder()
        # Pages that were never written to take no memory: a stream of few records uses one.
        self._pages = mmap.mmap(-1, _BUFFER_SIZE)
        self.buffer = memoryview(self._pages)
        self.filled = 0
        self._connection = connection
        # None: the rest of the body is discarded.
        self._sink: BodySink | None = sink
        self._queue: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._error: StreamError | None = None
        self._ended = False
        self._broken = False

    def start(self, received: bytes) -> None:
        """Start reading.

        Args:
            received: bytes after the head that have been received already.
        """
        self.transport.set_protocol(self)
        for place in range(0, len(received), _BUFFER_SIZE):
            piece = received[place : place + _BUFFER_SIZE]
            self.buffer[: len(piece)] = piece
            self._decode(len(piece))
            if self._broken:
                return
            if self.decoder.finished:
                self._end(received[place + self.decoder.rest :])
                return

    async def readany(self) -> bytes:
        """Return what `process_now` did not process; empty at the end of the body.

        Raises:
            StreamError: the body is malformed, or the client disconnected, or the sink failed.
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

    def release_memory(self) -> None:
        """Return the memory of the buffer to the kernel until the next read."""
        if _RELEASE_PAGES is not None:
            self._pages.madvise(_RELEASE_PAGES)

    def discard(self) -> None:
        """Discard the rest of the body: the stream has ended."""
        # Without the sink there is no reference cycle, which would keep the buffer of an ended
        # stream until the next garbage collection.
        self._sink = None
        self._queue.clear()
        self._error = None
        if not self._ended:
            self.transport.resume_reading()

    def keep(self, piece: memoryview) -> None:
        """Queue a piece for `readany`, and pause reading until that is called again."""
        self._queue.append(bytes(piece))
        self.transport.pause_reading()
        self._wake()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._broken:
            return
        self._decode(nbytes)
        if self.decoder.finished:
            self._end(bytes(self.buffer[self.decoder.rest : self.filled]))

    def _decode(self, size: int) -> None:
        """Decode the first `size` bytes of the buffer, and pass the body to the sink."""
        self.filled = size
        try:
            size = self.decoder.decode(self.buffer, size)
            sink = self._sink
            if sink is None:
                return
            if size:
                start = self.decoder.start
                self._pass_on(sink, self.buffer[start : start + size])
            if self._is_awaited() and not self.decoder.finished:
                sink.read_directly(self)
        except ChunkedError as error:
            self._broken = True
            self._connection.body_broken()
            self._fail(
                StreamError(StreamErrorCode.MALFORMED_BODY, f"the body is malformed: {error}")
            )
        except StreamError as error:
            self._fail(error)

    def _pass_on(self, sink: BodySink, piece: memoryview) -> None:
        processed = sink.process_now(piece) if self._is_awaited() else 0
        if processed < len(piece):
            self.keep(piece[processed:])

    def _is_awaited(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _end(self, rest: bytes) -> None:
        self._ended = True
        self._connection.body_ended(rest)
        self._wake()

    def _fail(self, error: StreamError) -> None:
        if self._error is None:
            self._error = error
            self._sink = None
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def eof_received(self) -> bool:
        # The rest of the body cannot arrive any more.
        self._fail(StreamError(StreamErrorCode.DISCONNECTED))
        return False

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(StreamError(StreamErrorCode.DISCONNECTED))
        self._connection.connection_lost(exc)


def is_supported() -> bool:
    """Check that aiohttp behaves as the body protocol requires."""
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
