"""One request and its response, both under way at the same time.

The upload runs in a task of aiohttp's, the response is read by whoever calls `read`. What ends one
of them ends the other, by way of the connection that they share.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import aiohttp
from aiohttp import hdrs
from yarl import URL

from forstcore.errors import RequestRefusedError, StreamFailedError
from forstcore.retry import is_retriable

__all__ = ["NETWORK_ERRORS", "Connection", "abort", "read_some", "reason"]

_READ_SIZE = 1 << 17  # Twice this may wait in memory before reading pauses.
_MOST_OF_A_PROBLEM = 1 << 16

NETWORK_ERRORS = (aiohttp.ClientError, OSError)
"""What sending a request and reading its response raise when the other side is to blame."""


class Connection:
    """A streaming request.

    Args:
        session: the session to send it with.
        url: its URL.
        headers: its headers; with ``Content-Encoding: gzip`` among them the body is compressed.
        body: returns the next piece of the body, empty at its end; or all of the body.
        timeout: seconds after which a connection on which nothing moves is given up.
        first: sent before the server has accepted the stream: what it needs to decide that.

    Attributes:
        accepted: whether the server has answered that it takes the stream.
        sent: bytes of the body so far, before compression.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        headers: Mapping[str, str],
        body: Callable[[], Awaitable[bytes]] | bytes,
        timeout: float,
        first: bytes = b"",
    ) -> None:
        self.sent = 0
        self._session = session
        self._url = url
        self._headers = headers
        self._body = body
        self._timeout = timeout
        self._first = first
        self._accepted = asyncio.Event()
        self._response: aiohttp.ClientResponse | None = None
        self._stopped_by: Exception | None = None
        self._watch: _Watch | None = None

    @property
    def accepted(self) -> bool:
        return self._accepted.is_set()

    async def open(self) -> None:
        """Connect, send the head and `first`; wait until the server accepts the stream.

        Nothing is taken from the body before that.

        Raises:
            RequestRefusedError: it does not.
            StreamFailedError: it could not be reached, or did not answer in time.
        """
        try:
            async with asyncio.timeout(self._timeout):
                self._response = await self._session.post(
                    self._url,
                    data=self._body if isinstance(self._body, bytes) else self._upload(self._body),
                    headers=self._headers,
                    # A body that is consumed cannot be sent to where a redirect points.
                    allow_redirects=False,
                    read_bufsize=_READ_SIZE,
                )
        except TimeoutError as error:
            raise StreamFailedError(
                "timeout",
                f"{self._url} did not accept the stream within {self._timeout:g} seconds; does "
                "something in between wait for the end of it?",
                retriable=True,
            ) from error
        except NETWORK_ERRORS as error:
            raise StreamFailedError(
                "unreachable",
                f"{self._url} cannot be reached: {reason(error)}",
                retriable=is_retriable(error),
            ) from error
        if self._response.status != 200:
            raise await _refusal(self._response)
        self._watch = _Watch(self._timeout, self._look)
        self._accepted.set()

    async def read(self) -> bytes:
        """Return what comes next of the response, empty at its end.

        Raises:
            StreamFailedError: the connection was lost, or nothing moved on it for too long.
            Exception: what `body` raised.
        """
        assert self._response is not None
        assert self._watch is not None
        failure: Exception | None = None
        data = b""
        self._watch.waiting = True
        try:
            data = await read_some(self._response)
        except NETWORK_ERRORS as error:
            failure = error
        self._watch.waiting = False
        self._watch.moved = True
        if self._stopped_by is not None:
            raise self._stopped_by
        if failure is not None:
            raise self.lost(reason(failure)) from failure
        return data

    def lost(self, why: str) -> StreamFailedError:
        """Make the error of a connection that ended before the stream did."""
        return StreamFailedError(
            "disconnected", f"the connection to {self._url} was lost: {why}", retriable=True
        )

    def stop(self, error: Exception) -> None:
        """End the connection, and have `read` raise the error."""
        if self._stopped_by is None:
            self._stopped_by = error
            self.close()

    def close(self) -> None:
        """Close the connection, at once."""
        if self._watch is not None:
            self._watch.stop()
        if self._response is not None:
            abort(self._response)

    async def _upload(self, body: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
        gzip = None
        if self._headers.get(hdrs.CONTENT_ENCODING) == "gzip":
            gzip = zlib.compressobj(1, wbits=31)
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(self._end_of_upload)
        # aiohttp sends the head with the first chunk, and nobody answers before it is there.
        yield self._first
        await self._accepted.wait()
        assert self._watch is not None
        try:
            while piece := await body():
                self.sent += len(piece)
                self._watch.moved = True
                if gzip is not None:
                    piece = gzip.compress(piece) + gzip.flush(zlib.Z_SYNC_FLUSH)
                yield piece
        except Exception as error:
            self.stop(error)
            raise
        if gzip is not None:
            yield gzip.flush()

    def _end_of_upload(self, task: asyncio.Task[object]) -> None:
        # Where the end of the body cannot be written, aiohttp tells nobody who reads.
        if not task.cancelled() and (error := task.exception()) is not None:
            self.stop(self.lost(reason(error)))

    def _look(self, idle: bool) -> None:
        """Give the connection up if it is idle, or if it is closed already."""
        assert self._response is not None
        if idle:
            error = StreamFailedError(
                "timeout",
                f"nothing came from {self._url} or went there for {self._timeout:g} seconds "
                "(timeout)",
                retriable=True,
            )
            self.stop(error)
        elif self._response.connection is not None and self._response.connection.closed:
            # aiohttp does that when a response is malformed, and does not tell who reads it.
            self.stop(self.lost("its response is malformed"))


class _Watch:
    """Look at a connection from time to time while somebody waits for it.

    Ticks of the event loop's timer are counted, not seconds: a loop that stands still between
    two steps of a synchronous caller is not a server that has died.

    Args:
        seconds: how long nothing has to move for a connection to be idle.
        look: called at each tick, with whether it is.

    Attributes:
        waiting: whether somebody waits.
        moved: set when something moves.
    """

    _TICKS = 4

    def __init__(self, seconds: float, look: Callable[[bool], None]) -> None:
        self.waiting = False
        self.moved = False
        self._interval = seconds / self._TICKS
        self._look = look
        self._idle = 0
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._tick)

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._tick)
        self._idle = self._idle + 1 if self.waiting and not self.moved else 0
        self.moved = False
        if self.waiting:
            self._look(self._idle > self._TICKS)


