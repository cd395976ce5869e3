"""The request headers of this protocol: one function parses each.

See `forstcore.wire` for their names and values. Headers of HTTP itself are parsed where they are
used (in `compression`, `forwarded`, `trailers` and so on), except for `Accept`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TypeVar

from aiohttp import hdrs, web

from forstcore import Filter, FilterError, wire
from server.errors import ProblemError

__all__ = [
    "accepts",
    "ack_mode",
    "first_line",
    "has_frames",
    "on_error",
    "publish_on_error",
    "record_filter",
    "result_order",
    "result_type",
    "with_query_headers",
]

_LINE_NUMBER = re.compile(r"[1-9][0-9]*")
_DIGITS = len(str(wire.MAX_LINE_NUMBER))

Value = TypeVar("Value", bound=str)


def on_error(request: web.Request) -> wire.OnError:
    """Parse `Forst-On-Error`: how the stream handles a line that is not a record.

    Raises:
        ProblemError: 400, it has another value.
    """
    name, modes = wire.FORST_ON_ERROR, wire.ON_ERROR_MODES
    return _checked(name, request.headers.get(name, modes[0]), modes)


def publish_on_error(request: web.Request) -> wire.OnError:
    """Parse `Forst-On-Error` of a request that publishes, which has no place for error lines.

    Raises:
        ProblemError: 400, it has another value.
    """
    mode = on_error(request)
    if mode not in wire.PUBLISH_ON_ERROR_MODES:
        allowed = " or ".join(wire.PUBLISH_ON_ERROR_MODES)
        raise ProblemError(
            400, f"{wire.FORST_ON_ERROR} must be {allowed}: there is no line to emit"
        )
    return mode


def result_order(request: web.Request) -> wire.ResultOrder:
    """Parse `Forst-Order`: the order in which results are sent.

    Raises:
        ProblemError: 400, it has another value.
    """
    name, orders = wire.FORST_ORDER, wire.RESULT_ORDERS
    return _checked(name, request.headers.get(name, orders[0]), orders)


def has_frames(request: web.Request) -> bool:
    """Parse `Forst-Frames`: whether the client asks for control lines."""
    return request.headers.get(wire.FORST_FRAMES) == wire.FRAMES_VERSION


def first_line(request: web.Request) -> int:
    """Parse `Forst-First-Line`: the number of the first line of the body.

    Raises:
        ProblemError: 400, it is not a line number.
    """
    number = request.headers.get(wire.FORST_FIRST_LINE, "1")
    if len(number) > _DIGITS or not _LINE_NUMBER.fullmatch(number):
        raise ProblemError(400, f"{wire.FORST_FIRST_LINE} must be a number from 1, not {number!r}")
    return int(number)


def record_filter(request: web.Request) -> Filter | None:
    """Parse `Forst-Filter`, or else the query parameter `filter`: which records to process.

    Both have to be valid, although the header takes precedence.

    Raises:
        ProblemError: 400, one of them is not a JSON object of filters.
    """
    name = wire.FORST_FILTER
    given = (request.headers.get(name), request.query.get(wire.FILTER_PARAMETER))
    filters = [_filter_of(text, name) for text in given if text]
    return filters[0] if filters else None


def _filter_of(text: str, name: str) -> Filter:
    try:
        wanted = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProblemError(400, f"{name} is not JSON: {error}") from None
    if not isinstance(wanted, dict):
        raise ProblemError(400, f"{name} must be a JSON object")
    try:
        return Filter(wanted)
    except FilterError as error:
        raise ProblemError(400, f"{name}: {error}") from None


def ack_mode(request: web.Request) -> wire.AckMode:
    """Parse `Forst-Ack`: whether the client acknowledges the lines it has processed.

    Raises:
        ProblemError: 400, it has another value, or needs control lines that the client does not
            ask for.
    """
    name = wire.FORST_ACK
    value = _checked(name, request.headers.get(name) or "0", wire.ACK_MODES)
    if value == "1" and not has_frames(request):
        raise ProblemError(
            400, f"{name}: 1 needs {wire.FORST_FRAMES}: 1, whose :ack lines it answers"
        )
    return value


def with_query_headers(request: web.Request) -> web.Request:
    """Return a request with headers of this protocol that its query has, such as `forst-frames`.

    Pages cannot set the headers of an EventSource or a WebSocket.
    """
    given = {
        name: request.query[name.lower()]
        for name in wire.REQUEST_HEADERS
        if name.lower() in request.query
    }
    if not given:
        return request
    headers = request.headers.copy()
    headers.update(given)
    return request.clone(headers=headers)


def result_type(request: web.Request) -> str:
    """Parse `Accept`: the media type of the results; one that is not known is ignored."""
    return next(
        (name for name in _accepted(request) if name in wire.NDJSON_TYPES), wire.RESULT_TYPE
    )


def accepts(request: web.Request, media_type: str) -> bool:
    """Return whether `Accept` names a media type."""
    return media_type in _accepted(request)


def _accepted(request: web.Request) -> list[str]:
    parts = request.headers.get(hdrs.ACCEPT, "").split(",")
    return [part.split(";")[0].strip().lower() for part in parts]


def _checked(name: str, value: str, allowed: Sequence[Value]) -> Value:
    """Return the allowed value that a header has; raise ProblemError 400 if it has another."""
    for each in allowed:
        if value == each:
            return each
    *others, last = allowed
    raise ProblemError(400, f"{name} must be {', '.join(others)} or {last}, not {value!r}")
