"""Streams inside an application: datasets, live sources, and forwarded requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from forstcore._client.forward import ForwardedRequest, ForwardedResponse, forward
from forstcore.client import ForstStreamingClient, Input, ResultStream, StreamOptions
from forstcore.records import ProcessedRecord
from forstcore.wire import PROBLEM_TYPE

__all__ = ["StreamingIntegration"]

_POLL_INTERVAL = 1.0  # Seconds between two checks whether a client is still connected.

AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]


class StreamingIntegration:
    """The streams of an application.

    Args:
        client: the client; its creator closes it.
        endpoint: where requests are forwarded to.
        dataset_endpoint: where datasets are sent.

    Attributes:
        asgi: an ASGI application that forwards requests as `handle_streaming_request` does: a
            route's endpoint in Starlette and FastAPI.

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
        """Process records; each result comes once and in order, even if connections are lost.

        Args:
            records: as for `ForstStreamingClient.stream_to_forst`.
            options: options for this stream; `resume` is on unless it is False or `frames` is
                ``auto``.

        While iterating:
            StreamFailedError: the last attempt failed; `lines` tells how far it got.

        Memory: unacknowledged lines are kept, at most `buffer_size` lines or one chunk, whichever
        is more, and never much more than four chunks.
        """
        options = options or StreamOptions()
        if options.resume is None:
            options = replace(options, resume=options.frames == "required")
        return self._client.stream_to_forst(self._dataset_endpoint, records, options)

    def process_real_time_data(
        self, source: Mapping[str, Any], options: StreamOptions | None = None
    ) -> ResultStream[ProcessedRecord]:
        """Process the records of one of the server's live sources; reconnect after a loss.

        Args:
            source: ``{"source": name, "filters": {field: value}}``; optional are ``"from"``, an
                offset or ``start`` for the records that already exist, and ``"processor"``, the
                name of a processor.
            options: options for this stream.

        While iterating:
            RequestRefusedError: the server has no such source, or cannot fulfil the request.
            StreamFailedError: the last attempt failed.
        """
        return self._client.follow_forst("/real-time-process", source, options)

    async def handle_streaming_request(self, request: web.Request) -> web.StreamResponse:
        """Forward a request to the server and stream the response back: an aiohttp handler.

        Both directions run at the same time, at the speed of the slower side. Status and headers
        of the response are the server's. If the stream fails midway, the response is cut; if the
        client disconnects, the stream ends.

        The request's body is forwarded as aiohttp delivers it: decompressed.
        """

        async def gone() -> None:
            # aiohttp reports a disconnect only to a handler that reads or writes.
            while request.transport is not None:  # noqa: ASYNC110
                await asyncio.sleep(_POLL_INTERVAL)

        headers = [
            (name, value)
            for name, value in request.headers.items()
            if name.lower() != "content-encoding"
        ]
        body: AsyncIterator[bytes] = request.content.iter_any()
        if request.content.at_eof() and request.content.total_bytes:
            # aiohttp keeps a body that `read`, `text`, `json` or `post` has read, and no other.
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
                    content_type=PROBLEM_TYPE,
                )
            body = _one(data)
        forwarded = ForwardedRequest(request.method, headers, body, gone)
        async with _forward(self._client, self._endpoint, forwarded) as answer:
            response = web.StreamResponse(status=answer.status, headers=answer.headers)
            with contextlib.suppress(ConnectionError):
                await response.prepare(request)
                while data := await answer.read():
                    await response.write(data)
            if answer.failed and request.transport is not None:
                request.transport.close()
        return response


def _forward(
    client: ForstStreamingClient, endpoint: str, request: ForwardedRequest
) -> contextlib.AbstractAsyncContextManager[ForwardedResponse]:
    return forward(client.target, client.session(), client.config.timeout, endpoint, request)


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

    async def __call__(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"only HTTP requests are supported here, not {scope['type']!r}")
        receiver = _Receiver(receive)
        headers = [
            (str(name, "latin-1"), str(value, "latin-1")) for name, value in scope["headers"]
        ]
        request = ForwardedRequest(scope["method"], headers, receiver.body(), receiver.gone)
        async with _forward(self._client, self._endpoint, request) as answer:
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
            elif not receiver.has_disconnected:
                # The final message is missing, so the web server cuts the response.
                raise ConnectionError("the stream failed midway")


class _Receiver:
    """Receives the messages of one request to an ASGI application.

    Attributes:
        has_disconnected: whether the client has disconnected.
    """

    def __init__(self, receive: Receive) -> None:
        self.has_disconnected = False
        self._receive = receive
        self._ended = asyncio.Event()

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the request's body."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.has_disconnected = True
                raise ConnectionResetError("the client has disconnected")
            yield message.get("body", b"")
            more = message.get("more_body", False)
        self._ended.set()

    async def gone(self) -> None:
        """Return when the client disconnects after the end of the body."""
        await self._ended.wait()
        await self._receive()
        self.has_disconnected = True
