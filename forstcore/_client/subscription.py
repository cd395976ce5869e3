"""The request of a live stream, which resumes from the last offset."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import hdrs
from multidict import CIMultiDict

from forstcore import wire
from forstcore._client.connection import Body, Connection
from forstcore._client.frame_reader import FrameReader, Summary
from forstcore._client.stream_request import StreamRequest
from forstcore._io.json_lines import dump_line
from forstcore.errors import RequestRefusedError, StreamFailedError

__all__ = ["Subscription"]

_NEEDS_ACKS = 428  # Status for a source that redelivers records until they are acknowledged.
_LAST_ACKS_TIMEOUT = 1.0  # Seconds in which a server may take the last acknowledgements.


class Subscription(StreamRequest):
    """Ask for a live stream, and resume from its last offset when a connection is lost.

    Some sources have no offsets, but redeliver what is not acknowledged. Their records are
    acknowledged when the caller asks for the ones after them.

    Args:
        wanted: the request document; its ``from`` applies to the first connection.

    Raises:
        TypeError: the document is not of a kind that JSON knows.
    """

    # A live stream may be idle for hours, without any line that could be acknowledged.
    accept_is_progress = True

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        super().__init__(resume=True)
        self._wanted = dict(wanted)
        dump_line(self._wanted)  # Raises here rather than at the first connection.
        self._needs_acks = False
        self._acks: _Acknowledgements | None = None  # of the current connection
        self._lines = 0
        self._lines_before = 0  # of earlier connections

    @property
    def lines(self) -> int:
        """Lines of the source whose results have been handed out."""
        return self._lines

    def begin(self, headers: CIMultiDict[str]) -> Body:
        headers[hdrs.CONTENT_TYPE] = "application/json"
        if self._needs_acks:
            headers[wire.FORST_ACK] = "1"
        self._acks = None
        if headers.setdefault(wire.FORST_ACK, "if-needed") == "1":
            self._acks = _Acknowledgements()
        self._lines_before = self.lines
        document = dump_line(self._wanted)
        return Body(document) if self._acks is None else Body(self._acks.next, document)

    def deliver(self, pieces: list[bytes], frames: FrameReader) -> Iterator[list[bytes]]:
        start = 0
        for end, acked, offset in frames.marks:
            self._lines = self._lines_before + acked
            if offset:
                self._wanted["from"] = offset
            yield pieces[start:end]
            start = end

    def check(self, summary: Summary, connection: Connection) -> None:
        """Do nothing: the source decides which lines there are."""

    async def delivered(self) -> None:
        if self._acks is not None:
            self._acks.put(self.lines - self._lines_before)
            # Sent now: the caller may keep the event loop busy with the next records for long.
            await asyncio.sleep(0)

    def is_consumed(self, connection: Connection) -> bool:
        return False

    def reconnects_at_once(
        self, error: RequestRefusedError | StreamFailedError, connection: Connection
    ) -> bool:
        """Return whether the server asks for acknowledgements, which the first request lacks."""
        if isinstance(error, RequestRefusedError) and error.status == _NEEDS_ACKS:
            self._needs_acks = self._acks is None
            return self._needs_acks
        return False

    async def leave(self, connection: Connection) -> None:
        """Wait until the server has taken the last acknowledgements, and ends the response."""
        if self._acks is None:
            return
        self._acks.end()
        with contextlib.suppress(TimeoutError, StreamFailedError):
            async with asyncio.timeout(_LAST_ACKS_TIMEOUT):
                while await connection.read():
                    pass


class _Acknowledgements:
    """The rest of one connection's request: which lines of the response the caller is done with."""

    def __init__(self) -> None:
        self._lines = 0
        self._sent = 0
        self._has_ended = False
        self._changed = asyncio.Event()

    def put(self, lines: int) -> None:
        """Acknowledge the first `lines` lines of the response."""
        self._lines = lines
        self._changed.set()

    def end(self) -> None:
        """End the request after what has been acknowledged."""
        self._has_ended = True
        self._changed.set()

    async def next(self) -> bytes:
        """Return what is sent next, empty at the end."""
        while self._lines == self._sent and not self._has_ended:
            self._changed.clear()
            await self._changed.wait()
        if self._lines == self._sent:
            return b""
        self._sent = self._lines
        return wire.ack_line(self._sent)
