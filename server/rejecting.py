"""Streams whose rejected lines are written down, with what was in them."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from aiohttp import web

from forstcore._origin import Origin
from forstcore._rejects import Rejected, Rejects, write_reject
from forstcore.engine import Engine
from server.engine_exchange import EngineExchange
from server.error_file import ErrorFile
from server.exchange import first_line, on_error
from server.outlet import Outlet
from server.state import State
from server.takeover import Takeover

__all__ = ["RejectingExchange"]


class RejectingExchange(EngineExchange):
    """A stream that an engine processes, and whose rejected lines are written down.

    Args:
        request, state, processor: as for `Exchange`.
        engine: the engine; it emits errors.
        file: where the lines go.
    """

    def __init__(
        self, request: web.Request, state: State, engine: Engine, processor: str, file: ErrorFile
    ) -> None:
        super().__init__(request, state, engine, processor)
        self._file = file
        self._lines: list[bytes] = []
        self._before = first_line(request) - 1
        self._origin = Origin(state.config.max_line_size, self._before + 1)
        self._rejects = Rejects(self._note, keep=on_error(request) != "skip")

    async def _process(self, outlet: Outlet, takeover: Takeover | None) -> None:
        async with (
            aclosing(self._pieces()) as pieces,
            aclosing(self.stream.run(pieces)) as outputs,
        ):
            async for output in outputs:
                kept = self._rejects.take(output)
                if self._lines:
                    self._file.write(b"".join(self._lines))
                    self._lines.clear()
                self.stream.bytes_out -= len(output) - len(kept)
                self._origin.forget(self._before + self.stream.lines)
                await outlet.send(outlet.wrapped(kept))
                self._check()
        await outlet.end()

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(self.intake.pieces()) as pieces:
            async for piece in pieces:
                self._origin.note("", piece)
                yield piece

    def _at_once(self, piece: memoryview) -> bool:
        if not self.stream.has_room or not self.intake.may_go_at_once():
            return False
        self.intake.count(len(piece))
        data = bytes(piece)
        self._origin.note("", data)
        self.stream.feed(data)
        return True

    def _note(self, error: dict[str, Any]) -> None:
        rejected = Rejected(
            self.request.path,
            error["line"],
            error["offset"],
            error["code"],
            error["message"],
            self._origin.line(error["line"]),
            error["code"] == "line_too_long",
        )
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._lines.append(write_reject(rejected, time=now, client=self.request.remote or ""))
