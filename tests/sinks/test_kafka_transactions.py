"""Results and the offsets of a consumer group in transactions, with a real Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from forstcore.errors import SinkError
from forstcore.sinks import Output, OutputDroppedError, OutputRefusedError, Sink, Writer, open_sink
from forstcore.sinks import _kafka_transactions as transactions
from forstcore.sources import Batch, Reader, open_source
from tests.servers import wait_until
from tests.sources.kafka_reading import next_batch, read_until
from tests.sources.kafka_server import KafkaServer

pytestmark = pytest.mark.long

_SESSION = "&kafka.session.timeout.ms=2000&kafka.heartbeat.interval.ms=300"


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(200):
            await scenario

    asyncio.run(limited())


@dataclass
class Flow:
    """A reader of the topic NAME-in as the group NAME, with a writer to NAME-out."""

    sink: Sink
    reader: Reader
    writer: Writer

    async def write(self, batch: Batch, lines: bytes | None = None) -> asyncio.Future[None]:
        """Write results of a batch; return an awaitable of their confirmation."""
        results = batch.lines if lines is None else lines
        return asyncio.ensure_future(
            await self.writer.write(Output(results, receipts=(batch.receipt,)))
        )

    async def next(self) -> Batch:
        """Read the next batch that has records."""
        while not (batch := await next_batch(self.reader)).lines:
            pass
        return batch


@contextlib.asynccontextmanager
async def flow(broker: KafkaServer, name: str, options: str = "") -> AsyncIterator[Flow]:
    url = f"kafka://{broker.address}?topic={name}"
    source = open_source("a", f"{url}-in&group={name}{_SESSION}{options}")
    sink = open_sink("a", f"{url}-out")
    reader = source.open("now")
    writer = await sink.open(reader)
    assert writer.acknowledges
    try:
        yield Flow(sink, reader, writer)
    finally:
        await writer.close()
        await reader.close()


def create(broker: KafkaServer, name: str, partitions: int = 1, **config: str) -> None:
    broker.create(f"{name}-in", partitions)
    broker.create(f"{name}-out", 1, **config)


def visible(broker: KafkaServer, topic: str) -> list[str]:
    """Return the ids of all messages that a reader of committed ones finds."""
    consumer = Consumer(
        {"bootstrap.servers": broker.address, "group.id": "test", "enable.partition.eof": True}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    ids = []
    while (message := consumer.poll(30)) is not None and message.error() is None:
        ids.append(json.loads(message.value() or b"")["id"])
    consumer.close()
    assert message is not None
    return ids


def ids(first: int, end: int) -> list[str]:
    return [str(number) for number in range(first, end)]


def test_results_and_offsets_are_committed_together(kafka: KafkaServer) -> None:
    create(kafka, "calm")
    kafka.add("calm-in", 0, 10)

    async def scenario() -> None:
        async with flow(kafka, "calm") as running:
            await (await running.write(await running.next()))
            assert await asyncio.to_thread(kafka.committed, "calm-in", "calm") == 10
            assert await asyncio.to_thread(visible, kafka, "calm-out") == ids(0, 10)
            # A lone record does not wait for others.
            await asyncio.to_thread(kafka.add, "calm-in", 10, 11)
            await (await running.write(await running.next(), b""))
            assert await asyncio.to_thread(kafka.committed, "calm-in", "calm") == 11
            assert running.sink.trouble() is None
        async with flow(kafka, "calm") as running:
            await asyncio.to_thread(kafka.add, "calm-in", 11, 12)
            assert json.loads((await running.next()).lines)["id"] == "11"

    run(scenario())


@pytest.mark.parametrize("limit", ["local", "topic"])
def test_what_is_refused_is_committed_after_its_dead_letter(kafka: KafkaServer, limit: str) -> None:
    name = f"refused-{limit}"
    create(kafka, name, max_message_bytes="20000" if limit == "topic" else "2000000")
    kafka.add(f"{name}-in", 0, 1)
    large = b'{"id":"%s"}\n' % (b"x" * (30_000 if limit == "topic" else 1_500_000))
    few, more = (
        b"".join(b'{"id":"%d"}\n' % number for number in range(*each)) for each in ((0, 7), (7, 9))
    )

    async def scenario() -> None:
        async with flow(kafka, name) as running:
            batch = await running.next()
            confirmed = await running.write(batch, few + large + more)
            with pytest.raises(OutputRefusedError) as refusal:
                await confirmed
            assert list(refusal.value.lines) == [7]
            assert "too large" in refusal.value.lines[7]
            # Until the dead letter is written, nothing is visible, and nothing committed.
            assert await asyncio.to_thread(visible, kafka, f"{name}-out") == []
            assert await asyncio.to_thread(kafka.committed, f"{name}-in", name) < 0
            await refusal.value.confirm_rest()
            assert await asyncio.to_thread(kafka.committed, f"{name}-in", name) == 1
            await asyncio.to_thread(kafka.add, f"{name}-in", 1, 2)
            await (await running.write(await running.next(), b'{"id":"next"}\n'))

    run(scenario())
    assert visible(kafka, f"{name}-out") == [*ids(0, 9), "next"]


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_what_was_revoked_is_not_written(kafka: KafkaServer, strategy: str) -> None:
    """Results of two partitions are dropped if one was revoked, and the other is read again."""
    name = f"revoked-{strategy}"
    create(kafka, name, 2)
    for partition in range(2):
        kafka.add(f"{name}-in", 5 * partition, 5 * partition + 5, partition)
    other = Consumer(
        {
            "bootstrap.servers": kafka.address,
            "group.id": name,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "partition.assignment.strategy": strategy,
        }
    )
    taken: list[str] = []

    def has_taken() -> bool:
        message = other.poll(0.2)
        if message is not None and message.error() is None:
            taken.append(json.loads(message.value() or b"")["id"])
        return len(taken) == 5

    async def scenario() -> None:
        options = f"&kafka.partition.assignment.strategy={strategy}"
        async with flow(kafka, name, options) as running:
            batches: list[Batch] = []
            while sum(each.lines.count(b"\n") for each in batches) < 10:
                batches.append(await running.next())
            first = Output(
                b"".join(each.lines for each in batches),
                receipts=tuple(each.receipt for each in batches),
            )
            other.subscribe([f"{name}-in"])
            await asyncio.to_thread(wait_until, has_taken)
            confirmed = await running.writer.write(first)
            with pytest.raises(OutputDroppedError):
                await confirmed
            assert await asyncio.to_thread(visible, kafka, f"{name}-out") == []
            count = 0
            while count < 5:
                batch = await running.next()
                count += batch.lines.count(b"\n")
                await (await running.write(batch))

    run(scenario())
    other.close()
    assert sorted(visible(kafka, f"{name}-out") + taken) == ids(0, 10)
    offsets = [kafka.committed(f"{name}-in", name, partition) for partition in range(2)]
    assert sorted(offsets) == [-1001, 5]


def test_calls_that_do_not_return_are_left_behind(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a broker hangs, calls time out; afterwards everything continues without duplicates."""
    create(kafka, "hanging")
    kafka.add("hanging-in", 0, 10)

    async def scenario() -> None:
        async with flow(kafka, "hanging") as running:
            await (await running.write(await running.next()))
            await asyncio.to_thread(kafka.add, "hanging-in", 10, 20)
            batch = await running.next()
            monkeypatch.setattr(transactions, "_LONGEST", 0.5)
            assert kafka.process is not None
            kafka.process.send_signal(signal.SIGSTOP)
            try:
                confirmed = await running.write(batch)
                async with asyncio.timeout(60):
                    while running.sink.trouble() is None:  # noqa: ASYNC110 (no event)
                        await asyncio.sleep(0.05)
                trouble = running.sink.trouble()
                assert trouble is not None
                assert "no answer" in trouble.detail
            finally:
                kafka.process.send_signal(signal.SIGCONT)
            monkeypatch.undo()
            done = {"confirmed": 0, "dropped": 0}
            while not done["confirmed"]:
                try:
                    await confirmed
                    done["confirmed"] += 1
                except OutputDroppedError:
                    # Its session may have ended meanwhile.
                    done["dropped"] += 1
                    confirmed = await running.write(await running.next())
            assert running.sink.trouble() is None

    run(scenario())
    assert visible(kafka, "hanging-out") == ids(0, 20)
    assert kafka.committed("hanging-in", "hanging") == 20


