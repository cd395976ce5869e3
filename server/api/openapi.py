"""`GET /openapi.json`: an OpenAPI 3.1 document of the HTTP API of this server."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

import forstcore
from forstcore import wire
from forstcore.processors import BUILT_IN, Processor
from server.api.schemas import (
    COMPONENTS,
    NAMED_PARAMETERS,
    Json,
    header,
    one_of,
    ref,
    refused,
    result_content,
)
from server.config import ServerConfig
from server.pipelines.managed_pipeline import ACTIONS
from server.streams.registry import REGISTRY

__all__ = ["describe", "openapi_document"]

_ABOUT = """\
The client sends records as NDJSON, and the server returns results in order, one per line, while the
request is still being sent. The size of bodies is unlimited unless the server is configured
otherwise.

Errors before the response starts are problem documents (RFC 9457). An unknown path gives 404 with a
list of the endpoints, an unsupported method 405 with `Allow`. If a stream fails later, its response
is truncated: the last HTTP chunk is missing. With `Forst-Frames: 1` its last line contains the
reason.

`Host` must be a name of this server, and `Origin`, if present, must be allowed; other requests are
refused with 403. Probes are exempt. A request with `Expect: 100-continue` is checked before the
server asks for its body.
"""

_STREAM_BODY = (
    "One JSON value per line. Any `Content-Type` is accepted except `multipart/form-data`. "
    "The last line needs no LF; blank lines are ignored."
)
_STREAM_RESPONSE = (
    "Starts before the request has ended. The media type is `application/octet-stream` unless "
    "`Accept` contains one of the others."
)
_STREAM_PARAMETERS = ("OnError", "Frames", "FirstLine", "ContentEncoding", "AcceptEncoding")
_SOCKET_PARAMETERS: list[Json] = [
    {
        "name": wire.TICKET_PARAMETER,
        "in": "query",
        "description": "From `POST /tickets`; replaces the token.",
        "schema": {"type": "string"},
    },
    {
        "name": wire.ROOM_PARAMETER,
        "in": "query",
        "description": "For a WebSocket: results are bytes, and the server sends at most this many "
        "before the text message `:room N`, with a higher total.",
        "schema": {"type": "integer", "minimum": 0},
    },
]
_RECORD = ref("schemas", "Record")
_RESULT = ref("schemas", "Result")
_OBJECT: Json = {"type": "object"}
_ANY: Json = {"description": "Any JSON that the processor returns."}


def openapi_document(config: ServerConfig, processors: Mapping[str, Processor]) -> Json:
    """Write the OpenAPI document of a server.

    Args:
        config: sources, authentication, and whether there is a dashboard.
        processors: the processors, each of which has an endpoint.
    """
    paths = {
        **_streams(),
        **{f"/{name}": _of_processor(each) for name, each in sorted(processors.items())},
        **_live(config, processors),
        **(_pipelines() if config.pipeline_file else {}),
        **_operation(config),
        **(_dashboard(config) if config.dashboard else {}),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "forstcore",
            "version": forstcore.__version__,
            "summary": "Process endless NDJSON record streams at compiled speed",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": _guards(config, token=True),
        "tags": [
            {"name": "streams", "description": "Records in, results out, at the same time."},
            {"name": "sources", "description": "Live records from sources of the server."},
            {"name": "operation", "description": "Health, metrics and information."},
            {"name": "dashboard", "description": "The web page and its live updates."},
        ],
        "paths": paths,
        "components": COMPONENTS,
    }


async def describe(request: web.Request) -> web.Response:
    """Answer `GET /openapi.json`."""
    registry = request.app[REGISTRY]
    return web.json_response(openapi_document(registry.config, registry.processors))


def _guards(config: ServerConfig, *, token: bool) -> list[Json]:
    """Return the security requirements of a request.

    Args:
        config: the configured authentication.
        token: whether this request requires the token.
    """
    wanted = ["bearer"] if config.token and token else []
    if config.tls_client_ca:
        wanted.append("mutualTLS")
    return [{name: [] for name in wanted}] if wanted else []


def _stream(
    name: str, summary: str, description: str, records: Json, results: Json, *more: Json
) -> Json:
    parameters = [*(ref("parameters", each) for each in _STREAM_PARAMETERS), *more]
    return {
        "get": _socket(f"{name}OverWebSocket", summary, *more),
        "post": {
            "operationId": name,
            "tags": ["streams"],
            "summary": summary,
            "description": description,
            "parameters": [*parameters, ref("parameters", "Traceparent")],
            "requestBody": {
                "description": _STREAM_BODY,
                "content": {
                    wire.NDJSON: {
                        "x-line-schema": records,
                        "example": '{"id":"1","data":"hello"}\n',
                    }
                },
            },
            "responses": {
                "200": {
                    "description": _STREAM_RESPONSE,
                    "headers": {
                        "Content-Encoding": {"schema": {"type": "string"}},
                        "Cache-Control": {"schema": {"const": "no-cache"}},
                        "X-Accel-Buffering": {"schema": {"const": "no"}},
                        wire.FORST_FRAMES: {
                            "description": "Present if the response has control lines.",
                            "schema": {"const": wire.FRAMES_VERSION},
                        },
                        "Trailer": {
                            "description": "The counters of the stream, sent as trailers with "
                            "`TE: trailers`. If every line was rejected, they are always sent.",
                            "schema": {"const": ", ".join(wire.TRAILERS)},
                        },
                    },
                    "content": result_content([results]),
                },
                **refused(413, 415, 417, 503),
            },
        },
    }


def _socket(name: str, summary: str, *more: Json) -> Json:
    """Describe the WebSocket of a stream."""
    return {
        "operationId": name,
        "tags": ["streams"],
        "summary": f"{summary}, over a WebSocket",
        "description": "A text message contains whole lines, binary messages are the body cut "
        "anywhere, and the text message `:end` is its end.",
        "parameters": [*_query_headers(*more), *_SOCKET_PARAMETERS],
        "responses": {
            "101": {"description": "The connection is a WebSocket now."},
            **refused(413, 415, 426, 503),
        },
    }


def _query_headers(*more: Json) -> list[Json]:
    """Describe the query parameters that replace headers."""
    names = {"OnError": wire.FORST_ON_ERROR, "Frames": wire.FORST_FRAMES}
    known = [{**NAMED_PARAMETERS[name], "name": text} for name, text in names.items()]
    return [
        {**each, "name": each["name"].lower(), "in": "query"}
        for each in (*known, *more)
        if "name" in each
    ]


def _filter_parameters() -> list[Json]:
    filters = {"content": {"application/json": {"schema": ref("schemas", "Filters")}}}
    return [
        {
            "name": wire.FORST_FILTER,
            "in": "header",
            "description": "Selects the records to process.",
            **filters,
        },
        {
            "name": wire.FILTER_PARAMETER,
            "in": "query",
            "description": "As `Forst-Filter`, which takes precedence.",
            **filters,
        },
    ]


def _streams() -> Json:
    return {
        "/streaming-process": _stream(
            "streamingProcess",
            "Process records with the built-in processor",
            "Results are flushed whenever no more input is available.",
            _RECORD,
            _RESULT,
            *_filter_parameters(),
        ),
        "/large-dataset-stream": _stream(
            "largeDatasetStream",
            "Process records with the built-in processor in several workers",
            "The same results, computed by threads that do not hold Python's global lock.",
            _RECORD,
            _RESULT,
            ref("parameters", "Order"),
            *_filter_parameters(),
        ),
    }


def _of_processor(each: Processor) -> Json:
    summary, _, more = each.doc.partition("\n")
    return _stream(
        f"process_{each.name}",
        summary or f"Process records with {each.name}",
        f"Takes {each.takes}, returns {each.gives}. {more.strip()}".strip(),
        _RECORD if each.takes == BUILT_IN.takes else _OBJECT,
        _RESULT if each.gives == BUILT_IN.gives else _ANY,
        ref("parameters", "Order"),
        *_filter_parameters(),
    )


def _live(config: ServerConfig, processors: Mapping[str, Processor]) -> Json:
    urls = config.sources
    writable = [name for name, url in urls.items() if not url.startswith("file:")]
    subscription: Json = {
        "type": "object",
        "additionalProperties": False,
        "required": ["source"],
        "properties": {
            "source": {"type": "string", **({"enum": sorted(urls)} if urls else {})},
            "filters": ref("schemas", "Filters"),
            "from": {
                "type": "string",
                "default": "now",
                "description": "`now`, `start` for all retained records, or an offset.",
                "examples": ["now", "start"],
            },
            "processor": {
                "enum": [*sorted(processors), "pass"],
                "description": "The built-in one by default; `pass` leaves records unchanged.",
            },
        },
    }
    media = {"schema": subscription, "example": {"source": next(iter(sorted(urls)), "events")}}
    live = _stream("realTimeProcess", "Stream the results of a source, live", "", {}, _ANY)["post"]
    live |= {
        "tags": ["sources"],
        "description": "Runs until the client disconnects, the server stops or the source ends.",
        "parameters": [
            *(each for each in live["parameters"] if each != ref("parameters", "FirstLine")),
            ref("parameters", "Ack"),
        ],
        "requestBody": {
            "required": True,
            "description": "JSON, with any `Content-Type`; with `Forst-Ack: 1` on one line, "
            "followed by acknowledgements.",
            "content": {"application/json": media},
        },
    }
    live["responses"]["200"]["headers"] = {
        **live["responses"]["200"].get("headers", {}),
        wire.FORST_DELIVERY: {
            "description": "The delivery guarantee of a source without offsets: with "
            "`at-least-once`, records are redelivered unless the client acknowledges them; with "
            "`at-most-once`, they are acknowledged to the broker when they have been sent.",
            "schema": {"enum": list(wire.DELIVERIES)},
        },
    }
    live["responses"] |= refused(404, 408, 413, 415, 417, 428, 503)
    name: Json = {"type": "string", **({"enum": writable} if writable else {})}
    publication = _stream("publish", "Publish records to a source", "", _OBJECT, {})["post"]
    publication |= {
        "tags": ["sources"],
        "description": "Records are published as they arrive, in memory or to the broker of the "
        "source, which has confirmed all of them when the response comes. The response contains "
        "the counters. Records before an error remain published.",
        "parameters": [
            {"name": "name", "in": "path", "required": True, "schema": name},
            header(
                wire.FORST_ON_ERROR,
                "How lines that are not objects are handled.",
                one_of(wire.PUBLISH_ON_ERROR_MODES),
            ),
            ref("parameters", "ContentEncoding"),
            ref("parameters", "Traceparent"),
        ],
        "responses": {
            "200": _json("The counters of the publication.", "Publication"),
            **refused(404, 408, 409, 413, 415, 417, 422, 502, 503),
        },
    }
    listed = _json("All sources.", "Sources")
    issued = _json("The ticket.", "Ticket")
    return {
        "/real-time-process": {"get": _events(subscription["properties"]), "post": live},
        "/tickets": {
            "post": {
                "operationId": "issueTicket",
                "tags": ["sources"],
                "summary": "Issue a ticket for a page",
                "description": "For five minutes, a ticket in the query of a request replaces the "
                "bearer token, because EventSource and WebSocket cannot send headers.",
                "responses": {"200": issued, **refused(413, 415, 417)},
            }
        },
        "/sources": _get("sources", "List the sources", listed, tag="sources"),
        "/sources/{name}": {"post": publication},
    }


def _events(members: Json) -> Json:
    """Describe `GET /real-time-process`."""
    parameters: list[Json] = [
        {"name": name, "in": "query", "required": name == "source", "schema": schema}
        for name, schema in members.items()
        if name != "filters"
    ]
    filters = {"content": {"application/json": {"schema": ref("schemas", "Filters")}}}
    parameters.append({"name": "filters", "in": "query", **filters})
    parameters += [*_query_headers(), *_SOCKET_PARAMETERS]
    parameters.append(header(wire.LAST_EVENT_ID, "Resumes after the event with this id."))
    events = {
        "description": "Events without a name are results. Others are `invalid` (a rejected "
        "line), `missed` (the number of records that are missing, null if unknown), `source` "
        "(Notice), `failure` (StreamProblem) and `end` (End).",
        "content": {wire.EVENTS_TYPE: {"schema": {"type": "string"}}},
    }
    return {
        "operationId": "watchEvents",
        "tags": ["sources"],
        "summary": "Stream the results of a source to an EventSource, or over a WebSocket",
        "description": f"The events are those of `POST` with `Accept: {wire.EVENTS_TYPE}`.",
        "parameters": parameters,
        "responses": {
            "101": {"description": "The connection is a WebSocket now."},
            "200": events,
            "204": {"description": "The stream has ended: do not connect again."},
            **refused(404, 428, 503),
        },
    }


def _pipelines() -> Json:
    text: Json = {"type": "string"}
    count: Json = {"type": "integer", "minimum": 0}
    unknown: Json = {"type": ["string", "null"]}
    pipeline: Json = {
        "type": "object",
        "properties": {
            **dict.fromkeys(("name", "source", "processor", "sink"), text),
            "state": {
                "enum": ["running", "paused", "stopping", "stopped", "ended", "failed", "waiting"]
            },
            **dict.fromkeys(("bytes_in", "results", "filtered", "errors"), count),
            "lag": {"type": ["integer", "null"], "minimum": 0},
            "lag_unit": {"enum": ["bytes", "records", None]},
            "results_per_second": {"type": "number", "minimum": 0},
            **dict.fromkeys(("errors_sink", "trouble", "last_error"), unknown),
            "last_error_time": {"type": ["string", "null"], "format": "date-time"},
        },
    }
    all_of_them: Json = {
        "type": "object",
        "required": ["pipelines"],
        "properties": {"pipelines": {"type": "array", "items": pipeline}},
    }
    listed = {
        "description": "All pipelines.",
        "content": {"application/json": {"schema": all_of_them}},
    }
    one = {"description": "The pipeline.", "content": {"application/json": {"schema": pipeline}}}
    control = {
        "operationId": "controlPipeline",
        "tags": ["operation"],
        "summary": "Start, pause or stop a pipeline",
        "description": "`start` resumes a paused pipeline, and restarts one that has ended from "
        "its file, which is read again; one that is stopping is restarted once it has stopped. "
        "`stop` ends it after it has written what it has read. A pipeline that is already in the "
        "requested state stays in it.",
        "parameters": [
            {"name": "name", "in": "path", "required": True, "schema": text},
            {"name": "action", "in": "path", "required": True, "schema": {"enum": [*ACTIONS]}},
        ],
        "responses": {"200": one, **refused(404, 409, 413, 415, 417, 503)},
    }
    return {
        "/pipelines": _get("pipelines", "List the pipelines", listed),
        "/pipelines/{name}/{action}": {"post": control},
    }


def _json(description: str, schema: str) -> Json:
    media = {"schema": ref("schemas", schema)}
    return {"description": description, "content": {"application/json": media}}


def _get(name: str, summary: str, response: Json, *more: int, tag: str = "operation") -> Json:
    operation = {"operationId": name, "tags": [tag], "summary": summary}
    return {"get": {**operation, "responses": {"200": response, **refused(*more)}}}


def _operation(config: ServerConfig) -> Json:
    status = {"type": "object", "properties": {"status": {"type": "string"}}}
    fine = {"description": "OK.", "content": {"application/json": {"schema": status}}}
    text = {"description": "Prometheus' text format.", "content": {"text/plain": {}}}
    this = {"description": "OpenAPI 3.1.", "content": {"application/json": {}}}
    open_to_all = {"security": _guards(config, token=False)}
    paths = {
        "/healthz": _get("health", "Check that the process is alive", fine),
        "/readyz": _get("readiness", "Check that the server accepts streams", fine, 503),
        "/processors": _get(
            "processors", "List the processors", _json("All processors.", "Processors")
        ),
        "/version": _get("version", "Versions of the components", _json("Versions.", "Version")),
        "/metrics": _get("metrics", "Metrics of all processes", text),
        "/openapi.json": _get("openapi", "This document", this),
    }
    for probe in ("/healthz", "/readyz"):
        paths[probe]["get"] |= open_to_all
    return paths


def _dashboard(config: ServerConfig) -> Json:
    text: Json = {"schema": {"type": "string"}}
    unchanged = {"304": {"description": "The content matches `If-None-Match`."}}
    known = header("If-None-Match", "The entity tag of the cached content.")
    page = {"description": "The page.", "content": {"text/html": text}}
    kinds = ("text/css", "text/javascript", "image/svg+xml")
    file = {"description": "The file.", "content": dict.fromkeys(kinds, text)}
    lines = {"schema": {"type": "string"}, "x-line-schema": ref("schemas", "NewsLine")}
    news = {
        "description": "A line per second, until the client disconnects.",
        "content": {wire.NDJSON: lines},
    }
    paths = {
        "/": _get("dashboard", "The dashboard", page, tag="dashboard"),
        "/dashboard/static/{digest}/{name}": _get(
            "dashboardFile", "A file of the page", file, 404, tag="dashboard"
        ),
        "/dashboard/news": _get(
            "dashboardNews", "Live updates of the page", news, 503, tag="dashboard"
        ),
    }
    for path in ("/", "/dashboard/static/{digest}/{name}"):
        operation = paths[path]["get"]
        operation |= {"security": _guards(config, token=False), "parameters": [known]}
        operation["responses"] |= unchanged
    paths["/dashboard/static/{digest}/{name}"]["get"]["parameters"] += [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in ("digest", "name")
    ]
    return paths
