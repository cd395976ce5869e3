"""Origins of web pages, as in the header `Origin` and the option `allow_origin`."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["origins_of"]

_ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://([a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?/?", re.IGNORECASE
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def origins_of(texts: Iterable[str]) -> frozenset[str]:
    """Parse the origins of `allow_origin`, and write them as browsers do.

    Raises:
        ValueError: one is not an origin; the message names it.
    """
    return frozenset(map(_origin, texts))


def _origin(text: str) -> str:
    if text == "*":
        raise ValueError("allow_origin must list origins: any web page could use the server with *")
    match = _ORIGIN.fullmatch(text)
    port = int(match[3] or 0) if match else 0
    if match is None or port > 0xFFFF:
        raise ValueError(
            "allow_origin must be an origin, such as https://app.example.com or "
            f"http://localhost:3000, without a path, not {text!r}"
        )
    scheme, host = match[1].lower(), match[2].lower()
    shown = f":{port}" if port and port != _DEFAULT_PORTS.get(scheme) else ""
    return f"{scheme}://{host}{shown}"
