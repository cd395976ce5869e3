"""Where the records of a chaos run come from."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import nats
import paho.mqtt.client as paho
from confluent_kafka import Producer
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from redis import Redis

from tests.chaos.peers import Peer
from tests.chaos.records import PARTS, part_of, parts, record
from tests.sources.kafka_server import KafkaServer

__all__ = ["SOURCES", "FedSource", "KafkaGroup"]

_TIMEOUT = 60.0
_MOST_ROTATIONS = 80  # A pipeline that was down for long can follow 100 files.


class FedSource(ABC):
    """A source, to which records are added while no broker is in trouble.

    Args:
        directory: where files may be; the working directory of the pipeline.
        peer: the broker; None for files.

    Attributes:
        url: the source of the pipeline.
    """

    keeps_offsets = True
    """Whether the source can be read from any offset on."""

    keeps_order = True
    """Whether the broker keeps the order of records that it delivers again."""

    can_share = False
    """Whether several processes can read it together, so that each record goes to one of them."""

    shares_parts = False
    """Whether all records of a part go to the same process then, as long as it lives."""

    def __init__(self, directory: Path, peer: Peer | None) -> None:
        self.url = ""
        self.directory = directory
        self._peer = peer

    @property
    def peer(self) -> Peer:
        """The broker."""
        assert self._peer is not None
        return self._peer

    @abstractmethod
    def feed(self, numbers: Sequence[int]) -> None:
        """Add records, and wait until the broker has them."""

    def url_of(self, member: int) -> str:
        """Return the source of one of several processes, counted from 0."""
        return self.url

    def close(self) -> None:  # noqa: B027 (optional)
        """Free all resources."""


class FileSource(FedSource):
    """A file for each part, which is rotated as logrotate does."""

    def __init__(self, directory: Path, peer: Peer | None) -> None:
        super().__init__(directory, peer)
        (directory / "logs").mkdir()
        self.url = "file:logs/*.log"
        self._fed = 0

    def feed(self, numbers: Sequence[int]) -> None:
        for part, lines in parts(numbers):
            with self._path(part).open("ab") as file:
                file.write(b"\n".join(lines) + b"\n")
        self._fed += 1
        # The parts are rotated in turn.
        if self._fed % 4 == 0 and self._fed // 4 <= _MOST_ROTATIONS:
            self._rotate(self._fed // 4 % PARTS)

    def _path(self, part: int, number: int = 0) -> Path:
        return self.directory / "logs" / (f"{part}.log.{number}" if number else f"{part}.log")

    def _rotate(self, part: int) -> None:
        count = 0
        while self._path(part, count).exists():
            count += 1
        for number in range(count, 0, -1):
            self._path(part, number - 1).rename(self._path(part, number))
        self._path(part).touch()


class RedisSource(FedSource):
    """A stream of Redis, without a group."""

    options = ""

    def __init__(self, directory: Path, peer: Peer | None) -> None:
        super().__init__(directory, peer)
        self.url = f"redis://127.0.0.1:{self.peer.port}/0?stream=in{self.options}"
        self._client = Redis(port=self.peer.broker.port)

    def feed(self, numbers: Sequence[int]) -> None:
        with self._client.pipeline(transaction=True) as pipe:
            for number in numbers:
                pipe.xadd("in", {"data": record(number)})
            pipe.execute()

    def close(self) -> None:
        self._client.close()


class RedisGroup(RedisSource):
    """A stream of Redis, read by a group."""

    options = "&group=g&claim=3&consumer=c"
    keeps_offsets = False
    can_share = True

    def url_of(self, member: int) -> str:
        return f"{self.url}{member or ''}"


class KafkaSource(FedSource):
    """A topic of Kafka, without a group."""

    options = ""

    def __init__(self, directory: Path, peer: Peer | None) -> None:
        super().__init__(directory, peer)
        broker = self.peer.broker
        assert isinstance(broker, KafkaServer)
        broker.create("in", PARTS)
        self.url = f"kafka://127.0.0.1:{self.peer.port}?topic=in{self.options}"
        self._producer = Producer(
            {
                "bootstrap.servers": broker.address,
                "enable.idempotence": True,
                "linger.ms": 5,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 2,
            }
        )

    def feed(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._producer.produce("in", record(number), partition=part_of(number))
        assert self._producer.flush(_TIMEOUT) == 0

    def close(self) -> None:
        self._producer.close()


class KafkaGroup(KafkaSource):
    """A topic of Kafka, read by a group."""

    options = "&group=g&kafka.session.timeout.ms=3000&kafka.heartbeat.interval.ms=500"
    keeps_offsets = False
    can_share = True
    shares_parts = True


class NatsSource(FedSource):
    """A stream of JetStream, with a subject for each part."""

    options = ""

    def __init__(self, directory: Path, peer: Peer | None) -> None:
        super().__init__(directory, peer)
        self.url = f"nats://127.0.0.1:{self.peer.port}?stream=IN{self.options}"
        asyncio.run(self._feed(()))

    def feed(self, numbers: Sequence[int]) -> None:
        asyncio.run(self._feed(numbers))

    async def _feed(self, numbers: Sequence[int]) -> None:
        async with await nats.connect(f"nats://127.0.0.1:{self.peer.broker.port}") as connection:
            stream = connection.jetstream(timeout=_TIMEOUT)
            await stream.add_stream(name="IN", subjects=["in.*"])
            stored = [
                await stream.publish_async(
                    f"in.{part_of(number)}", record(number), wait_stall=_TIMEOUT
                )
                for number in numbers
            ]
            for each in stored:
                await asyncio.wait_for(each, _TIMEOUT)


class NatsDurable(NatsSource):
    """A stream of JetStream, read by a durable consumer."""

    options = "&durable=d&ack_wait=5"
    keeps_offsets = False
    keeps_order = False
    can_share = True


class MqttSource(FedSource):
    """Topics of Mosquitto, in a session that outlives the pipeline."""

    keeps_offsets = False

    def __init__(self, directory: Path, peer: Peer | None) -> None:
        super().__init__(directory, peer)
        self.url = f"mqtt://127.0.0.1:{self.peer.port}/in/+?client=c"
        self._has_session = False

    def feed(self, numbers: Sequence[int]) -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.max_queued_messages_set(0)
        client.max_inflight_messages_set(1000)
        codes: dict[int, bool] = {}

        def note(_: paho.Client, __: object, number: int, code: object, ___: object) -> None:
            codes[number] = str(code) == "Success"

        client.on_publish = note
        client.connect("127.0.0.1", self.peer.broker.port)
        client.loop_start()
        try:
            sent = []
            for number in numbers:
                sent.append(self._publish(client, number))
                # The first one is published again until the session of the pipeline has it.
                while not self._has_session:
                    self._wait_for(sent, codes)
                    self._has_session = codes[sent[-1]]
                    if not self._has_session:
                        sent.append(self._publish(client, number))
            self._wait_for(sent, codes)
        finally:
            client.disconnect()
            client.loop_stop()

    def _publish(self, client: paho.Client, number: int) -> int:
        return client.publish(f"in/{part_of(number)}", record(number), qos=1).mid

    def _wait_for(self, sent: list[int], codes: dict[int, bool]) -> None:
        """Wait until the broker has answered messages of these numbers."""
        deadline = time.monotonic() + _TIMEOUT
        while any(number not in codes for number in sent):
            assert time.monotonic() < deadline, "the broker does not take messages"
            time.sleep(0.02)


SOURCES: dict[str, tuple[type[FedSource], str]] = {
    "file": (FileSource, ""),
    "redis": (RedisSource, "redis"),
    "redis-group": (RedisGroup, "redis"),
    "kafka": (KafkaSource, "kafka"),
    "kafka-group": (KafkaGroup, "kafka"),
    "nats": (NatsSource, "nats"),
    "nats-durable": (NatsDurable, "nats"),
    "mqtt": (MqttSource, "mqtt"),
}
"""The sources, each with the kind of its peer."""
