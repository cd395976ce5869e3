"""A streaming request and its response: the one place where both directions meet."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from typing import Literal, cast

from aiohttp import web
from aiohttp.http import StreamWriter

from forstcore import RecordStream
from server._chunked import feed_chunk
from server._relay import Relay
from server.compression import negotiate
from server.errors import ProblemError, StreamError
from server.frames import Frames
from server.intake import UNLIMITED, Intake, check_body
from server.outlet import Outlet, StreamingResponse
from server.protocol import RequestHandler
from server.relay import is_idle, relay_of
from server.state import STATE, State
from server.watch import Watch

__all__ = ["Exchange", "streaming_process"]

_LOGGER = logging.getLogger("forstcore")
_LINE_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_NDJSON_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")


async def streaming_process(request: web.Request) -> web.StreamResponse:
    """Answer `POST /streaming-process`: NDJSON in, NDJSON out, at the same time."""
    return await Exchange(request, request.app[STATE]).run()


class Exchange:
    """One streaming request, from its head to the end of its response.

    Reading, processing and writing are one loop: nothing is read while a write waits for
    its reader, so one read buffer and one batch of results are all that a stream holds,
    however long it is.

    Args:
        request: the request.
        state: what the streams of this process share.

    Attributes:
        request: the request.
        stream: the core's side, with the counters.
        outcome: how it ended: ``ok``, or the code of the error; empty while it runs.
        core_seconds: time spent in the core.

    Raises:
        ProblemError: the request cannot be answered as asked.
    """

    def __init__(self, request: web.Request, state: State) -> None:
        config = state.config
        check_body(request, config)
        self.request = request
        self.stream = RecordStream(
            on_error=_on_error(request),
            max_line_size=config.max_line_size,
            first_line=_first_line(request),
        )
        protocol = request.protocol
        if not isinstance(protocol, RequestHandler):
            raise RuntimeError(f"a stream needs a connection of ours, not {protocol!r}")
        self.intake = Intake(request, protocol, config)
        self.outlet: Outlet | None = None
        self.outcome = ""
        self.detail = ""
        self.core_seconds = 0.0
        self.started_at = time.monotonic()
        self._protocol = protocol
        self._state = state
        self._config = config
        self._frames = Frames(self.stream) if request.headers.get("Forst-Frames") == "1" else None
        self._loop = asyncio.get_running_loop()
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._relay: Relay | None = None
        self._ended_by: StreamError | None = None
        self._draining = False

    async def run(self) -> web.StreamResponse:
        """Process the request's body into its response, and return that when it is sent."""
        with self._state.admit(self):
            coding = None
            if self._config.compression:
                coding = negotiate(self.request.headers.get("Accept-Encoding", ""))
            response = _response(self.request, coding)
            try:
                writer = await response.prepare(self.request)
            except ConnectionError:
                self.outcome = "disconnected"
                response.cut = True
                return response
            if not isinstance(writer, StreamWriter):
                raise RuntimeError(f"aiohttp writes with {writer!r}, not with its StreamWriter")
            self.outlet = outlet = Outlet(
                self._protocol, response, writer, self._config, self._frames, coding
            )
            watch = Watch(self.intake, outlet, self._is_reading, self.interrupt, self._config)
            try:
                try:
                    takeover = self.intake.start(self._at_once, self._go_on)
                    if takeover and outlet.plain and not self.intake.encoded:
                        self._relay = relay_of(takeover, self.stream)
                    await self._process(outlet)
                except asyncio.CancelledError:
                    if self._ended_by is None:
                        self.outcome = "cancelled"
                        raise
                    self._task.uncancel()
                    raise self._ended_by from None
                self.outcome = "ok"
            except StreamError as error:
                await self._fail(outlet, error)
            except Exception:
                _LOGGER.exception("a stream ended by an error of the server")
                await self._fail(
                    outlet, StreamError("internal", 500, "an error of the server; see its log")
                )
            finally:
                watch.stop()
                outlet.close()
                self.intake.stop()
        return response

    def interrupt(self, error: StreamError) -> None:
        """End the stream with an error, whatever it is waiting for."""
        if self._ended_by is None and not self.outcome:
            self._ended_by = error
            self._task.cancel()

    def drain(self) -> None:
        """End the stream at the next line boundary: what was read is processed and sent."""
        self._draining = True
        if self.intake.waiting:
            self.interrupt(_drained())

    async def _process(self, outlet: Outlet) -> None:
        async for piece in self.intake.pieces():
            await outlet.send(self._feed(piece, outlet))
            self._check()
        await outlet.send(outlet.wrapped(self.stream.finish()))
        self._check()
        await outlet.end()

    def _at_once(self, piece: memoryview) -> bool:
        """Process a piece without waiting, where neither side has to; see `Takeover`."""
        outlet = self.outlet
        if outlet is None or not outlet.ready or not self.intake.may_go_at_once():
            return False
        self.intake.count(len(piece))
        outlet.send_at_once(self._feed(piece, outlet))
        self._check()
        return True

    def _go_on(self) -> int:
        """Serve this stream past the event loop, while that has nothing to do; see `Relay`."""
        relay, outlet = self._relay, self.outlet
        if relay is None or outlet is None or not outlet.empty or not is_idle(self._loop):
            return 0
        received, sent, nanoseconds = self.intake.received, relay.sent, relay.nanoseconds
        try:
            left = relay.run(self._config.max_stream_records or UNLIMITED, *self.intake.room())
        finally:
            self.intake.count(self.intake.received - received)
            outlet.sent += relay.sent - sent
            self.core_seconds += (relay.nanoseconds - nanoseconds) / 1e9
        outlet.send_at_once(left)
        self._check()
        return relay.size

    def _feed(self, piece: bytes | memoryview, outlet: Outlet) -> bytes:
        started = time.perf_counter()
        if outlet.plain:
            wrapped = feed_chunk(self.stream, piece)
            self.core_seconds += time.perf_counter() - started
            return wrapped
        results = self.stream.feed(piece)
        self.core_seconds += time.perf_counter() - started
        return outlet.wrapped(results)

    def _check(self) -> None:
        """Raise StreamError if the stream cannot go on after what it has sent."""
        most = self._config.max_stream_records
        if self.stream.failed:
            raise StreamError(
                "bad_record", 422, "a line is not a record; the error line before this says why"
            )
        if most and self.stream.lines > most:
            raise StreamError(
                "too_many_records",
                413,
                f"the input has more than {most} lines (max_stream_records)",
            )
        if self._draining:
            raise _drained()

    async def _fail(self, outlet: Outlet, error: StreamError) -> None:
        self.outcome, self.detail = error.code, error.detail
        if error.code == "malformed_body":
            # No more of it can be read, so none is to be waited for after the response.
            self.request.content.feed_eof()
        with contextlib.suppress(ConnectionError):
            await outlet.fail(error)

    def _is_reading(self) -> bool:
        transport = self.request.transport
        return transport is not None and transport.is_reading()


