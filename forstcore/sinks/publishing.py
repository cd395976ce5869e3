"""Sinks that write to the place that a source reads."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from forstcore.errors import SinkError
from forstcore.sinks import Sink, SinkLimits, open_sink

__all__ = ["open_sink_of_source"]

_TLS = ("tls_ca", "tls_cert", "tls_key")
_NATS = ("stream", "subject", "token", "nkey", "creds")
# Options of a source that say where the records are, and how to connect.
_KEPT = {
    "redis": ("stream",),
    "rediss": ("stream", *_TLS),
    "nats": _NATS,
    "natss": (*_NATS, *_TLS),
    "kafka": ("topic", "config"),
    "mqtt": (),
    "mqtts": _TLS,
}


def open_sink_of_source(name: str, url: str, limits: SinkLimits) -> Sink:
    """Return a sink for records that a source will read. It does not connect before it is used.

    Args:
        name: name of the source.
        url: URL of the source, which is valid.
        limits: how much memory the sink may use.

    Raises:
        SinkError: the source has no broker, or several places to write to.
    """
    parts = urlsplit(url.replace("#", "%23"))
    kept = _KEPT.get(parts.scheme)
    if kept is None:
        raise SinkError(name, f"has a source of {parts.scheme}:, which has no broker")
    options = {
        option: value
        for option, value in parse_qsl(parts.query, keep_blank_values=True)
        if option in kept or option.startswith("kafka.")
    }
    path = parts.path
    if parts.scheme in ("redis", "rediss"):
        options.setdefault("stream", name)
    elif parts.scheme in ("nats", "natss"):
        options.setdefault("stream", name)
        if "subject" not in options:
            raise SinkError(name, "has a source of many subjects: name one by subject= in its URL")
    elif parts.scheme in ("mqtt", "mqtts"):
        topic = unquote(path).removeprefix("/")
        if topic.startswith("$share/"):
            path = "/" + quote(topic.split("/", 2)[-1])
    query = urlencode(options, quote_via=quote)
    return open_sink(name, f"{parts.scheme}://{parts.netloc}{path}?{query}", limits)
