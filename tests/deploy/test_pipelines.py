"""The files for pipelines on many machines: valid, and run by two processes on a real Kafka."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests import children
from tests.deploy.compose_file import COMPOSE, DIRECTORY, PARTITIONS, SERVICES
from tests.servers import wait_until
from tests.sources.kafka_server import KafkaServer
from tests.standing_pipelines.workspace import Workspace


def checked_by_schema(path: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("check-jsonschema", path=sysconfig.get_path("scripts"))
    if program is None:
        pytest.skip("needs check-jsonschema")
    options = ("--builtin-schema", "vendor.compose-spec")
    return children.run([program, *options, path], text=True)


def test_compose_takes_the_file(tmp_path: Path) -> None:
    done = checked_by_schema(COMPOSE)
    assert done.returncode == 0, done.stdout
    # Only few machines have the program itself.
    docker = shutil.which("docker")
    if docker is not None and children.run([docker, "compose", "version"]).returncode == 0:
        done = children.run([docker, "compose", "--file", COMPOSE, "config", "--quiet"], text=True)
        assert (done.returncode, done.stderr) == (0, "")
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text().replace("depends_on:", "depend_on:"))
    assert checked_by_schema(wrong).returncode == 1


class ComposedKafka(KafkaServer):
    """Kafka with the settings of the compose file, except for host names and directories."""

    def settings(self) -> dict[str, object]:
        settings = {
            name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
            for name, value in SERVICES["kafka"]["environment"].items()
        }
        ports = {
            ":9092": f":{self.port}",
            ":9093": f":{self.proxied_port}",
            ":9094": f":{self._controller}",
        }
        for name, value in settings.items():
            for written, port in ports.items():
                value = value.replace(written, port)
            for host in ("//kafka:", "//localhost:", "//:"):
                value = value.replace(host, "//127.0.0.1:")
            settings[name] = value.replace("@kafka:", "@127.0.0.1:")
        settings["log.dirs"] = str(self._directory / "data")
        return dict(settings)


@pytest.fixture
def composed_kafka(tmp_path: Path) -> Iterator[ComposedKafka]:
    (tmp_path / "kafka").mkdir()
    broker = ComposedKafka(tmp_path / "kafka")
    yield broker
    broker.stop()


@pytest.fixture
def workspace(tmp_path: Path, composed_kafka: ComposedKafka) -> Iterator[Workspace]:
    """The directory that containers see, with their environment."""
    service = SERVICES["totals"]
    (name,) = service["environment"]
    assert service["volumes"] == [f".:{service['working_dir']}:ro"]
    made = Workspace(tmp_path / "work", {name: composed_kafka.address})
    for path in DIRECTORY.iterdir():
        if path.is_file():
            shutil.copy(path, made.path)
    yield made
    made.end()


class Totals:
    """The results, as they arrive.

    Args:
        broker: where they are.
    """

    def __init__(self, broker: KafkaServer) -> None:
        self.ids: set[int] = set()
        self._consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "test"})
        self._consumer.assign([TopicPartition("totals", each, 0) for each in range(PARTITIONS)])

    def are(self, count: int) -> bool:
        """Read further; return whether so many have arrived."""
        for message in self._consumer.consume(10_000, 0.05):
            if message.error() is None:
                result = json.loads(message.value() or b"")
                assert result["total"] == 2.5 * int(result["id"])
                assert (message.key() or b"").decode() == result["customer"]
                self.ids.add(int(result["id"]))
        return len(self.ids) >= count

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()


def shares(broker: KafkaServer) -> list[int]:
    """Return the numbers of partitions that the members of the group have."""
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 2})
    try:
        group = admin.describe_consumer_groups(["totals"])["totals"].result(30)
    except KafkaException:  # Its coordinator is not ready.
        return []
    return sorted(
        len(member.assignment.topic_partitions) if member.assignment else 0
        for member in group.members
    )


def send(broker: KafkaServer, first: int, end: int) -> None:
    """Produce orders, to all partitions."""
    for partition in range(PARTITIONS):
        orders = [
            {
                "id": number,
                "status": "paid",
                "customer": f"c{number % 100}",
                "items": [{"price": 2.5, "count": number}],
            }
            for number in range(first, end)
            if number % PARTITIONS == partition
        ]
        lines = [json.dumps(each).encode() for each in orders]
        broker.send("orders", [*lines, b'{"status":"open"}'], partition)


@pytest.mark.long
def test_processes_share_the_partitions(
    workspace: Workspace, composed_kafka: ComposedKafka
) -> None:
    # This topic is created by its first record, that of the results by its first result.
    send(composed_kafka, 0, 1200)
    assert SERVICES["totals"]["entrypoint"] == ["/opt/forstcore/bin/forstcore"]
    assert SERVICES["totals"]["command"] == ["run", "pipelines.toml"]
    one, two = workspace.start(), workspace.start()
    half = PARTITIONS // 2
    wait_until(lambda: shares(composed_kafka) == [half, half], children.LIMIT)
    totals = Totals(composed_kafka)
    wait_until(lambda: totals.are(1200), children.LIMIT)
    # A process that is scaled away leaves its share to the other one.
    workspace.stop(one)
    assert one.returncode == -signal.SIGTERM
    wait_until(lambda: shares(composed_kafka) == [PARTITIONS], children.LIMIT)
    send(composed_kafka, 1200, 2400)
    wait_until(lambda: totals.are(2400), children.LIMIT)
    workspace.stop(two)
    totals.close()
    assert totals.ids == set(range(2400))
