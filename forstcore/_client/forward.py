"""Forwards the request of another client to the server, and streams the response back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict

from forstcore import wire
from forstcore._client.connection import NETWORK_ERRORS, abort, read_some, reason
from forstcore._client.server_address import ServerAddress
from forstcore._tracing import inject_context

__all__ = ["ForwardedRequest", "ForwardedResponse", "forward"]

# An allow-list keeps out hop-by-hop headers, and credentials that are meant for the application.
_PREFIX = wire.FORST_PREFIX.lower()
_REQUEST_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "content-encoding",
        "content-type",
        "traceparent",
        "tracestate",
    }
)
_RESPONSE_HEADERS = frozenset(
    {
        "cache-control",
        "content-encoding",
        "content-type",
        "retry-after",
        "vary",
        "x-accel-buffering",
    }
)


@dataclass(frozen=True, slots=True)
class ForwardedRequest:
    """A request to forward.

    Attributes:
        method: its method.
        headers: its headers, of which few are forwarded.
        body: its body; an error in it cuts the forwarded request.
        gone: returns when the client has gone.
    """

    method: str
    headers: Iterable[tuple[str, str]]
    body: AsyncIterator[bytes]
    gone: Callable[[], Awaitable[object]]


class ForwardedResponse:
    """The server's response, or an error response in its place.

    Args:
        status: the HTTP status code.
        headers: the headers to send back.
        read: returns the next part of the body.

    Attributes:
        status, headers: as above.
        failed: whether the body was cut.
    """

    def __init__(
        self, status: int, headers: CIMultiDict[str], read: Callable[[], Awaitable[bytes]]
    ) -> None:
        self.status = status
        self.headers = headers
        self.failed = False
        self._read = read

    async def read(self) -> bytes:
        """Return the next part of the body, empty at its end and where it is cut."""
        try:
            return await self._read()
        except NETWORK_ERRORS:
            self.failed = True
            return b""


@contextlib.asynccontextmanager
async def forward(
    server: ServerAddress,
    session: aiohttp.ClientSession,
    answer_within: float,
    endpoint: str,
    request: ForwardedRequest,
) -> AsyncIterator[ForwardedResponse]:
    """Forward a request; drop the rest of the exchange when the block ends.

    Args:
        server: the server.
        session: the session to use.
        answer_within: seconds in which the server has to answer.
        endpoint: path of the endpoint.
        request: the request.
    """
    response: aiohttp.ClientResponse | None = None

    async def upload() -> AsyncIterator[bytes]:
        # aiohttp sends the headers with the first chunk, so there must be one before the response.
        yield b""
        try:
            async for chunk in request.body:
                yield chunk
        except Exception:
            # A partial upload must not look like a complete one.
            if response is not None:
                abort(response)
            raise

    headers = _allowed(request.headers, _REQUEST_HEADERS)
    inject_context(headers)
    headers.setdefault(hdrs.ACCEPT_ENCODING, "identity")
    if server.token:
        headers[hdrs.AUTHORIZATION] = f"Bearer {server.token}"
    try:
        async with asyncio.timeout(answer_within):
            response = await session.request(
                request.method,
                server.url(endpoint),
                data=upload(),
                headers=headers,
                allow_redirects=False,
                auto_decompress=False,
            )
    except TimeoutError:
        yield _problem(504, "the stream server does not answer")
        return
    except NETWORK_ERRORS as error:
        yield _problem(502, f"the stream server cannot be reached: {reason(error)}")
        return
    response_headers = _allowed(response.headers.items(), _RESPONSE_HEADERS)
    watching = asyncio.create_task(_abort_when(request.gone, response))
    try:
        yield ForwardedResponse(response.status, response_headers, partial(read_some, response))
    finally:
        watching.cancel()
        abort(response)


async def _abort_when(
    gone: Callable[[], Awaitable[object]], response: aiohttp.ClientResponse
) -> None:
    # An error means that the client has gone, too.
    with contextlib.suppress(Exception):
        await gone()
    abort(response)


def _allowed(headers: Iterable[tuple[str, str]], names: frozenset[str]) -> CIMultiDict[str]:
    return CIMultiDict(
        (name, value)
        for name, value in headers
        if name.lower() in names or name.lower().startswith(_PREFIX)
    )


def _problem(status: int, detail: str) -> ForwardedResponse:
    document = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    body = asyncio.StreamReader()
    body.feed_data(json.dumps(document).encode() + b"\n")
    body.feed_eof()
    headers = CIMultiDict({hdrs.CONTENT_TYPE: wire.PROBLEM_TYPE})
    return ForwardedResponse(status, headers, lambda: body.read(1 << 16))
