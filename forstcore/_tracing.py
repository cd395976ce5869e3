"""OpenTelemetry: spans of this process, exported by OTLP over HTTP, and the context of a client.

A span is created when the operation that it describes has ended. So a stream that runs for days
holds no span, no context is attached to a task that may end elsewhere, and OpenTelemetry is
imported only if tracing is on.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING

from forstcore._version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

__all__ = [
    "add_span",
    "check_tracing",
    "inject_context",
    "is_tracing",
    "start_tracing",
    "stop_tracing",
]

Attributes = Mapping[str, str | int | float]

_LAST_SPANS = 2.0  # Seconds for the collector to accept the last spans when the process exits.
_CONTEXT = ("traceparent", "tracestate")

_provider: TracerProvider | None = None


def check_tracing() -> None:
    """Raise ValueError if OpenTelemetry is not installed."""
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.export  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"tracing needs OpenTelemetry: pip install 'forstcore[otel]' ({error})"
        ) from None


def start_tracing() -> None:
    """Export spans from now on, as the environment variables ``OTEL_…`` say.

    Raises:
        ValueError: OpenTelemetry is not installed.
    """
    global _provider
    check_tracing()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME", "forstcore"),
        "service.version": VERSION,
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
    }
    # The SDK's own exit handler would wait for an unreachable collector.
    _provider = TracerProvider(resource=Resource.create(resource), shutdown_on_exit=False)
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))


def stop_tracing() -> None:
    """Export the last spans, for a limited time."""
    global _provider
    provider, _provider = _provider, None
    if provider is not None:
        # The SDK's timeout does not end an attempt that is in progress.
        last = threading.Thread(target=provider.force_flush, daemon=True)
        last.start()
        last.join(_LAST_SPANS)


def is_tracing() -> bool:
    """Return whether spans are exported."""
    return _provider is not None


def add_span(
    name: str,
    started_at: float,
    attributes: Attributes,
    *,
    headers: Mapping[str, str] | None = None,
    error: str = "",
) -> None:
    """Export a span that ends now; does nothing unless `start_tracing` was called.

    Args:
        name: name of the operation; there must be only a few different ones.
        started_at: when it began, in seconds of the monotonic clock.
        attributes: attributes of the span.
        headers: headers of the request, with the client's context; None if it was not a request.
        error: why it failed, empty if it did not.
    """
    if _provider is None:
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {key: headers[key] for key in _CONTEXT if key in headers} if headers else {}
    # In this order: a pause between the two clocks must not move the start before the true one.
    duration = int((time.monotonic() - started_at) * 1e9)
    end = time.time_ns()
    span = _provider.get_tracer("forstcore", VERSION).start_span(
        name,
        context=TraceContextTextMapPropagator().extract(carrier, Context()),
        kind=SpanKind.INTERNAL if headers is None else SpanKind.SERVER,
        attributes=dict(attributes),
        start_time=end - duration,
    )
    if error:
        span.set_status(Status(StatusCode.ERROR, error))
    span.end(end)


def inject_context(headers: MutableMapping[str, str]) -> None:
    """Add the context of the caller's span, if there is one, to the headers of a request.

    Costs only a lookup unless the program uses OpenTelemetry.
    """
    if "opentelemetry.trace" not in sys.modules:
        return
    from opentelemetry import propagate, trace

    if trace.get_current_span().get_span_context().is_valid:
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        headers.update(carrier)
