"""The state of one stream, for logs, metrics and the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Snapshot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state of one stream at a point in time.

    Attributes:
        number: its number in this process.
        path: path of its request.
        client: address of its client, None if unknown.
        processor: name of its processor, None for the core.
        source: name of the source that it subscribes to, if any.
        traceparent, tracestate: the request headers of that name, empty without one.
        outcome: ``ok`` or the code of its error; empty while it runs.
        detail: the reason if it failed, else empty.
        started_at: the time when it started, in seconds of the monotonic clock.
        seconds: since it started.
        core_seconds: processing time.
        counters: by the names in `COUNTERS`, and in `OPTIONAL_COUNTERS` if they are not 0.
        errors_by_code: rejected lines, by the code of their error.
        came_to_nothing: whether all lines except blank ones were rejected.
        missed: records that were dropped because the client was too slow.
        bytes_received, bytes_sent: bytes on the connection, without the framing of HTTP.
        bytes_spooled: bytes written to its spool file.
        queued: bytes of results in memory that were not sent yet.
        spooled: bytes of results in the spool file.
        waits_for: what limits it now: ``reader``, ``sender``, ``source`` or ``server``.
    """

    number: int
    path: str
    client: str | None
    processor: str | None
    source: str | None
    traceparent: str
    tracestate: str
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
