"""From Kafka to Kafka, while the processes and the broker are killed or stopped."""

from __future__ import annotations

import json
import signal
import threading
import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.servers import wait_until
from tests.sources.kafka_server import KafkaServer
from tests.standing_pipelines.workspace import Workspace, records

pytestmark = pytest.mark.long

PARTITIONS = 4


class Results:
    """The results in a topic, as they arrive; only those that are committed.

    Args:
        broker: where they are.
        topic: the topic, of one partition.
    """

    def __init__(self, broker: KafkaServer, topic: str) -> None:
        self.ids: list[int] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": broker.address,
                "group.id": "test",
                "isolation.level": "read_committed",
            }
        )
        self._consumer.assign([TopicPartition(topic, 0, 0)])

    def read(self) -> int:
        """Read on; return how many different ones there are."""
        for message in self._consumer.consume(10_000, 0.05):
            if message.error() is None:
                result = json.loads(message.value() or b"")
                assert result["twice"] == 2 * int(result["id"])
                self.ids.append(int(result["id"]))
        return len(set(self.ids))

    def close(self) -> None:
        """Stop to read."""
        self._consumer.close()


def declare(
    workspace: Workspace,
    broker: KafkaServer,
    name: str,
    more: str = "kafka.client.id=test",
) -> None:
    options = f"kafka.session.timeout.ms=3000&kafka.heartbeat.interval.ms=500&{more}"
    workspace.declare(
        double={
            "source": f"kafka://{broker.address}?topic={name}-in&group={name}&{options}",
            "processor": "double",
            "sink": f"kafka://{broker.address}?topic={name}-out",
            "errors": f"kafka://{broker.address}?topic={name}-errors",
        }
    )


def produce(broker: KafkaServer, topic: str, count: int) -> None:
    for first in range(0, count, 250):
        lines = records(first, first + 250).splitlines()
        broker.send(topic, lines, partition=first // 250 % PARTITIONS)


def create(broker: KafkaServer, name: str) -> None:
    broker.create(f"{name}-in", PARTITIONS)
    broker.create(f"{name}-out")
    broker.create(f"{name}-errors")


def in_order(ids: list[int]) -> list[int]:
    """Return them grouped by the partition that they came from."""
    return sorted(ids, key=lambda each: each // 250 % PARTITIONS)


def test_a_pipeline_that_ends_has_nothing_twice(workspace: Workspace, kafka: KafkaServer) -> None:
    create(kafka, "calm")
    produce(kafka, "calm-in", 1000)
    kafka.send("calm-in", [b"broken"])
    declare(workspace, kafka, "calm")
    results = Results(kafka, "calm-out")
    for count in (1000, 2000):
        process = workspace.start()
        wait_until(lambda expected=count: results.read() >= expected)  # type: ignore[misc]
        workspace.stop(process)
        assert process.returncode in (0, -signal.SIGTERM)
        kafka.send("calm-in", records(1000, 2000).splitlines(), partition=1)
    results.read()
    results.close()
    assert sorted(results.ids) == list(range(2000))
    dead = Consumer({"bootstrap.servers": kafka.address, "group.id": "test"})
    dead.assign([TopicPartition("calm-errors", 0, 0)])
    letter = dead.poll(30)
    assert letter is not None
    assert json.loads(letter.value() or b"")["raw"] == "broken"
    assert dead.poll(0.5) is None
    dead.close()


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_each_result_is_there_once_whatever_is_killed(
    workspace: Workspace, kafka: KafkaServer, strategy: str
) -> None:
    count = 40_000
    name = f"killed-{strategy}"
    create(kafka, name)
    declare(workspace, kafka, name, f"kafka.partition.assignment.strategy={strategy}")
    results = Results(kafka, f"{name}-out")
    processes = [workspace.start(), workspace.start()]
    producing = threading.Thread(target=produce, args=(kafka, f"{name}-in", count))
    producing.start()
    try:
        for share in (0.1, 0.3, 0.5):
            wait_until(lambda least=share * count: results.read() >= least, 120)  # type: ignore[misc]
            workspace.stop(processes.pop(0), signal.SIGKILL)
            processes.append(workspace.start())
        # This one loses its partitions meanwhile, and does not know.
        processes[0].send_signal(signal.SIGSTOP)
        time.sleep(6)
        processes[0].send_signal(signal.SIGCONT)
    finally:
        producing.join()
    kafka.stop()
    kafka.start()
    wait_until(lambda: results.read() >= count, 120)
    for process in processes:
        workspace.stop(process)
    results.close()
    assert in_order(results.ids) == in_order(list(range(count)))
