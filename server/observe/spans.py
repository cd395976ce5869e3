"""The spans of this server: one for each stream, and for each request that was refused."""

from __future__ import annotations

import time
from collections.abc import Mapping

from forstcore._tracing import add_span, is_tracing
from server.observe.snapshot import Snapshot

__all__ = ["trace_refusal", "trace_stream"]

_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}


def trace_stream(stream: Snapshot) -> None:
    """Export the span of a stream that has ended."""
    if not is_tracing():
        return
    attributes: dict[str, str | int | float] = {
        "http.request.method": "POST",
        "url.path": stream.path,
        "client.address": stream.client or "",
        "forstcore.outcome": stream.outcome,
        "forstcore.core_seconds": stream.core_seconds,
        **{f"forstcore.{name}": count for name, count in stream.counters.items()},
    }
    if stream.processor:
        attributes["forstcore.processor"] = stream.processor
    if stream.source:
        attributes["forstcore.source"] = stream.source
    add_span(
        f"POST {stream.path}",
        stream.started_at,
        attributes,
        headers={"traceparent": stream.traceparent, "tracestate": stream.tracestate},
        error="" if stream.outcome == "ok" else stream.detail or stream.outcome,
    )


def trace_refusal(entry: Mapping[str, object], headers: Mapping[str, str]) -> None:
    """Export the span of a request that was refused.

    Args:
        entry: its line of the log.
        headers: those of the request.
    """
    if not is_tracing():
        return
    method = str(entry["method"])
    add_span(
        method if method in _METHODS else "HTTP",
        time.monotonic(),
        {
            "http.request.method": method if method in _METHODS else "_OTHER",
            "url.path": str(entry["path"]),
            "client.address": str(entry["client"]),
            "http.response.status_code": int(str(entry["status"])),
            "error.type": str(entry["reason"]),
        },
        headers=headers,
        error=str(entry["detail"]),
    )
