"""A real Kafka: one broker that is its own controller, which tests kill and restart."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests import children
from tests.servers import ROOT, free_port
from tests.sources.brokers import Broker

__all__ = ["KafkaServer"]

_TIMEOUT = 30


def _jars() -> Path:
    """Return where `.ci/install_kafka` has installed Kafka."""
    description = ROOT / ".ci" / "kafka.xml"
    if not description.exists():
        pytest.skip("without the repository, there is no .ci/kafka.xml")
    found = re.search(r"<kafka.version>(.*)</kafka.version>", description.read_text())
    assert found is not None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    jars = cache / "forstcore-tests" / f"kafka-{found[1]}"
    if not jars.is_dir():
        pytest.skip("needs Kafka: run .ci/install_kafka")
    return jars


class KafkaServer(Broker):
    """Kafka, which keeps its data in files.

    Args:
        directory: the directory for its files.
        cluster: the identity of its cluster, a UUID in base64.

    Attributes:
        address: host and port for clients.
        proxy_port: the port of a test's proxy, which clients of `proxied_port` are told to use.
        proxied_port: the port to which that proxy connects.
    """

    program = "java"
    patience = 120.0

    def __init__(self, directory: Path, cluster: str = "AAAAAAAAAAAAAAAAAAAAAQ") -> None:
        self._cluster = cluster
        self._java = [
            *("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *("-cp", f"{_jars()}/*"),
        ]
        self._controller, self.proxy_port, self.proxied_port = free_port(), free_port(), free_port()
        super().__init__(directory)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def arguments(self) -> list[str]:
        config = self._directory / "server.properties"
        if not config.exists():
            lines = (f"{name}={value}\n" for name, value in self.settings().items())
            config.write_text("".join(lines))
            tool = ["kafka.tools.StorageTool", "format", "-t", self._cluster, "-c"]
            more = self.format_options()
            children.run([self._program, *self._java, *tool, config, *more], check=True)
        return [*self._java, "kafka.Kafka", str(config)]

    def format_options(self) -> list[str]:
        """Return additional options of the tool that prepares the data directory."""
        return []

    def settings(self) -> dict[str, object]:
        """Return its settings."""
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "listeners": f"PLAINTEXT://{self.address},PROXIED://127.0.0.1:{self.proxied_port},"
            f"CONTROLLER://127.0.0.1:{self._controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address},"
            f"PROXIED://127.0.0.1:{self.proxy_port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT,"
            "PLAINTEXT:PLAINTEXT",
            "log.dirs": self._directory / "data",
            "auto.create.topics.enable": "false",
            "group.min.session.timeout.ms": 1000,
            "group.initial.rebalance.delay.ms": 0,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
        }

    def create(self, topic: str, partitions: int = 1, **config: str) -> None:
        """Create a topic; underscores in names of its settings stand for dots."""
        settings = {name.replace("_", "."): value for name, value in config.items()}
        new = NewTopic(topic, partitions, 1, config=settings)
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 2})
        admin.create_topics([new])[topic].result(_TIMEOUT)

    def delete(self, topic: str) -> None:
        """Delete a topic."""
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 2})
        admin.delete_topics([topic])[topic].result(_TIMEOUT)

    def send(
        self, topic: str, values: Iterable[bytes | None], partition: int = 0, key: str = "a"
    ) -> None:
        """Produce messages, and wait until the broker has them all."""
        producer = Producer({"bootstrap.servers": self.address, "log_level": 2})
        for value in values:
            producer.produce(topic, value, key, partition)
        assert producer.flush(_TIMEOUT) == 0

    def add(self, topic: str, first: int, end: int, partition: int = 0) -> None:
        """Produce records with these numbers."""
        self.send(topic, (record(each) for each in range(first, end)), partition)

    def committed(self, topic: str, group: str, partition: int = 0) -> int:
        """Return the offset that a group has committed, below 0 if there is none."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": group})
        try:
            (found,) = consumer.committed([TopicPartition(topic, partition)], _TIMEOUT)
            return int(found.offset)
        finally:
            consumer.close()


def record(number: int) -> bytes:
    return json.dumps({"id": str(number), "data": "x"}).encode()
