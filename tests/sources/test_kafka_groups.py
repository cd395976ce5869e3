"""Consumer groups of Kafka, with a real Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

import pytest
from confluent_kafka import Consumer, TopicPartition

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import Batch, Reader, open_source
from forstcore.sources._kafka_poller import _FIRST_COUNT, Poller
from forstcore.sources._kafka_progress import Progress
from tests.servers import StartServer, wait_until
from tests.sources.kafka_reading import next_batch, read_until, url
from tests.sources.kafka_server import KafkaServer
from tests.sources.live import Subscription, numbers

pytestmark = pytest.mark.long


def open_group(broker: KafkaServer, topic: str, options: str = "") -> Reader:
    return open_source("a", url(broker, topic, f"&group=g-{topic}{options}")).open("now")


@contextlib.asynccontextmanager
async def consumer(broker: KafkaServer, topic: str, options: str = "") -> AsyncIterator[Reader]:
    reader = open_group(broker, topic, options)
    try:
        yield reader
    finally:
        await reader.close()


def test_groups_resume_by_themselves(kafka: KafkaServer) -> None:
    source = open_source("a", url(kafka, "t", "&group=g"))
    assert not source.is_shared
    assert source.keeps == "unacknowledged"
    source.check("now")
    with pytest.raises(OffsetError, match="which resumes by itself: omit from"):
        source.check("start")


def test_acknowledged_records_are_committed_in_order(kafka: KafkaServer) -> None:
    kafka.create("order")

    async def scenario() -> None:
        async with consumer(kafka, "order") as reader:
            batches: list[Batch] = []
            for number in range(3):
                await asyncio.to_thread(kafka.add, "order", number, number + 1)
                batches += [each for each in (await read_until(reader, 1))[1] if each.lines]
            await reader.acknowledge(batches[1].receipt)
            assert await asyncio.to_thread(kafka.committed, "order", "g-order") < 0
            await reader.acknowledge(batches[0].receipt)
            assert await asyncio.to_thread(kafka.committed, "order", "g-order") == 2
        async with consumer(kafka, "order") as reader:
            ids, batches = await read_until(reader, 1)
            assert ids == ["2"]
            await reader.acknowledge(batches[-1].receipt)
        assert await asyncio.to_thread(kafka.committed, "order", "g-order") == 3

    asyncio.run(scenario())


def test_the_end_of_a_partition_acknowledges_nothing(kafka: KafkaServer) -> None:
    kafka.create("end")
    # As many as are taken first: the end of the partition arrives behind them, by itself.
    kafka.add("end", 0, _FIRST_COUNT)

    async def scenario() -> None:
        async with consumer(kafka, "end") as reader:
            _, batches = await read_until(reader, _FIRST_COUNT)
            assert not (await next_batch(reader)).lines
            await asyncio.sleep(1)  # Enough for a commit.
            assert await asyncio.to_thread(kafka.committed, "end", "g-end") < 0
            await reader.acknowledge(batches[-1].receipt)
            assert await asyncio.to_thread(kafka.committed, "end", "g-end") == _FIRST_COUNT

    asyncio.run(scenario())


def test_a_group_can_start_with_new_records(kafka: KafkaServer) -> None:
    kafka.create("new")
    kafka.add("new", 0, 10)

    def is_committed() -> bool:
        return kafka.committed("new", "g-new") == 10

    async def scenario() -> None:
        async with consumer(kafka, "new", "&start=now") as reader:
            await next_batch(reader)
            await asyncio.to_thread(wait_until, is_committed)
        kafka.add("new", 10, 12)
        async with consumer(kafka, "new", "&start=now") as reader:
            assert (await read_until(reader, 2))[0] == ["10", "11"]

    asyncio.run(scenario())


def test_an_assignment_that_fails_is_tried_again(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.create("again")
    kafka.add("again", 0, 2)
    watermarks = Poller.watermarks
    unknown = [TopicPartition("again", 99)]

    def fail_once(poller: Poller, consumer: Consumer, partition: int) -> tuple[int, int]:
        if unknown:
            # An exception that Python has not raised itself is lost in callbacks of the library.
            return consumer.get_watermark_offsets(unknown.pop(), 30)
        return watermarks(poller, consumer, partition)

    monkeypatch.setattr(Poller, "watermarks", fail_once)

    async def scenario() -> None:
        async with consumer(kafka, "again") as reader:
            assert (await read_until(reader, 2))[0] == ["0", "1"]

    asyncio.run(scenario())
    assert not unknown


def test_tombstones_are_committed(kafka: KafkaServer) -> None:
    kafka.create("tombstones")
    kafka.send("tombstones", [b'{"id":"1"}', None, None])

    def is_committed() -> bool:
        return kafka.committed("tombstones", "g-tombstones") == 3

    async def scenario() -> None:
        async with consumer(kafka, "tombstones") as reader:
            _, batches = await read_until(reader, 1)
            reading = asyncio.create_task(next_batch(reader))
            await reader.acknowledge(batches[-1].receipt)
            await asyncio.to_thread(wait_until, is_committed)
            reading.cancel()
            await asyncio.wait([reading])

    asyncio.run(scenario())


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_a_second_consumer_takes_over_while_records_flow(kafka: KafkaServer, strategy: str) -> None:
    """Each record comes once, in the order of its partition: consumers acknowledge in time."""
    topic, partitions, count = f"shared-{strategy}", 4, 2000
    kafka.create(topic, partitions)
    options = f"&kafka.partition.assignment.strategy={strategy}"

    async def scenario() -> None:
        found: list[str] = []
        by_reader: list[set[str]] = [set(), set()]

        async def work(number: int, until: Callable[[], bool]) -> None:
            async with consumer(kafka, topic, options) as reader:
                while not until():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.5):
                            batch = await reader.read()
                    if not isinstance(batch, Batch) or batch.receipt is None:
                        continue
                    ids = [json.loads(line)["id"] for line in batch.lines.splitlines()]
                    by_reader[number].update(ids)
                    found.extend(ids)
                    await reader.acknowledge(batch.receipt)
                    batch = None

        def produce() -> None:
            for first in range(0, count, 20):
                kafka.add(topic, first, first + 20, partition=first // 20 % partitions)

        def is_complete() -> bool:
            return len(set(found)) == count

        # Both read until both have got some; the second one leaves before the end.
        first = asyncio.create_task(work(0, is_complete))
        producing = asyncio.create_task(asyncio.to_thread(produce))
        second = asyncio.create_task(work(1, lambda: len(by_reader[1]) > 100 or is_complete()))
        await producing
        await asyncio.to_thread(wait_until, is_complete)
        await asyncio.gather(first, second)
        assert len(found) == count
        for partition in range(partitions):
            mine = [each for each in found if int(each) // 20 % partitions == partition]
            assert mine == sorted(mine, key=int)

    asyncio.run(scenario())


def test_late_acknowledgements_are_not_committed(kafka: KafkaServer) -> None:
    kafka.create("late")
    kafka.add("late", 0, 5)

    async def scenario() -> None:
        first = open_group(kafka, "late")
        _, batches = await read_until(first, 5)
        await first.close()
        async with consumer(kafka, "late") as second:
            assert (await read_until(second, 5))[0] == numbers(0, 5)
            for batch in batches:
                if batch.receipt is not None:
                    await first.acknowledge(batch.receipt)
        assert await asyncio.to_thread(kafka.committed, "late", "g-late") < 0

    asyncio.run(scenario())


def test_acknowledgements_of_an_earlier_assignment_do_not_count() -> None:
    progress = Progress()
    progress.assign({0: 0, 1: 0})
    old = progress.deliver({0: 5, 1: 7}, ())
    progress.remove([0])
    progress.assign({0: 0})
    new = progress.deliver({0: 3}, ())
    progress.finish(old)
    assert progress.uncommitted() == {1: 7}
    progress.finish(new)
    assert progress.uncommitted([0]) == {0: 3}
    progress.committed({0: 3})
    assert progress.uncommitted([0]) == {}
    assert not progress.is_uncommitted(new)


def test_a_reader_that_nobody_reads_stays_a_member(kafka: KafkaServer) -> None:
    kafka.create("paused")
    lines = [b'{"id":"%d","data":"%s"}' % (number, b"x" * 50_000) for number in range(300)]
    kafka.send("paused", lines)

    async def scenario() -> None:
        options = (
            "&kafka.max.poll.interval.ms=2000&kafka.session.timeout.ms=2000"
            "&kafka.heartbeat.interval.ms=500"
        )
        async with consumer(kafka, "paused", options) as reader:
            ids, batches = await read_until(reader, 1)
            await asyncio.sleep(3)
            while len(ids) < 300:
                more, found = await read_until(reader, 1)
                assert sum(len(batch.lines) for batch in found) < 20 << 20
                ids += more
                batches += found
            assert ids == numbers(0, 300)
            for batch in batches:
                if batch.receipt is not None:
                    await reader.acknowledge(batch.receipt)
        assert await asyncio.to_thread(kafka.committed, "paused", "g-paused") == 300

    asyncio.run(scenario())


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_paused_partitions_go_on_after_a_rebalance(kafka: KafkaServer, strategy: str) -> None:
    topic = f"rebalanced-{strategy}"
    kafka.create(topic, 2)
    for partition in range(2):
        first = partition * 100
        lines = [b'{"id":"%d","data":"%s"}' % (n, b"x" * 50_000) for n in range(first, first + 100)]
        kafka.send(topic, lines, partition)

    async def scenario() -> None:
        options = f"&kafka.partition.assignment.strategy={strategy}"
        found: set[str] = set()
        async with consumer(kafka, topic, options) as first:
            await next_batch(first)
            # No records are taken until all partitions are paused; then another consumer
            # joins and leaves.
            poller = first._poller  # type: ignore[attr-defined]
            await asyncio.to_thread(wait_until, lambda: len(poller._paused) == 2)
            async with consumer(kafka, topic, options) as second:
                await read_until(second, 1)
            while len(found) < 200:
                found |= set((await read_until(first, 1))[0])

    asyncio.run(scenario())


def test_subscribers_that_acknowledge(start_one: StartServer, kafka: KafkaServer) -> None:
    kafka.create("acks")
    kafka.add("acks", 0, 10)
    server = start_one("--source", f"jobs={url(kafka, 'acks', '&group=g')}")
    with Subscription(server, "jobs", acks=True) as live:
        live.began()
        assert live.delivery == "at-least-once"
        assert live.ids(10) == numbers(0, 10)
        live.acknowledge(live.acked)
        kafka.add("acks", 10, 15)
        assert live.ids(5) == numbers(10, 15)
    with Subscription(server, "jobs", acks=True) as live:
        assert live.ids(5) == numbers(10, 15)


def test_what_the_broker_refuses_ends_the_reading(kafka: KafkaServer) -> None:
    kafka.create("refused")

    async def scenario() -> None:
        async with consumer(kafka, "refused", "&kafka.session.timeout.ms=500") as reader:
            with pytest.raises(SourceError, match="Invalid session timeout"):
                await read_until(reader, 1)

    asyncio.run(scenario())
