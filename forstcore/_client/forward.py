"""A request of somebody else's, passed on to the server while its response is passed back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from http import HTTPStatus

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict

from forstcore._client.connection import NETWORK_ERRORS, abort, read_some, reason
from forstcore.client import ForstStreamingClient

__all__ = ["Answer", "forward"]

# What is passed on is listed, so that hop-by-hop headers, credentials meant for somebody else,
# and whatever else concerns one connection alone stay behind.
_OURS = "forst-"
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


class Answer:
    """The server's response, or what there is in its place.

    Args:
        status: the HTTP status code.
        headers: the headers to pass back.
        read: returns what comes next of the body.

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
        """Return what comes next of the body, empty at its end and where it is cut."""
        try:
            return await self._read()
        except NETWORK_ERRORS:
            self.failed = True
            return b""


@contextlib.asynccontextmanager
async def forward(
    client: ForstStreamingClient,
    endpoint: str,
    method: str,
    headers: Iterable[tuple[str, str]],
    body: AsyncIterator[bytes],
    gone: Callable[[], Awaitable[object]],
) -> AsyncIterator[Answer]:
    """Pass a request on; what is left of it when the block ends is dropped.

    Args:
        client: who knows the server.
        endpoint: path of the endpoint.
        method: the request's method.
        headers: its headers; few are passed on.
        body: its body; an error in it cuts the request that is passed on.
        gone: returns when whoever sent the request has gone.
    """
    response: aiohttp.ClientResponse | None = None

    async def upload() -> AsyncIterator[bytes]:
        # aiohttp sends the head with the first chunk, and nobody answers before it is there.
        yield b""
        try:
            async for chunk in body:
                yield chunk
        except Exception:
            # Half an upload must not look like a whole one.
            if response is not None:
                abort(response)
            raise

    passed_on = _listed(headers, _REQUEST_HEADERS)
    passed_on.setdefault(hdrs.ACCEPT_ENCODING, "identity")
    if client.target.token:
        passed_on[hdrs.AUTHORIZATION] = f"Bearer {client.target.token}"
    try:
        async with asyncio.timeout(client.config.timeout):
            response = await client.session().request(
                method,
                client.target.url(endpoint),
                data=upload(),
                headers=passed_on,
                allow_redirects=False,
                auto_decompress=False,
            )
    except TimeoutError:
        yield _problem(504, "the stream server does not answer")
        return
    except NETWORK_ERRORS as error:
        yield _problem(502, f"the stream server cannot be reached: {reason(error)}")
        return
    response_headers = _listed(response.headers.items(), _RESPONSE_HEADERS)
    watching = asyncio.create_task(_abort_when(gone, response))
    try:
        yield Answer(response.status, response_headers, partial(read_some, response))
    finally:
        watching.cancel()
        abort(response)


async def _abort_when(
    gone: Callable[[], Awaitable[object]], response: aiohttp.ClientResponse
) -> None:
    # Who cannot be asked has gone, too.
    with contextlib.suppress(Exception):
        await gone()
    abort(response)


def _listed(headers: Iterable[tuple[str, str]], names: frozenset[str]) -> CIMultiDict[str]:
    return CIMultiDict(
        (name, value)
        for name, value in headers
        if name.lower() in names or name.lower().startswith(_OURS)
    )


def _problem(status: int, detail: str) -> Answer:
    document = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    body = asyncio.StreamReader()
    body.feed_data(json.dumps(document).encode() + b"\n")
    body.feed_eof()
    headers = CIMultiDict({hdrs.CONTENT_TYPE: "application/problem+json"})
    return Answer(status, headers, lambda: body.read(1 << 16))
