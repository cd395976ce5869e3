"""Redis entries of any size: memory use is bounded in bytes, and reading continues."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from redis import Redis

from forstcore.sources import Notice, SourceLimits, open_source
from tests.servers import StartServer, wait_until
from tests.sources.brokers import RedisServer
from tests.sources.brokers import redis_client as client
from tests.sources.live import Subscription, highest

KEY = "readings"
LIMIT = 1 << 20


def add(redis: Redis, first: int, end: int) -> None:
    with redis.pipeline(transaction=False) as pipe:
        for number in range(first, end):
            pipe.xadd(KEY, {"data": json.dumps({"id": str(number), "data": "x"})})
        pipe.execute()


@pytest.mark.long
@pytest.mark.parametrize("options", ["", "&group=workers&claim=1"])
def test_large_entries_between_small_ones(
    start_one: StartServer, redis_server: RedisServer, options: str
) -> None:
    url = f"redis://127.0.0.1:{redis_server.port}/0?stream={KEY}{options}"
    server = start_one("--source", f"a={url}")
    with client(redis_server) as redis:
        for block in range(3):
            add(redis, block * 600, block * 600 + 600)
            for _ in range(12):
                redis.xadd(KEY, {"data": '{"id":"large","data":"%s"}' % ("x" * 10_000_000)})
        start = None if options else "start"
        with highest(server) as most, Subscription(server, "a", start) as live:
            assert live.ids(1800) == [str(number) for number in range(1800)]
            while live.acked < 1836:
                assert live.next_line() is None
        assert live.missed == []
        # Redis has 360 MB of them, each a tenth of the allowed size of a line.
        assert most[0] < 60 << 20
        if options:
            wait_until(lambda: redis.xpending(KEY, "workers")["pending"] == 0)
    assert server.stop() == 0
    log = server.process.stderr.read() if server.process.stderr else ""
    lines = [line for line in log.splitlines() if "is longer than 1048576 bytes" in line]
    assert 1 <= len(lines) <= 10


def test_large_entries_are_reported_as_any_line_that_is_too_long(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    url = f"redis://127.0.0.1:{redis_server.port}/0?stream={KEY}"
    server = start_one("--source", f"a={url}")
    with client(redis_server) as redis:
        add(redis, 0, 1)
        redis.xadd(KEY, {"data": "{" + " " * 30_000_000 + "}"})
        redis.xadd(KEY, {f"field{number}": "y" * 100 for number in range(100_000)})
        redis.xadd(KEY, {"a": "z" * 5_000_000, "b": "", "c": ""})
        add(redis, 1, 2)
        headers = {"Forst-On-Error": "emit"}
        with Subscription(server, "a", "start", headers=headers) as live:
            found = live.results(5)
    assert [each.get("code", each.get("id")) for each in found] == [
        *("0", "line_too_long", "line_too_long", "line_too_long", "1")
    ]


def test_what_has_the_longest_line_comes_whole(redis_server: RedisServer) -> None:
    """Whatever it is made of: one large field, or as many small ones as there can be."""
    limit = 100_000
    fields = {f"{number:x}": "" for number in range(8_500)}
    assert limit - 10_000 < len(json.dumps(fields)) <= limit
    text = '{"data":"%s"}' % ("x" * (limit - 11))
    assert len(text) == limit

    async def scenario() -> list[Any]:
        url = f"redis://127.0.0.1:{redis_server.port}/0?stream={KEY}"
        source = open_source("a", url, SourceLimits(max_line_size=limit))
        reader = source.open("start")
        found: list[Any] = []
        async with asyncio.timeout(60):
            while len(found) < 6:
                batch = await reader.read()
                assert batch is not None
                assert not isinstance(batch, Notice)
                found += [json.loads(line) for line in batch.lines.splitlines()]
        await reader.close()
        await source.close()
        return found

    with client(redis_server) as redis:
        for _ in range(3):
            redis.xadd(KEY, fields)  # type: ignore[arg-type]
            redis.xadd(KEY, {"json": text})
    assert asyncio.run(scenario()) == [fields, json.loads(text)] * 3


def test_a_large_entry_of_a_consumer_that_died(
    start_one: StartServer, redis_server: RedisServer
) -> None:
    url = f"redis://127.0.0.1:{redis_server.port}/0?stream={KEY}&group=workers&claim=0.5"
    with client(redis_server) as redis:
        redis.xgroup_create(KEY, "workers", "0", mkstream=True)
        for number in range(10):
            add(redis, number, number + 1)
            redis.xadd(KEY, {"data": "{" + "x" * 10_000_000})
        redis.xreadgroup("workers", "dead", {KEY: ">"}, count=100)
        time.sleep(0.6)
        server = start_one("--source", f"a={url}")
        with highest(server) as most, Subscription(server, "a") as live:
            assert sorted(live.ids(10)) == [str(number) for number in range(10)]
            while live.acked < 20:
                assert live.next_line() is None
            wait_until(lambda: redis.xpending(KEY, "workers")["pending"] == 0)
        assert most[0] < 60 << 20


@pytest.mark.one_in(2)
@pytest.mark.parametrize("options", ["", "&group=workers&claim=1"])
def test_nothing_but_large_entries(
    start_one: StartServer, redis_server: RedisServer, options: str
) -> None:
    """Redis shows the first and the last of them whole where it is asked about the stream."""
    url = f"redis://127.0.0.1:{redis_server.port}/0?stream={KEY}{options}"
    server = start_one("--source", f"a={url}")
    with client(redis_server) as redis:
        for _ in range(20):
            redis.xadd(KEY, {"data": '{"x":"%s"}' % ("a" * 10_000_000)})
        start = None if options else "start"
        with highest(server) as most, Subscription(server, "a", start) as live:
            while live.acked < 20:
                assert live.next_line() is None
            add(redis, 0, 1)
            assert live.ids(1) == ["0"]
            assert live.missed == []
        assert most[0] < 60 << 20
        if not options:
            with Subscription(server, "a", "now") as live:
                live.start()
                add(redis, 1, 2)
                assert live.ids(1) == ["1"]
