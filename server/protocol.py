"""The connection: aiohttp's protocol, where its own answers are not ours.

What this relies on in aiohttp 3.14, beyond its public interface: `_messages` holds the
requests, or the parser's errors, that have been parsed and wait to be handled;
`_request_in_progress` says whether one is being handled.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.web_request import BaseRequest

from server.errors import problem_response

__all__ = ["RequestHandler"]

_HALF_CLOSE = 0.1  # Seconds until a request that came with the FIN has reached its handler.


class RequestHandler(web.RequestHandler):
    """A connection that tells malformed requests with problem documents.

    Attributes:
        content: body of the stream that runs on this connection, None before the first.
        framing: bytes received for that body that are not part of it: the sizes and line
            ends of HTTP chunks.
        on_writable: called when the connection takes more, or is lost.
    """

    content: StreamReader | None = None
    framing = 0
    on_writable: Callable[[], None] | None = None

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.on_writable is not None:
            self.on_writable()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self.on_writable is not None:
            self.on_writable()

    def data_received(self, data: bytes) -> None:
        content = self.content
        if content is None:
            super().data_received(data)
            return
        before = content.total_bytes
        super().data_received(data)
        self.framing += len(data) - (content.total_bytes - before)
        if not content.is_eof() and self._messages:
            # Nothing can follow a body that has not ended but the parser's complaint about
            # it; aiohttp would tell it after the stream, which waits for more body.
            content.set_exception(web.RequestPayloadError("malformed transfer coding"))

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
        super().handle_error(request, status, exc, message)
        return problem_response(status, "an error of the server, not of the request; see its log")
