"""The names in a request: query parameters, and the headers of this protocol.

A name that is unknown or occurs several times is refused. If it were ignored, nobody would notice
that a misspelled option has no effect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from aiohttp import web

from forstcore import wire
from server.errors import ProblemError

__all__ = ["check_names"]

_PREFIX = wire.FORST_PREFIX.lower()
_HEADERS = {name.lower(): name for name in wire.REQUEST_HEADERS}


def check_names(request: web.BaseRequest, parameters: Collection[str]) -> None:
    """Check the names in a request.

    Args:
        request: the request.
        parameters: the query parameters of its endpoint.

    Raises:
        ProblemError: 400, a name is unknown or occurs several times.
    """
    for name, count in Counter(name for name, _ in request.query.items()).items():
        if name not in parameters:
            has = ", ".join(parameters) or "none"
            detail = f"{request.path} has no query parameter {name!r}; it has {has}{_advice(name)}"
            raise ProblemError(400, detail)
        if count > 1:
            raise ProblemError(400, f"the query parameter {name!r} occurs {count} times")
    headers = (name.lower() for name, _ in request.headers.items())
    for name, count in Counter(each for each in headers if each.startswith(_PREFIX)).items():
        if name not in _HEADERS:
            there_are = ", ".join(wire.REQUEST_HEADERS)
            raise ProblemError(400, f"there is no header {name!r}; there are {there_are}")
        if count > 1:
            raise ProblemError(400, f"the header {_HEADERS[name]} occurs {count} times")


def _advice(name: str) -> str:
    header = _HEADERS.get(_PREFIX + name.lower().replace("_", "-").removeprefix(_PREFIX))
    return f" ({header} is a header)" if header else ""
