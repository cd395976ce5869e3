"""The figures for Prometheus, right across processes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from server.observe.counters import COUNTERS, counters_of

if TYPE_CHECKING:
    from server.http.connections import Connections
    from server.streams.handler import Exchange

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_OF_PROCESSORS = {
    "records": "Records that were processed, by processor.",
    "errors": "Lines that gave an error, by processor.",
    "results": "Result lines, by processor.",
    "seconds": "Seconds that workers have worked, by processor.",
}


class Metrics:
    """Count what streams do.

    A running stream is counted when somebody asks, and when it ends: between, nothing is
    paid. Several processes share their figures through files in the directory that
    PROMETHEUS_MULTIPROC_DIR names.

    Attributes:
        totals: what this process has counted, by the names of `progressed`.
    """

    def __init__(self) -> None:
        self._shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        self.registry = registry = CollectorRegistry()
        self._open = Gauge(
            "forstcore_streams_open",
            "Streams that run now.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._tasks = Gauge(
            "forstcore_tasks",
            "Tasks of the event loop.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._connections = Gauge(
            "forstcore_connections_open",
            "Connections that are open now.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._evicted = Counter(
            "forstcore_connections_evicted",
            "Connections without a stream that were closed to make room for others.",
            registry=registry,
        )
        self._streams = Counter(
            "forstcore_streams", "Streams that have ended.", ["outcome"], registry=registry
        )
        self._counters = {
            name: Counter(f"forstcore_{name}", text, registry=registry)
            for name, text in COUNTERS.items()
        }
        self._errors = Counter(
            "forstcore_record_errors",
            "Lines that were no record, by code.",
            ["code"],
            registry=registry,
        )
        self._core = Counter(
            "forstcore_core_seconds", "Seconds spent processing.", registry=registry
        )
        self._processors = {
            name: Counter(f"forstcore_processor_{name}", text, ["processor"], registry=registry)
            for name, text in _OF_PROCESSORS.items()
        }
        self._spooled = Counter(
            "forstcore_spooled_bytes", "Bytes spooled for half-duplex clients.", registry=registry
        )
        self._missed = Counter(
            "forstcore_missed_records",
            "Records that real-time subscribers were too slow for.",
            registry=registry,
        )
        self._queue = Gauge(
            "forstcore_queue_bytes",
            "Bytes that wait in memory for readers.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._spool = Gauge(
            "forstcore_spool_bytes",
            "Bytes that wait in spool files.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._duration = Histogram(
            "forstcore_stream_seconds",
            "How long streams took.",
            buckets=(0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 86400),
            registry=registry,
        )
        self._rejected = Counter(
            "forstcore_rejected_lines",
            "Rejected lines for the error file: written, or dropped because that was not possible.",
            ["outcome"],
            registry=registry,
        )
        self._failures = Counter(
            "forstcore_background_failures",
            "Failures of what runs beside the streams, by what that is.",
            ["task"],
            registry=registry,
        )
        self._evicted_before = 0
        self.totals: dict[str, float] = {}
        self._seen: dict[Exchange, dict[str, float]] = {}

    def looked(self, tasks: int, connections: Connections) -> None:
        """Note how many tasks the event loop has, and how the connections are."""
        self._tasks.set(tasks)
        self._connections.set(len(connections))
        self._evicted.inc(connections.evicted - self._evicted_before)
        self._evicted_before = connections.evicted

    def rejected(self, **lines: int) -> None:
        """Take down how many rejected lines were `written` and `dropped` so far."""
        for outcome, count in lines.items():
            before = self.totals.get(f"rejected {outcome}", 0)
            self.totals[f"rejected {outcome}"] = count
            self._rejected.labels(outcome).inc(count - before)

    def failed(self, task: str) -> None:
        """Count a failure of what runs beside the streams."""
        self._failures.labels(task).inc()

    def started(self) -> None:
        """Count a stream that starts."""
        self._open.inc()

    def progressed(self, exchange: Exchange) -> None:
        """Count what a stream has done since this was called last."""
        stream = exchange.stream
        now: dict[str, float] = dict(counters_of(stream))
        now["core"] = exchange.core_seconds
        now["missed"] = exchange.missed
        queue = spooled = spool = 0
        if exchange.outlet is not None:
            queue = exchange.outlet.queued()
            spooled = exchange.outlet.spool.written
            spool = len(exchange.outlet.spool)
        now |= {"queue": queue, "spooled": spooled, "spool": spool}
        now |= {f"error {code}": count for code, count in stream.errors_by_code().items()}
        seen = self._seen.get(exchange, {})
        self._seen[exchange] = now
        moved = {name: value - seen.get(name, 0) for name, value in now.items()}
        self._add(moved)
        if exchange.processor is not None:
            for name, counter in self._processors.items():
                value = moved["core" if name == "seconds" else name]
                counter.labels(exchange.processor).inc(value)

    def ended(self, exchange: Exchange) -> None:
        """Count a stream that has ended."""
        self.progressed(exchange)
        last = self._seen.pop(exchange)
        self._queue.dec(last["queue"])
        self._spool.dec(last["spool"])
        self._open.dec()
        self._streams.labels(exchange.outcome).inc()
        self._duration.observe(time.monotonic() - exchange.started_at)

    def _add(self, moved: dict[str, float]) -> None:
        for name, count in moved.items():
            self.totals[name] = self.totals.get(name, 0) + count
        for name, counter in self._counters.items():
            counter.inc(moved[name])
        self._core.inc(moved["core"])
        self._spooled.inc(moved["spooled"])
        self._missed.inc(moved["missed"])
        self._queue.inc(moved["queue"])
        self._spool.inc(moved["spool"])
        for name, count in moved.items():
            if name.startswith("error ") and count:
                self._errors.labels(name.removeprefix("error ")).inc(count)

    def render(self) -> bytes:
        """Write the figures of all processes in Prometheus' text format."""
        if not self._shared:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
