"""From a Redis consumer group to a stream in the same database: both change atomically."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from forstcore.errors import SinkError
from forstcore.sinks import Output, OutputDroppedError, Writer, open_sink
from forstcore.sources import Batch, Notice, Reader, open_source
from tests.sinks.test_redis import added, swallowing_proxy, url
from tests.sinks.writing import run
from tests.sources.brokers import RedisServer, redis_client


def publish(broker: RedisServer, first: int, end: int) -> None:
    with redis_client(broker) as redis:
        for number in range(first, end):
            redis.xadd("in", {"data": json.dumps({"n": number})})


def pending(broker: RedisServer) -> int:
    with redis_client(broker) as redis:
        state: Any = redis.xpending("in", "g")
        return int(state["pending"])


def source_url(port: int, options: str = "", claim: int = 1) -> str:
    return f"redis://127.0.0.1:{port}/0?stream=in&group=g&claim={claim}{options}"


@asynccontextmanager
async def both(
    port: int, options: str = "", claim: int = 1
) -> AsyncIterator[tuple[Reader, Writer]]:
    """Open a source and the sink that acknowledges its entries.

    Args:
        port, options: of the source.
        claim: seconds after which the source takes entries from another consumer.
    """
    source = open_source("in", source_url(port, options, claim))
    sink = open_sink("out", url(port))
    assert sink.acknowledges(source)
    reader = source.open("now")
    writer = await sink.open(reader)
    try:
        yield reader, writer
    finally:
        await writer.close()
        await reader.close()
        await sink.close()
        await source.close()


async def read(reader: Reader) -> Batch:
    """Return the next batch that has lines."""
    while True:
        item = await reader.read()
        if not isinstance(item, Notice) and item is not None and item.lines:
            return item


def output_of(*batches: Batch) -> Output:
    results = b"".join(each.lines for each in batches)
    return Output(results, "", tuple(each.receipt for each in batches))


async def pass_on(reader: Reader, writer: Writer, broker: RedisServer, count: int) -> None:
    """Write what is read until there are so many results in the stream."""
    waiting: list[asyncio.Future[None]] = []
    while len(await asyncio.to_thread(added, broker)) < count:
        try:
            async with asyncio.timeout(1):
                batch = await read(reader)
        except TimeoutError:
            continue
        waiting.append(asyncio.ensure_future(await writer.write(output_of(batch))))
    for each in await asyncio.gather(*waiting, return_exceptions=True):
        assert each is None or isinstance(each, OutputDroppedError)


def test_results_and_acknowledgements_are_there_together(redis_server: RedisServer) -> None:
    publish(redis_server, 0, 500)

    async def scenario() -> None:
        async with both(redis_server.port) as (reader, writer):
            await pass_on(reader, writer, redis_server, 500)

    run(scenario)
    assert added(redis_server) == list(range(500))
    assert pending(redis_server) == 0


def test_a_script_whose_answer_is_lost_is_not_repeated(redis_server: RedisServer) -> None:
    publish(redis_server, 0, 300)

    async def scenario() -> None:
        async with swallowing_proxy(redis_server.port, 3) as port, both(port) as (reader, writer):
            await pass_on(reader, writer, redis_server, 300)

    run(scenario)
    assert Counter(added(redis_server)) == Counter(range(300))
    assert pending(redis_server) == 0


def test_what_another_consumer_has_claimed_is_left_to_it(redis_server: RedisServer) -> None:
    publish(redis_server, 0, 16)

    async def scenario() -> None:
        async with both(redis_server.port, claim=60) as (reader, writer):
            batch = await read(reader)
            assert isinstance(batch.receipt, list)
            with redis_client(redis_server) as redis:
                redis.xclaim("in", "g", "other", 0, batch.receipt[:3])
                redis.xack("in", "g", *batch.receipt[:2])
            with pytest.raises(OutputDroppedError):
                await (await writer.write(output_of(batch)))
            assert added(redis_server) == []
            again = await read(reader)
            assert again.receipt == batch.receipt[3:]
            await (await writer.write(output_of(again)))

    run(scenario)
    assert added(redis_server) == list(range(3, 16))
    assert pending(redis_server) == 1


def test_other_outputs_are_not_lost_with_one(redis_server: RedisServer) -> None:
    publish(redis_server, 0, 40)

    async def scenario() -> None:
        async with both(redis_server.port, claim=60) as (reader, writer):
            batches = [await read(reader) for _ in range(2)]
            assert isinstance(batches[0].receipt, list)
            with redis_client(redis_server) as redis:
                redis.xclaim("in", "g", "other", 0, batches[0].receipt[:1])
            confirmed = [await writer.write(output_of(each)) for each in batches]
            with pytest.raises(OutputDroppedError):
                await confirmed[0]
            await confirmed[1]
            await pass_on(reader, writer, redis_server, 39)

    run(scenario)
    assert Counter(added(redis_server)) == Counter(range(1, 40))


def test_a_group_that_is_deleted(redis_server: RedisServer) -> None:
    publish(redis_server, 0, 10)

    async def scenario() -> None:
        async with both(redis_server.port) as (reader, writer):
            batch = await read(reader)
            with redis_client(redis_server) as redis:
                redis.xgroup_destroy("in", "g")
            with pytest.raises(OutputDroppedError):
                await (await writer.write(output_of(batch)))
            # The new group begins with the first entry.
            await pass_on(reader, writer, redis_server, 10)

    run(scenario)
    assert added(redis_server) == list(range(10))


@pytest.mark.parametrize(
    ("source", "options", "reason"),
    [
        ("redis://127.0.0.1:1/0?stream=in", "&transactions=yes", "no consumer group of Redis"),
        ("memory:", "&transactions=yes", "no consumer group of Redis"),
        ("redis://127.0.0.1:1/1?stream=in&group=g", "&transactions=yes", "another database"),
        ("redis://127.0.0.1:2/0?stream=in&group=g", "&transactions=yes", "another database"),
        ("redis://127.0.0.1:2/0?stream=in&group=g", "", ""),
        ("redis://127.0.0.1:1/0?stream=in&group=g", "&transactions=no", ""),
    ],
)
def test_other_pairs(source: str, options: str, reason: str) -> None:
    async def scenario() -> None:
        opened_source = open_source("in", source)
        sink = open_sink("out", url(1, options))
        if reason:
            with pytest.raises(SinkError, match=reason):
                sink.acknowledges(opened_source)
        else:
            assert not sink.acknowledges(opened_source)
        await sink.close()
        await opened_source.close()

    run(scenario)
