"""The lag of sources, according to their brokers or files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from forstcore.sources import Lag, Reader, open_source
from forstcore.sources.memory import MemorySource
from tests import children
from tests.sources import jetstream, kafka_reading, test_redis
from tests.sources.brokers import NatsServer, RedisServer, redis_client
from tests.sources.kafka_server import KafkaServer

Add = Callable[[int, int], object]


def read_and_measure(url: str, start: str, add: Add, count: int) -> None:
    """Check the lag of a reader that has read all `count` records, and of one that has not."""

    async def measure() -> None:
        source = open_source("a", url)
        reader = source.open(start)
        try:
            await read_all(reader, count)
            await until(reader, Lag(0, "records"))
            await asyncio.to_thread(add, count, count + 7)
            await until(reader, Lag(7, "records"))
            await read_all(reader, 7)
            await until(reader, Lag(0, "records"))
        finally:
            await reader.close()
            await source.close()

    asyncio.run(measure())


async def read_all(reader: Reader, count: int) -> None:
    """Read so many records."""
    while count > 0:
        count -= (await kafka_reading.next_batch(reader)).lines.count(b"\n")


async def until(reader: Reader, lag: Lag) -> None:
    """Wait until the reader knows this lag."""
    async with asyncio.timeout(children.LIMIT):
        while await reader.lag() != lag:  # noqa: ASYNC110 (there is nothing to wait for)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("lag", "text"),
    [
        (Lag(0, "bytes"), "0 B"),
        (Lag(1500, "bytes"), "1.5 kB"),
        (Lag(2_500_000_000, "bytes"), "2.5 GB"),
        (Lag(1, "records"), "1 record"),
        (Lag(12_345, "records"), "12,345 records"),
    ],
)
def test_a_lag_has_a_text(lag: Lag, text: str) -> None:
    assert str(lag) == text


def test_files_have_bytes_that_were_not_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.ndjson").write_text('{"id":"1"}\n')

    async def measure() -> None:
        reader = open_source("a", f"file:{tmp_path}/*.ndjson").open("start")
        try:
            await read_all(reader, 0)
            await kafka_reading.next_batch(reader)
            assert await reader.lag() == Lag(22, "bytes")
            await read_all(reader, 1)
            assert await reader.lag() == Lag(11, "bytes")
            await read_all(reader, 1)
            with (tmp_path / "a.ndjson").open("a") as file:
                file.write('{"id":"unfinished')
            assert await reader.lag() == Lag(17, "bytes")
        finally:
            await reader.close()
        assert await reader.lag() == Lag(0, "bytes")

    asyncio.run(measure())


def test_memory_has_records_that_were_not_read() -> None:
    async def measure() -> None:
        source = open_source("a", "memory:")
        assert isinstance(source, MemorySource)
        reader = source.open("start")
        await kafka_reading.next_batch(reader)
        source.publish(b'{"id":"1"}\n{"id":"2"}\n')
        assert await reader.lag() == Lag(2, "records")
        await read_all(reader, 2)
        assert await reader.lag() == Lag(0, "records")

    asyncio.run(measure())


def test_groups_of_redis_have_entries_that_were_not_read(redis_server: RedisServer) -> None:
    with redis_client(redis_server) as redis:

        def add(first: int, end: int) -> None:
            test_redis.add(redis, first, end)

        add(0, 10)
        read_and_measure(test_redis.url(redis_server, "&group=g"), "now", add, 10)


def test_a_stream_of_redis_without_a_group_does_not_know(redis_server: RedisServer) -> None:
    async def measure() -> None:
        source = open_source("a", test_redis.url(redis_server))
        reader = source.open("start")
        await kafka_reading.next_batch(reader)
        assert await reader.lag() is None
        await reader.close()
        await source.close()

    asyncio.run(measure())


@pytest.mark.parametrize("options", ["", "&durable=workers"])
def test_streams_of_nats_have_messages_that_were_not_read(
    nats_server: NatsServer, options: str
) -> None:
    jetstream.add_stream(nats_server)
    jetstream.add(nats_server, 0, 10)
    start = "now" if options else "start"
    url = jetstream.url(nats_server, options)

    def add(first: int, end: int) -> None:
        jetstream.add(nats_server, first, end)

    read_and_measure(url, start, add, 10)


@pytest.mark.long
@pytest.mark.parametrize("options", ["", "&group=lag"])
def test_topics_of_kafka_have_messages_that_were_not_read(kafka: KafkaServer, options: str) -> None:
    topic = f"lag{len(options)}"
    kafka.create(topic)
    kafka.add(topic, 0, 10)
    start = "now" if options else "start"

    def add(first: int, end: int) -> None:
        kafka.add(topic, first, end)

    read_and_measure(kafka_reading.url(kafka, topic, options), start, add, 10)
