"""Kafka topics, with a real Kafka that is killed and restarted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import (
    Batch,
    Notice,
    SourceLimits,
    open_source,
    without_password,
)
from forstcore.sources._kafka_reader import KafkaReader
from tests.faults.proxy import FaultProxy
from tests.servers import StartServer, wait_until
from tests.sources.kafka_reading import next_batch, next_of, read_until, url
from tests.sources.kafka_server import KafkaServer
from tests.sources.live import Subscription, lines_of, numbers, publish, refused


def test_live_and_from_an_offset(start_one: StartServer, kafka: KafkaServer) -> None:
    kafka.create("live", 2)
    server = start_one("--source", f"sensors={url(kafka, 'live')}")
    kafka.add("live", 0, 10)
    with Subscription(server, "sensors") as live:
        start = live.start()
        assert start == "0:10,1:0"
        kafka.add("live", 10, 20, partition=1)
        assert live.results(1)[0] == {"id": "10", "result": "processed_x", "status": "success"}
        assert live.ids(9) == numbers(11, 20)
        assert live.offset == "0:10,1:10"
    kafka.add("live", 20, 1500)
    for begin, count in [(start, 1490), ("0:900,1:9", 591), ("start", 1500)]:
        with Subscription(server, "sensors", begin) as live:
            ids = live.ids(count)
            first = [each for each in ids if not 10 <= int(each) < 20]
            assert first == [each for each in numbers(1500 - count, 1500) if each in set(first)]
            assert [each for each in ids if each not in set(first)] == numbers(
                19 if begin.startswith("0:900") else 10, 20
            )
            assert live.missed == []
    status, detail = refused(server, {"source": "sensors", "from": "7-0"})
    assert status == 400
    assert "has offsets such as 0:1234,1:567" in detail


def test_messages_become_lines(kafka: KafkaServer) -> None:
    kafka.create("lines")
    long = b'{"id":"%s"}' % (b"x" * 3000)
    kafka.send("lines", [b'{"id":"1"}', None, b'{"id":\n"2"}', b"no record", b"", long])

    async def scenario() -> None:
        source = open_source("a", url(kafka, "lines"), SourceLimits(max_line_size=100))
        reader = source.open("start")
        assert await next_batch(reader) == Batch(b"", "0:0")
        lines = b""
        while lines.count(b"\n") < 5:
            batch = await next_batch(reader)
            lines += batch.lines
        assert batch.offset == "0:6"
        assert lines.splitlines() == [
            *(b'{"id":"1"}', b'{"id": "2"}', b"no record", b""),
            long[:101],
        ]
        while not batch.is_last:
            batch = await next_batch(reader)
        await reader.close()

    asyncio.run(scenario())


def test_the_first_offset_is_where_reading_starts(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the thread has read on before the event loop asks."""
    kafka.create("first")
    kafka.add("first", 0, 100)
    connect = KafkaReader._connect

    async def slow_connect(self: KafkaReader) -> None:
        await connect(self)
        poller = self._poller
        assert poller is not None
        await asyncio.to_thread(wait_until, lambda: poller.pending.has_records)

    monkeypatch.setattr(KafkaReader, "_connect", slow_connect)

    async def scenario() -> None:
        reader = open_source("a", url(kafka, "first")).open("0:10")
        assert await next_batch(reader) == Batch(b"", "0:10")
        assert (await read_until(reader, 90))[0] == numbers(10, 100)
        await reader.close()

    asyncio.run(scenario())


def test_records_that_are_gone_are_reported_as_missed(kafka: KafkaServer) -> None:
    kafka.create("gone", 2)
    kafka.add("gone", 0, 20)
    kafka.add("gone", 20, 22, partition=1)
    admin = AdminClient({"bootstrap.servers": kafka.address, "log_level": 2})
    for future in admin.delete_records([TopicPartition("gone", 0, 5)]).values():
        future.result(30)

    async def scenario() -> None:
        source = open_source("a", url(kafka, "gone"))
        for start, missed, count in [
            ("0:5,1:0", 0, 17),
            ("0:4,1:1", None, 16),
            ("0:7,1:100", None, 15),
            ("0:7,1:2,2:5", None, 13),
            ("0:18", 0, 4),
            ("start", 0, 17),
        ]:
            reader = source.open(start)
            assert (await next_batch(reader)).missed == missed, start
            ids, batches = await read_until(reader, count)
            assert len(ids) == count, start
            assert all(batch.missed == 0 for batch in batches)
            await reader.close()

    asyncio.run(scenario())


