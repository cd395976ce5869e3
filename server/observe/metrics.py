"""Prometheus metrics of this process or, with several processes, of all of them."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, multiprocess
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from forstcore.wire import COUNTERS, OPTIONAL_COUNTERS
from server.observe.build import BUILD
from server.observe.process_values import PROCESS_VALUES, process_values
from server.observe.snapshot import Snapshot

__all__ = ["Carrier", "Metrics"]

_TEXT = "text/plain; version=0.0.4; charset=utf-8"

Carrier: TypeAlias = Literal["http", "web_socket", "events"]
"""How the results of a stream get to its client."""

# A metric and the value of its label, empty if it has none.
Series: TypeAlias = tuple[str, str]


class _Metric(NamedTuple):
    kind: type[Counter] | type[Gauge]
    help: str
    label: str = ""
    # How a gauge combines several processes.
    mode: Literal["livesum", "livemax", "livemin"] = "livesum"


_METRICS = {
    "streams": _Metric(Counter, "Streams that have ended.", "outcome"),
    "streams_open": _Metric(Gauge, "Running streams."),
    "page_streams_open": _Metric(
        Gauge, "Running streams over WebSockets (web_socket) and as events (events).", "carrier"
    ),
    "streams_limit": _Metric(Gauge, "Streams that can run at the same time (max_streams)."),
    "refused_requests": _Metric(Counter, "Requests refused before they started.", "reason"),
    **{name: _Metric(Counter, text) for name, text in (COUNTERS | OPTIONAL_COUNTERS).items()},
    "record_errors": _Metric(Counter, "Rejected lines, by error code.", "code"),
    "core_seconds": _Metric(Counter, "Seconds spent processing."),
    "processor_records": _Metric(Counter, "Processed records, by processor.", "processor"),
    "processor_errors": _Metric(Counter, "Rejected lines, by processor.", "processor"),
    "processor_results": _Metric(Counter, "Result lines, by processor.", "processor"),
    "processor_given_back": _Metric(
        Counter, "Records given back to the Python function, by compiled processor.", "processor"
    ),
    "processor_compiled": _Metric(
        Gauge, "1 if a processor is compiled, or native; 0 if not.", "processor", "livemax"
    ),
    "processor_seconds": _Metric(
        Counter, "Processing time of workers in seconds, by processor.", "processor"
    ),
    "pipeline_running": _Metric(
        Gauge, "1 if a pipeline runs, or is paused; 0 if it has ended.", "pipeline"
    ),
    "pipeline_lag": _Metric(
        Gauge,
        "What was not read yet, bytes of files or else records, by pipeline; 0 if unknown.",
        "pipeline",
    ),
    "pipeline_results": _Metric(Counter, "Results that sinks confirmed, by pipeline.", "pipeline"),
    "pipeline_errors": _Metric(
        Counter, "Rejected lines and results that sinks refused, by pipeline.", "pipeline"
    ),
    "pipeline_bytes_in": _Metric(Counter, "Bytes read from sources, by pipeline.", "pipeline"),
    "spooled_bytes": _Metric(Counter, "Bytes spooled for half-duplex clients."),
    "missed_records": _Metric(Counter, "Records dropped for slow real-time subscribers."),
    "queue_bytes": _Metric(Gauge, "Bytes of results queued in memory."),
    "spool_bytes": _Metric(Gauge, "Bytes of results queued in spool files."),
    "rejected_lines": _Metric(
        Counter,
        "Rejected lines for the error file, written or dropped.",
        "outcome",
    ),
    "background_failures": _Metric(Counter, "Failures of background tasks, by task.", "task"),
    "tasks": _Metric(Gauge, "Tasks of the event loop."),
    "connections_open": _Metric(Gauge, "Open connections."),
    "connections_limit": _Metric(Gauge, "Connections that can be open (max_connections)."),
    "connections_evicted": _Metric(Counter, "Connections closed to make room for new ones."),
    **{
        name: _Metric(
            kind, text, mode="livemin" if name == "process_start_time_seconds" else "livesum"
        )
        for name, (kind, text) in PROCESS_VALUES.items()
    },
}
_DURATION_BUCKETS = (0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 86400)


class Metrics:
    """The metrics of the streams.

    The counters of a running stream are added on each update and when it ends, so that metrics
    cost nothing per record. Several processes share their values through files in the directory
    PROMETHEUS_MULTIPROC_DIR.

    Attributes:
        totals: the values of this process.
    """

    def __init__(self) -> None:
        self._shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        self._registry = CollectorRegistry()
        self._metrics = {name: self._made(name, each) for name, each in _METRICS.items()}
        self._duration = Histogram(
            "forstcore_stream_seconds",
            "How long streams took.",
            buckets=_DURATION_BUCKETS,
            registry=self._registry,
        )
        build = Gauge(
            "forstcore_build_info",
            "1, with the versions as labels.",
            list(BUILD),
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        build.labels(**BUILD).set(1)
        self.totals: dict[Series, float] = {}
        self._seen: dict[Hashable, dict[Series, float]] = {}

    def _made(self, name: str, metric: _Metric) -> Counter | Gauge:
        labels = [metric.label] if metric.label else []
        full_name = name if name in PROCESS_VALUES else f"forstcore_{name}"
        if metric.kind is Counter:
            return Counter(full_name, metric.help, labels, registry=self._registry)
        return Gauge(
            full_name,
            metric.help,
            labels,
            registry=self._registry,
            multiprocess_mode=metric.mode,
        )

    def total(self, name: str) -> float:
        """Return the value of a metric without a label in this process."""
        return self.totals.get((name, ""), 0)

    def errors_by_code(self) -> dict[str, int]:
        """Return the number of rejected lines of all streams, by error code."""
        return {
            code: int(count)
            for (name, code), count in self.totals.items()
            if name == "record_errors" and count
        }

    def set(self, name: str, value: float, label: str = "") -> None:
        """Set a metric to a total that is counted elsewhere."""
        self._add(name, label, value - self.totals.get((name, label), 0))

    def failed(self, task: str) -> None:
        """Count a failure of a background task."""
        self._add("background_failures", task, 1)

    def started(self) -> None:
        """Count a stream that starts."""
        self._add("streams_open", "", 1)

    @contextmanager
    def carried(self, carrier: Carrier) -> Iterator[None]:
        """Count a stream by its carrier while it runs."""
        if carrier == "http":
            yield
            return
        self._add("page_streams_open", carrier, 1)
        try:
            yield
        finally:
            self._add("page_streams_open", carrier, -1)

    def progressed(self, stream: Hashable, snapshot: Snapshot) -> None:
        """Add the progress of a stream since the last call.

        Args:
            stream: the stream.
            snapshot: its current state.
        """
        now, before = _series_of(snapshot), self._seen.get(stream, {})
        self._seen[stream] = now
        for (name, label), value in now.items():
            self._add(name, label, value - before.get((name, label), 0))

    def ended(self, stream: Hashable, snapshot: Snapshot) -> None:
        """Count a stream that has ended."""
        self.progressed(stream, snapshot)
        last = self._seen.pop(stream)
        for gauge in ("queue_bytes", "spool_bytes"):
            self._add(gauge, "", -last[gauge, ""])
        self._add("streams_open", "", -1)
        self._add("streams", snapshot.outcome, 1)
        self._duration.observe(snapshot.seconds)

    def _add(self, name: str, label: str, amount: float) -> None:
        self.totals[name, label] = self.totals.get((name, label), 0) + amount
        metric = self._metrics[name]
        # Create the series even if its value is 0.
        series = metric.labels(label) if label else metric
        if amount:
            series.inc(amount)

    def update_process(self) -> None:
        """Set the metrics of this process: memory, CPU time and file descriptors."""
        for name, value in process_values().items():
            self.set(name, value)

    def render(self, *, is_openmetrics: bool) -> tuple[bytes, str]:
        """Return the metrics of all processes, and their content type.

        Args:
            is_openmetrics: whether to use the OpenMetrics format, not that of Prometheus.
        """
        registry = self._registry
        if self._shared:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        if is_openmetrics:
            text: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
            return text, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(registry), _TEXT


def _series_of(stream: Snapshot) -> dict[Series, float]:
    series: dict[Series, float] = {
        **{(name, ""): count for name, count in stream.counters.items()},
        **{("record_errors", code): count for code, count in stream.errors_by_code.items()},
        ("core_seconds", ""): stream.core_seconds,
        ("spooled_bytes", ""): stream.bytes_spooled,
        ("missed_records", ""): stream.missed,
        ("queue_bytes", ""): stream.queued,
        ("spool_bytes", ""): stream.spooled,
    }
    if stream.processor is not None:
        series |= {
            (f"processor_{name}", stream.processor): stream.counters[name]
            for name in ("records", "errors", "results")
        }
        series["processor_given_back", stream.processor] = stream.counters.get("given_back", 0)
        series["processor_seconds", stream.processor] = stream.core_seconds
    return series
