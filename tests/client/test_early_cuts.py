"""A proxy that cuts each connection early: every connection brings the stream forward."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator

import pytest

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
