"""`GET /openapi.json`: the HTTP API as an OpenAPI 3.1 document, as this server has it."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

import forstcore
from forstcore import wire
from forstcore.processors import BUILT_IN, Processor
from server.api.schemas import COMPONENTS, Json, header, one_of, ref, refused, result_content
from server.config import ServerConfig
from server.streams.registry import REGISTRY

__all__ = ["describe", "openapi_document"]

_ABOUT = """\
Records stream in as NDJSON and results stream back, one line each, in order, while the request is
still being sent. Body sizes are unlimited unless the server is told otherwise.

Errors before a response starts are problem documents (RFC 9457); a path that there is not gives
404 with the endpoints that there are, another method 405 with `Allow`. A stream that fails later is
cut: its last HTTP chunk is missing. With `Forst-Frames: 1` its last line says why instead.

`Host` has to name this server, and an `Origin` has to be allowed: otherwise the answer is 403.
Probes are let in in any case. A request with `Expect: 100-continue` is checked before its body
is asked for.
"""

_STREAM_BODY = (
    "One JSON value a line, whatever `Content-Type` says, `multipart/form-data` excepted. The last "
    "line needs no LF; blank lines are ignored."
)
_STREAM_RESPONSE = (
    "Starts before the request has ended. The media type is `application/octet-stream` unless "
    "`Accept` names one of the others."
)
_STREAM_PARAMETERS = ("OnError", "Frames", "FirstLine", "ContentEncoding", "AcceptEncoding")
_RECORD = ref("schemas", "Record")
_RESULT = ref("schemas", "Result")
_OBJECT: Json = {"type": "object"}
_ANY: Json = {"description": "Any JSON that the processor makes."}


def openapi_document(config: ServerConfig, processors: Mapping[str, Processor]) -> Json:
    """Write the OpenAPI document of a server.

    Args:
        config: tells the sources, what guards the server, and whether it has a dashboard.
        processors: each has an endpoint.
    """
    paths = {
        **_streams(),
        **{f"/{name}": _of_processor(each) for name, each in sorted(processors.items())},
        **_live(config, processors),
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
            {"name": "sources", "description": "Records that nobody sends in the request."},
            {"name": "operation", "description": "What probes, scrapers and people ask."},
            {"name": "dashboard", "description": "A page for browsers, and what it is fed with."},
        ],
        "paths": paths,
        "components": COMPONENTS,
    }


async def describe(request: web.Request) -> web.Response:
    """Answer `GET /openapi.json`."""
    registry = request.app[REGISTRY]
    return web.json_response(openapi_document(registry.config, registry.processors))


def _guards(config: ServerConfig, *, token: bool) -> list[Json]:
    """Name what a request has to show.

    Args:
        config: tells what the server wants.
        token: whether its token is wanted for this request.
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
        "post": {
            "operationId": name,
            "tags": ["streams"],
            "summary": summary,
            "description": description,
            "parameters": [*parameters, ref("parameters", "Traceparent")],
            "requestBody": {
                "description": _STREAM_BODY,
                "content": {
                    "application/x-ndjson": {
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
                        "Trailer": {
                            "description": "With `TE: trailers`: the counts of the stream stand "
                            "in these fields behind the body. If every line was rejected, they "
                            "do in any case.",
                            "schema": {"const": ", ".join(wire.TRAILERS)},
                        },
                    },
                    "content": result_content([results]),
                },
                **refused(413, 415, 417, 503),
            },
        }
    }


def _streams() -> Json:
    filters = {"content": {"application/json": {"schema": ref("schemas", "Filters")}}}
    wanted = "Which records to process."
    return {
        "/streaming-process": _stream(
            "streamingProcess",
            "Process records with the built-in processor",
            "Each result is sent as soon as there is nothing more to read.",
            _RECORD,
            _RESULT,
            {"name": wire.FORST_FILTER, "in": "header", "description": wanted, **filters},
            {
                "name": "filter",
                "in": "query",
                "description": "As `Forst-Filter`, which wins.",
                **filters,
            },
        ),
        "/large-dataset-stream": _stream(
            "largeDatasetStream",
            "Process records with the built-in processor over several workers",
            "The same results, made by threads that run without Python's global lock.",
            _RECORD,
            _RESULT,
            ref("parameters", "Order"),
        ),
    }


def _of_processor(each: Processor) -> Json:
    summary, _, more = each.doc.partition("\n")
    return _stream(
        f"process_{each.name}",
        summary or f"Process records with {each.name}",
        f"Takes {each.takes}, gives {each.gives}. {more.strip()}".strip(),
        _RECORD if each.takes == BUILT_IN.takes else _OBJECT,
        _RESULT if each.gives == BUILT_IN.gives else _ANY,
        ref("parameters", "Order"),
    )


