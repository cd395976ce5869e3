"""URLs in messages, without their passwords."""

from __future__ import annotations

import re

__all__ = ["without_password"]

_SECRET_OPTION = re.compile(
    r"([?&](?:[\w.]*\.)?"
    r"(?:pass\w*|pwd|token|secret|api_?key|auth\w*|key\.pem|oauthbearer\.config)=|[?&]header\.[^=&]*=)"
    r"[^&]*",
    re.IGNORECASE,
)


def without_password(url: str) -> str:
    """Return a URL, or a part of one, without its password, so that it can be shown.

    A password that is not encoded may contain any character. So this removes everything from its
    colon to the last ``@``, and anything in place of a port that is not a number.
    """
    url = _SECRET_OPTION.sub(r"\1…", url)
    start, at, rest = url.rpartition("@")
    scheme, mark, user = (start if at else url).partition("://")
    if not mark:
        return f"…@{rest}" if at else url
    if at:
        name, colon, _ = user.partition(":")
        return f"{scheme}://{name}:…@{rest}" if colon else url
    address, slash, path = user.partition("/")
    host, colon, port = address.rpartition(":")
    if not colon or port.partition("?")[0].isdecimal() or address.endswith("]"):
        return url
    return f"{scheme}://{host}:…{slash}{path}"
