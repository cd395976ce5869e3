"""One live stream of a client, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp

from forstcore._frames import FrameReader
from forstcore._target import Target
from forstcore._transfer import Transfer
from forstcore.codec import dump_line
from forstcore.config import StreamingConfig
from forstcore.errors import RequestRefusedError, StreamFailedError

__all__ = ["LiveTransfer"]

_LOGGER = logging.getLogger("forstcore")


class LiveTransfer(Transfer):
    """Ask for a live stream, and go on from its last offset when a connection is lost.

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
        self._lines = 0

    @property
    def lines(self) -> int:
        """Lines of the source whose results have been handed out."""
        return self._lines

    async def pieces(self, session: aiohttp.ClientSession) -> AsyncGenerator[list[bytes], None]:
        while True:
            connection = self._connect(session, dump_line(self._wanted))
            before = self._lines
            # What is not acknowledged may come again over the next connection.
            frames = FrameReader(hold=True)
            try:
                await connection.open()
                self._failures = 0
                while data := await connection.read():
                    pieces = frames.feed(data)
                    self._lines = before + frames.acked
                    if frames.offset:
                        self._wanted["from"] = frames.offset
                    for missed in frames.missed:
                        _LOGGER.warning("%s: %s records were missed", self._url, missed)
                    frames.missed.clear()
                    if pieces:
                        yield pieces
                    if frames.error is not None:
                        raise frames.error
                self.summary = self._checked(frames.summary, connection)
                return
            except (RequestRefusedError, StreamFailedError) as error:
                pause = self._pause_after(error, connection)
            finally:
                connection.close()
            await asyncio.sleep(pause)