@pytest.mark.long
def test_records_that_disappear_before_they_are_read_are_missed(kafka: KafkaServer) -> None:
    kafka.create("slow")
    size = 100_000
    kafka.send("slow", (b'{"id":"%d","data":"%s"}' % (n, b"x" * size) for n in range(200)))
    admin = AdminClient({"bootstrap.servers": kafka.address, "log_level": 2})

    async def scenario() -> None:
        reader = open_source("a", url(kafka, "slow")).open("start")
        first = await read_until(reader, 1)
        # It waits, with little read ahead, and in the meantime most of it disappears.
        for future in admin.delete_records([TopicPartition("slow", 0, 199)]).values():
            await asyncio.to_thread(future.result, 30)
        ids, batches = first
        while ids[-1] != "199":
            more, found = await read_until(reader, 1)
            ids += more
            batches += found
        assert len(ids) < 200
        assert [batch.missed for batch in batches].count(None) == 1
        await reader.close()

    asyncio.run(scenario())


def test_transactions_leave_no_gaps_and_aborted_ones_are_not_read(kafka: KafkaServer) -> None:
    kafka.create("transactions")
    producer = Producer(
        {"bootstrap.servers": kafka.address, "transactional.id": "t", "log_level": 2}
    )
    producer.init_transactions(60)
    for number in range(10):
        producer.begin_transaction()
        producer.produce("transactions", b'{"id":"%d"}' % number)
        if number % 2:
            producer.flush(30)
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)

    async def scenario() -> None:
        source = open_source("a", url(kafka, "transactions"))
        reader = source.open("start")
        ids, batches = await read_until(reader, 5)
        assert ids == ["0", "2", "4", "6", "8"]
        while not batches[-1].is_last:
            batches.append(await next_batch(reader))
        assert all(batch.missed == 0 for batch in batches)
        # The end is beyond the last marker, where a later reader is at the end at once.
        assert batches[-1].offset == "0:20"
        await reader.close()

    asyncio.run(scenario())


def test_a_topic_that_is_created_later(kafka: KafkaServer) -> None:
    async def scenario() -> None:
        reader = open_source("a", url(kafka, "later")).open("now")
        notice = await next_of(reader)
        assert isinstance(notice, Notice)
        assert "Unknown topic or partition: " in notice.detail
        kafka.create("later")
        assert await next_of(reader) == Notice("up")
        assert await next_of(reader) == Batch(b"", "0:0")
        await reader.close()

    asyncio.run(scenario())


@pytest.mark.long
def test_a_kafka_that_is_killed_and_comes_back(start_one: StartServer, kafka: KafkaServer) -> None:
    kafka.create("killed")
    server = start_one("--source", f"sensors={url(kafka, 'killed')}")
    with Subscription(server, "sensors") as live:
        live.start()
        kafka.add("killed", 0, 200)
        found: list[Any] = []

        def read() -> None:
            if (line := live.next_line()) is not None:
                found.append(json.loads(line)["id"])

        while len(found) < 200:
            read()
        kafka.stop()
        while "down" not in live.states:
            read()
        kafka.start()
        kafka.add("killed", 200, 250)
        # A broker that starts may go away once more.
        while len(found) < 250 or live.states[-1] != "up":
            read()
        assert found == numbers(0, 250)
        assert live.missed == []


