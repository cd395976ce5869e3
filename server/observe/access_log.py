"""One line of JSON for each stream, on standard error."""

from __future__ import annotations

import json
import logging
import re
import time
from typing import TYPE_CHECKING

from server.observe.counters import came_to_nothing, counters_of

if TYPE_CHECKING:
    from server.streams.handler import Exchange

__all__ = ["log_stream"]

_LOGGER = logging.getLogger("forstcore.access")

# W3C Trace Context: version, trace id, parent id, flags; all zeros is no id.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}"
)


def log_stream(exchange: Exchange) -> None:
    """Write down a stream that has ended. Nothing that came over the wire breaks the line."""
    request = exchange.request
    outlet = exchange.outlet
    entry: dict[str, object] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "event": "stream",
        "path": request.path,
        "client": request.remote,
        "outcome": exchange.outcome,
        "seconds": round(time.monotonic() - exchange.started_at, 6),
        "core_seconds": round(exchange.core_seconds, 6),
        **counters_of(exchange.stream),
        "bytes_received": exchange.intake.received,
        "bytes_sent": outlet.sent if outlet else 0,
        "bytes_spooled": outlet.spool.written if outlet else 0,
    }
    if exchange.missed:
        entry["missed"] = exchange.missed
    if came_to_nothing(exchange.stream):
        entry["warning"] = "not one line was a record"
        entry["errors_by_code"] = exchange.stream.errors_by_code()
    if exchange.detail:
        entry["detail"] = exchange.detail
    trace = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    if trace:
        entry["trace_id"], entry["parent_id"] = trace[1], trace[2]
    _LOGGER.info(json.dumps(entry))