def _live(config: ServerConfig, processors: Mapping[str, Processor]) -> Json:
    urls = config.sources
    in_memory = [name for name, url in urls.items() if url.startswith("memory:")]
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
                "description": "`now`, `start` for all that is still there, or an offset.",
                "examples": ["now", "start"],
            },
            "processor": {
                "enum": [*sorted(processors), "pass"],
                "description": "The built-in one if absent; `pass` for records as they came.",
            },
        },
    }
    media = {"schema": subscription, "example": {"source": next(iter(sorted(urls)), "events")}}
    live = _stream("realTimeProcess", "Stream the results of a source, live", "", {}, _ANY)["post"]
    live |= {
        "tags": ["sources"],
        "description": "Goes on until the client leaves, the server goes down or the source ends.",
        "parameters": [
            *(each for each in live["parameters"] if each != ref("parameters", "FirstLine")),
            ref("parameters", "Ack"),
        ],
        "requestBody": {
            "required": True,
            "description": "JSON, whatever `Content-Type` says; with `Forst-Ack: 1` on one line, "
            "behind which acknowledgements follow.",
            "content": {"application/json": media},
        },
    }
    live["responses"]["200"]["headers"] = {
        **live["responses"]["200"].get("headers", {}),
        wire.FORST_DELIVERY: {
            "description": "What becomes of records of a source without offsets: "
            "`at-least-once` if they come again unless the client acknowledges them, "
            "`at-most-once` if they are acknowledged to the broker when they have been sent.",
            "schema": {"enum": list(wire.DELIVERIES)},
        },
    }
    live["responses"] |= refused(404, 408, 413, 415, 417, 428, 503)
    name: Json = {"type": "string", **({"enum": in_memory} if in_memory else {})}
    publication = _stream("publish", "Publish records to a source in memory", "", _OBJECT, {})[
        "post"
    ]
    publication |= {
        "tags": ["sources"],
        "description": "Readers get each piece as it comes; the answer counts. What was "
        "published before an error stays published.",
        "parameters": [
            {"name": "name", "in": "path", "required": True, "schema": name},
            header(
                wire.FORST_ON_ERROR,
                "What becomes of a line that is no object.",
                one_of(wire.PUBLISH_ON_ERROR_MODES),
            ),
            ref("parameters", "ContentEncoding"),
            ref("parameters", "Traceparent"),
        ],
        "responses": {
            "200": _json("How much was published.", "Publication"),
            **refused(404, 408, 409, 413, 415, 417, 422, 503),
        },
    }
    return {"/real-time-process": {"post": live}, "/sources/{name}": {"post": publication}}


def _json(description: str, schema: str) -> Json:
    media = {"schema": ref("schemas", schema)}
    return {"description": description, "content": {"application/json": media}}


def _get(name: str, summary: str, response: Json, *more: int, tag: str = "operation") -> Json:
    operation = {"operationId": name, "tags": [tag], "summary": summary}
    return {"get": {**operation, "responses": {"200": response, **refused(*more)}}}


def _operation(config: ServerConfig) -> Json:
    status = {"type": "object", "properties": {"status": {"type": "string"}}}
    fine = {"description": "Yes.", "content": {"application/json": {"schema": status}}}
    text = {"description": "Prometheus' text format.", "content": {"text/plain": {}}}
    this = {"description": "OpenAPI 3.1.", "content": {"application/json": {}}}
    open_to_all = {"security": _guards(config, token=False)}
    paths = {
        "/healthz": _get("health", "Whether the process lives", fine),
        "/readyz": _get("readiness", "Whether it takes streams", fine, 503),
        "/processors": _get(
            "processors", "Which processors there are", _json("All of them.", "Processors")
        ),
        "/version": _get("version", "What this server is made of", _json("Versions.", "Version")),
        "/metrics": _get("metrics", "Figures of all processes together", text),
        "/openapi.json": _get("openapi", "This document", this),
    }
    for probe in ("/healthz", "/readyz"):
        paths[probe]["get"] |= open_to_all
    return paths


def _dashboard(config: ServerConfig) -> Json:
    text: Json = {"schema": {"type": "string"}}
    unchanged = {"304": {"description": "As `If-None-Match` says it is known."}}
    known = header("If-None-Match", "What the browser has.")
    page = {"description": "The page.", "content": {"text/html": text}}
    kinds = ("text/css", "text/javascript", "image/svg+xml")
    file = {"description": "The file.", "content": dict.fromkeys(kinds, text)}
    lines = {"schema": {"type": "string"}, "x-line-schema": ref("schemas", "NewsLine")}
    news = {
        "description": "A line a second, for as long as the client wants.",
        "content": {"application/x-ndjson": lines},
    }
    paths = {
        "/": _get("dashboard", "The dashboard", page, tag="dashboard"),
        "/dashboard/static/{digest}/{name}": _get(
            "dashboardFile", "A file of the page", file, 404, tag="dashboard"
        ),
        "/dashboard/news": _get("dashboardNews", "What the page shows", news, 503, tag="dashboard"),
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