def test_a_producer_that_was_fenced_is_replaced(kafka: KafkaServer) -> None:
    create(kafka, "fenced")
    kafka.add("fenced-in", 0, 10)

    def fence(identity: str) -> None:
        other = Producer({"bootstrap.servers": kafka.address, "transactional.id": identity})
        other.init_transactions(30)
        other.close()

    async def scenario() -> None:
        async with flow(kafka, "fenced") as running:
            await (await running.write(await running.next()))
            assert isinstance(running.writer, transactions.TransactionWriter)
            await asyncio.to_thread(fence, running.writer.transactional_id)
            await asyncio.to_thread(kafka.add, "fenced-in", 10, 20)
            await (await running.write(await running.next()))
            assert running.sink.trouble() is None

    run(scenario())
    assert visible(kafka, "fenced-out") == ids(0, 20)


def test_messages_of_aborted_transactions_are_not_read(kafka: KafkaServer) -> None:
    kafka.create("chained")
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": "test"})
    producer.init_transactions(30)
    for number, end in enumerate((producer.commit_transaction, producer.abort_transaction) * 2):
        producer.begin_transaction()
        producer.produce("chained", b'{"id":"%d"}' % number)
        producer.flush()
        end(30)
    kafka.add("chained", 4, 5)

    async def scenario() -> None:
        for options in ("", "&group=chained"):
            url = f"kafka://{kafka.address}?topic=chained{options}"
            reader = open_source("a", url).open("now" if options else "start")
            assert (await read_until(reader, 3))[0] == ["0", "2", "4"]
            await reader.close()

    run(scenario())


