"""Every use of internals of aiohttp and asyncio.

It is checked when the server starts: `check` raises an error if the installed release lacks
something that the server needs; `missing` lists what it can do without.
"""

from __future__ import annotations

import asyncio
import functools
import platform
from collections import deque
from typing import Any

import aiohttp
from aiohttp import EMPTY_PAYLOAD, StreamReader, web

try:
    from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
    from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy
    from aiohttp.web_protocol import _ErrInfo as ParserError
except ImportError as error:
    raise ImportError(f"aiohttp {aiohttp.__version__} is not supported: {error}") from error
try:
    from asyncio.sslproto import SSLProtocol as _TlsProtocol
except ImportError:
    _TlsProtocol = None  # type: ignore[assignment, misc]

__all__ = [
    "HttpProcessingError",
    "LineTooLong",
    "ParserError",
    "ParsingHandler",
    "bound_reads",
    "bound_tls_buffers",
    "check",
    "detached_handler",
    "is_idle",
    "missing",
    "parser_error",
    "without_keep_alive",
]


class ParsingHandler(web.RequestHandler):
    """aiohttp's protocol of a connection, with access to the queue behind its parser.

    Attributes:
        is_reading_paused: whether enough of the body is waiting to be read.
    """

    is_reading_paused = False

    @property
    def parsed(self) -> deque[tuple[Any, StreamReader]]:
        """Requests that wait for a handler, with their bodies. A malformed one is a
        `ParserError`."""
        return self._messages

    def refuse(self, error: HttpProcessingError) -> None:
        """Queue an error as if the parser had raised it."""
        self._messages.append((parser_error(error), EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def pause_reading(self) -> None:
        if self._upgraded:
            super().pause_reading()
            return
        # aiohttp would also pause its parser, which would remain paused for the next body if this
        # one ended first. Instead, the parser receives nothing until reading is resumed.
        self.is_reading_paused = True
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        self.is_reading_paused = False
        super().resume_reading(resume_parser)


def parser_error(error: HttpProcessingError) -> ParserError:
    """Return the item that aiohttp queues when its parser raises this error."""
    return ParserError(status=error.code, exc=error, message=error.message)


def without_keep_alive(request: Any) -> Any:
    """Return a copy of a parsed request after which the connection is closed."""
    return request._replace(should_close=True)


def detached_handler(**options: Any) -> ParsingHandler:
    """Make a handler without a connection, which only parses.

    Args:
        options: as for aiohttp's `RequestHandler`.
    """
    loop = _unused_loop()
    return ParsingHandler(web.Server(_handle_nothing, loop=loop), loop=loop, **options)


@functools.cache
def _unused_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.close()
    return loop


async def _handle_nothing(_request: web.BaseRequest) -> web.StreamResponse:
    raise NotImplementedError


def check() -> None:
    """Check that aiohttp has everything that the server needs.

    Raises:
        ImportError: it does not; the message names the release and the reason.
    """
    release = f"aiohttp {aiohttp.__version__}"
    if HttpRequestParser is HttpRequestParserPy:
        # The pure Python parser is slow and more lenient with malformed messages.
        raise ImportError(f"{release} came without its compiled HTTP parser")
    try:
        _check_queue()
        _check_pauses()
    except Exception as error:
        raise ImportError(f"{release} is not supported: {error}") from error


def _check_queue() -> None:
    handler = detached_handler()
    handler.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    handler.data_received(b"\0\r\n\r\n")
    handler.refuse(HttpProcessingError(code=400, message="no"))
    request, *errors = [each for each, _ in handler.parsed]
    causes = [error.exc for error in errors if isinstance(error, ParserError)]
    if len(causes) != 2 or not isinstance(causes[0], HttpProcessingError):
        raise ValueError("it queues requests differently")
    if not without_keep_alive(request).should_close:
        raise ValueError("it describes requests differently")


def _check_pauses() -> None:
    handler = detached_handler(read_bufsize=1)
    handler.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
    handler.data_received(b"1234")
    was_paused = handler.is_reading_paused
    _, body = handler.parsed[-1]
    body.read_nowait()
    if not was_paused or handler.is_reading_paused:
        raise ValueError("it pauses reading differently")


def missing(loop: asyncio.AbstractEventLoop) -> list[str]:
    """List what this release of Python lacks, and what that costs."""
    release = f"Python {platform.python_version()}"
    costs = []
    if not hasattr(loop, "_ready"):
        costs.append(f"the event loop of {release} has no _ready: single records take longer")
    if not hasattr(_TlsProtocol, "max_size"):
        costs.append(f"SSLProtocol of {release} has no max_size: TLS connections take more memory")
    return costs


def is_idle(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether the event loop has no other callback that is ready to run."""
    return not getattr(loop, "_ready", True)


def bound_reads(transport: asyncio.BaseTransport, size: int) -> None:
    """Set the number of bytes per read of a connection; without effect on TLS."""
    if hasattr(transport, "max_size"):
        transport.max_size = size


def bound_tls_buffers(size: int) -> None:
    """Set the size of the receive buffers of new TLS connections; asyncio's default is 256 KiB."""
    if hasattr(_TlsProtocol, "max_size"):
        _TlsProtocol.max_size = size
