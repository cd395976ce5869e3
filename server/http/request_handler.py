"""The protocol of a connection: which bytes go where, and responses to malformed requests.

Received bytes are held until the part of the server that they are meant for can take them:

- aiohttp's parser receives one request at a time: the head up to its empty line, then the body up
  to its last byte. The next head follows when the response is finished and the body has ended.
- A `BodyProtocol` reads a chunked body from the connection itself, and returns what it has read
  beyond its end.

Reading pauses while too many bytes are held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import EMPTY_PAYLOAD, HttpVersion11, StreamReader, hdrs, web

from server.errors import ProblemResponse, problem_response
from server.http._chunked import ChunkedError
from server.http.body_framing import ChunkedBody, SizedBody
from server.http.body_protocol import END_OF_BODY, BodyProtocol, BodySink
from server.http.internals import (
    HttpProcessingError,
    ParserError,
    ParsingHandler,
    parser_error,
    without_keep_alive,
)
from server.http.lingering_close import LingeringClose
from server.http.read_ahead import GUARANTEED, ReadAhead
from server.http.request_errors import TooMuchReadAhead, UnknownExpectation, response_to
from server.http.request_head import HeadSplitter
from server.http.slow_reader_timer import SlowReaderTimer
from server.http.web_socket_frames import CLOSE, MaskCheck, frame

__all__ = ["RequestHandler"]

_HALF_CLOSE = 0.1  # Seconds for a request that was received with the FIN to reach its handler.
_MAX_HELD = 1 << 16  # Held bytes from which on reading pauses.


class RequestHandler(ParsingHandler):
    """A connection, which answers malformed requests with problem documents.

    A chunked body is held until the handler of the request has called `read_body`, or until
    `release`, at the latest when the response is finished.

    Args:
        manager: the server that handles the requests.
        read_ahead: counts the held bytes of all connections.
        options: as for aiohttp's `RequestHandler`.

    Attributes:
        holds_bodies: whether chunked bodies are held for a `BodyProtocol`.
        framing_lost: whether a body was malformed, so that the next request cannot be found.
        on_writable: called when the connection can be written to again, and when it is lost;
            None if no stream waits for that.
    """

    holds_bodies = False
    on_writable: Callable[[], None] | None = None

    def __init__(self, manager: web.Server, read_ahead: ReadAhead, **options: Any) -> None:
        super().__init__(manager, **options)
        self.framing_lost = False
        self._read_ahead = read_ahead
        self._counted = 0  # Bytes of this connection that `_read_ahead` has counted.
        self._has_small_reads = False
        self._held = bytearray()
        self._is_advancing = False  # Whether held bytes are being passed on.
        self._is_closing = False  # Whether aiohttp handles no further request.
        self._has_eof = False
        self._lingering_close: LingeringClose | None = None
        # The request that was parsed last:
        self._head = HeadSplitter()
        self._is_finished = True  # Its response.
        self._payload: Any = EMPTY_PAYLOAD
        self._body: SizedBody | ChunkedBody | None = None  # None after its end.
        self._chunked: ChunkedBody | None = None  # The same, but kept after its end.
        self._is_body_held = False  # Until `read_body` or `release`.
        self._has_body_protocol = False
        self._is_last = False  # Whether no request may follow.
        self._ends_with_client = False
        self._may_upgrade = False  # Whether the bytes after the head may not be HTTP.
        self._masks: MaskCheck | None = None  # Of frames, after an upgrade.
        self._slow_reader_timer = SlowReaderTimer(
            asyncio.get_running_loop(), self.keepalive_timeout, lambda: self.on_writable is not None
        )

    @property
    def chunks(self) -> int:
        """HTTP chunks received so far of a body that the parser reads."""
        return self._chunked.chunks if self._chunked else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._update_reading()

    def data_received(self, data: bytes) -> None:
        if not data:
            # aiohttp makes its parser continue with bytes that it has.
            self._parse(data)
            return
        if self._lingering_close is not None:
            self._lingering_close.discard(len(data))
            return
        if self._masks is not None:
            self._receive_frames(self._masks, data)
            return
        body = self._body
        if (
            isinstance(body, SizedBody)
            and len(data) <= body.left
            and not (self._held or self.is_reading_paused)
        ):
            self._feed(body, data)
            return
        self._held += data
        self._advance()

    def resume_reading(self, resume_parser: bool = True) -> None:
        super().resume_reading(resume_parser)
        self._advance()

    def _advance(self) -> None:
        """Pass held bytes on, as far as possible now."""
        if self._is_advancing or self._has_body_protocol:
            return
        self._is_advancing = True
        try:
            while self._held and self._step():
                pass
        finally:
            self._is_advancing = False
        self._update_reading()

    def _parse(self, data: bytes) -> None:
        # The parser must not receive more from within its callbacks.
        before, self._is_advancing = self._is_advancing, True
        try:
            super().data_received(data)
        finally:
            self._is_advancing = before

    def _step(self) -> bool:
        """Pass a part of the held bytes on; return whether the rest can follow."""
        if self._body is not None:
            if self._is_body_held or self.is_reading_paused:
                return False
            data = bytes(self._held)
            self._held.clear()
            self._held += data[self._feed(self._body, data) :]
            return True
        if self._may_upgrade and not self._is_finished:
            return False
        if self._is_last or self._is_closing:
            self._held.clear()
            return False
        if not self._is_finished or not self._payload.is_eof():
            return False
        self._feed_head()
        return True

    def _feed_head(self) -> None:
        try:
            data, is_complete = self._head.split(self._held)
        except HttpProcessingError as error:
            self._refuse(error)
            return
        if not data:
            return
        self._parse(data)
        if self.parsed:
            self._begin(*self.parsed[-1])
        elif is_complete:
            self._refuse(HttpProcessingError(code=400, message="the head does not end"))
        elif self._head.size > GUARANTEED and self._read_ahead.is_full:
            # Its bytes no longer count, or more of the others would be refused than necessary.
            self._head = HeadSplitter()
            self._refuse(TooMuchReadAhead())

    def _refuse(self, error: HttpProcessingError) -> None:
        self.refuse(error)
        self._begin(*self.parsed[-1])

    def _begin(self, message: Any, payload: Any) -> None:
        """Prepare for the body of a request whose head has been parsed."""
        self._is_finished = self._ends_with_client = self._may_upgrade = False
        self._payload = payload
        self._chunked = None
        if isinstance(message, ParserError):
            self._is_last = True
            return
        if message.upgrade:
            # Whether or not the protocol is switched, no further request follows.
            message = without_keep_alive(message)
            self.parsed[-1] = message, payload
            self._may_upgrade = True
        self._is_last = message.should_close
        expectation = message.headers.get(hdrs.EXPECT, "100-continue").lower()
        if expectation != "100-continue" and message.version >= HttpVersion11:
            # aiohttp would repeat it in its response, which fails if it is not text.
            error = UnknownExpectation(message.method)
            self.parsed[-1] = parser_error(error), EMPTY_PAYLOAD
            self._payload = EMPTY_PAYLOAD
            self._is_last = True
            return
        if payload.is_eof():
            return
        if message.chunked:
            self._body = self._chunked = ChunkedBody()
            self._is_body_held = self.holds_bodies
        else:
            self._body = SizedBody(int(message.headers[hdrs.CONTENT_LENGTH]))

    def _feed(self, body: SizedBody | ChunkedBody, data: bytes) -> int:
        """Pass the parser what belongs to the body; return how many bytes that is."""
        try:
            size = body.take(data)
        except ChunkedError as malformed:
            self._lose_framing(str(malformed))
            return len(data)
        if body.ended:
            self._body = None
        self._parse(data[:size])
        parsed = self.parsed
        error = parsed[-1][0] if parsed else None
        if isinstance(error, ParserError):
            # aiohttp would handle it after the response, which waits for more of the body.
            parsed.pop()
            self._lose_framing(error.message)
            return len(data)
        return size

    def _lose_framing(self, message: str = "") -> None:
        self.framing_lost = self._is_last = True
        self._body = None
        self._held.clear()
        if self._is_finished:
            if not self._close_lingering():
                self.close()
            self._payload.feed_eof()
        elif not self._has_body_protocol:
            self._payload.set_exception(web.RequestPayloadError(message))

    def _update_reading(self) -> None:
        """Count the held bytes; pause reading if there are too many, else resume it."""
        held = len(self._held)
        size = self._head.size + held
        self._read_ahead.total += size - self._counted
        self._counted = size
        transport = self.transport
        if transport is None:
            return
        is_full = self._read_ahead.is_full
        if is_full != self._has_small_reads:
            self._has_small_reads = is_full
            self._read_ahead.bound_reads(transport, are_small=is_full)
        if self.is_reading_paused or (held and (held >= _MAX_HELD or is_full)):
            transport.pause_reading()
        else:
            transport.resume_reading()

    def release(self) -> None:
        """Pass a held body to the parser, if `read_body` was not called."""
        if self._is_body_held:
            self._is_body_held = False
            self._advance()

    def read_body(self, content: StreamReader, sink: BodySink) -> BodyProtocol | None:
        """Have a chunked body read by a `BodyProtocol`, if aiohttp has read none of it yet.

        Args:
            content: the body, as the request has it.
            sink: processes the body.

        Returns:
            The protocol, or None if the body has to be read from `content`.
        """
        if not self._is_body_held or content is not self._payload or self.transport is None:
            self.release()
            return None
        self._is_body_held = False
        self._has_body_protocol = True
        held = bytes(self._held)
        self._held.clear()
        body_protocol = BodyProtocol(self.transport, self, sink)
        body_protocol.start(held)
        return body_protocol

    def upgrade(self) -> None:
        """Pass all bytes after the request to aiohttp, as frames of its WebSocket."""
        held = bytes(self._held)
        self._held.clear()
        self._masks = MaskCheck()
        # A client that closes its side cannot confirm that the WebSocket is closed.
        self._ends_with_client = True
        self._update_reading()
        if held:
            self._receive_frames(self._masks, held)
        if self._has_eof and self.transport is not None:
            self.transport.close()

    @contextmanager
    def kept_open_amid_frame(self) -> Iterator[None]:
        """Keep aiohttp from closing the connection if the client is sending a frame.

        It would not receive why, as of a message that is too long: see `LingeringClose`.
        """
        transport = self.transport
        if self._masks is None or not self._masks.is_amid_frame:
            yield
            return
        self.transport = None
        try:
            yield
        finally:
            if transport is not None and not transport.is_closing():
                self.transport = transport

    def _receive_frames(self, masks: MaskCheck, data: bytes) -> None:
        if masks.has_unmasked(data):
            # RFC 6455, section 5.1: close with status 1002, and process no further frame.
            if self.transport is not None:
                self.transport.write(frame(CLOSE, (1002).to_bytes(2) + b"a frame is not masked"))
                self.transport.close()
        else:
            self._parse(data)

    def body_ended(self, rest: bytes) -> None:
        """Continue after a body that a `BodyProtocol` has read; see `BodyConnection`."""
        self._has_body_protocol = False
        self._body = None
        if self.transport is not None:
            self.transport.set_protocol(self)
        self._parse(END_OF_BODY)
        self._held += rest
        self._advance()

    def body_broken(self) -> None:
        """Process no further request: a `BodyProtocol` found a malformed body."""
        self._lose_framing()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        self.release()
        transport = self.transport
        is_refused = isinstance(resp, ProblemResponse)
        if not resp.prepared and (self.framing_lost or (is_refused and _may_be_long(request))):
            resp.force_close()
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            # Progress is measured anew for each response.
            self._slow_reader_timer.stop()
            self._slow_reader_timer.start(transport)
            self._finished(resp)

    def _finished(self, response: web.StreamResponse) -> None:
        """Continue after a response."""
        self._is_finished = True
        self._head = HeadSplitter()
        if self.framing_lost:
            # The rest of the body cannot be received.
            self._payload.feed_eof()
        if not response.keep_alive:
            self._is_last = True
        if self._is_last and not self._has_eof and self._close_lingering():
            return
        self._advance()
        if self._has_eof:
            if self._is_finished:
                self.close()
            else:
                asyncio.get_running_loop().call_later(_HALF_CLOSE, self._after_eof)

    def close(self) -> None:
        self._is_closing = True
        super().close()

    def force_close(self) -> None:
        self._is_closing = True
        super().force_close()

    def _close_lingering(self) -> bool:
        """Start a lingering close; return False if the connection does not support it."""
        transport = self.transport
        if transport is None or transport.is_closing() or not transport.can_write_eof():
            return False
        # aiohttp handles no further request; it would close the connection if it had one.
        self.transport = None
        self.force_close()
        self.transport = transport
        # A message that is too long is refused before its frame is complete.
        is_amid_frame = self._masks is not None and self._masks.is_amid_frame
        self._lingering_close = LingeringClose(
            transport,
            is_client_sending=bool(self._held) or is_amid_frame or not self._payload.is_eof(),
            is_body_incomplete=self._body is not None or is_amid_frame,
        )
        self._held.clear()
        self.is_reading_paused = False
        self._update_reading()
        self._lingering_close.start()
        return True

    def end_with_client(self) -> None:
        """Close the connection as soon as the client closes its side.

        For a response without an end.
        """
        self._ends_with_client = True
        if self._has_eof and self.transport is not None:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.on_writable is None:
            self._slow_reader_timer.start(self.transport)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.on_writable is not None:
            self.on_writable()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._held.clear()
        self._head = HeadSplitter()
        self._update_reading()
        self._slow_reader_timer.stop()
        if self.on_writable is not None:
            self.on_writable()

    def eof_received(self) -> bool:  # type: ignore[override]
        if self._lingering_close is not None:
            return False
        # A client that half-closes after complete requests still reads the responses.
        self._has_eof = True
        asyncio.get_running_loop().call_later(_HALF_CLOSE, self._after_eof)
        # TLS does not support half-closed connections.
        return self.ssl_context is None

    def _after_eof(self) -> None:
        if self.transport is None:
            return
        if not self._is_finished and not self._ends_with_client:
            if self._payload.is_eof():
                return  # `_finished` closes the connection.
            if self._held or self.is_reading_paused:
                # The rest of the body was received, but not read yet.
                asyncio.get_running_loop().call_later(_HALF_CLOSE, self._after_eof)
                return
        self.transport.close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, HttpProcessingError):
            return response_to(exc)
        is_gone = self.transport is None or self.transport.is_closing()
        if is_gone and isinstance(exc, ConnectionError):
            # Not an error of the server: any client could fill the log with these.
            return problem_response(400, "the client went away", reason="")
        super().handle_error(request, status, exc, message)
        return problem_response(status, "an error of the server, not of the request; see its log")


def _may_be_long(request: web.BaseRequest) -> bool:
    """Return whether to close the connection rather than receive the body of a refused request.

    It does not matter how much has arrived, so that equal requests have equal responses.
    """
    if hdrs.TRANSFER_ENCODING in request.headers:
        return True
    # With "Expect", a client that is refused need not send the body.
    size = request.content_length or 0
    return size > (0 if hdrs.EXPECT in request.headers else _MAX_HELD)
