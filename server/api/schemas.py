"""The reusable parts of the OpenAPI document: schemas, responses, headers, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from forstcore import wire
from forstcore._io.digest import DIGEST_PATTERN
from forstcore._proc import ERROR_CODES
from server.http.compression import CODINGS

__all__ = [
    "COMPONENTS",
    "NAMED_PARAMETERS",
    "Json",
    "header",
    "one_of",
    "ref",
    "refused",
    "result_content",
]

Json: TypeAlias = dict[str, Any]

_COUNT: Json = {"type": "integer", "minimum": 0}
_TEXT: Json = {"type": "string"}


def ref(kind: str, name: str) -> Json:
    """Refer to a component, such as ``ref("schemas", "Problem")``."""
    return {"$ref": f"#/components/{kind}/{name}"}


def header(name: str, description: str, schema: Json | None = None) -> Json:
    """Describe an optional request header."""
    return {"name": name, "in": "header", "description": description, "schema": schema or _TEXT}


def one_of(values: Sequence[str]) -> Json:
    """Describe a string with a fixed set of values; the first is the default."""
    return {"enum": list(values), "default": values[0]}


def _object(description: str, properties: Json, *optional: str, closed: bool = True) -> Json:
    schema: Json = {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }
    return schema | {"additionalProperties": False} if closed else schema


_SCALAR: Json = {"type": ["string", "number", "boolean", "null"]}
_BOUND: Json = {"type": ["string", "number"]}

_COUNTERS: Json = {name: {**_COUNT, "description": text} for name, text in wire.COUNTERS.items()}
_OPTIONAL_COUNTERS: Json = {
    name: {**_COUNT, "description": f"{text} Only if not 0."}
    for name, text in wire.OPTIONAL_COUNTERS.items()
}
_PUBLISHED: Json = {name: schema for name, schema in _COUNTERS.items() if name != "bytes_out"}

# A client that has gone gets no control line.
_STREAM_CODES = [code for code in wire.StreamErrorCode if code != wire.StreamErrorCode.DISCONNECTED]

# Patterns of what follows the kind of a control line.
_CONTENTS = {
    wire.ACK: r"\d+",
    wire.REJECTED: r"\d+( \d+)*",
    wire.END: r"\{.*\}",
    wire.ERROR: r"\{.*\}",
    wire.OFFSET: ".+",
    wire.MISSED: r"(\d+|\?)",
    wire.SOURCE: r"\{.*\}",
    wire.DELIVERY: f"({'|'.join(wire.DELIVERIES)})",
}

_PROBLEM: Json = {
    "title": {**_TEXT, "description": "The phrase of the status."},
    "status": {"type": "integer", "minimum": 400, "maximum": 599},
    "detail": {**_TEXT, "description": "A human-readable explanation with advice."},
}

_SCHEMAS: Json = {
    "Record": {
        "type": "object",
        "description": "An input line. A missing or null member reads as an empty string. Other "
        "members are validated and ignored. If a name occurs several times, the last one counts.",
        "properties": {"id": {"type": ["string", "null"]}, "data": {"type": ["string", "null"]}},
    },
    "Result": _object(
        "An output line: the result of the built-in processor for a record.",
        {
            "id": {**_TEXT, "description": "The id of the record."},
            "result": {**_TEXT, "description": "`processed_` followed by the data of the record."},
            "status": {"const": "success"},
        },
    ),
    "ErrorLine": _object(
        "Takes the place of an invalid line with `Forst-On-Error: emit`, and follows the last "
        "result with `fail`.",
        {
            "status": {"const": "error"},
            "line": {**_COUNT, "minimum": 1, "description": "Number of the input line."},
            "offset": {**_COUNT, "description": "Position of the error in the line, in bytes."},
            "code": {"enum": list(ERROR_CODES)},
            "message": _TEXT,
        },
    ),
    "ControlLine": {
        "type": "string",
        "description": "With `Forst-Frames: 1`, lines that start with `:` are sent between the "
        "results. `:ack N`: all results of the first N input lines precede this line. "
        "`:end {End}`: the last line of a stream that ended normally. `:rejected N N…`: the "
        "positions of error lines among the following lines, without control lines. "
        "`:error {StreamProblem}`: the stream failed at this point. Live streams also have "
        "`:offset TEXT` (the value of `from` that resumes after the next `:ack`), `:missed N` "
        "(number of records skipped here, `?` if unknown), `:source {Notice}` and "
        "`:delivery MODE` (as `Forst-Delivery`).",
        "pattern": f"^({'|'.join(f'{kind.decode()} {form}' for kind, form in _CONTENTS.items())})$",
    },
    "End": _object(
        "The counters of a stream that ended normally, and a digest of its result and error lines.",
        {
            **_COUNTERS,
            **_OPTIONAL_COUNTERS,
            "digest": {"type": "string", "pattern": DIGEST_PATTERN},
            "errors_by_code": {
                "type": "object",
                "description": "The number of rejected lines by error code, for a stream whose "
                "lines were all rejected.",
                "additionalProperties": {"type": "integer", "minimum": 0},
            },
        },
        *_OPTIONAL_COUNTERS,
        "errors_by_code",
    ),
    "Problem": _object("An error document (RFC 9457).", _PROBLEM),
    "StreamProblem": _object(
        "Why a stream ended early.", {**_PROBLEM, "code": {"enum": _STREAM_CODES}}
    ),
    "Notice": _object(
        "The connection to the broker of a source was lost or restored.",
        {"state": {"enum": ["down", "up"]}, "detail": _TEXT},
        "detail",
    ),
    "Filters": {
        "type": "object",
        "description": "Selects the records for which all members hold. A name may be a path of "
        "members, separated by dots.",
        "additionalProperties": {
            "anyOf": [
                {**_SCALAR, "description": "Equal to this value."},
                {"type": "array", "items": _SCALAR, "minItems": 1, "description": "Any of these."},
                {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": False,
                    "properties": {
                        **dict.fromkeys(("gt", "gte", "lt", "lte"), _BOUND),
                        "ne": {**_SCALAR, "description": "Not equal, or absent."},
                        "prefix": _TEXT,
                        "exists": {"type": "boolean"},
                    },
                },
            ]
        },
    },
    "Publication": _object(
        "The counters of a publication.",
        {
            **_PUBLISHED,
            "offset": {
                **_TEXT,
                "description": "The offset after the last record; only of sources in memory.",
            },
        },
        "offset",
    ),
    "Sources": _object(
        "All sources.", {"sources": {"type": "array", "items": ref("schemas", "Source")}}
    ),
    "Source": _object(
        "A source of live records, as this process reads it.",
        {
            "name": _TEXT,
            "url": {**_TEXT, "description": "Where the records are, without passwords."},
            "state": {"enum": ["up", "down"], "description": "`down` if it cannot be read now."},
            "trouble": {"type": ["string", "null"], "description": "Why it cannot be read now."},
            "offset": {
                "type": ["string", "null"],
                "description": "The offset of the shared reader; null if there is none, "
                "or the source has no offsets.",
            },
            "subscribers": _COUNT,
            "readers": {**_COUNT, "description": "Readers, each with its own connection."},
            "missed": {**_COUNT, "description": "Records that open subscriptions have missed."},
        },
    ),
    "Ticket": _object(
        "A ticket, which replaces the token in the query of some requests.",
        {"ticket": _TEXT, "expires_in": {**_COUNT, "description": "In seconds."}},
    ),
    "Processor": _object(
        "A processor, served at `POST /<name>`.",
        {
            "name": _TEXT,
            "kind": {"enum": ["native", "dict", "record", "typed"]},
            "async": {"type": "boolean"},
            "input": _TEXT,
            "output": _TEXT,
            "doc": _TEXT,
            "compiled": {"type": "boolean", "description": "Whether it runs without Python."},
            "reason": {
                **_TEXT,
                "description": "Why its function does not compile: the place, "
                "what stands there, and what to write instead.",
            },
            "given_back": {
                "type": "array",
                "description": "The places in its function where this process gave records back to "
                "Python, those with the most first; only if there are any.",
                "items": _object(
                    "A place.",
                    {
                        "file": _TEXT,
                        "line": {**_COUNT, "minimum": 1},
                        "column": {**_COUNT, "minimum": 1},
                        "reason": {
                            **_TEXT,
                            "description": "What Python had to do there, or raised.",
                        },
                        "records": {
                            **_COUNT,
                            "description": "The records, and those after them that Python "
                            "processed without trying compiled code.",
                        },
                    },
                ),
            },
        },
        "reason",
        "given_back",
    ),
    "Processors": _object(
        "All processors.", {"processors": {"type": "array", "items": ref("schemas", "Processor")}}
    ),
    "Version": _object(
        "The versions of the server's components.",
        {
            "forstcore": _TEXT,
            "python": _TEXT,
            "aiohttp": _TEXT,
            "scan_path": {**_TEXT, "description": "The instruction set that the core uses."},
            "codings": {"type": "array", "items": {"enum": list(CODINGS)}},
        },
    ),
    "NewsLine": {
        "type": "object",
        "description": "A line of the dashboard's live updates. The first contains the history, "
        "each further one the last second.",
        "oneOf": [
            {"required": [*("server", "endpoints", "processors", "columns", "history", "time")]},
            {
                "required": [
                    *("point", "streams", "sources", "processors", "errors", "totals"),
                    *("draining", "viewers"),
                ]
            },
        ],
    },
}

NAMED_PARAMETERS: Json = {
    "OnError": header(
        wire.FORST_ON_ERROR,
        "How invalid lines are handled: `skip` drops and counts them, `emit` replaces them by "
        "error lines, `fail` sends an error line and ends the stream.",
        one_of(wire.ON_ERROR_MODES),
    ),
    "Frames": header(
        wire.FORST_FRAMES,
        "`1` enables control lines between the results.",
        {**_TEXT, "examples": ["1"]},
    ),
    "FirstLine": header(
        wire.FORST_FIRST_LINE,
        "Number of the first line, when resuming an input: line numbers start there.",
        {"type": "integer", "minimum": 1, "maximum": wire.MAX_LINE_NUMBER, "default": 1},
    ),
    "Order": header(
        wire.FORST_ORDER,
        "`completion` returns results as they complete, not in the order of their records.",
        one_of(wire.RESULT_ORDERS),
    ),
    "Ack": header(
        wire.FORST_ACK,
        "Whether the client acknowledges records: with `1` the request continues after its first "
        "line with lines such as `:ack 12`, which confirm those of the response; with `if-needed` "
        "the request is refused with 428 if the source requires acknowledgements.",
        {"enum": sorted(wire.ACK_MODES), "default": "0"},
    ),
    "ContentEncoding": header(
        "Content-Encoding",
        "The coding of the body; several members or frames may be concatenated.",
        {"enum": [*CODINGS, "identity"]},
    ),
    "AcceptEncoding": header(
        "Accept-Encoding",
        "Selects the compression of the response, according to weights. It is flushed with each "
        "batch of results.",
    ),
    "Traceparent": header(
        "traceparent", "The trace of the client (W3C Trace Context), for the access log and spans."
    ),
}

_PROBLEMS = {
    400: "A header, the query or the body is invalid, or the HTTP request is malformed.",
    401: "The bearer token is missing or wrong.",
    403: "`Host` or `Origin` is not allowed.",
    404: "The resource does not exist; the detail lists the existing ones.",
    405: "The endpoint does not support the method; `Allow` lists the supported ones.",
    408: "The request did not end in time.",
    409: "Nothing can be published to the source, or the file with pipelines has become invalid.",
    413: "The body exceeds the size limits.",
    415: "The body is `multipart/form-data`, or its content coding is not supported.",
    417: "`Expect` has a value other than `100-continue`.",
    422: "A line is invalid, with `Forst-On-Error: fail`, or the broker refuses it; the lines "
    "before it were published.",
    426: "The request is not a WebSocket handshake, which `GET` requires here.",
    428: "The source redelivers unacknowledged records, with `Forst-Ack: if-needed`.",
    431: "The request line or a header field is too long.",
    500: "An internal error; the server's log has the traceback.",
    502: "The broker has not confirmed all records in time, or it cannot be written.",
    503: "The server is at its limit of streams, or shutting down.",
}
_PROBLEM_HEADERS: dict[int, Json] = {
    401: {"WWW-Authenticate": {"schema": _TEXT}},
    426: {"Upgrade": {"schema": {"const": "websocket"}}},
    405: {"Allow": {"schema": _TEXT}},
    415: {"Accept-Encoding": {"description": "The supported codings.", "schema": _TEXT}},
    503: {"Retry-After": {"description": "In seconds.", "schema": _COUNT}},
}


_RESPONSES: Json = {
    f"Problem{status}": {
        "description": text,
        "headers": _PROBLEM_HEADERS.get(status, {}),
        "content": {wire.PROBLEM_TYPE: {"schema": ref("schemas", "Problem")}},
    }
    for status, text in _PROBLEMS.items()
}


def refused(*statuses: int) -> Json:
    """Describe the error responses of an operation, including those common to all operations."""
    return {
        str(status): ref("responses", f"Problem{status}")
        for status in sorted({400, 401, 403, 431, 500, *statuses})
    }


def result_content(results: list[Json]) -> Json:
    """Describe a body of result lines, in each media type that `Accept` may name.

    Args:
        results: schemas of the lines that are neither errors nor control lines.
    """
    lines = {
        "anyOf": [*results, ref("schemas", "ErrorLine"), ref("schemas", "ControlLine")],
    }
    media: Json = {"schema": _TEXT, "x-line-schema": lines}
    return dict.fromkeys((wire.RESULT_TYPE, *wire.NDJSON_TYPES), media)


COMPONENTS: Json = {
    "schemas": _SCHEMAS,
    "parameters": NAMED_PARAMETERS,
    "responses": _RESPONSES,
    "securitySchemes": {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "The token of `--token-file` or `FORSTCORE_TOKEN`.",
        },
        "mutualTLS": {
            "type": "mutualTLS",
            "description": "A client certificate issued by an authority in `--tls-client-ca`.",
        },
    },
}
"""The components of the document."""
