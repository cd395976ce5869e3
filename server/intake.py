"""The input side of a stream: from the connection to pieces for the core."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from server.compression import decoder_for
from server.config import ServerConfig
from server.errors import ProblemError, StreamError
from server.protocol import RequestHandler

__all__ = ["Intake", "check_body"]


def check_body(request: web.Request, config: ServerConfig) -> None:
    """Raise ProblemError 413 or 415 if the head alone tells that the body cannot be taken."""
    if request.content_type == "multipart/form-data":
        raise ProblemError(415, "the body must be NDJSON as it is, not multipart/form-data")
    decoder = decoder_for(request.headers.get("Content-Encoding", ""), config.max_ratio)
    length = request.content_length
    limit = config.max_stream_bytes
    if limit and decoder is None and length is not None and length > limit:
        raise ProblemError(413, f"the body is longer than {limit} bytes (max_stream_bytes)")


class Intake:
    """Read the body of a request within its limits.

    Args:
        request: the request; its body has not been read yet.
        protocol: its connection.
        config: the limits.

    Attributes:
        received: bytes read from the connection, encoded as they came.
        waiting: whether a read waits for the client.

    Raises:
        ProblemError: 415, there is no decoder for the body.
    """

    def __init__(
        self, request: web.Request, protocol: RequestHandler, config: ServerConfig
    ) -> None:
        self._content = request.content
        self._config = config
        self._decoder = decoder_for(request.headers.get("Content-Encoding", ""), config.max_ratio)
        self._chunks = _Throttle(protocol, config.max_chunk_rate)
        self.received = 0
        self.waiting = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body, decoded, as it comes.

        Raises:
            StreamError: the body is malformed or too large.
        """
        total = 0
        limit = self._config.max_stream_bytes
        async for piece in self._decoded():
            total += len(piece)
            if limit and total > limit:
                raise StreamError(
                    "stream_too_large",
                    413,
                    f"the input is longer than {limit} bytes (max_stream_bytes)",
                )
            yield piece

    async def _decoded(self) -> AsyncIterator[bytes]:
        while data := await self._read():
            if self._decoder is None:
                yield data
            else:
                for piece in self._decoder.decode(data):
                    yield piece
        if self._decoder is not None:
            self._decoder.finish()

    async def _read(self) -> bytes:
        self.waiting = True
        try:
            data = await self._content.readany()
            await self._chunks.take()
        except web.RequestPayloadError as error:
            # Nothing more can be read, so nothing is to be waited for after the response.
            self._content.feed_eof()
            raise StreamError("malformed_body", 400, f"the body is malformed: {error}") from None
        except ConnectionError as error:
            raise StreamError("disconnected", 400, "the client went away") from error
        finally:
            self.waiting = False
        self.received += len(data)
        return data


class _Throttle:
    """Let through a bounded number of HTTP chunks a second, with a second's worth at once.

    Each costs the same however few bytes it carries, so a sender of tiny ones could keep
    the event loop from everybody else. They are counted by their framing, which is five
    bytes and more each: aiohttp does not count them.
    """

    def __init__(self, protocol: RequestHandler, rate: int) -> None:
        self._protocol = protocol
        self._rate = rate
        self._seen = protocol.framing
        self._clock = asyncio.get_running_loop().time
        self._full_at = self._clock()

    async def take(self) -> None:
        count = (self._protocol.framing - self._seen) / 6
        self._seen = self._protocol.framing
        now = self._clock()
        self._full_at = max(self._full_at, now) + count / self._rate
        if self._full_at - now > 1:
            await asyncio.sleep(self._full_at - now - 1)