async def read_some(response: aiohttp.ClientResponse) -> bytes:
    """Return what comes next of the body of a response, empty at its end.

    Raises:
        ClientError: it is malformed, or the connection was lost.
    """
    try:
        return await response.content.readany()
    except NETWORK_ERRORS:
        raise
    except Exception as error:
        if response.content.exception() is None:
            raise
        # Where aiohttp has no compiled parser, its other one may raise errors of no public class.
        raise aiohttp.ClientPayloadError(str(error)) from error


def abort(response: aiohttp.ClientResponse) -> None:
    """Close the connection of a response at once; does nothing behind the end of the response."""
    # Closing alone would wait until the other side has taken what is written. It may never.
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()
    response.close()


def reason(error: BaseException) -> str:
    """Say what happened, for people."""
    if isinstance(error, aiohttp.ClientConnectorError):
        # Its own words repeat the address.
        error = error.os_error
    return str(error) or type(error).__name__


async def _refusal(response: aiohttp.ClientResponse) -> RequestRefusedError:
    """Read why a request was not accepted."""
    text = b""
    with contextlib.suppress(TimeoutError, *NETWORK_ERRORS):
        async with asyncio.timeout(5):
            while len(text) < _MOST_OF_A_PROBLEM and (data := await read_some(response)):
                text += data
    detail = ""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        detail = str(json.loads(text)["detail"])
    if not detail and hdrs.LOCATION in response.headers:
        detail = f"redirects are not followed; this one is to {response.headers[hdrs.LOCATION]}"
    retry_after = response.headers.get(hdrs.RETRY_AFTER, "")
    return RequestRefusedError(
        response.status,
        detail or text[:200].decode(errors="replace").strip() or response.reason or "no reason",
        float(retry_after) if retry_after.isdecimal() else None,
    )
