"""One stream of a client, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict

from forstcore._client.connection import Connection
from forstcore._client.frame_reader import FrameReader, Summary
from forstcore._client.server_url import Target
from forstcore._client.window import Passage, Window
from forstcore._io.chunker import Grouper, ProducerError
from forstcore.config import StreamingConfig
from forstcore.errors import RequestRefusedError, StreamFailedError
from forstcore.retry import pause_before

__all__ = ["Transfer"]

_LOGGER = logging.getLogger("forstcore")

# Framing is aiohttp's, and a proxy's words on its own connection are nobody else's.
_NOT_FOR_USERS = (
    hdrs.CONNECTION,
    hdrs.CONTENT_ENCODING,
    hdrs.CONTENT_LENGTH,
    hdrs.HOST,
    hdrs.TRANSFER_ENCODING,
)


class Transfer:
    """Send what a producer yields, and receive the results.

    Args:
        target: the server.
        endpoint: path of the endpoint.
        body: where the chunks come from; or all of a body that is no stream.
        config: sizes, times and retries.
        headers: more request headers; those that concern HTTP framing are left out.
        resume: whether to keep what is not acknowledged, and to send it again over a new
            connection when one is lost.

    Attributes:
        connections: how many connections were made so far.
        summary: what the server said at the end, None without that; of the last connection,
            if there were several.
        missed: records that a live stream left out so far, None if that is not known.
    """

    def __init__(
        self,
        target: Target,
        endpoint: str,
        body: Grouper | bytes,
        config: StreamingConfig,
        headers: Mapping[str, str],
        *,
        resume: bool,
    ) -> None:
        self.connections = 0
        self.summary: Summary | None = None
        self.missed: int | None = 0
        self._target = target
        self._url = target.url(endpoint)
        self._body = body
        self._config = config
        self._headers = CIMultiDict(headers)
        for name in _NOT_FOR_USERS:
            self._headers.popall(name, None)
        self._resume = resume
        self._window: Window | Passage = Passage(config.chunk_size)
        if resume:
            self._window = Window(config.buffer_size, config.chunk_size)
        self._used = False  # whether something was taken from the producer
        self._ended = False  # whether the producer has ended
        self._failures = 0  # since the last progress
        self._connection: Connection | None = None
        self._closed: StreamFailedError | None = None

    @property
    def lines(self) -> int:
        """Input lines acknowledged so far."""
        return self._window.acked

    async def pieces(self, session: aiohttp.ClientSession) -> AsyncGenerator[list[bytes], None]:
        """Run the stream; yield pieces of whole result lines as they come.

        Raises:
            RequestRefusedError: the server answered with an error.
            StreamFailedError: the stream ended before its end.
            BaseException: whatever the producer raised, as it was.
        """
        failed: BaseException | None = None
        has_results = False
        try:
            while True:
                body = self._body if isinstance(self._body, bytes) else self._next_piece
                connection = self._connect(session, body)
                self._window.rewind()
                frames = FrameReader(hold=self._resume)
                try:
                    await connection.open()
                    while data := await connection.read():
                        pieces = frames.feed(data)
                        if self._window.ack(frames.acked):
                            self._failures = 0
                        if pieces:
                            has_results = True
                            yield pieces
                        if frames.error is not None:
                            raise frames.error
                    self.summary = self._checked(frames.summary, connection)
                    if not has_results:
                        self._check_records(self.summary)
                    return
                except (RequestRefusedError, StreamFailedError) as error:
                    pause = self._pause_after(error, connection)
                finally:
                    connection.close()
                await asyncio.sleep(pause)
                if connection.accepted and await self._is_complete():
                    return
        except ProducerError as error:
            failed = error.error
        finally:
            if not isinstance(self._body, bytes):
                await self._body.close()
        # Not while handling anything: it is to reach the caller as it was.
        if failed is not None:
            raise failed

    async def stop(self) -> None:
        """End the stream with an error, for whoever iterates over it."""
        self._closed = StreamFailedError("closed", "the client was closed", self.lines)
        if self._connection is not None:
            self._connection.stop(self._closed)
        if not isinstance(self._body, bytes):
            await self._body.close()

    def _connect(
        self,
        session: aiohttp.ClientSession,
        body: Callable[[], Awaitable[bytes]] | bytes,
        first: bytes = b"",
    ) -> Connection:
        """Make the next connection; raise the error of a stream that was stopped."""
        if self._closed:
            raise self._closed
        self.connections += 1
        self._connection = Connection(
            session, self._url, self._request_headers(), body, self._config.timeout, first
        )
        return self._connection

    def _request_headers(self) -> CIMultiDict[str]:
        headers = self._headers.copy()
        headers["Forst-Frames"] = "1"
        if self._target.token:
            headers.setdefault(hdrs.AUTHORIZATION, f"Bearer {self._target.token}")
        if not self._config.compression:
            headers[hdrs.ACCEPT_ENCODING] = "identity"
        if isinstance(self._body, bytes):
            headers[hdrs.CONTENT_TYPE] = "application/json"
            return headers
        headers[hdrs.CONTENT_TYPE] = "application/x-ndjson"
        if self._config.compression:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        if self.lines:
            # The caller's input may be the rest of another one.
            first = int(self._headers.get("Forst-First-Line", 1))
            headers["Forst-First-Line"] = str(first + self.lines)
        return headers

    async def _next_piece(self) -> bytes:
        """Return what is to be sent next, empty at the end."""
        assert not isinstance(self._body, bytes)
        while True:
            piece = self._window.next()
            if piece is not None:
                return piece
            if self._ended:
                return b""
            await self._window.room()
            self._used = True
            await self._take()

    async def _take(self) -> None:
        """Move a chunk from the producer to the window."""
        assert not isinstance(self._body, bytes)
        chunk = await self._body.take()
        if chunk:
            self._window.put(chunk)
        else:
            self._window.finish()
            self._ended = True

    def _checked(self, summary: Summary | None, connection: Connection) -> Summary:
        """Return the summary if the response ended as that of a whole stream does."""
        if summary is None:
            raise connection.lost("the response ended before its :end line")
        if not isinstance(self._body, bytes) and summary["bytes_in"] != connection.sent:
            raise connection.lost(f"{summary['bytes_in']} of {connection.sent} bytes arrived there")
        return summary

    def _check_records(self, summary: Summary) -> None:
        """Raise StreamFailedError if there was input, and not one record in it."""
        # After a loss the counts are those of the last connection.
        if self.connections > 1 or summary["records"] or not summary["errors"]:
            return
        codes = summary.get("errors_by_code", {}).items()
        reasons = ", ".join(f"{code}: {count}" for code, count in sorted(codes))
        raise StreamFailedError(
            "no_records",
            f"not one of {summary['lines']} lines was a record ({reasons}); on_error='emit' "
            "tells more",
        )

    def _pause_after(
        self, error: RequestRefusedError | StreamFailedError, connection: Connection
    ) -> float:
        """Return how long to wait before another connection; raise if there is to be none."""
        if isinstance(error, StreamFailedError):
            error.lines = self.lines
        lost = self._used or (connection.accepted and isinstance(self._body, bytes))
        again = error.retriable and (self._resume or not lost)
        if again and self._idle_too_long(error):
            return 0.0
        self._failures += 1
        if not again or self._failures >= self._config.retry.attempts:
            if isinstance(error, RequestRefusedError) and lost:
                raise StreamFailedError("refused", str(error), self.lines) from error
            raise error
        pause = pause_before(self._config.retry, self._failures)
        if isinstance(error, RequestRefusedError) and error.retry_after is not None:
            pause = max(pause, error.retry_after)
        _LOGGER.info("%s; going on in %.1f seconds", error, pause)
        return pause

    def _idle_too_long(self, error: RequestRefusedError | StreamFailedError) -> bool:
        """Tell whether the server gave up because there was nothing to send."""
        return (
            isinstance(self._window, Window)
            and self._window.empty
            and isinstance(error, StreamFailedError)
            and error.code == "timeout"
        )

    async def _is_complete(self) -> bool:
        """Wait until there is something to send over a new connection; say if there will not be."""
        if isinstance(self._body, bytes) or not isinstance(self._window, Window):
            return False
        while self._window.empty and not self._ended:
            await self._take()
        return self._window.empty
