"""The input side of a stream: from the connection to pieces for the core."""

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

_BEGUN = 1 << 12  # Bytes of a first line with which a body has begun although it has no end yet.


def check_body(request: web.Request, config: ServerConfig) -> None:
    """Raise ProblemError 413 or 415 if the head alone tells that the body cannot be taken."""
    if request.content_type == "multipart/form-data":
        raise ProblemError(415, "the body must be NDJSON as it is, not multipart/form-data")
    decoder = decoder_for(request.headers.get("Content-Encoding", ""), config.max_ratio)
    length = request.content_length
    limit = config.max_stream_bytes
    if limit and decoder is None and length is not None and length > limit:
        raise ProblemError(413, f"the body is longer than {limit} bytes (max_stream_bytes)")


class RequestBody:
    """Read the body of a request within its limits.

    Args:
        request: the request; its body has not been read yet.
        connection: its connection.
        config: the limits.
        sink: processes the body. Its `begin` is called when the client has sent a line, or so
            much of one that it takes memory. With a content coding a single byte is enough,
            since the decoder allocates memory.

    Attributes:
        protocol: reads the body, None if aiohttp does, or nothing reads it.
        encoded: whether the body has a content coding.
        waiting: whether a read waits for the client.

    Raises:
        ProblemError: 415, there is no decoder for the body.
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
        """Bytes of the body so far, content coding as it came."""
        return self.protocol.decoder.received if self.protocol else self._read_bytes

    def start(self) -> None:
        """Start reading."""
        if self._sink is not None:
            self.protocol = self._connection.read_body(self._content, self._sink)

    def release_memory(self) -> None:
        """Hold no memory for input until the next read."""
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
        """Count a piece that is to be processed now.

        Returns:
            False if the piece cannot be processed now: it must be decoded, or came too early.

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
        """Tell how many bytes and HTTP chunks in all may come before anything is looked at.

        For a body without a content coding.
        """
        return self._limit or UNLIMITED, self._throttle.room(self._chunks())

    def count(self, size: int) -> None:
        """Count decoded bytes; raise StreamError where there are too many.

        A negative number for bytes that have been counted and will come in a piece.
        """
        self._total += size
        if self._limit and self._total > self._limit:
            raise StreamError(
                StreamErrorCode.STREAM_TOO_LARGE,
                f"the input is longer than {self._limit} bytes (max_stream_bytes)",
            )

    def _check_begun(self, piece: bytes | memoryview) -> None:
        """Call `begin` if the client has begun to send records with this piece."""
        if self.encoded or self._total + len(piece) >= _BEGUN or b"\n" in bytes(piece):
            self._begin()

    def _begin(self) -> None:
        if not self._has_begun and self._sink is not None:
            self._has_begun = True
            self._sink.begin()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body, decoded, as it comes.

        Raises:
            StreamError: the body is malformed or too large.
        """
        async for piece in self._decoded():
            if not self._has_begun:
                self._check_begun(piece)
            self.count(len(piece))
            yield piece
            # The next one may be long in coming.
            del piece
        # The last line may have no end, and be the first.
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
                        # A small body can hold much: others have their turn before more of it.
                        await asyncio.sleep(0)
                    if piece:
                        yield piece
        if self._decoder is not None:
            self._decoder.finish()

    async def _read(self) -> bytes:
        self.waiting = True
        try:
            if self.protocol is None and not self._connection.connected:
                # aiohttp takes a read from a connection that was lost for an error of the server.
                raise ConnectionResetError
            data = await (self.protocol or self._content).readany()
            delay = self._throttle.delay(self._chunks())
            if delay > 0:
                await asyncio.sleep(delay)
        except web.RequestPayloadError as error:
            raise StreamError(
                StreamErrorCode.MALFORMED_BODY, f"the body is malformed: {error}"
            ) from None
        except ConnectionError as error:
            raise StreamError(StreamErrorCode.DISCONNECTED) from error
        finally:
            self.waiting = False
        self._read_bytes += len(data)
        return data

    def _chunks(self) -> int:
        if self.protocol is not None:
            return self.protocol.decoder.chunks
        return self._connection.chunks


class _Throttle:
    """Let through a bounded number of HTTP chunks a second, with a second's worth at once.

    Each costs something however few bytes it carries, so a sender of tiny ones could keep
    the event loop from everybody else.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._clock = asyncio.get_running_loop().time
        self._full_at = self._clock()
        self._seen = 0

    def delay(self, chunks: int) -> float:
        """Count up to `chunks` in all; return how many seconds they came too early."""
        now = self._clock()
        self._full_at = max(self._full_at, now) + (chunks - self._seen) / self._rate
        self._seen = chunks
        return self._full_at - now - 1

    def room(self, chunks: int) -> int:
        """Count up to `chunks` in all; return how many in all are not too early now."""
        return chunks - int(self.delay(chunks) * self._rate)
