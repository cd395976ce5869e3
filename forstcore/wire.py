"""The names and values that client and server agree on, each declared once.

The request headers, control lines, error codes and counters of the protocol, and the values that
they take. See ``docs/reference/wire.md`` for what they mean. Codes of rejected lines are declared
by the core: ``forstcore._proc.ERROR_CODES``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, Self, TypeAlias, get_args

__all__ = [
    "ACK",
    "ACK_MODES",
    "CONTROL_LINES",
    "COUNTERS",
    "DELIVERIES",
    "DELIVERY",
    "END",
    "ERROR",
    "EVENTS_TYPE",
    "EXPOSED_HEADERS",
    "FILTER_PARAMETER",
    "FORST_ACK",
    "FORST_DELIVERY",
    "FORST_FILTER",
    "FORST_FIRST_LINE",
    "FORST_FRAMES",
    "FORST_ON_ERROR",
    "FORST_ORDER",
    "FORST_PREFIX",
    "FRAMES_VERSION",
    "IN_PLACE_MODES",
    "LAST_EVENT_ID",
    "MAX_LINE_NUMBER",
    "MISSED",
    "NDJSON",
    "NDJSON_TYPES",
    "OFFSET",
    "ON_ERROR_MODES",
    "OPTIONAL_COUNTERS",
    "PROBLEM_TYPE",
    "PUBLISH_ON_ERROR_MODES",
    "QUERY_PARAMETERS",
    "REJECTED",
    "REQUEST_HEADERS",
    "RESULT_ORDERS",
    "RESULT_TYPE",
    "RETRIABLE_CODES",
    "ROOM",
    "ROOM_PARAMETER",
    "SOURCE",
    "TICKET_PARAMETER",
    "TRAILERS",
    "AckMode",
    "Delivery",
    "EventType",
    "OnError",
    "ResultOrder",
    "StreamErrorCode",
    "ack_line",
    "control_line",
]


# ---------------------------------------------------------------- headers and their values

FORST_PREFIX: Final = "Forst-"
"""The prefix of all headers of this protocol."""

FORST_ACK: Final = "Forst-Ack"
FORST_FILTER: Final = "Forst-Filter"
FORST_FIRST_LINE: Final = "Forst-First-Line"
FORST_FRAMES: Final = "Forst-Frames"
FORST_ON_ERROR: Final = "Forst-On-Error"
FORST_ORDER: Final = "Forst-Order"

REQUEST_HEADERS: Final = (
    FORST_ON_ERROR,
    FORST_FRAMES,
    FORST_FIRST_LINE,
    FORST_ORDER,
    FORST_FILTER,
    FORST_ACK,
)
"""The request headers of this protocol; `server.http.request_headers` parses them."""

FRAMES_VERSION: Final = "1"
"""The value of ``Forst-Frames`` that asks for control lines: the version of their format."""

NDJSON: Final = "application/x-ndjson"
"""The media type of NDJSON that clients and server name themselves."""

NDJSON_TYPES: Final = (NDJSON, "application/ndjson", "application/jsonl")
"""The media types of NDJSON. Results have the one that ``Accept`` names, or `RESULT_TYPE`."""

RESULT_TYPE: Final = "application/octet-stream"
"""The media type of results unless the client names another."""

PROBLEM_TYPE: Final = "application/problem+json"
"""The media type of problem documents (RFC 9457)."""

FORST_DELIVERY: Final = "Forst-Delivery"
"""A header of responses."""

EXPOSED_HEADERS: Final = (FORST_DELIVERY, FORST_FRAMES, "Retry-After")
"""Response headers that pages of other origins may read."""

FILTER_PARAMETER: Final = "filter"
"""A parameter of queries: as `FORST_FILTER`."""

TICKET_PARAMETER: Final = "ticket"
"""A parameter of queries: a ticket in place of the token."""

ROOM_PARAMETER: Final = "room"
"""A parameter of queries: bytes to send over a WebSocket before the first `ROOM` message."""

QUERY_PARAMETERS: Final = (
    TICKET_PARAMETER,
    ROOM_PARAMETER,
    *(name.lower() for name in REQUEST_HEADERS),
)
"""Parameters of any stream, for pages, which cannot set headers."""

OnError: TypeAlias = Literal["skip", "emit", "fail"]
"""Values of `FORST_ON_ERROR`; the first is the default."""

ResultOrder: TypeAlias = Literal["input", "completion"]
"""Values of `FORST_ORDER`; the first is the default."""

AckMode: TypeAlias = Literal["1", "0", "if-needed"]
"""Values of `FORST_ACK`; ``0`` is the default."""

Delivery: TypeAlias = Literal["at-least-once", "at-most-once"]
"""Values of `FORST_DELIVERY` and of the control line `DELIVERY`."""

ON_ERROR_MODES: Final[tuple[OnError, ...]] = get_args(OnError)

IN_PLACE_MODES: Final[tuple[OnError, ...]] = ("emit",)
"""Those that replace each rejected line by an error line in the results, and continue."""

PUBLISH_ON_ERROR_MODES: Final = tuple(mode for mode in ON_ERROR_MODES if mode not in IN_PLACE_MODES)
"""Those of a request that publishes: it has no results, so no place for an error line."""

RESULT_ORDERS: Final[tuple[ResultOrder, ...]] = get_args(ResultOrder)
ACK_MODES: Final[tuple[AckMode, ...]] = get_args(AckMode)
DELIVERIES: Final[tuple[Delivery, ...]] = get_args(Delivery)

MAX_LINE_NUMBER: Final = 10**18 - 1
"""The highest line number that a client may send, in `FORST_FIRST_LINE` or an acknowledgement."""


# ---------------------------------------------------------------- control lines

ACK: Final = b":ack"
DELIVERY: Final = b":delivery"
END: Final = b":end"
ERROR: Final = b":error"
MISSED: Final = b":missed"
OFFSET: Final = b":offset"
REJECTED: Final = b":rejected"
SOURCE: Final = b":source"

CONTROL_LINES: Final = (ACK, REJECTED, END, ERROR, OFFSET, MISSED, SOURCE, DELIVERY)
"""The names of the control lines; the last four are for live streams only."""


ROOM: Final = b":room"
"""A message for flow control over a WebSocket, from either side; not a control line."""


def control_line(kind: bytes, content: bytes) -> bytes:
    """Return a control line with this name, such as `END`, and content."""
    return b"%b %b\n" % (kind, content)


def ack_line(lines: int) -> bytes:
    """Return the control line that acknowledges the first `lines` lines."""
    return b"%b %d\n" % (ACK, lines)


# ---------------------------------------------------------------- Server-Sent Events

EVENTS_TYPE: Final = "text/event-stream"
"""The media type of Server-Sent Events."""

LAST_EVENT_ID: Final = "Last-Event-ID"
"""A request header: the id of the last event that an EventSource received."""


class EventType(StrEnum):
    """Events of a live stream, apart from results, whose events have no name."""

    INVALID = "invalid"
    MISSED = "missed"
    SOURCE = "source"
    FAILURE = "failure"
    END = "end"


# ---------------------------------------------------------------- error codes of streams


class StreamErrorCode(StrEnum):
    """Why a stream ended early: the ``code`` of an ``:error`` line.

    Attributes:
        status: the HTTP status that comes closest.
        meaning: a one-line description.
    """

    status: int
    meaning: str

    def __new__(cls, code: str, status: int, meaning: str) -> Self:
        """Make a member of the table."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.status = status
        member.meaning = meaning
        return member

    BAD_RECORD = "bad_record", 422, "a line is not a record, and `Forst-On-Error` is `fail`"
    TIMEOUT = "timeout", 408, "no progress in either direction for `timeout` seconds"
    DRAINING = "draining", 503, "the server is shutting down"
    OVERLOADED = "overloaded", 503, "`max_streams` were open when the first line arrived"
    MALFORMED_BODY = "malformed_body", 400, "the HTTP chunks of the request are malformed"
    INVALID_ENCODING = (
        "invalid_encoding",
        400,
        "the body is not what `Content-Encoding` says, or ends within it",
    )
    COMPRESSION_RATIO = "compression_ratio", 413, "the body expands more than `max_ratio` times"
    STREAM_TOO_LARGE = "stream_too_large", 413, "the body is longer than `max_stream_bytes`"
    TOO_MANY_RECORDS = "too_many_records", 413, "the body has more than `max_stream_records` lines"
    SPOOL = "spool", 507, "the spool file cannot be written or read"
    SOURCE = "source", 502, "the source of a live stream cannot be read"
    BAD_ACK = "bad_ack", 400, "an acknowledgement is malformed, or exceeds the lines sent"
    INTERNAL = "internal", 500, "an error of the server; see its log"
    DISCONNECTED = "disconnected", 400, "the client disconnected"


RETRIABLE_CODES: Final = frozenset[str](
    {StreamErrorCode.DRAINING, StreamErrorCode.OVERLOADED, StreamErrorCode.TIMEOUT}
)
"""Codes of an ``:error`` line after which another connection may succeed."""


# ---------------------------------------------------------------- counters of streams

COUNTERS: Final = {
    "lines": "Input lines, blank ones included.",
    "records": "Lines that were records, and were processed.",
    "errors": "Lines that were neither blank nor a record, and records that were refused.",
    "results": "Result lines.",
    "bytes_in": "Input bytes, after decompression.",
    "bytes_out": "Output bytes, before compression.",
}
"""The counters of a stream, as in ``:end``, logs and metrics, and what they count."""

OPTIONAL_COUNTERS: Final = {
    "filtered": "Records that did not match the filter; `records` includes them.",
    "given_back": "Records that a compiled processor gave back to its Python function.",
}
"""More counters, which ``:end`` and logs show only if they are not 0."""

TRAILERS: Final = {
    "Forst-Lines": "lines",
    "Forst-Records": "records",
    "Forst-Errors": "errors",
    "Forst-Results": "results",
}
"""The trailer fields of a response, and the counters that they contain."""
