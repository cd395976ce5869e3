"""A streaming request and its response: the one place where both directions meet."""

from __future__ import annotations

from typing import Literal, cast

from aiohttp import web

from forstcore import RecordStream
from server.errors import ProblemError

__all__ = ["MAX_LINE_SIZE", "streaming_process"]

MAX_LINE_SIZE = web.AppKey("MAX_LINE_SIZE", int)
"""Longest input line in bytes; see `RecordStream`."""

_ON_ERROR = ("skip", "emit", "fail")


async def streaming_process(request: web.Request) -> web.StreamResponse:
    """Answer `POST /streaming-process`: NDJSON in, NDJSON out, at the same time.

    Reading, processing and writing are one loop: nothing is read while a write waits
    for its reader, so one read buffer and one batch of results are all that a stream
    holds, however long it is.
    """
    stream = RecordStream(on_error=_on_error(request), max_line_size=request.app[MAX_LINE_SIZE])
    response = _start_response(request)
    await response.prepare(request)
    content = request.content
    try:
        while chunk := await content.readany():
            if results := stream.feed(chunk):
                await response.write(results)
            if stream.failed:
                return _cut(request, response)
        if results := stream.finish():
            await response.write(results)
        if stream.failed:
            return _cut(request, response)
        await response.write_eof()
    except web.RequestPayloadError:
        # The body is malformed or compressed data is broken: not the end of the input.
        return _cut(request, response)
    return response


def _on_error(request: web.Request) -> Literal["skip", "emit", "fail"]:
    mode = request.headers.get("Forst-On-Error", "skip")
    if mode not in _ON_ERROR:
        raise ProblemError(400, f"Forst-On-Error must be skip, emit or fail, not {mode!r}")
    return cast("Literal['skip', 'emit', 'fail']", mode)


def _start_response(request: web.Request) -> web.StreamResponse:
    if request.content_type == "multipart/form-data":
        raise ProblemError(415, "the body must be NDJSON as it is, not multipart/form-data")
    return web.StreamResponse(
        headers={
            "Content-Type": "application/octet-stream",
            "Cache-Control": "no-cache",
            "X-Accel-Buffering": "no",
        }
    )


def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """End a failed stream so that every client notices: without its last HTTP chunk."""
    if request.transport is not None:
        request.transport.close()
    return response
