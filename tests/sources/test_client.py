"""The client's live streams: from the last offset on when a connection is lost."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping

import pytest
from redis import Redis

from forstcore import (
    ForstStreamingClient,
    RequestRefusedError,
    RetryConfig,
    StreamFailedError,
    StreamingConfig,
    StreamingIntegration,
)
from tests.faults import ENDING, FaultProxy, Plan
from tests.servers import Server, StartServer, free_port
from tests.sources.brokers import RedisServer
from tests.sources.live import numbers, publish

CONFIG = StreamingConfig(retry=RetryConfig(attempts=50, delay=0.02, max_delay=0.2))
QUICK = StreamingConfig(retry=RetryConfig(attempts=2, delay=0.02))


def records(first: int, end: int) -> bytes:
    return b"".join(b'{"id":"%d","data":"x"}\n' % number for number in range(first, end))


async def take(url: str, wanted: Mapping[str, object], count: int) -> tuple[list[str], int]:
    """Return the ids of so many results, and how many connections they took."""
    async with ForstStreamingClient(url, CONFIG) as client:
        integration = StreamingIntegration(client)
        async with (
            asyncio.timeout(50),
            integration.process_real_time_data(wanted) as results,
        ):
            found = [str((await anext(results))["id"]) for _ in range(count)]
            return found, results.connections


def test_results_as_they_are_published(server: Server) -> None:
    async def scenario() -> list[str]:
        wanted = {"source": "events", "filters": {"id": {"ne": "3"}}, "from": "start"}
        taking = asyncio.create_task(take(server.url, wanted, 9))
        for number in range(10):
            await asyncio.to_thread(publish, server, records(number, number + 1))
        return (await taking)[0]

    assert asyncio.run(scenario()) == [each for each in numbers(0, 10) if each != "3"]


def test_every_result_once_over_connections_that_are_cut(server: Server) -> None:
    total = 20_000

    async def scenario() -> tuple[list[str], int]:
        faults = Plan.draw(7, 30, 60_000, kinds=ENDING, directions=("down",))
        async with FaultProxy(server.port, faults) as proxy:
            wanted = {"source": "events", "from": "start"}
            taking = asyncio.create_task(take(proxy.url, wanted, total))
            for first in range(0, total, 500):
                await asyncio.to_thread(publish, server, records(first, first + 500))
            return await taking

    found, connections = asyncio.run(scenario())
    assert found == numbers(0, total)
    assert connections > 10


def test_every_result_once_over_servers_that_are_killed(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    total = 6000
    port = free_port()
    options = ("--port", str(port), "--source", f"a=redis://127.0.0.1:{redis_server.port}/0")

    async def scenario() -> tuple[list[str], int]:
        server = start_one(*options)
        redis = Redis(port=redis_server.port)
        taking = asyncio.create_task(take(server.url, {"source": "a", "from": "start"}, total))
        for first in range(0, total, 500):
            with redis.pipeline(transaction=False) as pipe:
                for number in range(first, first + 500):
                    pipe.xadd("a", {"id": str(number), "data": "x"})
                await asyncio.to_thread(pipe.execute)
            if first % 2000 == 1000:
                await asyncio.to_thread(server.stop, signal.SIGKILL)
                server = await asyncio.to_thread(start_one, *options)
        redis.close()
        return await taking

    found, connections = asyncio.run(scenario())
    assert found == numbers(0, total)
    assert connections > 3


def test_a_server_that_drains_is_gone_back_to(start_one: StartServer) -> None:
    async def scenario() -> list[str]:
        port = str(free_port())
        server = start_one("--port", port)
        async with ForstStreamingClient(server.url, CONFIG) as client:
            results = client.follow_forst("/real-time-process", {"source": "events"})
            async with asyncio.timeout(60), results:
                first = asyncio.ensure_future(anext(results))
                while not first.done():
                    await asyncio.to_thread(publish, server, records(1, 2))
                    await asyncio.sleep(0.05)
                await asyncio.to_thread(server.stop)
                server = await asyncio.to_thread(start_one, "--port", port)
                await asyncio.to_thread(publish, server, records(2, 3))
                found = [(await first)["id"]]
                while found[-1] != "2":
                    found.append((await anext(results))["id"])
        return sorted(set(found))

    assert asyncio.run(scenario()) == ["1", "2"]


def test_what_is_refused_is_raised(server: Server) -> None:
    client = ForstStreamingClient(server.url, QUICK)
    with pytest.raises(RequestRefusedError, match="there is no source 'none'; sources: events"):
        list(client.follow_forst("/real-time-process", {"source": "none"}))
    wanted = {"source": "events", "filters": {"a": {"near": 1}}}
    with pytest.raises(RequestRefusedError, match=r"filters\.a\.near is no operator"):
        list(client.follow_forst("/real-time-process", wanted))


def test_a_server_that_stays_away_is_given_up(start_one: StartServer) -> None:
    server = start_one()
    publish(server, records(0, 3))
    client = ForstStreamingClient(server.url, QUICK)
    found = []

    def follow() -> None:
        wanted = {"source": "events", "from": "start"}
        for result in client.follow_forst("/real-time-process", wanted):
            found.append(result["id"])
            if len(found) == 3:
                server.process.kill()

    with pytest.raises(StreamFailedError) as caught:
        follow()
    assert found == numbers(0, 3)
    assert caught.value.lines == 3
