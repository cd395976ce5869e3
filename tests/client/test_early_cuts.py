"""A proxy that cuts each connection early: every connection brings the stream forward."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from forstcore import ForstStreamingClient, RetryConfig, StreamingConfig, StreamOptions
from tests.faults import Fault, FaultProxy, Kind
from tests.servers import Server, launch

RESUME = StreamOptions(resume=True)

MODULE = """
import forstcore


@forstcore.processor("odd_ones", compiled=False)
def odd_ones(record: dict):
    return record if record["id"][-1] in "13579" else None
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    module = tmp_path_factory.mktemp("early_cuts") / "odd_ones.py"
    module.write_text(MODULE)
    server = launch("--no-access-log", "--processors", str(module))
    yield server
    server.kill()


def lines(size: int) -> bytes:
    """Return `size` bytes of records that are hard to compress."""
    draw = random.Random(size)
    return b"".join(
        b'{"id":"%d","data":"%b"}\n' % (number, draw.randbytes(60).hex().encode())
        for number in range(size // 140)
    )


async def results_of(url: str, endpoint: str, body: bytes, *, compression: bool) -> bytes:
    config = StreamingConfig(compression=compression, retry=RetryConfig(delay=0.001), timeout=20)
    async with ForstStreamingClient(url, config) as client:
        stream = client.process_streaming_data(endpoint, body, RESUME)
        return b"".join([each async for each in stream])


@pytest.mark.parametrize("kind", ["cut", "reset"])
@pytest.mark.parametrize("after", [600, 10_000, 30_000, 64_000, 100_000])
@pytest.mark.parametrize("endpoint", ["/streaming-process", "/large-dataset-stream", "/odd_ones"])
@pytest.mark.one_in(5)
def test_each_connection_makes_progress(
    server: Server, endpoint: str, after: int, kind: Kind
) -> None:
    body = lines(20 * after)

    async def run() -> None:
        expected = await results_of(server.url, endpoint, body, compression=False)
        for compression in (False, True):
            async with FaultProxy(server.port, itertools.repeat(Fault(kind, after))) as proxy:
                received = await results_of(proxy.url, endpoint, body, compression=compression)
                assert received == expected
                # The results of half of what a connection brings may have to come again.
                assert 2 < proxy.done < 100

    asyncio.run(run())


@pytest.mark.parametrize("after", [700, 10_000, 64_000])
@pytest.mark.parametrize("kind", ["memory", "compressed file"])
def test_each_connection_of_a_live_stream_makes_progress(
    tmp_path: Path, kind: str, after: int
) -> None:
    body = lines(20 * after)
    count = body.count(b"\n")
    compressed = tmp_path / "log.gz"
    compressed.write_bytes(gzip.compress(body, 1))
    url = "memory:" if kind == "memory" else f"file:{compressed}?follow=no"
    server = launch("--no-access-log", "--source", f"events={url}")

    async def run() -> None:
        config = StreamingConfig(compression=False, retry=RetryConfig(delay=0.001), timeout=20)
        async with (
            FaultProxy(server.port, itertools.repeat(Fault("cut", after))) as proxy,
            ForstStreamingClient(proxy.url, config) as client,
        ):
            wanted = {"source": "events", "from": "start"}
            found: list[int] = []
            async with client.follow_forst("/real-time-process", wanted) as stream:
                async for each in stream:
                    found.append(int(each["id"]))
                    if len(found) == count:
                        break
            assert found == list(range(count))
            assert 2 < proxy.done < max(100, 2 * count)

    try:
        if kind == "memory":
            requests.post(f"{server.url}/sources/events", data=body, timeout=60).raise_for_status()
        asyncio.run(run())
    finally:
        server.kill()
