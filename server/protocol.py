"""The connection: aiohttp's protocol, where its own answers are not ours.

What this relies on in aiohttp 3.14, beyond its public interface: `_messages` holds the
requests, or the parser's errors, that have been parsed and wait to be handled;
`_request_in_progress` says whether one is being handled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.web_request import BaseRequest

from server.errors import problem_response
from server.kernel import in_flight
from server.takeover import END_OF_BODY, Takeover

__all__ = ["RequestHandler"]

_HALF_CLOSE = 0.1  # Seconds until a request that came with the FIN has reached its handler.
_HELD = 1 << 18  # Bytes behind a head that are held before reading pauses.


class RequestHandler(web.RequestHandler):
    """A connection that tells malformed requests with problem documents.

    Where it can, it gives aiohttp's parser the head of a request alone, and holds what comes
    behind it until the handler has decided who reads the body: `take_over` or, at the
    latest when the response is finished, `release`.

    Attributes:
        holds: whether bodies are held for a takeover at all.
        content: body of the stream that runs on this connection, None before the first.
        framing: bytes received for that body that are not part of it: the sizes and line
            ends of HTTP chunks.
        on_writable: called when the connection takes more, or is lost; None where no stream
            waits for that.
    """

    holds = False
    content: StreamReader | None = None
    framing = 0
    on_writable: Callable[[], None] | None = None
    _held: bytes | None = None
    _payload: StreamReader | None = None
    _chunked = False
    # Whether the next byte starts a request.
    _at_start = True
    _untaken: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        if self._held is not None:
            self._held += data
            if len(self._held) > _HELD and self.transport is not None:
                self.transport.pause_reading()
            return
        # Behind a request that waits, a body is read the public way: there is nothing to hold,
        # and the parser may have more than it has told.
        if self.holds and self._at_start and not self._messages:
            head, mark, behind = data.partition(b"\r\n\r\n")
            if mark:
                self._held = behind
                self._parse(head + mark)
                if self._messages and self._chunked and self._waits_for_body():
                    return
                self._held = None
                data = behind
                if not data:
                    return
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        content = self.content
        before = content.total_bytes if content is not None else 0
        super().data_received(data)
        if self._messages:
            message: Any
            message, self._payload = self._messages[-1]
            # A parser's error has neither.
            self._chunked = getattr(message, "chunked", False)
            if getattr(message, "upgrade", False):
                # Nobody changes the protocol here, and the parser may lose a part of what is
                # behind such a request: the rest would be taken for requests.
                self._messages[-1] = (message._replace(should_close=True), self._payload)
        self._at_start = data.endswith(b"\r\n\r\n") and not self._waits_for_body()
        if content is None:
            return
        self.framing += len(data) - (content.total_bytes - before)
        if not content.is_eof() and self._messages:
            # Nothing can follow a body that has not ended but the parser's complaint about
            # it; aiohttp would tell it after the stream, which waits for more body.
            content.set_exception(web.RequestPayloadError("malformed transfer coding"))

    def _waits_for_body(self) -> bool:
        return self._payload is not None and not self._payload.is_eof()

    def release(self) -> None:
        """Let aiohttp have what was held."""
        if self._held is not None:
            held, self._held = self._held, None
            if self.transport is not None and not self._reading_paused:
                self.transport.resume_reading()
            if held:
                self.data_received(held)

    def take_over(
        self,
        content: StreamReader,
        at_once: Callable[[memoryview], bool],
        go_on: Callable[[], int],
    ) -> Takeover | None:
        """Read a chunked body past aiohttp, if it has not read of it yet.

        Args:
            content: the body, as the request has it.
            at_once, go_on: see `Takeover`.

        Returns:
            The source of the body, or None where it has to be read from `content`.
        """
        if self._held is None or content is not self._payload or self.transport is None:
            self.release()
            return None
        held, self._held = self._held, None
        takeover = Takeover(self.transport, self, self._body_ended, at_once, go_on)
        takeover.start(held)
        return takeover

    def _body_ended(self, behind: bytes) -> None:
        if self._waits_for_body():
            super().data_received(END_OF_BODY)
            self._at_start = True
        if behind:
            self.data_received(behind)

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        self.release()
        transport = self.transport
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._wait_for_reader(transport)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.on_writable is None:
            self._wait_for_reader(self.transport)

    def _wait_for_reader(self, transport: asyncio.Transport | None) -> None:
        """Give up on a client that does not take what it asked for; a stream is watched apart.

        Else it would be waited for as long as it lives, even by a connection that is closed.
        """
        if self._untaken is None and transport is not None and transport.get_write_buffer_size():
            self._untaken = self._loop.call_later(
                self.keepalive_timeout, self._look_at_reader, transport, in_flight(transport)
            )

    def _look_at_reader(self, transport: asyncio.Transport, before: int) -> None:
        self._untaken = None
        if self.on_writable is not None or not transport.get_write_buffer_size():
            return
        if in_flight(transport) < before:
            self._wait_for_reader(transport)
        else:
            transport.abort()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.on_writable is not None:
            self.on_writable()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self._untaken is not None:
            self._untaken.cancel()
        if self.on_writable is not None:
            self.on_writable()

    def eof_received(self) -> bool:  # type: ignore[override]
        # A client that half-closes after its whole request still reads the response.
        self._loop.call_later(_HALF_CLOSE, self._after_eof)
        # TLS knows no half-close.
        return self.ssl_context is None

    def _after_eof(self) -> None:
        if self.transport is None:
            return
        if self._request_in_progress and self.content is not None and self.content.is_eof():
            self.close()
        else:
            self.transport.close()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, LineTooLong):
            return problem_response(
                431, "the request line or a header field is too long (max_header_size)"
            )
        if isinstance(exc, HttpProcessingError):
            return problem_response(400, f"malformed HTTP: {' '.join(exc.message.split())[:200]}")
        is_gone = self.transport is None or self.transport.is_closing()
        if is_gone and isinstance(exc, ConnectionError):
            # The log of an error of the server would be any client's to fill.
            return problem_response(400, "the client went away")
        super().handle_error(request, status, exc, message)
        return problem_response(status, "an error of the server, not of the request; see its log")