def test_marks_of_transactions_are_committed_though_they_are_no_records(
    kafka: KafkaServer,
) -> None:
    """So the lag of a group ends at 0."""
    create(kafka, "marks")
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": "test"})
    producer.init_transactions(30)

    def produce(number: int) -> None:
        producer.begin_transaction()
        producer.produce("marks-in", b'{"id":"%d"}' % number)
        producer.commit_transaction(30)

    async def scenario() -> None:
        async with flow(kafka, "marks") as running:
            for number in range(2):
                await asyncio.to_thread(produce, number)
                end = 2 * number + 2
                while await asyncio.to_thread(kafka.committed, "marks-in", "marks") < end:
                    batch = await next_batch(running.reader)
                    if batch.receipt is not None:
                        await (await running.write(batch))

    run(scenario())
    assert visible(kafka, "marks-out") == ids(0, 2)


def test_a_topic_that_is_deleted_and_created_again(
    kafka: KafkaServer, capfd: pytest.CaptureFixture[str]
) -> None:
    async def scenario() -> None:
        create(kafka, "deleted")
        kafka.add("deleted-in", 0, 5)
        async with flow(kafka, "deleted") as running:
            await (await running.write(await running.next()))
            await asyncio.to_thread(kafka.delete, "deleted-out")
            await asyncio.to_thread(kafka.add, "deleted-in", 5, 10)
            confirmed = await running.write(await running.next())
            await asyncio.to_thread(wait_until, lambda: running.sink.trouble() is not None)
            kafka.create("deleted-out")
            await confirmed
            assert running.sink.trouble() is None

    run(scenario())
    assert visible(kafka, "deleted-out") == ids(5, 10)
    # librdkafka would write of a fatal error, which is not fatal here.
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("source", "sink", "reason"),
    [
        ("kafka://a:1,b:2?topic=x&group=g", "kafka://c:1?topic=y", ""),
        ("kafka://user:secret@a:1?topic=x&group=g", "kafka://a:1?topic=y", ""),
        ("kafka://a:1?topic=x", "kafka://a:1?topic=y", "the source is no consumer group"),
        ("memory:", "kafka://a:1?topic=y", "the source is no consumer group of Kafka"),
        (
            "kafka://a:1?topic=x&group=g&kafka.isolation.level=read_uncommitted",
            "kafka://a:1?topic=y",
            "isolation.level=read_uncommitted",
        ),
    ],
)
def test_where_transactions_are_used(source: str, sink: str, reason: str) -> None:
    reads = open_source("a", source)
    # Only the brokers know whether they belong to one cluster.
    expected = False if reason else None
    assert open_sink("a", sink).acknowledges(reads) is expected
    assert open_sink("a", f"{sink}&transactions=no").acknowledges(reads) is False
    wanted = open_sink("a", f"{sink}&transactions=yes&kafka.message.timeout.ms=60000")
    if reason:
        with pytest.raises(SinkError, match=f"has transactions=yes, but .*{reason}"):
            wanted.acknowledges(reads)
    else:
        assert wanted.acknowledges(reads) is None
