"""Where the results of a chaos run go, and how they are collected."""

from __future__ import annotations

import asyncio
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nats
import nats.errors
import paho.mqtt.client as paho
import pyarrow.parquet
from confluent_kafka import Consumer, TopicPartition
from nats.js.api import AckPolicy, ConsumerConfig
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from redis import Redis

from forstcore._io.compressed import zstd
from tests.chaos.peers import HttpReceiver, Peer
from tests.chaos.records import PARTS
from tests.sources.kafka_server import KafkaServer

__all__ = ["SINKS", "CollectedSink", "KafkaSink"]

_TIMEOUT = 60.0
_PAGE = 50_000  # Results that are read at once.


class CollectedSink(ABC):
    """A sink whose results are collected.

    Args:
        directory: where files may be; the working directory of the pipeline.
        peer: the broker or server; None for files.
        file_size: bytes after which a file of a series ends.

    Attributes:
        url: the sink of the pipeline.
    """

    keeps_offsets = False
    """Whether the sink keeps the offset of a source with its results."""

    def __init__(self, directory: Path, peer: Peer | None, file_size: int) -> None:
        self.url = ""
        self.directory = directory
        self.file_size = file_size
        self._peer = peer

    @property
    def peer(self) -> Peer:
        """The broker."""
        assert self._peer is not None
        return self._peer

    @abstractmethod
    def size(self) -> int:
        """Return how much there is by now, in some unit."""

    @abstractmethod
    def results(self) -> Iterable[bytes]:
        """Return all results, in order within each part."""

    def requested_again(self) -> int:
        """Return how many results came again because the peer has asked for that."""
        return 0

    def close(self) -> None:  # noqa: B027 (optional)
        """Free all resources."""


class FileSink(CollectedSink):
    """A file."""

    keeps_offsets = True
    url_path = "file:out.ndjson"

    def __init__(self, directory: Path, peer: Peer | None, file_size: int) -> None:
        super().__init__(directory, peer, file_size)
        self.url = self.url_path.format(size=file_size)

    def size(self) -> int:
        # The manifest is replaced with each write, and before the first one.
        manifest = next(iter(self.directory.glob(".out*.manifest")), None)
        if manifest is None:
            return 0
        members = json.loads(manifest.read_bytes())
        return manifest.stat().st_mtime_ns if members["offset"] or members["size"] else 0

    def results(self) -> Iterable[bytes]:
        path = self.directory / "out.ndjson"
        return path.read_bytes().splitlines() if path.exists() else []


class ZstdSink(FileSink):
    """A series of compressed files."""

    url_path = "file:out.ndjson.zst?max_size={size}&max_age=2"

    def results(self) -> Iterable[bytes]:
        for path in sorted(self.directory.glob("out-*.zst")):
            yield from zstd.decompress(path.read_bytes()).splitlines()


class ParquetSink(FileSink):
    """A series of Parquet files."""

    url_path = "file:out.parquet?max_size={size}&max_age=2"

    def results(self) -> Iterable[bytes]:
        for path in sorted(self.directory.glob("out-*.parquet")):
            for row in pyarrow.parquet.read_table(path).to_pylist():
                yield json.dumps(row).encode()


class RedisSink(CollectedSink):
    """A stream of Redis."""

    keeps_offsets = True

    def __init__(self, directory: Path, peer: Peer | None, file_size: int) -> None:
        super().__init__(directory, peer, file_size)
        self.url = f"redis://127.0.0.1:{self.peer.port}/0?stream=out"
        self._client = Redis(port=self.peer.broker.port)

    def size(self) -> int:
        return int(self._client.xlen("out"))

    def results(self) -> Iterable[bytes]:
        after = "-"
        while True:
            entries: Any = self._client.xrange("out", after, count=_PAGE)
            if not entries:
                return
            yield from (fields[b"data"] for _, fields in entries)
            after = f"({entries[-1][0].decode()}"

    def close(self) -> None:
        self._client.close()


class KafkaSink(CollectedSink):
    """A topic of Kafka, with a partition for each part."""

    def __init__(self, directory: Path, peer: Peer | None, file_size: int) -> None:
        super().__init__(directory, peer, file_size)
        broker = self.peer.broker
        assert isinstance(broker, KafkaServer)
        broker.create("out", PARTS)
        self.url = f"kafka://127.0.0.1:{self.peer.port}?topic=out&key=part"
        self._found: list[bytes] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": broker.address,
                "group.id": "collector",
                "isolation.level": "read_committed",
                "reconnect.backoff.max.ms": 500,
                "log_level": 2,
            }
        )
        self._consumer.assign([TopicPartition("out", part, 0) for part in range(PARTS)])

    def size(self) -> int:
        while messages := self._consumer.consume(_PAGE, 0.2):
            self._found += [
                message.value() or b"" for message in messages if message.error() is None
            ]
        return len(self._found)

    def results(self) -> Iterable[bytes]:
        self.size()
        return self._found

    def close(self) -> None:
        self._consumer.close()


