"""A WebSocket as the connection of a stream, for full duplex from a page.

A text message from the client contains whole lines, and needs no LF at its end. Binary messages
are the bytes of the body, split anywhere. The text message `:end` ends the body, since a page that
closes its WebSocket receives nothing more.

Browsers read a WebSocket even if the page does not consume the messages. So the protocol has its
own flow control: each side says with the text message `:room N` how many bytes of messages the
other may have sent in total. At that limit, a side stops reading from its stream.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, hdrs, web

from forstcore import wire
from forstcore.wire import StreamErrorCode
from server.background import create_logged_task
from server.config import ServerConfig
from server.errors import ProblemError, StreamError
from server.http.request_handler import RequestHandler
from server.http.request_headers import with_query_headers
from server.http.web_socket_frames import BINARY, PING, TEXT, frame
from server.streams.response_writer import StreamingResponse

__all__ = ["StreamSocket", "is_web_socket", "web_socket_request"]

_ROOM = 1 << 18  # Bytes of messages that may wait to be processed.
_LEAST_MESSAGE = 1 << 20  # Bytes of a message that are allowed in any case.
_CLOSING = 10.0  # Time limit in seconds for the client to confirm that it closes.
_NUMBER = re.compile("[0-9]{1,15}")

_CODES: dict[str, WSCloseCode] = {
    StreamErrorCode.DRAINING: WSCloseCode.SERVICE_RESTART,
    StreamErrorCode.OVERLOADED: WSCloseCode.TRY_AGAIN_LATER,
    StreamErrorCode.TIMEOUT: WSCloseCode.TRY_AGAIN_LATER,
    StreamErrorCode.INTERNAL: WSCloseCode.INTERNAL_ERROR,
    StreamErrorCode.SOURCE: WSCloseCode.INTERNAL_ERROR,
    StreamErrorCode.SPOOL: WSCloseCode.INTERNAL_ERROR,
    StreamErrorCode.STREAM_TOO_LARGE: WSCloseCode.MESSAGE_TOO_BIG,
}


def is_web_socket(request: web.BaseRequest) -> bool:
    """Return whether a request wants to become a WebSocket."""
    return request.headers.get(hdrs.UPGRADE, "").strip().lower() == "websocket"


def web_socket_request(request: web.Request) -> web.Request:
    """Check the request of a WebSocket; return it with headers from its query.

    Raises:
        ProblemError: 426, it is not one; 400, it is malformed.
    """
    if not is_web_socket(request):
        raise ProblemError(
            426,
            f"{request.path} takes POST, or GET that becomes a WebSocket",
            headers={"Upgrade": "websocket"},
        )
    if request.method != "GET" or request.can_read_body:
        raise ProblemError(400, "a WebSocket begins with a GET request without a body")
    headers = request.headers.copy()
    # aiohttp would log each one, since none is supported.
    headers.popall(hdrs.SEC_WEBSOCKET_PROTOCOL, None)
    request = with_query_headers(request.clone(headers=headers))
    if not web.WebSocketResponse(compress=False).can_prepare(request):
        raise ProblemError(400, "the handshake of the WebSocket is invalid: use version 13")
    return request


class _Response(web.WebSocketResponse, StreamingResponse):  # type: ignore[misc]
    """A WebSocket in place of a response."""

    def __init__(self, connection: RequestHandler, **options: Any) -> None:
        super().__init__(**options)
        self._connection = connection

    async def close(self, **options: Any) -> bool:
        with self._connection.kept_open_amid_frame():
            return await super().close(**options)


class StreamSocket:
    """The WebSocket of one stream.

    Args:
        request: the request, as `web_socket_request` returns it.
        connection: its connection.
        config: limits.
        interrupt: called with the error if the WebSocket ends before the stream does.

    Attributes:
        response: takes the place of the response.
        has_room: whether the client uses flow control, and reads results as binary messages.
        received: bytes of messages received.
        messages: number of messages received, pings included.

    Raises:
        ProblemError: the query is invalid.
    """

    def __init__(
        self,
        request: web.Request,
        connection: RequestHandler,
        config: ServerConfig,
        interrupt: Callable[[StreamError], None],
    ) -> None:
        self._connection = connection
        self._interrupt = interrupt
        self._loop = asyncio.get_running_loop()
        self._most = max(_LEAST_MESSAGE, config.max_line_size + 1)
        self.response = _Response(
            connection, timeout=_CLOSING, autoping=False, compress=False, max_msg_size=self._most
        )
        room = request.query.get(wire.ROOM_PARAMETER)
        if room is not None and not _NUMBER.fullmatch(room):
            raise ProblemError(
                400, f"{wire.ROOM_PARAMETER} must be a number of bytes, not {room!r}"
            )
        self.has_room = room is not None
        self._room = int(room or 0)  # Bytes that may be sent in total,
        self._sent = 0  # and that were.
        self._granted = 0  # Bytes that the client may send in total.
        self._taken = 0
        self._queue: deque[bytes] = deque()
        self._waiting = 0  # Bytes in the queue.
        self._wake: asyncio.Future[None] | None = None
        self._make_room: asyncio.Future[None] | None = None
        self._has_ended = False
        self._is_dropping = False
        self._error: StreamError | None = None
        self._reading: asyncio.Task[object] | None = None
        self._is_closing = False
        self._unanswered_since: float | None = None  # When the first ping was sent since then.
        self.received = 0
        self.messages = 0
        self._timeout = config.timeout

    @property
    def is_full(self) -> bool:
        """Whether the client has no room for more results."""
        return self.has_room and self._sent >= self._room

    def start(self) -> None:
        """Start reading messages, after the handshake."""
        self._connection.upgrade()
        self._grant()
        self._reading = create_logged_task("reading a WebSocket", self._read_messages())

    def encoded(self, lines: bytes) -> bytes:
        """Return lines for the client as a message."""
        self._sent += len(lines)
        return frame(BINARY if self.has_room else TEXT, lines)

    async def take(self) -> bytes:
        """Return what has arrived of the body, at least a byte; empty at its end.

        Raises:
            StreamError: the WebSocket ended before the body.
        """
        while not self._queue:
            if self._error is not None:
                raise self._error
            if self._has_ended:
                return b""
            self._wake = self._loop.create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        data = b"".join(self._queue)
        self._queue.clear()
        self._taken += self._waiting
        self._waiting = 0
        self._grant()
        _finish(self._make_room)
        return data

    def drop_body(self) -> None:
        """Discard the rest of the body."""
        self._is_dropping = True
        self._queue.clear()
        self._taken += self._waiting
        self._waiting = 0
        _finish(self._make_room)

    async def close(self, error: StreamError | None = None) -> None:
        """Close the WebSocket, and wait for a limited time until the client has confirmed it.

        Args:
            error: why the stream failed, None if it did not.
        """
        self._is_closing = True
        self.drop_body()
        code, reason = WSCloseCode.OK, b""
        if error is not None:
            code = _CODES.get(error.code, WSCloseCode.POLICY_VIOLATION)
            reason = error.code.encode()
        await self.response.close(code=code, message=reason)

    def ping(self) -> None:
        """Send a ping; end the stream if the client has answered none for too long."""
        transport = self._connection.transport
        if transport is None or self._connection.writing_paused or self._is_closing:
            return
        now = self._loop.time()
        if self._unanswered_since is None:
            self._unanswered_since = now
        elif now - self._unanswered_since > self._timeout and not self._is_blocked():
            detail = f"no answer to pings for {self._timeout:g} seconds (timeout)"
            self._interrupt(StreamError(StreamErrorCode.TIMEOUT, detail))
            return
        transport.write(frame(PING, b""))

    def _is_blocked(self) -> bool:
        """Whether messages are not read because too many wait to be processed."""
        return self._make_room is not None and not self._make_room.done()

    def stop(self) -> None:
        """Stop reading messages."""
        if self._reading is not None:
            self._reading.cancel()

    async def _read_messages(self) -> None:
        error = StreamError(StreamErrorCode.DISCONNECTED)
        try:
            while (message := await self.response.receive()).type not in _ENDS:
                self.messages += 1
                self._unanswered_since = None
                if message.type is WSMsgType.PING:
                    # Waits while the client does not read, so pongs cannot pile up.
                    await self.response.pong(message.data)
                elif message.type is not WSMsgType.PONG:
                    self._receive(message)
                    await self._until_room()
            if message.type is WSMsgType.ERROR:
                detail = f"the WebSocket is malformed: {message.data}"
                error = StreamError(StreamErrorCode.MALFORMED_BODY, detail)
        except StreamError as malformed:
            error = malformed
        except ConnectionError:
            pass
        if not self._is_closing:
            self._error = error
            _finish(self._wake)
            self._interrupt(error)

    def _receive(self, message: Any) -> None:
        data: bytes = message.data
        is_text = message.type is WSMsgType.TEXT
        if is_text:
            text: str = message.data
            data = text.encode()
            if text.startswith(":") and self._control(data.rstrip(b"\r\n")):
                return
        self.received += len(data)
        if self._is_dropping or self._has_ended:
            self._taken += len(data)
            return
        if self.has_room and self.received > self._granted + self._most:
            raise StreamError(StreamErrorCode.MALFORMED_BODY, "more was sent than there is :room")
        self._waiting += len(data)
        if is_text and not data.endswith(b"\n"):
            data += b"\n"
        self._queue.append(data)
        _finish(self._wake)

    def _control(self, line: bytes) -> bool:
        """Process a control line; return whether it belongs to the WebSocket, not to the body."""
        name, _, content = line.partition(b" ")
        if name == wire.END:
            self._has_ended = True
            _finish(self._wake)
        elif name == wire.ROOM and self.has_room:
            if not _NUMBER.fullmatch(content.decode()):
                raise StreamError(StreamErrorCode.MALFORMED_BODY, ":room needs a number of bytes")
            self._room = max(self._room, int(content))
            if not self.is_full and self._connection.on_writable is not None:
                self._connection.on_writable()
        else:
            return False
        return True

    async def _until_room(self) -> None:
        """Wait until there is room for more, unless the client uses flow control."""
        while self._waiting >= _ROOM and not self.has_room:
            self._make_room = self._loop.create_future()
            await self._make_room

    def _grant(self) -> None:
        """Send the client its new limit, if that has changed considerably."""
        transport = self._connection.transport
        if not self.has_room or self._has_ended or transport is None or self._is_closing:
            return
        if self._taken + _ROOM - self._granted >= _ROOM // 2:
            self._granted = self._taken + _ROOM
            transport.write(frame(TEXT, wire.ROOM + b" %d" % self._granted))


_ENDS = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


def _finish(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
