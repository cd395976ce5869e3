"""A sink of the simplest kind, over a socket, and the server that it writes to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from forstcore.errors import SinkError
from forstcore.sinks import Output, SinkLimits
from forstcore.sinks._broker_writer import BrokerWriter
from forstcore.sources import Notice, Reader, Source
from forstcore.sources._broker_log import BrokerLog

__all__ = ["TcpServer", "TcpSink", "TcpWriter"]

Answer = Callable[[bytes], Awaitable[object]]


async def accept(_: bytes) -> object:
    """Confirm everything."""
    return {}


class TcpServer:
    """Takes outputs, each with its length before it, and answers each with a line of JSON.

    Args:
        answer: returns what to answer to an output: the numbers of refused lines and why, or a text
            if the sink cannot go on. An OSError drops the connection before the output is kept.

    Attributes:
        outputs: what was received and confirmed.
        port: where it listens.
    """

    def __init__(self, answer: Answer = accept) -> None:
        self.outputs: list[bytes] = []
        self.port = 0
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def lines(self) -> list[bytes]:
        """All lines that were confirmed."""
        return b"".join(self.outputs).splitlines()

    async def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and drop all connections."""
        if self._server is not None:
            self._server.close()
            for each in self._connections:
                each.transport.abort()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while length := await reader.readline():
                results = await reader.readexactly(int(length))
                answer = await self._answer(results)
                self.outputs.append(results)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            self._connections.discard(writer)
            writer.close()


class TcpSink:
    """A sink that keeps no offsets.

    Args:
        port: where the server listens.
        buffer_size: as in `SinkLimits`.
    """

    name = "tcp"
    keeps_offsets = False
    file = ""

    def __init__(self, port: int, buffer_size: int = 1 << 20) -> None:
        self._port = port
        self._limits = SinkLimits(buffer_size=buffer_size)
        self._writer: TcpWriter | None = None

    def check(self) -> None:
        """Do nothing: only connecting would show."""

    async def offset(self) -> str:
        return ""

    def acknowledges(self, source: Source) -> bool | None:
        return False

    async def open(self, reader: Reader | None) -> TcpWriter:
        self._writer = TcpWriter(self._port, self._limits)
        return self._writer

    def trouble(self) -> Notice | None:
        return self._writer.trouble if self._writer is not None else None

    async def close(self) -> None:
        """Do nothing."""


class TcpWriter(BrokerWriter):
    """Sends outputs, and waits for the answers."""

    transient_errors = (OSError, asyncio.IncompleteReadError)

    def __init__(self, port: int, limits: SinkLimits) -> None:
        super().__init__("tcp", BrokerLog("tcp", "sink"), limits)
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def _connect(self) -> None:
        self._streams = await asyncio.open_connection("127.0.0.1", self._port)

    async def _send(self, outputs: Sequence[Output]) -> None:
        assert self._streams is not None
        reader, writer = self._streams
        for output in outputs:
            writer.write(b"%d\n%b" % (len(output.results), output.results))
        for _ in outputs:
            answer = json.loads(await reader.readuntil(b"\n"))
            if isinstance(answer, str):
                raise SinkError("tcp", answer)
            self._confirm({int(number): why for number, why in answer.items()})

    async def _disconnect(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.transport.abort()