class NatsSink(CollectedSink):
    """A stream of JetStream."""

    def __init__(self, directory: Path, peer: Peer | None, file_size: int) -> None:
        super().__init__(directory, peer, file_size)
        self.url = f"nats://127.0.0.1:{self.peer.port}?subject=out&stream=OUT"
        self._found: list[bytes] = []
        asyncio.run(self._create())

    def size(self) -> int:
        asyncio.run(self._read())
        return len(self._found)

    def results(self) -> Iterable[bytes]:
        self.size()
        return self._found

    async def _create(self) -> None:
        async with await nats.connect(f"nats://127.0.0.1:{self.peer.broker.port}") as connection:
            await connection.jetstream(timeout=_TIMEOUT).add_stream(name="OUT", subjects=["out"])

    async def _read(self) -> None:
        async with await nats.connect(f"nats://127.0.0.1:{self.peer.broker.port}") as connection:
            stream = connection.jetstream(timeout=_TIMEOUT)
            rest = (await stream.stream_info("OUT")).state.messages - len(self._found)
            if not rest:
                return
            config = ConsumerConfig(
                ack_policy=AckPolicy.NONE, opt_start_seq=len(self._found) + 1, mem_storage=True
            )
            config.deliver_policy = "by_start_sequence"  # type: ignore[assignment]
            consumer = await stream.pull_subscribe("out", stream="OUT", config=config)
            while rest > 0:
                messages = await consumer.fetch(min(rest, 5000), timeout=_TIMEOUT)
                self._found += [message.data for message in messages]
                rest -= len(messages)
            await consumer.unsubscribe()


class MqttSink(CollectedSink):
    """A topic of Mosquitto, with a subscriber whose session outlives connections."""

    def __init__(self, directory: Path, peer: Peer | None, file_size: int) -> None:
        super().__init__(directory, peer, file_size)
        self.url = f"mqtt://127.0.0.1:{self.peer.port}/out"
        self._found: list[bytes] = []
        self._has_subscribed = threading.Event()
        client = paho.Client(
            CallbackAPIVersion.VERSION2, "collector", protocol=MQTTProtocolVersion.MQTTv5
        )
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._subscribe
        client.on_subscribe = lambda *_: self._has_subscribed.set()
        client.on_message = self._take
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        client.connect("127.0.0.1", self.peer.broker.port, clean_start=False, properties=properties)
        client.loop_start()
        assert self._has_subscribed.wait(_TIMEOUT)
        self._client = client

    def _subscribe(self, client: paho.Client, *_: object) -> None:
        client.subscribe("out", qos=1)

    def _take(self, _: paho.Client, __: object, message: paho.MQTTMessage) -> None:
        self._found.append(bytes(message.payload))

    def size(self) -> int:
        return len(self._found)

    def results(self) -> Iterable[bytes]:
        return list(self._found)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class HttpSink(CollectedSink):
    """A server that appends what it receives to a file."""

    def __init__(self, directory: Path, peer: Peer | None, file_size: int) -> None:
        super().__init__(directory, peer, file_size)
        self.url = f"http://127.0.0.1:{self.peer.port}/results?timeout=2&batch=100kB"

    @property
    def _receiver(self) -> HttpReceiver:
        assert isinstance(self.peer.broker, HttpReceiver)
        return self.peer.broker

    def size(self) -> int:
        return self._receiver.log_file.stat().st_size

    def results(self) -> Iterable[bytes]:
        return self._receiver.log_file.read_bytes().splitlines()

    def requested_again(self) -> int:
        return self._receiver.requested_again


SINKS: dict[str, tuple[type[CollectedSink], str]] = {
    "file": (FileSink, ""),
    "zst": (ZstdSink, ""),
    "parquet": (ParquetSink, ""),
    "redis": (RedisSink, "redis"),
    "kafka": (KafkaSink, "kafka"),
    "nats": (NatsSink, "nats"),
    "mqtt": (MqttSink, "mqtt"),
    "http": (HttpSink, "http"),
}
"""The sinks, each with the kind of its peer."""
