"""Brokers and servers for tests of sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Server, StartServer
from tests.sources.brokers import Mosquitto, NatsServer, RedisServer
from tests.sources.kafka_server import KafkaServer


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A separate Redis server."""
    directory = tmp_path / "redis"
    directory.mkdir()
    broker = RedisServer(directory)
    yield broker
    broker.stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A separate Mosquitto broker."""
    directory = tmp_path / "mosquitto"
    directory.mkdir()
    broker = Mosquitto(directory)
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A Kafka for all tests of a module, each of which has a topic of its own."""
    broker = KafkaServer(tmp_path_factory.mktemp("kafka"))
    yield broker
    broker.stop()


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A separate NATS server with JetStream."""
    directory = tmp_path / "nats"
    directory.mkdir()
    broker = NatsServer(directory)
    yield broker
    broker.stop()


@pytest.fixture
def each_server(start_server: StartServer) -> Server:
    """A server with default settings, with each way to read bodies."""
    return start_server()


@pytest.fixture
def server(start_one: StartServer) -> Server:
    """A server with default settings, with one way to read bodies."""
    return start_one()
