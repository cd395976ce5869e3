"""Measure the pipeline of deploy/pipelines, run by one process and by two of a consumer group.

Prints JSON, the member "group" of the input for `python -m benchmarks.scale`. Kafka and the
processes share the machine, so on few cores they slow each other down: compare CPU times, or give
each process a share of a core with `--cores`, as container platforms do. Kafka is installed as for
the tests: `bash .ci/install_kafka`. Each run is shown on standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks.building import BenchmarkError
from benchmarks.cpu_limit import cpu_limit
from benchmarks.usage import usage
from tests.servers import ROOT
from tests.sources.kafka_server import KafkaServer

_PARTITIONS: Final = 12
_PATIENCE: Final = 600.0  # Seconds for one run.
_DIRECTORY: Final = ROOT / "deploy" / "pipelines"


@dataclass(frozen=True)
class Run:
    """What one run has cost.

    Attributes:
        records_per_second: of all processes, once they share the partitions.
        cpu_us: CPU time of the processes for a record.
        broker_cpu_us: that of the broker.
    """

    records_per_second: float
    cpu_us: float
    broker_cpu_us: float


def order(number: int) -> bytes:
    """Return a record."""
    items = [
        {"sku": f"sku-{number * each % 977:04}", "price": each * 2.5, "count": number % 5 + 1}
        for each in (1, 2, 3)
    ]
    return json.dumps(
        {
            "id": f"order-{number:09}",
            "status": "paid",
            "customer": f"customer-{number % 10_007:05}",
            "created": "2026-03-01T12:00:00Z",
            "items": items,
        },
        separators=(",", ":"),
    ).encode()


def produce(broker: KafkaServer, count: int) -> int:
    """Fill the topic; return the bytes of its records."""
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 50, "log_level": 2})
    size = 0
    for number in range(count):
        value = order(number)
        size += len(value)
        while True:
            try:
                producer.produce("orders", value, partition=number % _PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1000 == 0:
            producer.poll(0)
    if producer.flush(60):
        raise RuntimeError("Kafka did not take the records")
    return size


class Progress:
    """What the broker knows of a group.

    Args:
        broker: the broker.
        group: the group.
    """

    def __init__(self, broker: KafkaServer, group: str) -> None:
        options = {"bootstrap.servers": broker.address, "group.id": "benchmark", "log_level": 2}
        self._consumer = Consumer(options)
        self._admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 2})
        self._group = group
        self._before = 0
        self._before = self.results()

    def results(self) -> int:
        """Return how many results there are since the start."""
        ends = [
            self._consumer.get_watermark_offsets(TopicPartition("totals", each), 10)
            for each in range(_PARTITIONS)
        ]
        return sum(end[1] for end in ends if end is not None) - self._before

    def is_shared(self, processes: int) -> bool:
        """Return whether each process has its share of the partitions."""
        try:
            group = self._admin.describe_consumer_groups([self._group])[self._group].result(30)
        except KafkaException:  # Its coordinator is not ready.
            return False
        shares = [
            len(each.assignment.topic_partitions) for each in group.members if each.assignment
        ]
        return shares == [_PARTITIONS // processes] * processes

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()


def run(broker: KafkaServer, count: int, processes: int, cores: float) -> Run:
    """Have a new group of so many processes read the topic from its start.

    Args:
        broker: has the topic.
        count: records in it.
        processes: how many.
        cores: the share of a core that each process may use; 0 for no limit.
    """
    group = f"totals-{time.monotonic_ns()}"
    text = (_DIRECTORY / "pipelines.toml").read_text().replace("group=totals", f"group={group}")
    progress = Progress(broker, group)
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "totals.py").write_bytes((_DIRECTORY / "totals.py").read_bytes())
        Path(directory, "pipelines.toml").write_text(text)
        command = [sys.executable, "-m", "forstcore", "run", "pipelines.toml"]
        environment = {**os.environ, "KAFKA": broker.address, "PYTHONPATH": str(ROOT)}
        started = [
            subprocess.Popen(command, cwd=directory, env=environment) for _ in range(processes)
        ]
        with contextlib.ExitStack() as stack:
            if cores:
                for process in started:
                    stack.enter_context(cpu_limit(process.pid, cores))
            stack.callback(progress.close)
            stack.callback(_end, started)
            return _measured(broker, progress, count, started)


def _end(started: list[subprocess.Popen[bytes]]) -> None:
    for process in started:
        process.terminate()
    for process in started:
        process.wait(60)


def _measured(
    broker: KafkaServer, progress: Progress, count: int, started: list[subprocess.Popen[bytes]]
) -> Run:
    pids = [each.pid for each in started]
    deadline = time.monotonic() + _PATIENCE

    def wait_until(holds: Callable[[], bool]) -> tuple[float, float, float, float]:
        """Return time, results, and CPU times of processes and broker."""
        assert broker.process is not None
        while not holds():
            if time.monotonic() > deadline or any(each.poll() is not None for each in started):
                raise RuntimeError("the pipeline does not process all records")
            time.sleep(0.05)
        cpu = sum(usage(pid).cpu_seconds for pid in pids)
        broker_cpu = usage(broker.process.pid).cpu_seconds
        return time.monotonic(), progress.results(), cpu, broker_cpu

    wait_until(lambda: progress.is_shared(len(started)))
    begun = progress.results() + count // 100
    first = wait_until(lambda: progress.results() > begun)
    last = wait_until(lambda: progress.results() > 0.95 * count)
    seconds, records, cpu, broker_cpu = (
        end - start for start, end in zip(first, last, strict=True)
    )
    if records < 0.3 * count:
        raise RuntimeError("most records were processed by one process: use --records")
    wait_until(lambda: progress.results() >= count)
    return Run(records / seconds, cpu / records * 1e6, broker_cpu / records * 1e6)


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 2)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.group", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--records", type=int, default=2_000_000, help="in the topic")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each kind")
    parser.add_argument(
        "--cores", type=float, default=0.0, help="share of a core for each process (default: all)"
    )
    options = parser.parse_args()
    runs: dict[int, list[Run]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as directory:
        broker = KafkaServer(Path(directory))
        try:
            for topic in ("orders", "totals", "totals-errors"):
                broker.create(topic, _PARTITIONS)
            size = produce(broker, options.records)
            for _ in range(options.repeat):
                for processes, made in runs.items():
                    made.append(run(broker, options.records, processes, options.cores))
                    print(processes, made[-1], file=sys.stderr)
        finally:
            broker.stop()
    figures = {
        "record_bytes": round(size / options.records),
        # Of two processes, which cost more: each of them writes smaller batches.
        "cpu_us_per_record": _median(each.cpu_us for each in runs[2]),
        "broker_cpu_us_per_record": _median(each.broker_cpu_us for each in runs[2]),
        "cpu_us_per_record_of_one_process": _median(each.cpu_us for each in runs[1]),
        "times_one_process": _median(each.records_per_second for each in runs[2])
        / _median(each.records_per_second for each in runs[1]),
    }
    print(json.dumps({"group": figures}, indent=2))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        sys.exit(str(error))