@pytest.mark.long
def test_connections_that_are_cut(kafka: KafkaServer) -> None:
    kafka.create("cut")

    async def scenario() -> None:
        proxy = FaultProxy(kafka.proxied_port, listen_on=kafka.proxy_port)
        await proxy.start()
        reader = open_source("a", f"kafka://127.0.0.1:{proxy.port}?topic=cut").open("start")
        found: list[str] = []
        for round_number in range(3):
            first = round_number * 500
            await asyncio.to_thread(kafka.add, "cut", first, first + 500)
            found += (await read_until(reader, 1))[0]
            await proxy.stop()
            await proxy.start()
            found += (await read_until(reader, first + 500 - len(found)))[0]
        assert found == numbers(0, 1500)
        await reader.close()
        await proxy.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("&kafka.nonsense=1", 'No such configuration property: "nonsense"'),
        ("&kafka.group.id=a", "options that forstcore sets itself: group.id"),
        ("&nonsense=1", "options that kafka: does not know: nonsense"),
        ("&group=a&start=7", "start=7, which must be start or now"),
        ("&start=now", "options that kafka: does not know: start"),
        ("&config=/nonexistent", "config that cannot be read"),
    ],
)
def test_options_that_are_refused(options: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        open_source("a", f"kafka://127.0.0.1:1?topic=t{options}")


def test_a_config_file(tmp_path: Path) -> None:
    config = tmp_path / "kafka.properties"
    config.write_text("# Kafka\n\nfetch.wait.max.ms = 100\nnonsense=1\n")
    with pytest.raises(SourceError, match='No such configuration property: "nonsense"'):
        open_source("a", f"kafka://a:1,b:2?config={config}")
    config.write_text("fetch.wait.max.ms\n")
    with pytest.raises(SourceError, match="config without NAME=VALUE on line 1"):
        open_source("a", f"kafka://a:1,b:2?config={config}")
    config.write_text("sasl.mechanism=SCRAM-SHA-512\nfetch.wait.max.ms=100\n")
    source = open_source("a", f"kafka://user:secret@a:1,b:2?config={config}")
    assert source.is_shared
    assert source.keeps == "offsets"


def test_urls_never_show_passwords() -> None:
    for shown in [
        "kafka://a:9092,b:9092?topic=t",
        "kafka://user:…@a:9092,b:9092?topic=t",
        "kafka://a:9092?kafka.sasl.password=…&kafka.ssl.key.password=…&topic=t",
    ]:
        assert without_password(shown.replace("…", "secret")) == shown


@pytest.mark.parametrize("offset", ["7-0", "0:", "0:1,", "0:1;1:2", "-1:0", "0:" + "9" * 19])
def test_offsets_that_are_none(offset: str) -> None:
    with pytest.raises(OffsetError, match="has offsets such as"):
        open_source("a", "kafka://127.0.0.1:1").check(offset)


def test_publishing_to_a_topic(start_one: StartServer, kafka: KafkaServer) -> None:
    kafka.create("published")
    options = "&group=a&kafka.session.timeout.ms=20000"
    server = start_one("--source", f"sensors={url(kafka, 'published', options)}")
    lines = lines_of(0, 900)
    status, answer = publish(server, lines, "sensors")
    assert (status, answer["records"]) == (200, 900)
    with Subscription(server, "sensors") as live:
        assert live.ids(900) == numbers(0, 900)


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "options", ["", "&group=growing&kafka.topic.metadata.refresh.interval.ms=300"]
)
def test_partitions_that_are_added_are_read_from_their_start(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    topic = f"growing{len(options)}"
    kafka.create(topic)
    kafka.add(topic, 0, 5)
    monkeypatch.setattr("forstcore.sources._kafka_poller.REFRESH_INTERVAL", 0.2)

    async def scenario() -> None:
        reader = open_source("a", url(kafka, topic, options)).open("now" if options else "start")
        ids, batches = await read_until(reader, 5)
        assert ids == numbers(0, 5)
        for batch in batches:
            if batch.receipt is not None:
                await reader.acknowledge(batch.receipt)
        await asyncio.to_thread(grow)
        ids, more = await read_until(reader, 20)
        assert sorted(ids, key=int) == numbers(5, 25)
        if not options:
            # Those that have gone on reading resume in all partitions.
            assert more[-1].offset == "0:5,1:10,2:10"
            assert {batch.missed for batch in (*batches, *more)} == {0}
        await reader.close()

    def grow() -> None:
        admin = AdminClient({"bootstrap.servers": kafka.address, "log_level": 2})
        admin.create_partitions([NewPartitions(topic, 3)])[topic].result(60)
        # There before anybody looks.
        kafka.add(topic, 5, 15, partition=1)
        kafka.add(topic, 15, 25, partition=2)

    asyncio.run(scenario())
