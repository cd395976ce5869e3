"""Whether source and sink are in one cluster: the brokers tell, not the hosts in the URLs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from forstcore.errors import SinkError
from forstcore.sinks import Output, open_sink
from forstcore.sources import open_source
from forstcore.sources._kafka_cluster import Cluster, find_cluster
from forstcore.sources._kafka_group import GroupReader
from tests.faults.proxy import FaultProxy
from tests.sinks.test_kafka_transactions import create, run, visible
from tests.sources.kafka_reading import next_batch
from tests.sources.kafka_server import KafkaServer


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker of another cluster."""
    broker = KafkaServer(tmp_path_factory.mktemp("other"), "BBBBBBBBBBBBBBBBBBBBBQ")
    yield broker
    broker.stop()


def group_reader(address: str, name: str) -> GroupReader:
    reader = open_source("a", f"kafka://{address}?topic={name}-in&group={name}").open("now")
    assert isinstance(reader, GroupReader)
    return reader


@pytest.mark.long
def test_two_names_of_one_broker(kafka: KafkaServer) -> None:
    create(kafka, "names")
    kafka.add("names-in", 0, 5)

    async def scenario() -> None:
        reader = group_reader(f"localhost:{kafka.port}", "names")
        sink = open_sink("a", f"kafka://127.0.0.1:{kafka.port}?topic=names-out&transactions=yes")
        writer = await sink.open(reader)
        assert writer.acknowledges
        while not (batch := await next_batch(reader)).lines:
            pass
        await (await writer.write(Output(batch.lines, receipts=(batch.receipt,))))
        await writer.close()
        await reader.close()

    run(scenario())
    assert kafka.committed("names-in", "names") == 5
    assert visible(kafka, "names-out") == [str(each) for each in range(5)]


@pytest.mark.long
def test_two_clusters(
    kafka: KafkaServer, other: KafkaServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        reader = group_reader(kafka.address, "two")
        url = f"kafka://{other.address}?topic=two-out"
        with caplog.at_level("INFO", "forstcore"):
            writer = await open_sink("a", url).open(reader)
        assert not writer.acknowledges
        assert "sink a: the source is in another cluster: at least once" in caplog.messages
        with pytest.raises(SinkError, match="transactions=yes, but the source is in another clus"):
            await open_sink("a", f"{url}&transactions=yes").open(reader)
        await writer.close()
        await reader.close()

    run(scenario())


@pytest.mark.long
def test_two_clusters_behind_one_name(kafka: KafkaServer, other: KafkaServer) -> None:
    async def scenario() -> None:
        async with FaultProxy(kafka.port) as proxy:
            reader = group_reader(f"127.0.0.1:{proxy.port}", "name")
            source = await reader.cluster()
        async with FaultProxy(other.port, listen_on=proxy.port):
            sink = await reader.cluster()
        assert source.hosts == sink.hosts
        assert not source.is_same(sink)
        await reader.close()

    run(scenario())


@pytest.mark.long
def test_it_waits_for_brokers_that_are_down(
    tmp_path: Path, kafka: KafkaServer, caplog: pytest.LogCaptureFixture
) -> None:
    broker = KafkaServer(tmp_path)
    broker.stop(signal.SIGKILL)

    async def scenario() -> None:
        reader = group_reader(kafka.address, "down")
        sink = open_sink("a", f"kafka://{broker.address}?topic=down-out")
        opening = asyncio.ensure_future(sink.open(reader))
        while sink.trouble() is None:  # noqa: ASYNC110 (nothing to wait for)
            await asyncio.sleep(0.05)
        assert "Connection refused" in sink.trouble().detail  # type: ignore[union-attr]
        assert not opening.done()
        await asyncio.to_thread(broker.start)
        writer = await opening
        assert sink.trouble() is None
        await writer.close()
        await reader.close()

    try:
        run(scenario())
    finally:
        broker.stop()
    assert sum("it is down" in each for each in caplog.messages) == 1


def test_the_hosts_decide_where_brokers_do_not_tell() -> None:
    here, there = frozenset({"a:1", "b:1"}), frozenset({"c:1"})
    assert Cluster("x", here).is_same(Cluster("x", there))
    assert not Cluster("x", here).is_same(Cluster("y", here))
    assert Cluster("", here).is_same(Cluster("x", here))
    assert not Cluster("", here).is_same(Cluster("", there))


def test_brokers_that_cannot_be_reached() -> None:
    source = open_source("a", "kafka://127.0.0.1:1?topic=x&group=g")

    async def ask() -> None:
        await find_cluster(source.topic.options)  # type: ignore[attr-defined]

    with pytest.raises(Exception, match="Connection refused"):
        run(ask())
