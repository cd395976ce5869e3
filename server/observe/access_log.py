"""The access log: one line of JSON for each stream, on standard error."""

from __future__ import annotations

import json
import logging
import os
import re

from forstcore._json_log import now
from server.observe.snapshot import Snapshot

__all__ = ["log_stream"]

_LOGGER = logging.getLogger("forstcore.access")

# W3C Trace Context: version, trace id, parent id, flags. Ids of zeros only are invalid.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}"
)


def log_stream(stream: Snapshot) -> None:
    """Log a stream that has ended."""
    entry: dict[str, object] = {
        "time": now(),
        "event": "stream",
        "stream": stream.number,
        "process": os.getpid(),
        "path": stream.path,
        "client": stream.client,
        "outcome": stream.outcome,
        "seconds": round(stream.seconds, 6),
        "core_seconds": round(stream.core_seconds, 6),
        **stream.counters,
        "bytes_received": stream.bytes_received,
        "bytes_sent": stream.bytes_sent,
        "bytes_spooled": stream.bytes_spooled,
    }
    if stream.missed:
        entry["missed"] = stream.missed
    if stream.came_to_nothing:
        entry["warning"] = "not one line was a record"
        entry["errors_by_code"] = stream.errors_by_code
    if stream.detail:
        entry["detail"] = stream.detail
    if trace := _TRACEPARENT.fullmatch(stream.traceparent):
        entry["trace_id"], entry["parent_id"] = trace[1], trace[2]
    _LOGGER.info(json.dumps(entry), extra={"is_json": True})
