"""The stream handler for records that the core processes."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from forstcore import RecordStream
from server.http._chunked import MOST_RESULTS, feed_chunk
from server.http.body_protocol import BodyProtocol
from server.http.internals import is_idle
from server.streams._fast_path import FastPath
from server.streams.fast_path import fast_path_of
from server.streams.handler import StreamHandler
from server.streams.registry import StreamRegistry
from server.streams.request_body import UNLIMITED
from server.streams.response_writer import ResponseWriter

__all__ = ["CoreStreamHandler"]


class CoreStreamHandler(StreamHandler):
    """Process a stream with the core.

    Reading, processing and writing form one loop. Nothing is read while a write waits for the
    client, so a stream of any length holds only one read buffer and one batch of results.
    """

    stream: RecordStream

    def __init__(
        self, request: web.Request, registry: StreamRegistry, stream: RecordStream
    ) -> None:
        super().__init__(request, registry, stream)
        self._core_seconds = 0.0
        self._loop = asyncio.get_running_loop()
        self._fast_path: FastPath | None = None

    @property
    def core_seconds(self) -> float:
        return self._core_seconds

    async def _process(self, writer: ResponseWriter) -> None:
        if self.body.protocol and writer.plain and not self.body.encoded:
            self._fast_path = fast_path_of(
                self.body.protocol,
                self.stream,
                self._control_lines,
                self._registry.error_file is not None,
            )
        try:
            async for piece in self.body.pieces():
                await self._process_piece(piece, writer)
                # Do not hold the piece while waiting for the next one.
                del piece
            last = self.stream.finish()
            await writer.send(writer.wrapped(last, self._take_rejected()))
            self._check()
            await self._rejected_written()
            await writer.end()
        finally:
            # The fast path holds the buffer of the body protocol.
            self._fast_path = None

    async def _process_piece(self, piece: bytes, writer: ResponseWriter) -> None:
        """Process a piece in parts, since its results may be many times as long.

        While the client reads slowly, only the rest of the input is held.
        """
        rest = memoryview(piece)
        while rest:
            await writer.send(self._feed(rest, writer))
            self._check()
            if not self._may_reject():
                await self._rejected_written()
            rest = rest[self.stream.taken :]
            if rest:
                await asyncio.sleep(0)

    def process_now(self, piece: memoryview, /) -> int:
        writer = self.writer
        if writer is None or not writer.ready or not self._may_reject():
            return 0
        if not self.body.accept(piece):
            return 0
        writer.send_now(self._feed(piece, writer))
        self._check()
        taken = self.stream.taken
        if taken < len(piece):
            # The results are long: let other streams run before the rest is processed.
            self.body.count(taken - len(piece))
        return taken

    def read_directly(self, body: BodyProtocol, /) -> None:
        """Run the fast path while the event loop has nothing else to do."""
        fast_path, writer = self._fast_path, self.writer
        if fast_path is None or writer is None or not writer.empty or not is_idle(self._loop):
            return
        received, sent, nanoseconds = self.body.received, fast_path.sent, fast_path.nanoseconds
        try:
            unsent = fast_path.run(self._config.max_stream_records or UNLIMITED, *self.body.room())
        finally:
            body.filled = fast_path.size or body.filled
            self.body.count(self.body.received - received)
            writer.sent += fast_path.sent - sent
            self._core_seconds += (fast_path.nanoseconds - nanoseconds) / 1e9
            self._take_rejected()
        writer.send_now(unsent)
        self._check()
        if fast_path.left:
            self.body.count(-fast_path.left)
            body.keep(body.buffer[fast_path.rest : fast_path.rest + fast_path.left])

    def _feed(self, piece: bytes | memoryview, writer: ResponseWriter) -> bytes:
        started = time.perf_counter()
        if writer.plain:
            wrapped = feed_chunk(self.stream, piece, self._control_lines)
            self._core_seconds += time.perf_counter() - started
            self._take_rejected()
            return wrapped
        results = self.stream.feed_part(piece, MOST_RESULTS)
        self._core_seconds += time.perf_counter() - started
        return writer.wrapped(results, self._take_rejected())
