"""The loop behind every stream of a client: connect, send, read, and resume after a loss."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict

from forstcore import wire
from forstcore._client.connection import Connection
from forstcore._client.frame_reader import FrameReader, Summary, without_blank_lines
from forstcore._client.server_address import ServerAddress
from forstcore._client.stream_request import StreamRequest
from forstcore._io.chunker import ProducerError
from forstcore._tracing import inject_context
from forstcore.config import StreamingConfig
from forstcore.errors import RequestRefusedError, StreamFailedError
from forstcore.retry import pause_before

__all__ = ["Transfer"]

_LOGGER = logging.getLogger("forstcore")

# aiohttp does the framing, and hop-by-hop headers of a proxy's own request do not apply here.
_IGNORED_HEADERS = (
    hdrs.CONNECTION,
    hdrs.CONTENT_ENCODING,
    hdrs.CONTENT_LENGTH,
    hdrs.HOST,
    hdrs.TRANSFER_ENCODING,
)


class Transfer:
    """Send a request and receive its results, over as many connections as it takes.

    Args:
        server: the server.
        endpoint: path of the endpoint.
        request: what is sent, and how it resumes.
        config: timeout, retries, and whether to accept compressed results.
        headers: more request headers; those that concern HTTP framing are ignored.
        needs_frames: whether the response must have control lines; if not, only that of a server
            that sends some.

    Attributes:
        connections: how many connections were made so far.
        summary: the server's summary at the end of the last connection, None before that.
        missed: how many records a live stream left out so far, None if that is unknown.
    """

    def __init__(
        self,
        server: ServerAddress,
        endpoint: str,
        request: StreamRequest,
        config: StreamingConfig,
        headers: Mapping[str, str],
        *,
        needs_frames: bool = True,
    ) -> None:
        self.connections = 0
        self.summary: Summary | None = None
        self.missed: int | None = 0
        self._server = server
        self._url = server.url(endpoint)
        self._request = request
        self._config = config
        self._needs_frames = needs_frames
        self._headers = CIMultiDict(headers)
        for name in _IGNORED_HEADERS:
            self._headers.popall(name, None)
        self._failures = 0  # since the last progress
        self._connection: Connection | None = None
        self._stopped_by: StreamFailedError | None = None

    @property
    def lines(self) -> int:
        """Input lines acknowledged so far."""
        return self._request.lines

    async def pieces(self, session: aiohttp.ClientSession) -> AsyncGenerator[list[bytes], None]:
        """Run the stream; yield pieces of whole result lines as they come.

        Raises:
            RequestRefusedError: the server answered with an error.
            StreamFailedError: the stream failed before its end.
            BaseException: whatever the producer raised, unchanged.
        """
        request = self._request
        producer_error: BaseException | None = None
        try:
            while True:
                connection = self._connect(session)
                frames = FrameReader(hold=request.resume)
                try:
                    await connection.open()
                    if request.accept_is_progress:
                        self._failures = 0
                    while data := await connection.read():
                        pieces = frames.feed(data)
                        if not self._has_frames(frames, connection):
                            pieces = list(filter(None, map(without_blank_lines, pieces)))
                        if frames.missed:
                            self._count_missed(frames)
                        lines = request.lines
                        for results in request.deliver(pieces, frames):
                            if results:
                                yield results
                            await request.delivered()
                        if request.lines > lines:
                            self._failures = 0
                        if frames.error is not None:
                            raise frames.error
                    if not self._has_frames(frames, connection):
                        if not connection.has_sent_all:
                            raise connection.lost("the response ended before the request")
                        if rest := frames.rest().strip():
                            yield [rest + b"\n"]
                        return
                    if frames.summary is None:
                        raise connection.lost(_without_end(frames, connection))
                    self.summary = frames.summary
                    request.check(frames.summary, connection)
                    return
                except (RequestRefusedError, StreamFailedError) as error:
                    pause = self._pause_after(error, connection)
                except GeneratorExit:
                    await request.leave(connection)
                    raise
                finally:
                    connection.close()
                self.summary = None
                await asyncio.sleep(pause)
                if connection.accepted and not await request.has_more():
                    return
        except ProducerError as error:
            producer_error = error.error
        finally:
            await request.close()
        # Raised outside of the handler, so that it reaches the caller without a context.
        if producer_error is not None:
            raise producer_error

    async def stop(self) -> None:
        """End the stream; raise an error to the code that iterates over it."""
        self._stopped_by = StreamFailedError("closed", "the client was closed", self.lines)
        if self._connection is not None:
            self._connection.stop(self._stopped_by)
        await self._request.close()

    def _connect(self, session: aiohttp.ClientSession) -> Connection:
        """Prepare the next connection; raise the error of a stream that was stopped."""
        if self._stopped_by:
            raise self._stopped_by
        headers = self._headers.copy()
        if "traceparent" not in headers:
            inject_context(headers)
        headers[wire.FORST_FRAMES] = "1"
        if self._server.token:
            headers.setdefault(hdrs.AUTHORIZATION, f"Bearer {self._server.token}")
        if not self._config.compression:
            headers[hdrs.ACCEPT_ENCODING] = "identity"
        body = self._request.begin(headers)
        self.connections += 1
        self._connection = Connection(
            session,
            self._url,
            headers,
            body,
            self._config.timeout,
            eager=not self._needs_frames,
        )
        return self._connection

    def _has_frames(self, frames: FrameReader, connection: Connection) -> bool:
        return self._needs_frames or frames.has_frames or connection.has_frames

    def _count_missed(self, frames: FrameReader) -> None:
        for missed in frames.missed:
            records = "record was" if missed == "1" else "records were"
            _LOGGER.warning("%s: %s %s missed", self._url, missed, records)
            is_unknown = missed == "?" or self.missed is None
            self.missed = None if is_unknown else (self.missed or 0) + int(missed)
        frames.missed.clear()

    def _pause_after(
        self, error: RequestRefusedError | StreamFailedError, connection: Connection
    ) -> float:
        """Return how long to wait before the next connection; raise if there is to be none."""
        request = self._request
        if isinstance(error, StreamFailedError):
            error.lines = self.lines
        if request.reconnects_at_once(error, connection):
            return 0.0
        self._failures += 1
        is_consumed = request.is_consumed(connection)
        can_retry = error.retriable and (request.resume or not is_consumed)
        if not can_retry or self._failures >= self._config.retry.attempts:
            if isinstance(error, RequestRefusedError) and is_consumed:
                raise StreamFailedError("refused", str(error), self.lines) from error
            raise error
        pause = pause_before(self._config.retry, self._failures)
        if isinstance(error, RequestRefusedError) and error.retry_after is not None:
            pause = max(pause, error.retry_after)
        level = logging.WARNING if self._failures == 1 else logging.INFO
        _LOGGER.log(level, "%s; reconnecting in %.1f seconds", error, pause)
        return pause


def _without_end(frames: FrameReader, connection: Connection) -> str:
    """Return what is wrong with a response that ended without `:end`."""
    why = "the response ended before its :end line"
    if frames.has_frames or connection.has_frames:
        return why
    return f"{why}, and had no control lines; other servers than forstcore need frames='auto'"
