"""The proxy causes exactly the faults of a plan."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.faults import ENDING, KINDS, Direction, Fault, FaultProxy, Plan

SENT = bytes(range(256)) * 400
PASSING = tuple(each for each in KINDS if each not in (*ENDING, "stall"))


class Peer:
    """A server that reads everything, and sends the same to every connection.

    Attributes:
        port: its port.
        received: the bytes received, for each connection.
        ended: how each connection ended: ``eof`` or the name of an exception.
    """

    def __init__(self) -> None:
        self.port = 0
        self.received: list[bytes] = []
        self.ended: dict[int, str] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number = len(self.received)
        self.received.append(b"")
        with contextlib.suppress(OSError):
            writer.write(SENT)
        try:
            while data := await reader.read(1 << 16):
                self.received[number] += data
            self.ended[number] = "eof"
        except OSError as error:
            self.ended[number] = type(error).__name__
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async def settled(self) -> None:
        """Wait until every connection has ended."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
        assert len(self.ended) == len(self.received)


@contextlib.asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    found = Peer()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    async with server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


async def exchange(port: int, seconds: float = 5) -> tuple[bytes, str]:
    """Send and receive through the proxy; return the response, and how the connection ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        async with asyncio.timeout(seconds):
            with contextlib.suppress(OSError):
                writer.write(SENT)
                writer.write_eof()
            while data := await reader.read(1 << 16):
                received += data
        return received, "eof"
    except (OSError, TimeoutError) as error:
        return received, type(error).__name__
    finally:
        writer.transport.abort()


async def through(fault: Fault | None, seconds: float = 5) -> tuple[Peer, FaultProxy, bytes, str]:
    faults = [] if fault is None else [fault]
    async with peer() as other:
        async with FaultProxy(other.port, faults) as proxy:
            received, end = await exchange(proxy.port, seconds)
        await other.settled()
        return other, proxy, received, end


def test_nothing_happens_without_a_fault() -> None:
    other, proxy, received, end = asyncio.run(through(None))
    assert (received, end, proxy.done) == (SENT, "eof", 0)
    assert other.received == [SENT]


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("kind", PASSING)
def test_what_is_only_slow_arrives_whole(kind: Any, direction: Direction) -> None:
    fault = Fault(kind, 1_000, direction, seconds=0.2)
    other, proxy, received, end = asyncio.run(through(fault))
    assert (received, end, proxy.done) == (SENT, "eof", 1)
    assert SENT in other.received


@pytest.mark.parametrize("after", [0, 1, 70_000])
def test_a_duplicate_reaches_the_server_as_far_as_planned(after: int) -> None:
    other, _, received, _ = asyncio.run(through(Fault("duplicate", after)))
    assert received == SENT
    assert sorted(map(len, other.received)) == [after, len(SENT)]
    assert all(SENT.startswith(each) for each in other.received)


@pytest.mark.parametrize("after", [0, 1, 70_000])
@pytest.mark.parametrize("kind", ENDING)
def test_a_direction_ends_at_the_byte_that_was_planned(kind: Any, after: int) -> None:
    other, proxy, _, _ = asyncio.run(through(Fault(kind, after, "up")))
    assert proxy.done == 1
    assert other.received == [SENT[:after]]
    _, proxy, received, end = asyncio.run(through(Fault(kind, after, "down")))
    assert proxy.done == 1
    if kind == "reset":
        # A reset may discard bytes that were in transit.
        assert SENT.startswith(received)
        assert end == "ConnectionResetError"
        assert len(received) <= after
    else:
        assert (received, end) == (SENT[:after], "eof")


@pytest.mark.parametrize("kind", PASSING)
def test_one_fault_follows_another(kind: Any) -> None:
    fault = Fault(kind, 5_000, "up", 0.05, then=Fault("cut", 60_000, "up"))
    other, proxy, _, _ = asyncio.run(through(fault))
    assert proxy.done == 2
    whole = max(other.received, key=len)
    assert SENT.startswith(whole)
    assert 60_000 <= len(whole) < len(SENT)


def test_a_half_close_leaves_the_other_direction_open() -> None:
    other, _, received, end = asyncio.run(through(Fault("half_close", 100, "up")))
    assert (other.received, other.ended) == ([SENT[:100]], {0: "eof"})
    assert (received, end) == (SENT, "eof")


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_stall_stops_one_direction(direction: Direction) -> None:
    other, proxy, received, end = asyncio.run(through(Fault("stall", 5_000, direction), 0.5))
    assert (end, proxy.done) == ("TimeoutError", 1)
    if direction == "up":
        assert (received, other.received) == (SENT, [SENT[:5_000]])
    else:
        assert (received, other.received) == (SENT[:5_000], [SENT])


def test_a_proxy_without_a_server_closes() -> None:
    async def run() -> tuple[bytes, str]:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            async with FaultProxy(unused.getsockname()[1]) as proxy:
                return await exchange(proxy.port)

    received, end = asyncio.run(run())
    assert received == b""
    assert end in ("eof", "ConnectionResetError")


@pytest.mark.parametrize("steps", range(6))
def test_a_connection_that_comes_as_a_proxy_stops_is_closed(steps: int) -> None:
    async def run() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as server:
            proxy = FaultProxy(server.getsockname()[1])
            await proxy.start()
            with socket.create_connection(("127.0.0.1", proxy.port), 30) as client:
                for _ in range(steps):
                    await asyncio.sleep(0)
                await proxy.stop()
                with contextlib.suppress(ConnectionResetError):
                    return await asyncio.to_thread(client.recv, 1)
                return b""

    # A socket that is not closed is a warning, which is an error.
    assert asyncio.run(run()) == b""
    gc.collect()


def test_a_plan_follows_from_its_seed() -> None:
    plan = Plan.draw(7, 200, 1_000_000, seconds=2)
    assert plan == Plan.draw(7, 200, 1_000_000, seconds=2)
    assert plan.faults != Plan.draw(8, 200, 1_000_000, seconds=2).faults
    assert {each.kind for each in plan} == set(KINDS)
    assert {each.direction for each in plan} == {"up", "down"}
    assert all(0 <= each.after <= 1_000_000 and 0.2 <= each.seconds <= 2 for each in plan)
    assert any(each.after < 1000 for each in plan)
    assert all((each.then is None) == (each.kind in (*ENDING, "stall")) for each in plan)
    assert all(each.then is None for each in Plan.draw(7, 50, 1000, kinds=PASSING))


def test_a_plan_can_be_read() -> None:
    faults = (
        Fault("cut", 7, "up"),
        Fault("delay", 0, "down", 0.25, then=Fault("reset", 5)),
        Fault("duplicate", 9),
    )
    assert str(Plan(3, faults)).splitlines() == [
        "faults of seed 3:",
        "  connection 1: cut up after 7 bytes",
        "  connection 2: delay down after 0 bytes for 0.25 s, then reset down after 5 bytes",
        "  connection 3: duplicate 9 bytes up",
    ]
