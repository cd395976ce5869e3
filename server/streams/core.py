"""`POST /streaming-process`: a stream that the core alone processes."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from forstcore import RecordStream
from server.http._chunked import MOST_RESULTS, feed_chunk
from server.http.body_takeover import Takeover
from server.http.internals import is_idle
from server.streams._fast_path import Relay
from server.streams.fast_path import relay_of
from server.streams.handler import Exchange, filter_of, first_line, keep_rejected, on_error
from server.streams.registry import STATE, State
from server.streams.request_body import UNLIMITED
from server.streams.response_writer import Outlet

__all__ = ["streaming_process"]


async def streaming_process(request: web.Request) -> web.StreamResponse:
    """Answer `POST /streaming-process`: NDJSON in, NDJSON out, at the same time."""
    state = request.app[STATE]
    stream = RecordStream(
        on_error=on_error(request),
        max_line_size=state.config.max_line_size,
        first_line=first_line(request),
        filter=filter_of(request),
        keep_rejected=keep_rejected(request, state),
    )
    return await CoreExchange(request, state, stream).run()


class CoreExchange(Exchange):
    """A stream that the core alone processes.

    Reading, processing and writing are one loop: nothing is read while a write waits for
    its reader, so one read buffer and one batch of results are all that a stream holds,
    however long it is.
    """

    stream: RecordStream

    def __init__(self, request: web.Request, state: State, stream: RecordStream) -> None:
        super().__init__(request, state, stream)
        self._core_seconds = 0.0
        self._loop = asyncio.get_running_loop()
        self._relay: Relay | None = None

    @property
    def core_seconds(self) -> float:
        return self._core_seconds

    async def _process(self, outlet: Outlet, takeover: Takeover | None) -> None:
        if takeover and outlet.plain and not self.intake.encoded:
            self._relay = relay_of(takeover, self.stream, self._frames)
        try:
            async for piece in self.intake.pieces():
                await self._process_piece(piece, outlet)
                # The next one may be long in coming.
                del piece
            last = self.stream.finish()
            await outlet.send(outlet.wrapped(last, self._take_rejected()))
            self._check()
            await self._rejected_written()
            await outlet.end()
        finally:
            # It holds the buffer that the takeover reads into.
            self._relay = None

    async def _process_piece(self, piece: bytes, outlet: Outlet) -> None:
        """Process a piece part by part: its results may be many times as long.

        While a reader is waited for, what is held is the rest of the input.
        """
        rest = memoryview(piece)
        while rest:
            await outlet.send(self._feed(rest, outlet))
            self._check()
            if not self._may_reject():
                await self._rejected_written()
            rest = rest[self.stream.taken :]
            if rest:
                await asyncio.sleep(0)

    def _at_once(self, piece: memoryview) -> int:
        """Process what can be of a piece where neither side has to wait; see `Takeover`."""
        outlet = self.outlet
        if outlet is None or not outlet.ready or not self.intake.may_go_at_once():
            return 0
        if not self._may_reject():
            return 0
        self.intake.count(len(piece))
        outlet.send_at_once(self._feed(piece, outlet))
        self._check()
        taken = self.stream.taken
        if taken < len(piece):
            # Its results are long: others have a turn before there are more.
            self.intake.count(taken - len(piece))
        return taken

    def _go_on(self, takeover: Takeover) -> None:
        """Serve this stream past the event loop, while that has nothing to do; see `Relay`."""
        relay, outlet = self._relay, self.outlet
        if relay is None or outlet is None or not outlet.empty or not is_idle(self._loop):
            return
        received, sent, nanoseconds = self.intake.received, relay.sent, relay.nanoseconds
        try:
            left = relay.run(self._config.max_stream_records or UNLIMITED, *self.intake.room())
        finally:
            takeover.filled = relay.size or takeover.filled
            self.intake.count(self.intake.received - received)
            outlet.sent += relay.sent - sent
            self._core_seconds += (relay.nanoseconds - nanoseconds) / 1e9
            self._take_rejected()
        outlet.send_at_once(left)
        self._check()
        if relay.left:
            self.intake.count(-relay.left)
            takeover.keep(takeover.buffer[relay.rest : relay.rest + relay.left])

    def _feed(self, piece: bytes | memoryview, outlet: Outlet) -> bytes:
        started = time.perf_counter()
        if outlet.plain:
            wrapped = feed_chunk(self.stream, piece, self._frames)
            self._core_seconds += time.perf_counter() - started
            self._take_rejected()
            return wrapped
        results = self.stream.feed_part(piece, MOST_RESULTS)
        self._core_seconds += time.perf_counter() - started
        return outlet.wrapped(results, self._take_rejected())
