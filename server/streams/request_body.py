"""The input side of a stream: reads, decodes and limits the request body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from aiohttp import web

from forstcore.wire import StreamErrorCode
from server.config import ServerConfig
from server.errors import ProblemError, StreamError
from server.http.body_protocol import BodyProtocol, BodySink
from server.http.compression import decoder_for
from server.http.request_handler import RequestHandler

__all__ = ["UNLIMITED", "RequestBody", "check_body"]

UNLIMITED = 1 << 62

_BEGUN = 1 << 12  # Bytes of an incomplete first line from which the body counts as begun.


def check_body(request: web.Request, config: ServerConfig) -> None:
    """Raise ProblemError 413 or 415 if the request head rules out the body."""
    if request.content_type == "multipart/form-data":
        raise ProblemError(415, "the body must be NDJSON, not multipart/form-data")
    decoder = decoder_for(request.headers.get("Content-Encoding", ""), config.max_ratio)
    length = request.content_length
    limit = config.max_stream_bytes
    if limit and decoder is None and length is not None and length > limit:
        raise ProblemError(413, f"the body is longer than {limit} bytes (max_stream_bytes)")


class RequestBody:
    """Read the body of a request within its limits.

    Args:
        request: the request, with its body unread.
        connection: its connection.
        config: the limits.
        sink: processes the body. Its `begin` is called when the client has sent a line or 4 KiB.
            With a content coding a single byte is enough, since the decoder allocates memory.

    Attributes:
        protocol: the body protocol, None if aiohttp reads the body or nothing does.
        encoded: whether the body has a content coding.
        waiting: whether a read waits for the client.

    Raises:
        ProblemError: 415, the content coding is not supported.
    """

    def __init__(
        self,
        request: web.Request,
        connection: RequestHandler,
        config: ServerConfig,
        sink: BodySink,
    ) -> None:
        self._content = request.content
        self._connection = connection
        self.protocol: BodyProtocol | None = None
        self._limit = config.max_stream_bytes
        self._decoder = decoder_for(request.headers.get("Content-Encoding", ""), config.max_ratio)
        self._throttle = _Throttle(config.max_chunk_rate)
        # None: the stream has ended.
        self._sink: BodySink | None = sink
        self._has_begun = False
        self._read_bytes = 0
        self._total = 0
        self.encoded = self._decoder is not None
        self.waiting = False

    @property
    def received(self) -> int:
        """Bytes of the body received so far, before decoding."""
        return self.protocol.decoder.received if self.protocol else self._read_bytes

    def start(self) -> None:
        """Start reading."""
        if self._sink is not None:
            self.protocol = self._connection.read_body(self._content, self._sink)

    def release_memory(self) -> None:
        """Release the memory of the receive buffer until the next read."""
        if self.protocol is not None:
            self.protocol.release_memory()

    def stop(self) -> None:
        """Discard the rest of the body."""
        # The sink refers to this object; see `BodyProtocol.discard`.
        self._sink = None
        if self.protocol is not None:
            self._read_bytes = self.protocol.decoder.received
            self.protocol.discard()
            self.protocol = None

    def accept(self, piece: memoryview) -> bool:
        """Count a piece that will be processed immediately.

        Returns:
            False if the piece cannot be processed now, because it is encoded or throttled.

        Raises:
            StreamError: the body is too large, or `begin` failed.
        """
        if self.encoded or self._throttle.delay(self._chunks()) > 0:
            return False
        if not self._has_begun:
            self._check_begun(piece)
        self.count(len(piece))
        return True

    def room(self) -> tuple[int, int]:
        """Return the total bytes and HTTP chunks up to which no limit applies.

        Only for a body without a content coding.
        """
        return self._limit or UNLIMITED, self._throttle.room(self._chunks())

    def count(self, size: int) -> None:
        """Count decoded bytes, and raise StreamError if there are too many.

        A negative size uncounts bytes that will be counted again as part of a later piece.
        """
        self._total += size
        if self._limit and self._total > self._limit:
            raise StreamError(
                StreamErrorCode.STREAM_TOO_LARGE,
                f"the input is longer than {self._limit} bytes (max_stream_bytes)",
            )

    def _check_begun(self, piece: bytes | memoryview) -> None:
        """Call `begin` if this piece holds the first line, or enough of it."""
        if self.encoded or self._total + len(piece) >= _BEGUN or b"\n" in bytes(piece):
            self._begin()

    def _begin(self) -> None:
        if not self._has_begun and self._sink is not None:
            self._has_begun = True
            self._sink.begin()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the decoded body as it arrives.

        Raises:
            StreamError: the body is malformed or too large.
        """
        async for piece in self._decoded():
            if not self._has_begun:
                self._check_begun(piece)
            self.count(len(piece))
            yield piece
            # Do not hold the piece while waiting for the next one.
            del piece
        # The only line may have no LF.
        self._begin()

    async def _decoded(self) -> AsyncIterator[bytes]:
        while data := await self._read():
            if self._decoder is None:
                yield data
                del data
            else:
                self._begin()
                for number, piece in enumerate(self._decoder.decode(data)):
                    if number:
                        # A small body can decode to much data: let other streams run in between.
                        await asyncio.sleep(0)
                    if piece:
                        yield piece
        if self._decoder is not None:
            self._decoder.finish()

    async def _read(self) -> bytes:
        self.waiting = True
        try:
            data = await self._receive()
            delay = self._throttle.delay(self._chunks())
            if delay > 0:
                await asyncio.sleep(delay)
        except web.RequestPayloadError as error:
            _break_cycle(error)
            raise StreamError(
                StreamErrorCode.MALFORMED_BODY, f"the body is malformed: {error}"
            ) from None
        except ConnectionError as error:
            _break_cycle(error)
            raise StreamError(StreamErrorCode.DISCONNECTED) from error
        finally:
            self.waiting = False
        self._read_bytes += len(data)
        return data

    async def _receive(self) -> bytes:
        if self.protocol is None and not self._connection.connected:
            # aiohttp reports a read from a lost connection as an internal error.
            raise ConnectionResetError
        return await (self.protocol or self._content).readany()

    def _chunks(self) -> int:
        if self.protocol is not None:
            return self.protocol.decoder.chunks
        return self._connection.chunks


def _break_cycle(error: Exception) -> None:
    """Break the reference cycle of an error that aiohttp has raised in a read.

    From Python 3.12 on, the future that the read has waited for keeps the error, and a frame in its
    traceback keeps the future.
    """
    error.__traceback__ = None


class _Throttle:
    """Limit the rate of HTTP chunks, with bursts of up to one second's worth.

    Each chunk has a cost regardless of its size, so a sender of tiny chunks could starve other
    streams.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._clock = asyncio.get_running_loop().time
        self._full_at = self._clock()
        self._seen = 0

    def delay(self, chunks: int) -> float:
        """Count up to a total of `chunks`; return for how many seconds to pause reading."""
        now = self._clock()
        self._full_at = max(self._full_at, now) + (chunks - self._seen) / self._rate
        self._seen = chunks
        return self._full_at - now - 1

    def room(self, chunks: int) -> int:
        """Count up to a total of `chunks`; return the total that is allowed now."""
        return chunks - int(self.delay(chunks) * self._rate)