def _on_error(request: web.Request) -> Literal["skip", "emit", "fail"]:
    mode = request.headers.get("Forst-On-Error", "skip")
    if mode not in ("skip", "emit", "fail"):
        raise ProblemError(400, f"Forst-On-Error must be skip, emit or fail, not {mode!r}")
    return cast("Literal['skip', 'emit', 'fail']", mode)


def _first_line(request: web.Request) -> int:
    number = request.headers.get("Forst-First-Line", "1")
    if not _LINE_NUMBER.fullmatch(number):
        raise ProblemError(400, f"Forst-First-Line must be a number from 1, not {number!r}")
    return int(number)


def _response(request: web.Request, coding: str | None) -> StreamingResponse:
    accepted = [part.split(";")[0].strip() for part in request.headers.get("Accept", "").split(",")]
    content_type = next((name for name in accepted if name in _NDJSON_TYPES), None)
    response = StreamingResponse(
        headers={
            "Content-Type": content_type or "application/octet-stream",
            "Cache-Control": "no-cache",
            "X-Accel-Buffering": "no",
        }
    )
    if coding:
        response.headers["Content-Encoding"] = coding
        response.headers["Vary"] = "Accept-Encoding"
    return response


def _drained() -> StreamError:
    return StreamError(
        "draining", 503, "the server is going down; send again from the first line without :ack"
    )
