"""The pairs of a source and a sink that are measured, each with the ways to connect them."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from redis import Redis

from benchmarks.building import BenchmarkError
from benchmarks.pipelines.running import Cost, loop, pipeline, run
from tests.sources.brokers import RedisServer
from tests.sources.kafka_server import KafkaServer

__all__ = ["PAIRS", "Pair"]

_PARTITIONS = 4


class Pair(ABC):
    """A source with the records, and a sink.

    Args:
        directory: for files.
        lines: the records, each without its LF.
        results: how many results they have.
        lowest: status from which on requests are results.

    Attributes:
        ways: the ways by name; the first one is ours.
    """

    ways: tuple[str, ...]

    def __init__(self, directory: Path, lines: Sequence[bytes], results: int, lowest: int) -> None:
        self.directory = directory
        self.lines = lines
        self.results = results
        self.lowest = lowest
        self.numbers = itertools.count()

    @abstractmethod
    def run(self, way: str) -> Cost:
        """Process all records in one of the ways."""

    def close(self) -> None:  # noqa: B027 (optional)
        """End the broker."""


class FileToFile(Pair):
    """From one file to another."""

    ways = ("forstcore", "a loop with orjson")

    def __init__(self, directory: Path, lines: Sequence[bytes], results: int, lowest: int) -> None:
        super().__init__(directory, lines, results, lowest)
        self._source = directory / "in.ndjson"
        self._source.write_bytes(b"".join(line + b"\n" for line in lines))

    def run(self, way: str) -> Cost:
        out = self.directory / f"out-{next(self.numbers)}.ndjson"
        if way == "forstcore":
            source = f"file:{self._source}?follow=no"
            command = pipeline(self.directory, source, f"file:{out}")
        else:
            command = loop("../compiled/plain_loop", self._source, out)
            command[2] = "benchmarks.compiled.plain_loop"
        cost = run(command, self.lowest)
        if out.read_bytes().count(b"\n") != self.results:
            raise BenchmarkError(f"{way} has other results")
        out.unlink()
        return cost


class FileToParquet(FileToFile):
    """Records of a file, unchanged, to Parquet."""

    ways = ("forstcore", "pyarrow alone")

    def run(self, way: str) -> Cost:
        number = next(self.numbers)
        out = self.directory / f"out-{number}.parquet"
        if way == "forstcore":
            source = f"file:{self._source}?follow=no"
            command = pipeline(self.directory, source, f"file:{out}?max_size=64MB", "")
        else:
            command = loop("parquet_loop", self._source, out)
        cost = run(command, self.lowest)
        for path in self.directory.glob(f"out-{number}*"):
            path.unlink()
        return cost


class KafkaToKafka(Pair):
    """From one topic to another, by a consumer group."""

    ways = ("forstcore", "a loop with confluent-kafka and orjson", "confluent-kafka, unchanged")

    def __init__(self, directory: Path, lines: Sequence[bytes], results: int, lowest: int) -> None:
        super().__init__(directory, lines, results, lowest)
        home = directory / "kafka"
        home.mkdir()
        self._broker = KafkaServer(home)
        self._broker.create("in", _PARTITIONS)
        producer = Producer({"bootstrap.servers": self._broker.address, "linger.ms": 50})
        for number, line in enumerate(lines):
            # Runs of records, as producers send them that have a key.
            producer.produce("in", line, partition=number // 1000 % _PARTITIONS)
            producer.poll(0)
            if number % 50_000 == 0:
                producer.flush()
        producer.flush()
        producer.close()

    def run(self, way: str) -> Cost:
        target = f"out-{next(self.numbers)}"
        address = self._broker.address
        self._broker.create(target, _PARTITIONS)
        if way == "forstcore":
            source = f"kafka://{address}?topic=in&group={target}"
            command = pipeline(self.directory, source, f"kafka://{address}?topic={target}")
        else:
            kind = "messages" if "orjson" in way else "batches"
            command = loop("kafka_loop", address, "in", target, kind)
        consumer = Consumer({"bootstrap.servers": address, "group.id": target})
        places = [TopicPartition("in", number) for number in range(_PARTITIONS)]

        def is_done() -> bool:
            try:
                committed = consumer.committed(places, 30)
            except KafkaException:  # The broker has no coordinator of the group yet.
                return False
            return sum(max(0, each.offset) for each in committed) == len(self.lines)

        try:
            return run(command, self.lowest, is_done)
        finally:
            consumer.close()

    def close(self) -> None:
        self._broker.stop()


class RedisToRedis(Pair):
    """From one stream to another, by a consumer group."""

    ways = ("forstcore", "a loop with redis-py and orjson")

    def __init__(self, directory: Path, lines: Sequence[bytes], results: int, lowest: int) -> None:
        super().__init__(directory, lines, results, lowest)
        home = directory / "redis"
        home.mkdir()
        self._broker = RedisServer(home)
        self._client = Redis(port=self._broker.port)
        for first in range(0, len(lines), 5000):
            with self._client.pipeline(transaction=False) as pipe:
                for line in lines[first : first + 5000]:
                    pipe.xadd("in", {"data": line})
                pipe.execute()

    def run(self, way: str) -> Cost:
        target = f"out-{next(self.numbers)}"
        if way == "forstcore":
            address = f"redis://127.0.0.1:{self._broker.port}/0"
            source = f"{address}?stream=in&group={target}"
            command = pipeline(self.directory, source, f"{address}?stream={target}")
        else:
            command = loop("redis_loop", self._broker.port, "in", target)

        def is_done() -> bool:
            groups: Any = self._client.xinfo_groups("in")
            found = [each for each in groups if each["name"] == target.encode()]
            return bool(found and found[0]["lag"] == found[0]["pending"] == 0)

        cost = run(command, self.lowest, is_done)
        if self._client.xlen(target) != self.results:
            raise BenchmarkError(f"{way} has other results")
        self._client.delete(target)
        self._client.xgroup_destroy("in", target)
        return cost

    def close(self) -> None:
        self._client.close()
        self._broker.stop()


PAIRS: dict[str, type[Pair]] = {
    "kafka-kafka": KafkaToKafka,
    "redis-redis": RedisToRedis,
    "file-file": FileToFile,
    "file-parquet": FileToParquet,
}
"""The pairs by name."""
