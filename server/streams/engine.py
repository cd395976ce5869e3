"""The stream handler for records that an engine processes with several workers."""

from __future__ import annotations

from contextlib import aclosing

from forstcore.engine import Engine
from server.streams.handler import StreamHandler, drained
from server.streams.response_writer import ResponseWriter

__all__ = ["EngineStreamHandler"]


class EngineStreamHandler(StreamHandler):
    """Process a stream with an engine.

    Input is read while workers are busy, as long as the engine has room. Results are written
    as the engine yields them.
    """

    stream: Engine

    @property
    def core_seconds(self) -> float:
        return self.stream.seconds

    def drain(self) -> None:
        self.stream.end_input(drained())

    async def _process(self, writer: ResponseWriter) -> None:
        async with (
            aclosing(self.body.pieces()) as pieces,
            aclosing(self.stream.run(pieces)) as outputs,
        ):
            async for output in outputs:
                sending = writer.send(writer.wrapped(output, self._take_rejected()))
                del output
                await sending
                self._check()
                if not self._may_reject():
                    await self._rejected_written()
        await self._rejected_written()
        await writer.end()

    def process_now(self, piece: memoryview, /) -> int:
        if not self.stream.has_room or not self.body.accept(piece):
            return 0
        self.stream.feed(piece)
        return len(piece)

    def is_processing(self) -> bool:
        return self.stream.is_busy
