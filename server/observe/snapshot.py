"""What one stream has done so far, as logs and metrics see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Snapshot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What one stream has done so far.

    Attributes:
        path: path of its request.
        client: address of its client, None if that is not known.
        processor: name of the processor that it runs, None for the core's alone.
        source: name of the source that it subscribes to, None for other streams.
        traceparent: the request header of that name, empty without one.
        outcome: how it ended: ``ok``, or the code of the error; empty while it runs.
        detail: why it ended, for people; empty unless it failed.
        started_at: when it started, in seconds of the monotonic clock.
        seconds: since it started.
        core_seconds: spent processing.
        counters: by the names in `COUNTERS`.
        errors_by_code: lines that were no record, by the code of their error.
        came_to_nothing: whether all lines were rejected, blank ones aside.
        missed: records that its client was too slow for.
        bytes_received, bytes_sent: over the connection, HTTP's framing not counted.
        bytes_spooled: written to its spool file.
        queued: bytes of results that wait in memory.
        spooled: bytes of results that wait in the spool file.
        waits_for: what the rest waits for now: ``reader``, ``sender``, ``source`` or ``server``.
    """

    path: str
    client: str | None
    processor: str | None
    source: str | None
    traceparent: str
    outcome: str
    detail: str
    started_at: float
    seconds: float
    core_seconds: float
    counters: Mapping[str, int]
    errors_by_code: Mapping[str, int]
    came_to_nothing: bool
    missed: int
    bytes_received: int
    bytes_sent: int
    bytes_spooled: int
    queued: int
    spooled: int
    waits_for: str
