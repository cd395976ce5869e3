"""Streams inside an application: datasets, live sources, and requests that are piped through."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from forstcore._client.forward import forward
from forstcore.client import ForstStreamingClient, Input, ResultStream, StreamOptions
from forstcore.records import ProcessedRecord

__all__ = ["StreamingIntegration"]

_LOOK_FOR_CLIENT = 1.0  # Seconds between two looks whether it is still there.

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class StreamingIntegration:
    """The streams of an application.

    Args:
        client: the client; whoever made it closes it.
        endpoint: where requests are piped to.
        dataset_endpoint: where datasets go.

    Attributes:
        asgi: an ASGI application that pipes requests through as `handle_streaming_request`
            does: a route's endpoint in Starlette and FastAPI.

    Thread-safety: that of the client.
    """

    def __init__(
        self,
        client: ForstStreamingClient,
        *,
        endpoint: str = "/streaming-process",
        dataset_endpoint: str = "/large-dataset-stream",
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._dataset_endpoint = dataset_endpoint
        self.asgi = _Asgi(client, endpoint)

    def process_large_dataset(
        self, records: Input, options: StreamOptions | None = None
    ) -> ResultStream[ProcessedRecord]:
        """Process records; every result comes once and in order, through lost connections too.

        Args:
            records: as for `ForstStreamingClient.stream_to_forst`.
            options: what is different for this stream; `resume` is on unless it is False.

        While iterating:
            StreamFailedError: the last attempt failed; `lines` says how far it came.

        Memory: what is not acknowledged is kept, at most `buffer_size` lines or one chunk,
        whichever is more, and never much more than four chunks.
        """
        options = options or StreamOptions()
        if options.resume is None:
            options = replace(options, resume=True)
        return self._client.stream_to_forst(self._dataset_endpoint, records, options)

    def process_real_time_data(
        self, source: Mapping[str, Any], options: StreamOptions | None = None
    ) -> ResultStream[ProcessedRecord]:
        """Process what a live source of the server's yields, through lost connections too.

        Args:
            source: ``{"source": name, "filters": {field: value}}``, with ``"from"`` an offset
                or ``start`` for what there is already, with ``"processor"`` its name.
            options: what is different for this stream.

        While iterating:
            RequestRefusedError: the server has no such source, or cannot do what is asked.
            StreamFailedError: the last attempt failed.
        """
        return self._client.follow_forst("/real-time-process", source, options)

    async def handle_streaming_request(self, request: web.Request) -> web.StreamResponse:
        """Answer a request by piping it through: an aiohttp handler.

        Both directions are under way at once, at the pace of the slower side. The response
        has the status and the headers of the server's. Where the stream fails half-way the
        response is cut, and a client that goes away ends the stream.

        The request's body is what aiohttp makes of it: decompressed.
        """

        async def gone() -> None:
            # aiohttp tells it nobody who neither reads nor writes.
            while request.transport is not None:  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_FOR_CLIENT)

        headers = [
            (name, value)
            for name, value in request.headers.items()
            if name.lower() != "content-encoding"
        ]
        body: AsyncIterator[bytes] = request.content.iter_any()
        if request.content.at_eof() and request.content.total_bytes:
            # aiohttp keeps what `read`, `text`, `json` and `post` have read, and nothing else.
            data = await request.read()
            if not data:
                return web.json_response(
                    {
                        "title": "Internal Server Error",
                        "status": 500,
                        "detail": "the body was read before: nothing may iterate over "
                        "`request.content` in front of this handler",
                    },
                    status=500,
                    content_type="application/problem+json",
                )
            body = _one(data)
        async with forward(
            self._client, self._endpoint, request.method, headers, body, gone
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers=answer.headers)
            with contextlib.suppress(ConnectionError):
                await response.prepare(request)
                while data := await answer.read():
                    await response.write(data)
            if answer.failed and request.transport is not None:
                request.transport.close()
        return response


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


class _Asgi:
    """The ASGI application of an integration.

    Args:
        client: the client.
        endpoint: where requests go.
    """

    def __init__(self, client: ForstStreamingClient, endpoint: str) -> None:
        self._client = client
        self._endpoint = endpoint

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"only HTTP requests are taken here, not {scope['type']!r}")
        sender = _Sender(receive)
        headers = [
            (str(name, "latin-1"), str(value, "latin-1")) for name, value in scope["headers"]
        ]
        async with forward(
            self._client, self._endpoint, scope["method"], headers, sender.body(), sender.gone
        ) as answer:
            response_headers = [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in answer.headers.items()
            ]
            await send(
                {
                    "type": "http.response.start",
                    "status": answer.status,
                    "headers": response_headers,
                }
            )
            while data := await answer.read():
                await send({"type": "http.response.body", "body": data, "more_body": True})
            if not answer.failed:
                await send({"type": "http.response.body"})
            elif not sender.left:
                # Without the message that ends the body, the web server cuts the response.
                raise ConnectionError("the stream failed half-way")


class _Sender:
    """Whoever sent a request to an ASGI application.

    Attributes:
        left: whether it has gone away.
    """

    def __init__(self, receive: Receive) -> None:
        self.left = False
        self._receive = receive
        self._ended = asyncio.Event()

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the request's body."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.left = True
                raise ConnectionResetError("the client went away")
            yield message.get("body", b"")
            more = message.get("more_body", False)
        self._ended.set()

    async def gone(self) -> None:
        """Return when the sender goes away behind the end of the body."""
        await self._ended.wait()
        await self._receive()
        self.left = True
