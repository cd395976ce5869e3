"""One request and its response, both in progress at the same time.

The upload runs in a task of aiohttp's; the caller of `read` reads the response. Both share the
connection, so that the end of one ends the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import hdrs
from yarl import URL

from forstcore import wire
from forstcore._io.retry_after import retry_after_seconds
from forstcore.errors import RequestRefusedError, StreamFailedError
from forstcore.retry import is_retriable

__all__ = ["NETWORK_ERRORS", "Body", "Connection", "abort", "read_some", "reason"]

_READ_BUFFER = 1 << 17  # aiohttp pauses reading at twice this many bytes.
_MAX_PROBLEM_SIZE = 1 << 16  # Bytes that are read of an error response.
_PROBLEM_TIMEOUT = 5.0  # Seconds in which an error response has to arrive.

NETWORK_ERRORS = (aiohttp.ClientError, OSError)
"""The exceptions of aiohttp when a request fails because of the network or the server."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request.

    Attributes:
        content: returns the next piece of the body, empty at its end; or the whole body.
        head: sent before the server has accepted the stream: what it needs to decide that.
    """

    content: Callable[[], Awaitable[bytes]] | bytes
    head: bytes = b""


class Connection:
    """A streaming request.

    Args:
        session: the session to send it with.
        url: its URL.
        headers: its headers; with ``Content-Encoding: gzip`` the body is compressed.
        body: its body.
        timeout: seconds without any traffic after which the connection fails.
        eager: whether to send the body before the server has answered, and not to count the time
            in which the body has nothing to send: for servers that answer with the first result
            or after the whole request, and send no heartbeats.

    Attributes:
        accepted: whether the server has accepted the stream.
        sent: bytes of the body sent so far, before compression and without its head.
        has_sent_all: whether the whole body was sent.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        headers: Mapping[str, str],
        body: Body,
        timeout: float,
        *,
        eager: bool = False,
    ) -> None:
        self.sent = 0
        self.has_sent_all = isinstance(body.content, bytes)
        self._session = session
        self._url = url
        self._place = url.with_user(None)  # For messages: without a password.
        self._headers = headers
        self._body = body
        self._timeout = timeout
        self._eager = eager
        self._accepted = asyncio.Event()
        self._opening: asyncio.Timeout | None = None
        self._response: aiohttp.ClientResponse | None = None
        self._stopped_by: Exception | None = None
        self._idle_timer: _IdleTimer | None = None

    @property
    def accepted(self) -> bool:
        return self._accepted.is_set()

    @property
    def has_frames(self) -> bool:
        """Whether the server has announced control lines."""
        response = self._response
        return response is not None and wire.FORST_FRAMES in response.headers

    async def open(self) -> None:
        """Connect, send the headers and the body's head; wait until the server accepts the stream.

        Unless the connection is eager, the body's content is not read before that.

        Raises:
            RequestRefusedError: the server refuses the stream.
            StreamFailedError: the server cannot be reached, or does not answer in time.
            Exception: whatever the body's content raised.
        """
        content = self._body.content
        if self._eager:
            self._start_idle_timer()
        try:
            async with asyncio.timeout(None if self._eager else self._timeout) as self._opening:
                self._response = await self._session.post(
                    self._url,
                    data=content if isinstance(content, bytes) else self._upload(content),
                    headers=self._headers,
                    # A consumed body cannot be sent again to the target of a redirect.
                    allow_redirects=False,
                    read_bufsize=_READ_BUFFER,
                )
        except TimeoutError as error:
            if self._stopped_by is not None:
                raise self._stopped_by from None
            raise StreamFailedError(
                "timeout",
                f"{self._place} did not accept the stream within {self._timeout:g} seconds; does "
                "a proxy buffer the request until its end, or is this a server of another kind "
                "(frames='auto')?",
                retriable=True,
            ) from error
        except NETWORK_ERRORS as error:
            if self._stopped_by is not None:
                raise self._stopped_by from None
            raise StreamFailedError(
                "unreachable",
                f"{self._place} cannot be reached: {reason(error)}",
                retriable=is_retriable(error),
            ) from error
        finally:
            self._opening = None
        if self._response.status != 200:
            raise await _refusal(self._response)
        if not self._eager:
            self._start_idle_timer()
        self._accepted.set()

    async def read(self) -> bytes:
        """Return the next part of the response, empty at its end.

        Raises:
            StreamFailedError: the connection was lost, or was idle for too long.
            Exception: whatever the body's content raised.
        """
        assert self._response is not None
        assert self._idle_timer is not None
        failure: Exception | None = None
        data = b""
        self._idle_timer.is_waiting = True
        try:
            data = await read_some(self._response)
        except NETWORK_ERRORS as error:
            failure = error
        self._idle_timer.is_waiting = False
        self._idle_timer.has_moved = True
        if self._stopped_by is not None:
            raise self._stopped_by
        if failure is not None:
            raise self.lost(reason(failure)) from failure
        return data

    def lost(self, why: str) -> StreamFailedError:
        """Return the error of a connection that ended before the stream did."""
        return StreamFailedError(
            "disconnected", f"the connection to {self._place} was lost: {why}", retriable=True
        )

    def stop(self, error: Exception) -> None:
        """Close the connection, and make `read` raise the error."""
        if self._stopped_by is None:
            self._stopped_by = error
            if self._opening is not None:
                self._opening.reschedule(asyncio.get_running_loop().time())
            self.close()

    def close(self) -> None:
        """Close the connection at once."""
        if self._idle_timer is not None:
            self._idle_timer.stop()
        if self._response is not None:
            abort(self._response)

    def _start_idle_timer(self) -> None:
        self._idle_timer = _IdleTimer(self._timeout, self._tick)
        self._idle_timer.is_waiting = True

    async def _upload(self, next_piece: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
        gzip = None
        if self._headers.get(hdrs.CONTENT_ENCODING) == "gzip":
            gzip = zlib.compressobj(1, wbits=31)
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(self._end_of_upload)
        # aiohttp sends the headers with the first chunk, so there must be one before the response.
        yield self._body.head
        if not self._eager:
            await self._accepted.wait()
        assert self._idle_timer is not None
        try:
            while True:
                self._idle_timer.is_excused = self._eager
                piece = await next_piece()
                self._idle_timer.is_excused = False
                if not piece:
                    break
                self.sent += len(piece)
                self._idle_timer.has_moved = True
                if gzip is not None:
                    piece = gzip.compress(piece) + gzip.flush(zlib.Z_SYNC_FLUSH)
                yield piece
        except Exception as error:
            self.stop(error)
            raise
        if gzip is not None:
            yield gzip.flush()
        self.has_sent_all = True

    def _end_of_upload(self, task: asyncio.Task[object]) -> None:
        # aiohttp does not tell the reader when the end of the body cannot be written.
        if not task.cancelled() and (error := task.exception()) is not None:
            self.stop(self.lost(reason(error)))

    def _tick(self, is_idle: bool) -> None:
        """Stop if the connection is idle, or already closed."""
        if is_idle:
            error = StreamFailedError(
                "timeout",
                f"nothing was received from {self._place} or sent to it for {self._timeout:g} "
                "seconds (timeout)",
                retriable=True,
            )
            self.stop(error)
            return
        connection = None if self._response is None else self._response.connection
        if connection is not None and connection.closed:
            # aiohttp closes it when a response is malformed, without telling the reader.
            self.stop(self.lost("its response is malformed"))


class _IdleTimer:
    """Detects that a connection is idle while a caller waits for it.

    It counts ticks of the event loop's timer, not seconds: a loop that does not run, between two
    steps of a synchronous caller, must not look like a dead server.

    Args:
        seconds: how long nothing has to move for the connection to be idle.
        tick: called at each tick while a caller waits, with whether the connection is idle.

    Attributes:
        is_waiting: whether a caller waits.
        is_excused: whether nothing has to move at present.
        has_moved: set when something moves.
    """

    _TICKS = 4

    def __init__(self, seconds: float, tick: Callable[[bool], None]) -> None:
        self.is_waiting = False
        self.is_excused = False
        self.has_moved = False
        self._interval = seconds / self._TICKS
        self._on_tick = tick
        self._idle_ticks = 0
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._tick)

    def stop(self) -> None:
        """Stop ticking."""
        self._timer.cancel()

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._tick)
        is_idle = self.is_waiting and not self.is_excused and not self.has_moved
        self._idle_ticks = self._idle_ticks + 1 if is_idle else 0
        self.has_moved = False
        if self.is_waiting:
            self._on_tick(self._idle_ticks > self._TICKS)


