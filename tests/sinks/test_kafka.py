"""Kafka topics as sinks, with a real Kafka that is killed and restarted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from forstcore.errors import SinkError
from forstcore.sinks import Output, OutputRefusedError, Writer, open_sink
from forstcore.sources import open_source
from tests.servers import free_port, wait_until
from tests.sources.kafka_server import KafkaServer
from tests.sources.live import lines_of


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(120):
            await scenario

    asyncio.run(limited())


def messages(broker: KafkaServer, topic: str, count: int, partitions: int = 1) -> list[Message]:
    """Read so many messages, in the order of each partition."""
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "test"})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    found: list[Message] = []

    def is_complete() -> bool:
        found.extend(each for each in consumer.consume(1000, 0.2) if each.error() is None)
        return len(found) >= count

    try:
        wait_until(is_complete)
        found.extend(consumer.consume(1, 0.5))
    finally:
        consumer.close()
    return found


def url(broker: KafkaServer, topic: str, options: str = "") -> str:
    return f"kafka://{broker.address}?topic={topic}{options}"


async def write(writer: Writer, *results: bytes) -> None:
    for confirmed in [await writer.write(Output(each)) for each in results]:
        await confirmed


def test_results_become_messages_in_order(kafka: KafkaServer) -> None:
    kafka.create("results")

    async def scenario() -> None:
        options = "&header.kind=test&header.from=forstcore&compression=zstd"
        sink = open_sink("out", url(kafka, "results", options))
        assert not sink.keeps_offsets
        assert await sink.offset() == ""
        assert not sink.acknowledges(open_source("a", "memory:"))
        writer = await sink.open(None)
        await write(writer, *(lines_of(each, each + 10) for each in range(0, 1000, 10)), b"")
        assert sink.trouble() is None
        await writer.close()
        await sink.close()

    run(scenario())
    found = messages(kafka, "results", 1000)
    assert [each.value() for each in found] == lines_of(0, 1000).splitlines()
    assert found[0].headers() == [("kind", b"test"), ("from", b"forstcore")]
    assert found[0].key() is None


def test_a_member_can_be_the_key(kafka: KafkaServer) -> None:
    kafka.create("keys", 8)
    records = [
        {"user": {"id": "ü"}},
        {"user": {"id": 17}},
        {"user": {"id": [1, "a"]}},
        {"user": {"id": None}},
        {"user": "id"},
        {},
    ]

    async def scenario() -> None:
        sink = open_sink("out", url(kafka, "keys", "&key=user.id"))
        writer = await sink.open(None)
        await write(writer, b"".join(json.dumps(each).encode() + b"\n" for each in records * 3))
        await writer.close()

    run(scenario())
    found = messages(kafka, "keys", 18, 8)
    by_record: dict[bytes | None, set[bytes | None]] = {}
    for each in found:
        by_record.setdefault(each.value(), set()).add(each.key())
    keys = ["ü".encode(), b"17", b'[1,"a"]', None, None, None]
    assert by_record == {
        json.dumps(each).encode(): {key} for each, key in zip(records, keys, strict=True)
    }
    assert len({each.partition() for each in found if each.key() == b"17"}) == 1


@pytest.mark.parametrize("limit", ["local", "topic"])
def test_a_result_that_is_too_large_is_refused_alone(kafka: KafkaServer, limit: str) -> None:
    topic = f"large-{limit}"
    kafka.create(topic, max_message_bytes="20000" if limit == "topic" else "2000000")
    size = 30_000 if limit == "topic" else 1_500_000
    large = b'{"id":"%s"}\n' % (b"x" * size)

    async def scenario() -> None:
        writer = await open_sink("out", url(kafka, topic)).open(None)
        first = await writer.write(Output(lines_of(0, 3)))
        second = await writer.write(Output(lines_of(3, 5) + large + lines_of(5, 6)))
        third = await writer.write(Output(lines_of(6, 8)))
        await first
        with pytest.raises(OutputRefusedError) as refusal:
            await second
        assert list(refusal.value.lines) == [2]
        assert "too large" in refusal.value.lines[2]
        await third
        await writer.close()

    run(scenario())
    found = {each.value() for each in messages(kafka, topic, 8)}
    assert found == set(lines_of(0, 8).splitlines())


def test_a_sink_that_is_down_is_awaited_and_can_be_closed() -> None:
    async def scenario() -> None:
        sink = open_sink("out", f"kafka://127.0.0.1:{free_port()}?topic=t")
        writer = await sink.open(None)
        confirmed = asyncio.ensure_future(await writer.write(Output(lines_of(0, 1))))
        await asyncio.to_thread(wait_until, sink.trouble)
        trouble = sink.trouble()
        assert trouble is not None
        assert trouble.state == "down"
        assert not confirmed.done()
        await writer.close()
        assert confirmed.cancelled()
        await sink.close()

    run(scenario())


@pytest.mark.long
def test_a_kafka_that_is_killed_gets_everything_once_and_in_order(kafka: KafkaServer) -> None:
    kafka.create("killed")

    async def scenario() -> None:
        sink = open_sink("out", url(kafka, "killed"))
        writer = await sink.open(None)
        await write(writer, lines_of(0, 500))
        kafka.stop()
        waiting = [
            asyncio.ensure_future(await writer.write(Output(lines_of(each, each + 10))))
            for each in range(500, 1000, 10)
        ]
        await asyncio.to_thread(wait_until, sink.trouble)
        await asyncio.to_thread(kafka.start)
        await asyncio.gather(*waiting)
        assert sink.trouble() is None
        await writer.close()

    run(scenario())
    found = messages(kafka, "killed", 1000)
    assert [each.value() for each in found] == lines_of(0, 1000).splitlines()


def test_options_that_are_refused() -> None:
    for options, reason in [
        ("&kafka.nonsense=1", 'No such configuration property: "nonsense"'),
        ("&kafka.transactional.id=a", "options that forstcore sets itself: transactional.id"),
        ("&transactions=maybe", "transactions=maybe, which must be one of auto, yes, no"),
        ("&kafka.transaction.timeout.ms=a", 'Invalid value for configuration property "transac'),
        ("&compression=zip", "compression=zip, which must be one of none, gzip"),
        ("&nonsense=1", "options that kafka: does not know: nonsense"),
    ]:
        with pytest.raises(SinkError, match=reason):
            open_sink("out", f"kafka://127.0.0.1:1?topic=t{options}")
