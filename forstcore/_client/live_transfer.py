"""One live stream of a client, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp

from forstcore._client.connection import Connection
from forstcore._client.frame_reader import FrameReader
from forstcore._client.server_url import Target
from forstcore._client.transfer import Transfer
from forstcore._io.json_lines import dump_line
from forstcore.config import StreamingConfig
from forstcore.errors import RequestRefusedError, StreamFailedError

__all__ = ["LiveTransfer"]

_LOGGER = logging.getLogger("forstcore")

_WANTS_ACKS = 428  # Status of a source whose records come again unless they are acknowledged.
_LAST_WORDS = 1.0  # Seconds in which a server may take the last acknowledgements.


class _Acknowledgements:
    """The request of one connection behind its first line: what the caller is done with."""

    def __init__(self) -> None:
        self._lines = 0
        self._sent = 0
        self._is_ended = False
        self._changed = asyncio.Event()

    def put(self, lines: int) -> None:
        """Acknowledge the first `lines` lines of the response."""
        self._lines = lines
        self._changed.set()

    def end(self) -> None:
        """End the request behind what has been acknowledged."""
        self._is_ended = True
        self._changed.set()

    async def next(self) -> bytes:
        """Return what is to be sent next, empty at the end."""
        while self._lines == self._sent and not self._is_ended:
            self._changed.clear()
            await self._changed.wait()
        if self._lines == self._sent:
            return b""
        self._sent = self._lines
        return b":ack %d\n" % self._sent


class LiveTransfer(Transfer):
    """Ask for a live stream, and go on from its last offset when a connection is lost.

    Records of sources that have no offsets, but give again what is not acknowledged, are
    acknowledged when the caller asks for what comes behind them.

    Args:
        target, endpoint, config, headers: as for `Transfer`.
        wanted: the request; its ``from`` is that of the first connection.
    """

    def __init__(
        self,
        target: Target,
        endpoint: str,
        wanted: Mapping[str, Any],
        config: StreamingConfig,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(target, endpoint, dump_line(wanted), config, headers, resume=True)
        self._wanted = dict(wanted)
        self._headers.setdefault("Forst-Ack", "if-needed")
        self._lines = 0

    @property
    def lines(self) -> int:
        """Lines of the source whose results have been handed out."""
        return self._lines

    async def pieces(self, session: aiohttp.ClientSession) -> AsyncGenerator[list[bytes], None]:
        while True:
            acks = _Acknowledgements() if self._headers["Forst-Ack"] == "1" else None
            connection = self._ask(session, acks)
            before = self._lines
            # What is not acknowledged may come again over the next connection.
            frames = FrameReader(hold=True)
            try:
                await connection.open()
                self._failures = 0
                while data := await connection.read():
                    pieces = frames.feed(data)
                    for missed in frames.missed:
                        _LOGGER.warning("%s: %s records were missed", self._url, missed)
                        unknown = missed == "?" or self.missed is None
                        self.missed = None if unknown else (self.missed or 0) + int(missed)
                    frames.missed.clear()
                    start = 0
                    for end, acked, offset in frames.marks:
                        self._lines = before + acked
                        if offset:
                            self._wanted["from"] = offset
                        if start < end:
                            yield pieces[start:end]
                        if acks is not None:
                            # Whoever asks for more is done with what there was. It is to be told
                            # before that is in work: the caller may not come back to the loop soon.
                            acks.put(acked)
                            await asyncio.sleep(0)
                        start = end
                    if frames.error is not None:
                        raise frames.error
                self.summary = self._checked(frames.summary, connection)
                return
            except RequestRefusedError as error:
                if error.status == _WANTS_ACKS and acks is None:
                    self._headers["Forst-Ack"] = "1"
                    continue
                pause = self._pause_after(error, connection)
            except StreamFailedError as error:
                pause = self._pause_after(error, connection)
            except GeneratorExit:
                if acks is not None:
                    acks.end()
                    await _read_out(connection)
                raise
            finally:
                connection.close()
            await asyncio.sleep(pause)

    def _ask(self, session: aiohttp.ClientSession, acks: _Acknowledgements | None) -> Connection:
        """Make a connection whose request may go on with acknowledgements."""
        text = dump_line(self._wanted)
        if acks is None:
            return self._connect(session, text)
        return self._connect(session, acks.next, text)


async def _read_out(connection: Connection) -> None:
    """Wait until the server has taken the last acknowledgements, and ends the response."""
    with contextlib.suppress(TimeoutError, StreamFailedError):
        async with asyncio.timeout(_LAST_WORDS):
            while await connection.read():
                pass
