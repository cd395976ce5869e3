"""The connection: who gets which of its bytes, and aiohttp's own answers where they are not ours.

Every byte has one owner. What is received goes to `_held`, and from there, in order, to

- aiohttp's parser, which gets one request at a time: its head, to the empty line and no further,
  then its body, to its last byte and no further. The head of the next request follows when the
  response is finished and the body has ended;
- a `BodyProtocol`, which reads a chunked body from the connection itself, and gives back what it
  has read beyond the end.

What nobody can use yet stays held. When that is too much, reading pauses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import EMPTY_PAYLOAD, HttpVersion11, StreamReader, hdrs, web

from server.errors import problem_response
from server.http._chunked import ChunkedError
from server.http.body_protocol import END_OF_BODY, BodyProtocol, BodySink
from server.http.framing import ChunkedBody, SizedBody
from server.http.internals import (
    HttpProcessingError,
    ParserError,
    ParsingHandler,
    parser_error,
    without_keep_alive,
)
from server.http.kernel import in_flight
from server.http.read_ahead import SURE, ReadAhead
from server.http.refusals import TooMuchAhead, UnknownExpectation, answer_to
from server.http.slow_readers import SlowReaderTimer

__all__ = ["RequestHandler"]

_HALF_CLOSE = 0.1  # Seconds until a request that came with the FIN has reached its handler.
_LINGER = 5.0  # Seconds in which a client that goes on sending may take its last answer,
_LINGER_LOOK = 0.02  # and between two looks at whether it has.
_DROPPED = 1 << 17  # Bytes that it may send meanwhile, those of an unread body not counted.
_HELD = 1 << 16  # Bytes that nobody can use yet, from which reading pauses.
_END_OF_HEAD = b"\r\n\r\n"


class RequestHandler(ParsingHandler):
    """A connection that tells malformed requests with problem documents.

    A chunked body is held until the handler has decided who reads it: by `read_body` or, at the
    latest when the response is finished, by `release`.

    Args:
        manager: the server that handles the requests.
        ahead: what all connections of the server have sent ahead.
        options: as for aiohttp's.

    Attributes:
        holds_bodies: whether chunked bodies are held for a `BodyProtocol`.
        framing_lost: whether a body was malformed, so that nobody knows where the next request
            starts.
        on_writable: called when the connection takes more, or is lost; None where no stream
            waits for that.
    """

    holds_bodies = False
    on_writable: Callable[[], None] | None = None

    def __init__(self, manager: web.Server, ahead: ReadAhead, **options: Any) -> None:
        super().__init__(manager, **options)
        self.framing_lost = False
        self._ahead = ahead
        self._counted = 0  # Bytes of this connection that `ahead` has counted.
        self._reads_little = False
        self._held = bytearray()
        self._is_busy = False  # Whether bytes are being given away.
        self._is_closing = False  # Whether aiohttp handles no further request.
        # The request that was parsed last:
        self._head_size = 0
        self._first_line: bytes | None = b""  # its first line, while that is not complete,
        self._head_end = b""  # the last bytes of a head that is not complete,
        self._is_handled = True  # whether its response is finished,
        self._payload: Any = EMPTY_PAYLOAD
        self._body: SizedBody | ChunkedBody | None = None  # where its body ends, if it has not,
        self._chunked: ChunkedBody | None = None  # the same, and behind its end as well,
        self._is_undecided = False  # who reads its body,
        self._is_taken = False  # whether a takeover does,
        self._is_last = False  # whether no request may follow it,
        self._ends_with_client = False
        self._has_eof = False
        self._lingers = False  # Whether the last answer has been given, and the rest is dropped.
        self._sends_on = False  # Whether the client sends more than that answer is for,
        self._may_drop = _DROPPED  # and how much more of that is read.
        self._slow_reader_timer = SlowReaderTimer(
            asyncio.get_running_loop(), self.keepalive_timeout, lambda: self.on_writable is not None
        )

    @property
    def chunks(self) -> int:
        """HTTP chunks that have been received of a body that the parser reads."""
        return self._chunked.chunks if self._chunked else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._balance()

    def data_received(self, data: bytes) -> None:
        if not data:
            # aiohttp wants its parser to go on with what that has.
            self._parse(data)
            return
        if self._lingers:
            self._drop(len(data))
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
        """Give what is held to whom it is for, as far as that can be now."""
        if self._is_busy or self._is_taken:
            return
        self._is_busy = True
        try:
            while self._held and self._step():
                pass
        finally:
            self._is_busy = False
        self._balance()

    def _parse(self, data: bytes) -> None:
        # The parser must not be given more while it tells of what it has.
        before, self._is_busy = self._is_busy, True
        try:
            super().data_received(data)
        finally:
            self._is_busy = before

    def _step(self) -> bool:
        """Give a part of what is held away; tell whether to go on with the rest."""
        if self._body is not None:
            if self._is_undecided or self.is_reading_paused:
                return False
            data = bytes(self._held)
            self._held.clear()
            self._held += data[self._feed(self._body, data) :]
            return True
        if self._is_last or self._is_closing:
            self._held.clear()
            return False
        if not self._is_handled or not self._payload.is_eof():
            return False
        return self._feed_head()

    def _feed_head(self) -> bool:
        held = self._held
        if not self._head_end and held[0] in b"\r\n":
            # Empty lines before a request are passed over, as RFC 9112, section 2.2 has it.
            held[:] = held.lstrip(b"\r\n")
            return True
        size, is_whole = self._size_of_head()
        data = bytes(held[:size])
        del held[:size]
        self._head_size += size
        self._head_end = (self._head_end + data[-3:])[-3:]
        if self._first_line is not None and not self._check_first_line(self._first_line + data):
            self._refuse(HttpProcessingError(code=400, message="spaces in the request line"))
            return True
        self._parse(data)
        if not self.parsed and self._head_size > SURE and self._ahead.is_full:
            self._refuse(TooMuchAhead())
        if self.parsed:
            self._begin(*self.parsed[-1])
        elif is_whole:
            self._refuse(HttpProcessingError(code=400, message="the head does not end"))
        return True

    def _check_first_line(self, head: bytes) -> bool:
        """Tell whether the request line is in three parts, as far as it has come.

        The parser takes any number of spaces between them, which not all readers do.
        """
        line, mark, _ = head.partition(b"\r\n")
        spaces = line.count(b" ")
        self._first_line = None if mark else line
        return spaces == 2 if mark else spaces <= 2

    def _size_of_head(self) -> tuple[int, bool]:
        """Tell how many of the bytes held are of the head, and whether it ends with them."""
        before = len(self._head_end)
        if before:
            place = (self._head_end + self._held[:3]).find(_END_OF_HEAD)
            if place >= 0:
                return place + len(_END_OF_HEAD) - before, True
        place = self._held.find(_END_OF_HEAD)
        if place >= 0:
            return place + len(_END_OF_HEAD), True
        return len(self._held), False

    def _refuse(self, error: HttpProcessingError) -> None:
        self.refuse(error)
        self._begin(*self.parsed[-1])

    def _begin(self, message: Any, payload: Any) -> None:
        """Have a request handled whose head has been parsed."""
        self._first_line = self._head_end = b""
        self._is_handled = self._ends_with_client = False
        self._payload = payload
        self._chunked = None
        if isinstance(message, ParserError):
            self._is_last = True
            return
        if message.upgrade:
            # Nobody changes the protocol here, and who would do so sends no request behind it.
            message = without_keep_alive(message)
            self.parsed[-1] = message, payload
        self._is_last = message.should_close
        expectation = message.headers.get(hdrs.EXPECT, "100-continue").lower()
        if expectation != "100-continue" and message.version >= HttpVersion11:
            # aiohttp would repeat it in its answer, which fails where it is no text.
            error = UnknownExpectation(message.method)
            self.parsed[-1] = parser_error(error), EMPTY_PAYLOAD
            self._payload = EMPTY_PAYLOAD
            self._is_last = True
            return
        if payload.is_eof():
            return
        if message.chunked:
            self._body = self._chunked = ChunkedBody()
            self._is_undecided = self.holds_bodies
        else:
            self._body = SizedBody(int(message.headers[hdrs.CONTENT_LENGTH]))

    def _feed(self, body: SizedBody | ChunkedBody, data: bytes) -> int:
        """Give the parser what is of the body; return how much that is."""
        try:
            size = body.take(data)
        except ChunkedError as malformed:
            self._lose_framing(str(malformed))
            return len(data)
        if body.ended:
            self._body = None
        self._parse(data[:size])
        parsed = self.parsed
        complaint = parsed[-1][0] if parsed else None
        if isinstance(complaint, ParserError):
            # It would be told after the response, which waits for more of the body.
            parsed.pop()
            self._lose_framing(complaint.message)
            return len(data)
        return size

    def _lose_framing(self, message: str = "") -> None:
        self.framing_lost = self._is_last = True
        self._body = None
        self._held.clear()
        if self._is_handled:
            # Nothing is waited for any more.
            if not self._linger():
                self.close()
            self._payload.feed_eof()
        elif not self._is_taken:
            self._payload.set_exception(web.RequestPayloadError(message))

    def _balance(self) -> None:
        """Count what is held; pause reading when it is too much."""
        held = len(self._held)
        size = self._head_size + held
        self._ahead.total += size - self._counted
        self._counted = size
        transport = self.transport
        if transport is None:
            return
        is_full = self._ahead.is_full
        if is_full != self._reads_little:
            self._reads_little = is_full
            self._ahead.bound_reads(transport, little=is_full)
        if self.is_reading_paused or (held and (held >= _HELD or is_full)):
            transport.pause_reading()
        else:
            transport.resume_reading()

    def release(self) -> None:
        """Let the parser have the body, if nobody else has it."""
        if self._is_undecided:
            self._is_undecided = False
            self._advance()

    def read_body(self, content: StreamReader, sink: BodySink) -> BodyProtocol | None:
        """Have a chunked body read by a `BodyProtocol`, if aiohttp has read none of it yet.

        Args:
            content: the body, as the request has it.
            sink: processes the body.

        Returns:
            The protocol, or None if the body has to be read from `content`.
        """
        if not self._is_undecided or content is not self._payload or self.transport is None:
            self.release()
            return None
        self._is_undecided = False
        self._is_taken = True
        held = bytes(self._held)
        self._held.clear()
        body_protocol = BodyProtocol(self.transport, self, sink)
        body_protocol.start(held)
        return body_protocol

    def body_ended(self, rest: bytes) -> None:
        """Continue after a body that a `BodyProtocol` has read; see `BodyConnection`."""
        self._is_taken = False
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
        if self.framing_lost and not resp.prepared:
            resp.force_close()
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            # What was in flight at an earlier time says nothing now.
            self._slow_reader_timer.stop()
            self._slow_reader_timer.start(transport)
            self._finished(resp)

    def _finished(self, response: web.StreamResponse) -> None:
        """Go on behind a response."""
        self._is_handled = True
        self._head_size = 0
        if self.framing_lost:
            # There is nothing that could be waited for.
            self._payload.feed_eof()
        if not response.keep_alive:
            self._is_last = True
        if self._is_last and not self._has_eof and self._linger():
            return
        self._advance()
        if self._has_eof:
            if self._is_handled:
                self.close()
            else:
                asyncio.get_running_loop().call_later(_HALF_CLOSE, self._after_eof)

    def close(self) -> None:
        self._is_closing = True
        super().close()

    def force_close(self) -> None:
        self._is_closing = True
        super().force_close()

    def _linger(self) -> bool:
        """Close the connection in stages, as RFC 9112, section 9.6 has it, where that can be.

        If it were closed with input unread, the kernel would drop what is on its way to the client,
        earlier answers included.
        """
        transport = self.transport
        if transport is None or transport.is_closing() or not transport.can_write_eof():
            return False
        self._lingers = True
        # aiohttp handles no more. It would close the connection if it had one.
        self.transport = None
        self.force_close()
        self.transport = transport
        self._sends_on = bool(self._held) or not self._payload.is_eof()
        if self._body is not None:
            # Most clients read no answer before all of a body is sent.
            self._may_drop = 1 << 62
        self._held.clear()
        self.is_reading_paused = False
        try:
            transport.write_eof()
        except OSError:
            # The client was faster: there is nobody to tell.
            transport.abort()
            return True
        self._balance()
        self._look_at_end(transport, asyncio.get_running_loop().time() + _LINGER)
        return True

    def _drop(self, size: int) -> None:
        self._sends_on = True
        self._may_drop -= size
        if self._may_drop <= 0 and self.transport is not None:
            # Who goes on is not waited for, once the answer has arrived.
            self._sends_on = False
            self.transport.pause_reading()

    def _look_at_end(self, transport: asyncio.Transport, deadline: float) -> None:
        if transport.is_closing():
            return
        loop = asyncio.get_running_loop()
        if (in_flight(transport) or self._sends_on) and loop.time() < deadline:
            loop.call_later(_LINGER_LOOK, self._look_at_end, transport, deadline)
        else:
            transport.close()

    def end_with_client(self) -> None:
        """End the connection as soon as nothing more can come from the client.

        For a response that has no end of its own.
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
        self._head_size = 0
        self._balance()
        self._slow_reader_timer.stop()
        if self.on_writable is not None:
            self.on_writable()

    def eof_received(self) -> bool:  # type: ignore[override]
        if self._lingers:
            return False
        # A client that half-closes after its whole requests still reads the responses.
        self._has_eof = True
        asyncio.get_running_loop().call_later(_HALF_CLOSE, self._after_eof)
        # TLS knows no half-close.
        return self.ssl_context is None

    def _after_eof(self) -> None:
        if self.transport is None:
            return
        if not self._is_handled and not self._ends_with_client:
            if self._payload.is_eof():
                return  # `_finished` ends the connection.
            if self._held or self.is_reading_paused:
                # The rest of the body is here, and waits for who reads it.
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
            return answer_to(exc)
        is_gone = self.transport is None or self.transport.is_closing()
        if is_gone and isinstance(exc, ConnectionError):
            # The log of an error of the server would be any client's to fill.
            return problem_response(400, "the client went away")
        super().handle_error(request, status, exc, message)
        return problem_response(status, "an error of the server, not of the request; see its log")
