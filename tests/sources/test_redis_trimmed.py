"""Entries of a Redis stream that are deleted before a consumer group has processed them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from redis import Redis

from forstcore.sources import Batch, Reader, open_source
from tests.sources.brokers import RedisServer, redis_client
from tests.sources.live import numbers
from tests.sources.test_redis import KEY, add, url


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    """A client, for a Redis that tells which entries were deleted."""
    with redis_client(redis_server) as client:
        if int(client.info("server")["redis_version"].split(".")[0]) < 7:
            pytest.skip("needs Redis 7")
        yield client


async def read_until(reader: Reader, count: int) -> tuple[list[str], list[int | None], list[Batch]]:
    """Return the ids of so many records, what is missed, and the batches."""
    ids: list[str] = []
    missed: list[int | None] = []
    batches: list[Batch] = []
    async with asyncio.timeout(60):
        while len(ids) < count:
            batch = await reader.read()
            assert isinstance(batch, Batch)
            batches.append(batch)
            ids += [json.loads(line)["id"] for line in batch.lines.splitlines()]
            if batch.missed != 0:
                missed.append(batch.missed)
    return ids, missed, batches


def reopened(
    server: RedisServer, count: int, *, acknowledges: bool = True
) -> tuple[list[str], list[int | None]]:
    """Read so many records as a consumer of the group; return their ids, and what is missed."""

    async def scenario() -> tuple[list[str], list[int | None]]:
        source = open_source("a", url(server, "&group=workers&claim=1&consumer=a"))
        reader = source.open("now")
        ids, missed, batches = await read_until(reader, count)
        if acknowledges:
            for batch in batches:
                if batch.receipt is not None:
                    await reader.acknowledge(batch.receipt)
        await reader.close()
        await source.close()
        return ids, missed

    return asyncio.run(scenario())


def test_entries_that_no_consumer_has_received(redis: Redis, redis_server: RedisServer) -> None:
    add(redis, 0, 10)
    assert reopened(redis_server, 10) == (numbers(0, 10), [])
    add(redis, 10, 100)
    redis.xtrim(KEY, maxlen=5, approximate=False)
    assert reopened(redis_server, 5) == (numbers(95, 100), [None])
    # It is reported once.
    add(redis, 100, 103)
    assert reopened(redis_server, 3) == (numbers(100, 103), [])


def test_entries_that_were_deleted_before_there_was_a_group_are_not_missed(
    redis: Redis, redis_server: RedisServer
) -> None:
    add(redis, 0, 10)
    redis.xtrim(KEY, maxlen=5, approximate=False)
    assert reopened(redis_server, 5) == (numbers(5, 10), [])


def test_entries_that_a_busy_consumer_has_not_received(
    redis: Redis, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        source = open_source("a", url(redis_server, "&group=workers"))
        reader = source.open("now")
        add(redis, 0, 1000)
        _, missed, _ = await read_until(reader, 16)
        assert missed == []
        redis.xtrim(KEY, maxlen=10, approximate=False)
        # Longer than between two checks.
        await asyncio.sleep(1.2)
        more, missed, _ = await read_until(reader, 10)
        assert more[-10:] == numbers(990, 1000)
        assert missed == [None]
        await reader.close()
        await source.close()

    asyncio.run(scenario())


def test_entries_that_were_not_acknowledged(redis: Redis, redis_server: RedisServer) -> None:
    entries = add(redis, 0, 5)
    assert reopened(redis_server, 5, acknowledges=False) == (numbers(0, 5), [])
    redis.xdel(KEY, entries[1], entries[3])
    ids, missed = reopened(redis_server, 3)
    assert ids == ["0", "2", "4"]
    assert missed == [2]
