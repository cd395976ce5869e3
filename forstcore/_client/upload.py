"""The request of an upload: chunks of a producer, sent again from the first unacknowledged line."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import hdrs
from multidict import CIMultiDict

from forstcore import wire
from forstcore._client.connection import Body, Connection
from forstcore._client.frame_reader import FrameReader, Summary
from forstcore._client.stream_request import StreamRequest, check_records
from forstcore._client.window import PassThrough, Window
from forstcore._io.chunker import Grouper
from forstcore.config import StreamingConfig
from forstcore.errors import RequestRefusedError, StreamFailedError

__all__ = ["Upload"]


class Upload(StreamRequest):
    """Chunks from a producer.

    Args:
        producer: where the chunks come from.
        config: sizes, and whether to compress.
        resume: whether to keep unacknowledged lines, and to send them again over a new
            connection when one is lost.
    """

    def __init__(self, producer: Grouper, config: StreamingConfig, *, resume: bool) -> None:
        super().__init__(resume=resume)
        self._producer = producer
        self._compression = config.compression
        self._window: Window | PassThrough = (
            Window(config.buffer_size, config.chunk_size)
            if resume
            else PassThrough(config.chunk_size)
        )
        self._has_taken = False  # whether the producer was ever asked for a chunk
        self._has_ended = False

    @property
    def lines(self) -> int:
        return self._window.acked

    def begin(self, headers: CIMultiDict[str]) -> Body:
        headers[hdrs.CONTENT_TYPE] = wire.NDJSON
        if self._compression:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        if self.lines:
            # The caller may have set the header, if its input is the rest of a longer one.
            first = int(headers.get(wire.FORST_FIRST_LINE, 1))
            headers[wire.FORST_FIRST_LINE] = str(first + self.lines)
        self._window.rewind()
        return Body(self._next_piece)

    def deliver(self, pieces: list[bytes], frames: FrameReader) -> Iterator[list[bytes]]:
        self._window.ack(frames.acked)
        yield pieces

    def is_consumed(self, connection: Connection) -> bool:
        return self._has_taken

    def check(self, summary: Summary, connection: Connection) -> None:
        if summary["bytes_in"] != connection.sent:
            raise connection.lost(f"{summary['bytes_in']} of {connection.sent} bytes arrived there")
        # The summary covers one connection. Only if no other acknowledged lines is that all.
        if summary["lines"] == self.lines:
            check_records(summary)

    def reconnects_at_once(
        self, error: RequestRefusedError | StreamFailedError, connection: Connection
    ) -> bool:
        """Return whether the server gave up an idle stream because there was nothing to send."""
        return (
            self._window.is_empty
            and connection.accepted
            and isinstance(error, StreamFailedError)
            and error.code == "timeout"
        )

    async def has_more(self) -> bool:
        while self._window.is_empty and not self._has_ended:
            await self._take()
        return not self._window.is_empty

    async def close(self) -> None:
        await self._producer.close()

    async def _next_piece(self) -> bytes:
        """Return what is sent next, empty at the end."""
        while True:
            piece = await self._window.next()
            if piece is not None:
                return piece
            if self._has_ended:
                return b""
            await self._window.room()
            self._has_taken = True
            await self._take()

    async def _take(self) -> None:
        """Move a chunk from the producer to the window."""
        chunk = await self._producer.take()
        if chunk:
            self._window.put(chunk)
        else:
            self._window.finish()
            self._has_ended = True
