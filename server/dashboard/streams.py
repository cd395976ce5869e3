"""The open streams, as rows of a table."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass
from typing import NamedTuple

from server.observe.snapshot import Snapshot
from server.streams.registry import OpenStream, StreamRegistry

__all__ = ["Streams"]

_MOST = 50  # Maximum rows, so that the size of updates is bounded.


@dataclass
class _Seen:
    at: float
    bytes_in: int = 0
    bytes_out: int = 0


class _Moving(NamedTuple):
    snapshot: Snapshot
    incoming: float
    outgoing: float


class Streams:
    """Report the throughput of each stream, and what it is waiting for.

    Args:
        registry: the open streams.
    """

    def __init__(self, registry: StreamRegistry) -> None:
        self._registry = registry
        self._seen: dict[OpenStream, _Seen] = {}

    def look(self) -> list[dict[str, object]]:
        """Return the rows of the busiest streams, with rates since the last call."""
        now = time.monotonic()
        seen: dict[OpenStream, _Seen] = {}
        moving: list[_Moving] = []
        for stream in self._registry.streams:
            snapshot = stream.snapshot()
            before = self._seen.get(stream) or _Seen(snapshot.started_at)
            seconds = max(now - before.at, 1e-3)
            bytes_in, bytes_out = snapshot.counters["bytes_in"], snapshot.counters["bytes_out"]
            moving.append(
                _Moving(
                    snapshot,
                    (bytes_in - before.bytes_in) / seconds,
                    (bytes_out - before.bytes_out) / seconds,
                )
            )
            seen[stream] = _Seen(now, bytes_in, bytes_out)
        self._seen = seen
        most = heapq.nlargest(_MOST, moving, key=lambda each: each.incoming + each.outgoing)
        return [self._row(each) for each in sorted(most, key=lambda each: each.snapshot.number)]

    def forget(self) -> None:
        """Discard the recorded counters, when the last viewer has disconnected."""
        self._seen.clear()

    def _row(self, stream: _Moving) -> dict[str, object]:
        snapshot = stream.snapshot
        if self._registry.draining:
            doing = "ending"
        elif snapshot.spooled:
            doing = "spooling"
        else:
            doing = "flowing" if stream.incoming or stream.outgoing else "idle"
        return {
            "number": snapshot.number,
            "path": snapshot.path,
            "source": snapshot.source,
            "client": snapshot.client or "",
            "state": doing,
            "slow": snapshot.waits_for,
            "in": round(stream.incoming),
            "out": round(stream.outgoing),
            "records": snapshot.counters["records"],
            "errors": snapshot.counters["errors"],
            "waiting": snapshot.queued + snapshot.spooled,
            "age": round(snapshot.seconds),
        }
