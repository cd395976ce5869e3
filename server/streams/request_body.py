"""The input side of a stream: from the connection to pieces for the core."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from aiohttp import web

from forstcore.wire import StreamErrorCode
from server.config import ServerConfig
from server.errors import ProblemError, StreamError
from server.http.body_protocol import BodyProtocol
from server.http.compression import decoder_for
from server.http.protocol import RequestHandler

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
        protocol: its connection.
        config: the limits.
        on_begin: called when the client has begun to send: a line, or a part of one that takes
            memory. With a content coding the first byte does, for what its decoder allocates.
            What it raises ends the reading.

    Attributes:
        encoded: whether the body has a content coding.
        waiting: whether a read waits for the client.

    Raises:
        ProblemError: 415, there is no decoder for the body.
    """

    def __init__(
        self,
        request: web.Request,
        protocol: RequestHandler,
        config: ServerConfig,
        on_begin: Callable[[], None],
    ) -> None:
        self._content = request.content
        self._protocol = protocol
        self._body_protocol: BodyProtocol | None = None
        self._limit = config.max_stream_bytes
        self._decoder = decoder_for(request.headers.get("Content-Encoding", ""), config.max_ratio)
        self._throttle = _Throttle(config.max_chunk_rate)
        self._on_begin: Callable[[], None] | None = on_begin
        self._read_bytes = 0
        self._total = 0
        self.encoded = self._decoder is not None
        self.waiting = False

    @property
    def received(self) -> int:
        """Bytes of the body so far, content coding as it came."""
        return self._body_protocol.decoder.received if self._body_protocol else self._read_bytes

    def start(
        self,
        at_once: Callable[[memoryview], int] = lambda _: 0,
        go_on: Callable[[BodyProtocol], None] = lambda _: None,
    ) -> BodyProtocol | None:
        """Begin to read; tell whether that is by a takeover, which see for the arguments."""

        def look_first(piece: memoryview) -> int:
            if self._on_begin is not None:
                self._look(piece)
            elif self._body_protocol is not None:
                # There is nothing to look for any more.
                self._body_protocol.at_once = at_once
            return at_once(piece)

        self._body_protocol = self._protocol.take_over(self._content, look_first, go_on)
        return self._body_protocol

    def rest(self) -> None:
        """Hold no memory for input that does not come."""
        if self._body_protocol is not None:
            self._body_protocol.rest()

    def stop(self) -> None:
        """Drop what is still to come."""
        self._on_begin = None
        if self._body_protocol is not None:
            self._body_protocol.discard()

    def may_go_at_once(self) -> bool:
        """Tell whether the next piece needs neither decoding nor slowing down."""
        return not self.encoded and self._throttle.delay(self._chunks()) <= 0

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

    def _look(self, piece: bytes | memoryview) -> None:
        """Find out whether the client has begun to send."""
        if self.encoded or self._total + len(piece) >= _BEGUN or b"\n" in bytes(piece):
            self._begin()

    def _begin(self) -> None:
        if self._on_begin is not None:
            begin, self._on_begin = self._on_begin, None
            begin()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body, decoded, as it comes.

        Raises:
            StreamError: the body is malformed or too large.
        """
        async for piece in self._decoded():
            if self._on_begin is not None:
                self._look(piece)
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
            if self._body_protocol is None and not self._protocol.connected:
                # aiohttp takes a read from a connection that was lost for an error of the server.
                raise ConnectionResetError
            data = await (self._body_protocol or self._content).readany()
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
        if self._body_protocol is not None:
            return self._body_protocol.decoder.chunks
        return self._protocol.chunks


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
