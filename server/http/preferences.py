"""Content negotiation: weights in headers such as `Accept` (RFC 9110, section 12.4.2), `Vary`."""

from __future__ import annotations

from collections.abc import MutableMapping

from aiohttp import hdrs

__all__ = ["prefers_openmetrics", "vary", "weights"]


def vary(headers: MutableMapping[str, str], *names: str) -> None:
    """Add request headers that a response depends on to `Vary` (RFC 9110, section 12.5.5).

    Args:
        headers: the headers of the response; names already in `Vary` are kept.
        names: the headers of the request.
    """
    listed = filter(None, headers.get(hdrs.VARY, "").split(", "))
    if every := ", ".join(dict.fromkeys((*listed, *names))):
        headers[hdrs.VARY] = every


def weights(header: str) -> dict[str, float]:
    """Parse a list of preferences.

    Args:
        header: the header, empty if there is none.

    Returns:
        The highest weight of each name, in lower case. A malformed weight is 0.
    """
    found: dict[str, float] = {}
    for item in header.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    weight = float(value)
                except ValueError:
                    weight = 0.0
        if name:
            found[name] = max(weight, found.get(name, 0.0))
    return found


def prefers_openmetrics(accept: str) -> bool:
    """Return whether a client prefers OpenMetrics to the Prometheus text format, the default."""
    given = weights(accept)
    weight = given.get("application/openmetrics-text", 0.0)
    return weight > 0 and weight >= given.get("text/plain", 0.0)
