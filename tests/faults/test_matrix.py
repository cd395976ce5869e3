"""Each fault has the effect on each kind of client that the documentation promises.

With resume every result comes once, in order and unchanged. Without, an input is answered whole,
or the client gets an error.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from forstcore import (
    ForstStreamingClient,
    RetryConfig,
    StreamFailedError,
    StreamingConfig,
    StreamOptions,
)
from tests.faults import ENDING, KINDS, Direction, Fault, FaultProxy, Kind, Plan
from tests.oracle import account, due_of_all, make_lines
from tests.server.raw import Cut, RawStream
from tests.servers import Server, launch

ENDPOINTS = ("/streaming-process", "/large-dataset-stream")
COUNT = 20_000
BODY = make_lines(random.Random(1), 0, COUNT)
LINES = BODY.splitlines(keepends=True)
RESULTS = due_of_all(LINES)
PLACES = (0, 1, 100, 500, 5_000, 40_000)
# The same for a compressed stream, which is 10 times smaller.
COMPRESSED_PLACES = (0, 1, 100, 500, 1_500, 5_000)
BREAKING = (*ENDING, "stall")
IMPATIENT = 0.4  # Seconds after which a stalled connection is closed.


def check(results: bytes, about: object = "") -> None:
    """Check that each line has a result."""
    found = account(LINES, results.splitlines(keepends=True))
    assert found.good, f"{found}\n{about}"


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    """A server for each way to read a body, and one with a short timeout."""
    options = {
        "takeover": ("--takeover", "on"),
        "aiohttp": ("--takeover", "off"),
        "impatient": ("--timeout", str(IMPATIENT)),
    }
    servers = {name: launch("--no-access-log", *each) for name, each in options.items()}
    yield servers
    for server in servers.values():
        server.kill()


def cases() -> Iterator[object]:
    """Yield each kind of fault with each kind of stream that may react differently."""
    for kind in KINDS:
        # A stall is detected by a timeout, which the test has to wait for: once is enough.
        ways = [("impatient", False), ("impatient", True)]
        if kind != "stall":
            ways = [("takeover", False), ("takeover", True), ("aiohttp", False)]
        for way, compressed in ways:
            for direction in ("up", "down"):
                name = f"{kind}-{direction}-{way}{'-compressed' if compressed else ''}"
                yield pytest.param(kind, direction, way, compressed, id=name)


def faults_of(kind: Kind, direction: Direction, compressed: bool) -> list[Fault]:
    places: tuple[int, ...] = COMPRESSED_PLACES if compressed else PLACES
    if kind == "stall":
        places = places[4:5]
    return [Fault(kind, after, direction) for after in places]


def config(compressed: bool, patience: float) -> StreamingConfig:
    retry = RetryConfig(attempts=100, delay=0.01, max_delay=0.05)
    return StreamingConfig(
        retry=retry, timeout=patience, chunk_size=1 << 16, compression=compressed
    )


async def stream(
    url: str, endpoint: str = ENDPOINTS[0], *, compressed: bool, resume: bool, patience: float = 30
) -> tuple[bytes, int]:
    """Return the results, and over how many connections they came."""
    got = []
    options = StreamOptions(resume=resume, on_error="emit")
    async with ForstStreamingClient(url, config(compressed, patience)) as client:
        results = client.process_streaming_data(endpoint, iter(LINES), options)
        async for piece in results:
            got.append(piece)
        return b"".join(got), results.connections


@pytest.mark.long
@pytest.mark.parametrize(("kind", "direction", "way", "compressed"), list(cases()))
def test_with_resume_every_result_comes_once(
    servers: dict[str, Server], kind: Kind, direction: Direction, way: str, compressed: bool
) -> None:
    async def run() -> None:
        for endpoint in ENDPOINTS:
            faults = faults_of(kind, direction, compressed)
            async with FaultProxy(servers[way].port, faults) as proxy:
                results, connections = await stream(
                    *(proxy.url, endpoint),
                    compressed=compressed,
                    resume=True,
                    patience=IMPATIENT if kind == "stall" else 30,
                )
            check(results)
            if kind in BREAKING:
                assert proxy.done == len(faults)
                assert connections > 1
            else:
                assert proxy.done >= 1

    asyncio.run(run())


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("kind", "direction", "way", "compressed"), list(cases()))
def test_without_resume_a_loss_is_reported(
    servers: dict[str, Server], kind: Kind, direction: Direction, way: str, compressed: bool
) -> None:
    async def run() -> None:
        # At earlier places nothing is lost yet, and the client tries again.
        for fault in faults_of(kind, direction, compressed)[-2:]:
            async with FaultProxy(servers[way].port, [fault]) as proxy:
                streaming = stream(
                    proxy.url,
                    compressed=compressed,
                    resume=False,
                    patience=IMPATIENT if kind == "stall" else 30,
                )
                if kind in BREAKING:
                    with pytest.raises(StreamFailedError) as caught:
                        await streaming
                    assert caught.value.code == ("timeout" if kind == "stall" else "disconnected")
                else:
                    results, connections = await streaming
                    check(results)
                    assert connections == 1
                assert proxy.done == 1

    asyncio.run(run())


def plain_http(port: int, patience: float) -> bytes:
    """Use neither the client nor frames; raise if the response is incomplete."""
    headers = {"Forst-On-Error": "emit"}
    address = ("127.0.0.1", port)
    with RawStream(address, ENDPOINTS[0], headers, timeout=patience) as request:
        for start in range(0, COUNT, 1000):
            request.send(b"".join(LINES[start : start + 1000]))
        request.end()
        return request.read_rest()


@pytest.mark.one_in(3)
@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("way", ["takeover", "aiohttp"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_http_client_notices(
    servers: dict[str, Server], kind: Kind, way: str, direction: Direction
) -> None:
    patience = IMPATIENT if kind == "stall" else 30
    # The last one leaves out no more than the end of the last chunk.
    last = len(BODY) - 8 if direction == "up" else len(RESULTS) - 1
    places = [300] if kind == "stall" else [0, 300, 50_000, last]

    async def run() -> None:
        for after in places:
            async with FaultProxy(servers[way].port, [Fault(kind, after, direction)]) as proxy:
                answer = asyncio.to_thread(plain_http, proxy.port, patience)
                if kind in BREAKING:
                    with pytest.raises((Cut, ConnectionError, TimeoutError)):
                        await answer
                else:
                    check(await answer)
                assert proxy.done == 1

    asyncio.run(run())


@pytest.mark.one_in(3)
@pytest.mark.parametrize("seed", range(6))
def test_many_faults_in_a_row(servers: dict[str, Server], seed: int) -> None:
    compressed = seed % 2 == 1
    most = len(BODY) // 100 if compressed else len(BODY)
    plan = Plan.draw(seed, 25, most, kinds=[each for each in KINDS if each != "stall"])

    async def run() -> None:
        async with FaultProxy(servers["takeover"].port, plan) as proxy:
            endpoint = ENDPOINTS[seed // 2 % 2]
            results, _ = await stream(proxy.url, endpoint, compressed=compressed, resume=True)
            assert proxy.done > 0
            check(results, plan)

    asyncio.run(run())
