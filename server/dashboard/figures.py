"""Time series of the metrics of this process over the last minutes."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from server.streams.registry import StreamRegistry

__all__ = ["Figures", "Point"]

_RATES = ("bytes_in", "bytes_out", "records", "results", "errors")
_SPAN = 300.0  # Length of the history in seconds.
_STATM = Path("/proc/self/statm")


class Point(NamedTuple):
    """The metrics of one sampling interval; rates are per second.

    Attributes:
        time: end of the interval, in seconds since 1970.
        bytes_in, bytes_out, records, results, errors: rates of the counters of all streams.
        streams: number of open streams.
        core: processing time per record in the core or in workers, in seconds; None without
            records.
        turn: latency of the event loop: how long a ready callback waits, in seconds.
        cpu: CPU usage of the process, as a fraction of a core.
        memory: resident memory in bytes; None if unknown.
        queued: bytes of results in memory that clients have not read yet.
        spooled: bytes of results in spool files.
    """

    time: float
    bytes_in: float
    bytes_out: float
    records: float
    results: float
    errors: float
    streams: int
    core: float | None
    turn: float
    cpu: float
    memory: int | None
    queued: int
    spooled: int


class Figures:
    """Record the metrics of this process over the last five minutes.

    Args:
        registry: the open streams and the metrics.

    Attributes:
        points: the history, oldest first.
    """

    def __init__(self, registry: StreamRegistry) -> None:
        self.points: deque[Point] = deque()
        self._registry = registry
        self._totals: dict[str, float] = {}
        self._at = time.monotonic()
        self._cpu = time.process_time()

    def look(self, turn: float) -> Point:
        """Add a point for the time since the last call.

        Args:
            turn: latency of the event loop in seconds.
        """
        self._registry.update_metrics()
        metrics = self._registry.metrics
        totals = {name: metrics.total(name) for name in (*_RATES, "core_seconds")}
        now, cpu = time.monotonic(), time.process_time()
        seconds = max(now - self._at, 1e-3)
        moved = {name: value - self._totals.get(name, 0.0) for name, value in totals.items()}

        records = moved["records"]
        snapshots = [stream.snapshot() for stream in self._registry.streams]
        point = Point(
            time=round(time.time(), 2),
            **{name: round(moved[name] / seconds, 1) for name in _RATES},
            streams=len(self._registry.streams),
            core=float(f"{moved['core_seconds'] / records:.3g}") if records else None,
            turn=float(f"{turn:.3g}"),
            cpu=round((cpu - self._cpu) / seconds, 4),
            memory=_resident(),
            queued=sum(each.queued for each in snapshots),
            spooled=sum(each.spooled for each in snapshots),
        )
        self._totals, self._at, self._cpu = totals, now, cpu
        if self.points and point.time < self.points[-1].time:
            # The clock was set back: the other points would stay until it has caught up.
            self.points.clear()
        self.points.append(point)
        while point.time - self.points[0].time > _SPAN:
            self.points.popleft()
        return point


def _resident() -> int | None:
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None
