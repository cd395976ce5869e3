"""The client through load balancers: over TLS, and while servers are replaced one by one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from forstcore import (
    ForstStreamingClient,
    RetryConfig,
    StreamingConfig,
    StreamingRecord,
    StreamOptions,
)
from tests.certificates import Certificates
from tests.deploy.conftest import StartProxy
from tests.deploy.proxies import Proxy
from tests.servers import Server, StartServer

pytestmark = pytest.mark.long

CONFIG = StreamingConfig(
    chunk_size=1 << 14,
    retry=RetryConfig(attempts=50, delay=0.05, max_delay=0.2),
)
ROUND = 12_000  # Records from one replacement to the next.
ROUNDS = 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_lost_and_nothing_comes_twice(
    proxy: Proxy, servers: list[Server], start_one: StartServer, number: signal.Signals
) -> None:
    """The server with the stream is stopped and replaced, again and again."""

    def replace() -> None:
        (place,) = (at for at, server in enumerate(servers) if server.open_streams())
        status = servers[place].stop(number)
        assert status == (0 if number == signal.SIGTERM else -number)
        servers[place] = start_one("--port", str(servers[place].port))

    async def run() -> None:
        rounds = asyncio.Semaphore()

        async def produce() -> AsyncIterator[StreamingRecord]:
            for each in range(ROUNDS * ROUND):
                if each % ROUND == 0:
                    await rounds.acquire()
                yield {"id": str(each), "data": "x" * 80}
            await rounds.acquire()

        async with ForstStreamingClient(proxy.url, CONFIG) as client:
            options = StreamOptions(resume=True)
            stream = client.stream_to_forst("/streaming-process", produce(), options)
            due = 0
            async for result in stream:
                assert result["id"] == str(due)
                due += 1
                if due % ROUND == ROUND // 2:
                    # The other half is still in transit.
                    await asyncio.to_thread(replace)
                    rounds.release()
            assert due == ROUNDS * ROUND
            assert stream.connections >= ROUNDS

    asyncio.run(run())


def test_tls_ends_at_the_load_balancer(
    servers: list[Server], start_proxy: StartProxy, certificates: Certificates
) -> None:
    proxy = start_proxy(servers, certificates)

    async def run() -> None:
        answered = asyncio.Semaphore()

        async def produce() -> AsyncIterator[StreamingRecord]:
            for each in range(20):
                # Only after the last result has arrived.
                await answered.acquire()
                yield {"id": str(each), "data": "x"}

        tls = certificates.client()
        url = proxy.url.replace("http:", "https:")
        async with ForstStreamingClient(url, CONFIG, tls=tls) as client:
            stream = client.stream_to_forst("/streaming-process", produce())
            due = 0
            async for result in stream:
                assert result["id"] == str(due)
                due += 1
                answered.release()
            assert due == 20
        # The TLS shutdown takes the event loop a moment.
        await asyncio.sleep(0.1)

    asyncio.run(run())