async def read_some(response: aiohttp.ClientResponse) -> bytes:
    """Return the next part of a response's body, empty at its end.

    Raises:
        ClientError: the body is malformed, or the connection was lost; raised once everything
            that arrived before is read.
    """
    content = response.content
    try:
        return await content.readany()
    except Exception as error:
        failure = content.exception()
        if failure is None:
            raise
        # aiohttp raises this even if there is more to read.
        content.set_exception(None)  # type: ignore[arg-type]
        rest = content.read_nowait()
        content.set_exception(failure)
        if rest:
            return rest
        if isinstance(error, NETWORK_ERRORS):
            raise
        # Without its compiled parser, aiohttp may raise errors that are in no public class.
        raise aiohttp.ClientPayloadError(str(error)) from error


def abort(response: aiohttp.ClientResponse) -> None:
    """Close the connection of a response at once; do nothing after the end of the response."""
    # `close` alone would wait, maybe forever, until the peer has taken what was written.
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()
    response.close()


def reason(error: BaseException) -> str:
    """Describe what happened in a message."""
    if isinstance(error, aiohttp.ClientConnectorError):
        # Its own message repeats the address.
        error = error.os_error
    return str(error) or type(error).__name__


async def _refusal(response: aiohttp.ClientResponse) -> RequestRefusedError:
    """Return the error of a request that was not accepted."""
    text = b""
    with contextlib.suppress(TimeoutError, *NETWORK_ERRORS):
        async with asyncio.timeout(_PROBLEM_TIMEOUT):
            while len(text) < _MAX_PROBLEM_SIZE and (data := await read_some(response)):
                text += data
    detail = ""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        detail = str(json.loads(text)["detail"])
    if not detail and hdrs.LOCATION in response.headers:
        detail = f"redirects are not followed; this one leads to {response.headers[hdrs.LOCATION]}"
    return RequestRefusedError(
        response.status,
        detail or text[:200].decode(errors="replace").strip() or response.reason or "no reason",
        retry_after_seconds(response.headers),
    )
