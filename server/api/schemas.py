"""The reusable parts of the OpenAPI document: schemas, responses, headers, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from forstcore import wire
from forstcore._io.digest import DIGEST_PATTERN
from forstcore._proc import ERROR_CODES
from server.http.compression import CODINGS

__all__ = ["COMPONENTS", "Json", "header", "one_of", "ref", "refused", "result_content"]

Json: TypeAlias = dict[str, Any]

_COUNT: Json = {"type": "integer", "minimum": 0}
_TEXT: Json = {"type": "string"}


def ref(kind: str, name: str) -> Json:
    """Refer to a component, such as ``ref("schemas", "Problem")``."""
    return {"$ref": f"#/components/{kind}/{name}"}


def header(name: str, description: str, schema: Json | None = None) -> Json:
    """Describe a request header that may be left out."""
    return {"name": name, "in": "header", "description": description, "schema": schema or _TEXT}


def one_of(values: Sequence[str]) -> Json:
    """Describe a text that is one of a few; the first is the default."""
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
    "detail": {**_TEXT, "description": "What is wrong and what would help, for people."},
}

_SCHEMAS: Json = {
    "Record": {
        "type": "object",
        "description": "A line of input. Other members are checked and ignored; of several with "
        "one name the last counts. Absent and null read as an empty string.",
        "properties": {"id": {"type": ["string", "null"]}, "data": {"type": ["string", "null"]}},
    },
    "Result": _object(
        "A line of output: what the built-in processor makes of a record.",
        {
            "id": {**_TEXT, "description": "That of the record."},
            "result": {**_TEXT, "description": "`processed_` and the data of the record."},
            "status": {"const": "success"},
        },
    ),
    "ErrorLine": _object(
        "What stands in the place of a line that is no record, with `Forst-On-Error: emit`; and "
        "behind the last result with `fail`.",
        {
            "status": {"const": "error"},
            "line": {**_COUNT, "minimum": 1, "description": "Number of the input line."},
            "offset": {**_COUNT, "description": "Byte within the line."},
            "code": {"enum": list(ERROR_CODES)},
            "message": _TEXT,
        },
    ),
    "ControlLine": {
        "type": "string",
        "description": "With `Forst-Frames: 1` lines that start with `:` stand between the "
        "results. `:ack N`: the results of the first N input lines are above. `:end {End}`: the "
        "last line of a stream that ended well. `:rejected N N…`: of the lines that follow, "
        "control lines not counted, the Nth are error lines. `:error {StreamProblem}`: the "
        "stream failed here. Live streams also have `:offset TEXT` (what to send as `from` to go "
        "on behind the next `:ack`), `:missed N` (records left out here, `?` for an unknown "
        "number), `:source {Notice}` and `:delivery MODE` (as `Forst-Delivery`).",
        "pattern": f"^({'|'.join(f'{kind.decode()} {form}' for kind, form in _CONTENTS.items())})$",
    },
    "End": _object(
        "The counters of a stream that ended well, and a digest of its result and error lines.",
        {
            **_COUNTERS,
            "digest": {"type": "string", "pattern": DIGEST_PATTERN},
            "errors_by_code": {
                "type": "object",
                "description": "Of a stream without a record: how many lines were rejected, by "
                "the code of the reason.",
                "additionalProperties": {"type": "integer", "minimum": 0},
            },
        },
        "errors_by_code",
    ),
    "Problem": _object("An error document (RFC 9457).", _PROBLEM),
    "StreamProblem": _object(
        "Why a stream ended early.", {**_PROBLEM, "code": {"enum": _STREAM_CODES}}
    ),
    "Notice": _object(
        "That the broker of a source went away, or is back.",
        {"state": {"enum": ["down", "up"]}, "detail": _TEXT},
        "detail",
    ),
    "Filters": {
        "type": "object",
        "description": "Which records to process: all members must hold. A name may be a path "
        "of members with dots.",
        "additionalProperties": {
            "anyOf": [
                {**_SCALAR, "description": "Equal to this."},
                {"type": "array", "items": _SCALAR, "minItems": 1, "description": "One of these."},
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
        "What was published.",
        {**_PUBLISHED, "offset": {**_TEXT, "description": "Where the source ends now."}},
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
        },
    ),
    "Processors": _object(
        "All processors.", {"processors": {"type": "array", "items": ref("schemas", "Processor")}}
    ),
    "Version": _object(
        "What this server is made of.",
        {
            "forstcore": _TEXT,
            "python": _TEXT,
            "aiohttp": _TEXT,
            "scan_path": {**_TEXT, "description": "The CPU path of the core."},
            "codings": {"type": "array", "items": {"enum": list(CODINGS)}},
        },
    ),
    "NewsLine": {
        "type": "object",
        "description": "A line of the dashboard's feed. The first tells the past, each further "
        "one a second of the present.",
        "oneOf": [
            {"required": ["server", "endpoints", "columns", "history", "time"]},
            {
                "required": [
                    *("point", "streams", "sources", "errors", "totals"),
                    *("draining", "viewers"),
                ]
            },
        ],
    },
}

_NAMED_PARAMETERS: Json = {
    "OnError": header(
        wire.FORST_ON_ERROR,
        "What becomes of a line that is no record: dropped and counted; an error line in its "
        "place; or that and the end of the stream.",
        one_of(wire.ON_ERROR_MODES),
    ),
    "Frames": header(
        wire.FORST_FRAMES,
        "`1` for control lines between the results.",
        {**_TEXT, "examples": ["1"]},
    ),
    "FirstLine": header(
        wire.FORST_FIRST_LINE,
        "Number of the first line, for the rest of an input: lines are numbered from it.",
        {"type": "integer", "minimum": 1, "maximum": wire.MAX_LINE_NUMBER, "default": 1},
    ),
    "Order": header(
        wire.FORST_ORDER,
        "`completion` for results as they come, not in the order of their records.",
        one_of(wire.RESULT_ORDERS),
    ),
    "Ack": header(
        wire.FORST_ACK,
        "Whether the client acknowledges what it is done with: `1` if the request goes on behind "
        "its first line, with lines such as `:ack 12`, which repeat those of the response; "
        "`if-needed` to be refused with 428 where the source wants that.",
        {"enum": sorted(wire.ACK_MODES), "default": "0"},
    ),
    "ContentEncoding": header(
        "Content-Encoding",
        "The coding of the body; members or frames may follow each other.",
        {"enum": [*CODINGS, "identity"]},
    ),
    "AcceptEncoding": header(
        "Accept-Encoding",
        "The response is compressed as this allows, weights honoured, and flushed with each "
        "batch of results.",
    ),
    "Traceparent": header("traceparent", "Taken over into the access log (W3C Trace Context)."),
}

_PROBLEMS = {
    400: "A header, the query or the body is not as it must be, or the HTTP is malformed.",
    401: "The server wants its bearer token.",
    403: "`Host` or `Origin` is none that is let in.",
    404: "There is no such thing here; the detail names those there are.",
    405: "The endpoint takes other methods, which `Allow` names.",
    408: "The request did not end in time.",
    409: "The source is not in memory: publish to its broker instead.",
    413: "The body is larger than the limits allow.",
    415: "The body is `multipart/form-data`, or has a content coding that is unknown here.",
    417: "`Expect` asks for something else than `100-continue`.",
    422: "`Forst-On-Error: fail`, and a line is no record; what was before it is published.",
    428: "`Forst-Ack: if-needed`, and the source gives records again that are not acknowledged.",
    431: "The request line or a header field is too long.",
    500: "An error of the server, whose log has the traceback.",
    503: "The server is full, or on its way out.",
}
_PROBLEM_HEADERS: dict[int, Json] = {
    401: {"WWW-Authenticate": {"schema": _TEXT}},
    405: {"Allow": {"schema": _TEXT}},
    415: {"Accept-Encoding": {"description": "The codings there are.", "schema": _TEXT}},
    503: {"Retry-After": {"description": "In seconds.", "schema": _COUNT}},
}


_RESPONSES: Json = {
    f"Problem{status}": {
        "description": text,
        "headers": _PROBLEM_HEADERS.get(status, {}),
        "content": {"application/problem+json": {"schema": ref("schemas", "Problem")}},
    }
    for status, text in _PROBLEMS.items()
}


def refused(*statuses: int) -> Json:
    """Describe the error responses of an operation; those that any may have are added."""
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
    "parameters": _NAMED_PARAMETERS,
    "responses": _RESPONSES,
    "securitySchemes": {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "The token of `--token-file` or `FORSTCORE_TOKEN`.",
        },
        "mutualTLS": {
            "type": "mutualTLS",
            "description": "A client certificate of an authority in `--tls-client-ca`.",
        },
    },
}
"""The components of the document."""
