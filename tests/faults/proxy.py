"""A proxy that causes network faults."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable

from tests.faults.plan import Fault

__all__ = ["FaultProxy"]

_PIECE = 1 << 16
_DRIBBLED = 1000  # Bytes that go one by one.
_SLOW = 1 << 16  # Bytes a second that a throttle lets through.
_SLOW_STEP = 0.05  # Seconds between two pieces of a throttled direction.


class FaultProxy:
    """Forward connections to a server on the loopback interface, with a fault for each.

    Bytes of a direction are never reordered, changed or dropped in the middle.

    Args:
        port: the server's port.
        faults: one for each connection; later connections have none.
        on_fault: called with each fault that occurs.
        listen_on: the proxy's own port, 0 for any.

    Attributes:
        port: the proxy's own port, once it has started.
        connections: number of accepted connections.
        done: number of faults that occurred.

    Thread-safety: belongs to one event loop.
    """

    def __init__(
        self,
        port: int,
        faults: Iterable[Fault] = (),
        on_fault: Callable[[Fault], None] | None = None,
        listen_on: int = 0,
    ) -> None:
        self.port = listen_on
        self.connections = 0
        self.done = 0
        self._server_port = port
        self._faults = iter(faults)
        self._on_fault = on_fault
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> FaultProxy:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after a stop, on the same port as before."""
        self._is_stopped = False
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and end all connections."""
        assert self._server is not None
        self._is_stopped = True
        for listener in self._server.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        # When a server closes, asyncio loses sockets that it has accepted but not given to it yet.
        await asyncio.sleep(0)
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_stopped:  # It was accepted just before.
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._connect(reader, writer, next(self._faults, None))
        except asyncio.CancelledError:
            # Cancelled by `stop`. The event loop would log an exception that nothing awaits.
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None
    ) -> None:
        try:
            onward, back = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            return
        async with contextlib.AsyncExitStack() as stack:
            twin = None
            if fault and fault.kind == "duplicate":
                twin = await stack.enter_async_context(self._twin(fault))
                fault = fault.then
            up = fault if fault and fault.direction == "up" else None
            down = fault if fault and fault.direction == "down" else None
            both = [
                asyncio.create_task(self._pass_on(reader, back, up, twin)),
                asyncio.create_task(self._pass_on(onward, writer, down)),
            ]
            try:
                waiting: set[asyncio.Task[str]] = set(both)
                while waiting:
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    ends = {task.result() for task in done} - {""}
                    if "reset" in ends:
                        _linger_not(writer)
                        _linger_not(back)
                    if ends:
                        return
            finally:
                back.transport.abort()
                for each in both:
                    each.cancel()
                await asyncio.wait(both)

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        fault: Fault | None,
        twin: _Twin | None = None,
    ) -> str:
        """Forward one direction; return how the connection should end, empty if it should not."""
        passed = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(_PIECE):
                if twin is not None:
                    await twin.send(data)
                while fault is not None and passed + len(data) > fault.after:
                    split = fault.after - passed
                    writer.write(data[:split])
                    await writer.drain()
                    self._count(fault)
                    if fault.kind in ("cut", "reset"):
                        return fault.kind
                    if fault.kind == "half_close":
                        writer.write_eof()
                        return ""
                    if fault.kind == "stall":
                        await asyncio.Event().wait()
                    data = await _hold_up(data[split:], reader, writer, fault)
                    fault, passed = fault.then, 0
                passed += len(data)
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
            return ""
        return "cut"

    def _count(self, fault: Fault) -> None:
        self.done += 1
        if self._on_fault is not None:
            self._on_fault(fault)

    @contextlib.asynccontextmanager
    async def _twin(self, fault: Fault) -> AsyncIterator[_Twin | None]:
        """Open a second connection to the server; None if the server has gone."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            yield None
            return
        self._count(fault)
        drop = asyncio.create_task(_drop(reader))
        try:
            yield _Twin(writer, fault.after)
        finally:
            writer.transport.abort()
            drop.cancel()
            await asyncio.wait([drop])


class _Twin:
    """A second connection, which also gets the first bytes of another one's request."""

    def __init__(self, writer: asyncio.StreamWriter, size: int) -> None:
        self._writer = writer
        self._size = size

    async def send(self, data: bytes) -> None:
        data = data[: self._size]
        self._size -= len(data)
        with contextlib.suppress(OSError):
            self._writer.write(data)
            await self._writer.drain()


async def _hold_up(
    data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault
) -> bytes:
    """Forward data with delays; return the rest, which is not delayed."""
    if fault.kind == "delay":
        await asyncio.sleep(fault.seconds)
    elif fault.kind == "dribble":
        for place in range(min(len(data), _DRIBBLED)):
            writer.write(data[place : place + 1])
            await asyncio.sleep(0)
        data = data[_DRIBBLED:]
    elif fault.kind == "throttle":
        end = asyncio.get_running_loop().time() + fault.seconds
        step = int(_SLOW * _SLOW_STEP)
        while asyncio.get_running_loop().time() < end:
            if not data and not (data := await reader.read(step)):
                break
            writer.write(data[:step])
            await writer.drain()
            data = data[step:]
            await asyncio.sleep(_SLOW_STEP)
    return data


async def _drop(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(_PIECE):
            pass


def _linger_not(writer: asyncio.StreamWriter) -> None:
    """Have the connection end with RST."""
    connection: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
