"""A proxy that does to connections what networks do, the same for the same seed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["Fault", "FaultProxy", "cuts"]

_PIECE = 1 << 16


@dataclass(frozen=True)
class Fault:
    """What happens to one connection.

    Attributes:
        kind: ``cut`` ends both directions, ``reset`` does it with RST, ``half_close`` ends only
            this one, ``stall`` passes nothing on any more, ``delay`` waits once for `seconds`,
            ``dribble`` passes the next thousand bytes on one by one.
        after: how many bytes are passed on before.
        direction: ``up`` from the client to the server, ``down`` back.
        seconds: how long ``delay`` waits.
    """

    kind: Literal["cut", "reset", "half_close", "stall", "delay", "dribble"]
    after: int = 0
    direction: Literal["up", "down"] = "down"
    seconds: float = 0.1


def cuts(count: int, most: int, seed: int) -> Iterator[Fault]:
    """Yield faults that end connections after at most so many bytes, in either direction."""
    chance = random.Random(seed)
    for _ in range(count):
        yield Fault(
            chance.choice(("cut", "reset", "half_close")),
            chance.randrange(most),
            chance.choice(("up", "down")),
        )


class FaultProxy:
    """Pass connections on to a server on the loopback, with a fault for each.

    Args:
        port: the server's port.
        faults: for one connection after the other; those that follow are left alone.

    Attributes:
        port: the proxy's own port, once it has started.
        connections: how many were accepted.
        done: how many faults came to pass.
    """

    def __init__(self, port: int, faults: Iterable[Fault] = ()) -> None:
        self.port = 0
        self.connections = 0
        self.done = 0
        self._server_port = port
        self._faults = iter(faults)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> FaultProxy:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; on the same port as before after a stop."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and end all connections."""
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._connect(reader, writer, next(self._faults, None))
        except asyncio.CancelledError:
            # By `stop`: nobody waits for this task but the event loop, which would complain.
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
        up = self._pass_on(reader, back, fault if fault and fault.direction == "up" else None)
        down = self._pass_on(onward, writer, fault if fault and fault.direction == "down" else None)
        both = [asyncio.create_task(up), asyncio.create_task(down)]
        try:
            waiting: set[asyncio.Task[bool]] = set(both)
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if any(task.result() for task in done):
                    if fault and fault.kind == "reset":
                        _linger_not(writer)
                        _linger_not(back)
                    return
        finally:
            back.transport.abort()
            for each in both:
                each.cancel()
            await asyncio.wait(both)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None
    ) -> bool:
        """Pass one direction on; return whether the connection is to end now."""
        passed = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(_PIECE):
                if fault is not None and passed + len(data) > fault.after:
                    split = fault.after - passed
                    writer.write(data[:split])
                    await writer.drain()
                    self.done += 1
                    data = data[split:]
                    if fault.kind in ("cut", "reset"):
                        return True
                    if fault.kind == "half_close":
                        break
                    if fault.kind == "stall":
                        await asyncio.Event().wait()
                    if fault.kind == "delay":
                        await asyncio.sleep(fault.seconds)
                    if fault.kind == "dribble":
                        for place in range(min(len(data), 1000)):
                            writer.write(data[place : place + 1])
                            await asyncio.sleep(0)
                        data = data[1000:]
                    fault = None
                passed += len(data)
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
            return False
        return True


def _linger_not(writer: asyncio.StreamWriter) -> None:
    """Have the connection end with RST."""
    connection: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
