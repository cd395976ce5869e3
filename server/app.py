"""The aiohttp application: routes, middlewares and background tasks."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import HttpVersion11, hdrs, web

import forstcore
from forstcore import _proc, wire
from forstcore.loading import Loader
from server.api.openapi import describe
from server.api.pipelines import control_pipeline, list_pipelines
from server.api.process import (
    ProcessorResource,
    large_dataset_stream,
    list_processors,
    over_web_socket,
    run_processor,
    streaming_process,
)
from server.api.publish import publish
from server.api.sources import list_sources
from server.api.subscribe import SUBSCRIPTION, real_time_process, watch_events
from server.api.tickets import issue_ticket
from server.background import keep_running
from server.config import ServerConfig
from server.dashboard import add_dashboard
from server.errors import SERVER_NAME, Handler, ProblemError, problem_middleware, problem_response
from server.http.access import ACCESS_POLICY, AccessPolicy
from server.http.compression import CODINGS
from server.http.connections import Connection
from server.http.forwarded import Forwarded
from server.http.preferences import prefers_openmetrics, vary
from server.http.request_names import check_names
from server.live.feed_registry import FEEDS, FeedRegistry, worker_number
from server.live.kept_writers import WRITERS, KeptWriters
from server.observe.metrics_files import METRICS_VARIABLE
from server.pipelines.registry import PIPELINES, PipelineRegistry
from server.process.memory import return_freed_memory
from server.process.reload_processors import reload_changed_processors
from server.streams.registry import REGISTRY, StreamRegistry
from server.streams.request_body import check_body

__all__ = ["build_app"]

_SOCKETS = {
    "/streaming-process": over_web_socket(streaming_process),
    "/large-dataset-stream": over_web_socket(large_dataset_stream),
}
_RUN_OVER_SOCKET = over_web_socket(run_processor)

_STREAM = (wire.FILTER_PARAMETER,)
_QUERIES: dict[Handler, tuple[str, ...]] = {
    **dict.fromkeys((streaming_process, large_dataset_stream, run_processor), _STREAM),
    **dict.fromkeys((*_SOCKETS.values(), _RUN_OVER_SOCKET), (*_STREAM, *wire.QUERY_PARAMETERS)),
    watch_events: (*SUBSCRIPTION, *wire.QUERY_PARAMETERS),
}
"""The query parameters of the endpoints that have any."""

_METRICS_INTERVAL = 5.0  # Seconds between updates of the metrics that processes share.


def build_app(config: ServerConfig) -> web.Application:
    """Build the aiohttp application.

    Args:
        config: the configuration; the listening options are ignored.

    Raises:
        LoadError: the processors cannot be loaded, or one has a path of the server.
        SourceError: the configuration of a source is invalid.
        PipelineConfigError: the configuration of a pipeline is invalid.
    """
    policy = AccessPolicy(config)
    forwarded = Forwarded(config.trusted_proxy)
    loader = Loader(config.processors, again=config.reload)
    registry = StreamRegistry(config, loader)

    @web.middleware
    async def access_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if isinstance(request.protocol, Connection):
            request.protocol.request_received()
        preflight = policy.preflight(request)
        if preflight is not None:
            return preflight
        try:
            policy.check(request, takes_ticket=wire.TICKET_PARAMETER in _parameters(request))
        except ProblemError as error:
            # Its framing or its sender cannot be trusted, and neither can the bytes after it.
            return error.response(is_last=True)
        try:
            _check_names(request)
            return await handler(forwarded.resolve(request))
        except web.HTTPNotFound:
            if policy.is_authorized(request):
                raise
            raise ProblemError(404, f"there is no {request.path!r} here") from None

    async def allow_origin(request: web.Request, response: web.StreamResponse) -> None:
        response.headers[hdrs.SERVER] = SERVER_NAME
        policy.add_cors(request, response.headers)

    async def close_before_shutdown(request: web.Request, response: web.StreamResponse) -> None:
        # Kept alive, the connection would be reset at the end of the shutdown, perhaps just when
        # the client sends its next request.
        if registry.leaving and response.status != 101:
            response.headers[hdrs.CONNECTION] = "close"
            response.force_close()

    async def expect(request: web.Request) -> web.StreamResponse | None:
        # aiohttp answers "Expect" before middlewares run, so check the request here.
        try:
            policy.check(request)
            _check_names(request)
            registry.check_room()
            check_body(request, config)
        except ProblemError as error:
            return error.response(is_last=True)
        if request.headers[hdrs.EXPECT].lower() != "100-continue":
            return problem_response(417, "the only supported expectation is 100-continue")
        if request.version < HttpVersion11:
            # HTTP/1.0 has no interim responses: the client would take it for the final one.
            return None
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # The interim response must not count towards the size of the response.
        request.writer.output_size = 0
        return None

    app = web.Application(middlewares=[problem_middleware, access_middleware])
    app[REGISTRY] = registry
    app[ACCESS_POLICY] = policy
    app[FEEDS] = FeedRegistry(config, registry.threads)
    app[WRITERS] = KeptWriters(config)
    app[PIPELINES] = PipelineRegistry(config, worker_number(), app[FEEDS].sources)
    app.on_response_prepare.append(allow_origin)
    app.on_response_prepare.append(close_before_shutdown)
    if config.processes > 1:
        # A single process updates its metrics on request.
        app.cleanup_ctx.append(_keep_metrics_fresh)
    app.cleanup_ctx.append(_close_sources)
    app.cleanup_ctx.append(return_freed_memory)
    app.router.add_post("/streaming-process", streaming_process, expect_handler=expect)
    app.router.add_post("/large-dataset-stream", large_dataset_stream, expect_handler=expect)
    app.router.add_post("/real-time-process", real_time_process, expect_handler=expect)
    for path, answer in _SOCKETS.items():
        app.router.add_get(path, answer, allow_head=False)
    app.router.add_get("/real-time-process", watch_events, allow_head=False)
    app.router.add_post("/tickets", issue_ticket, expect_handler=expect)
    app.router.add_get("/sources", list_sources)
    app.router.add_post("/sources/{name}", publish, expect_handler=expect)
    app.router.add_get("/processors", list_processors)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _readyz)
    app.router.add_get("/version", _version)
    app.router.add_get("/metrics", _metrics)
    app.router.add_get("/openapi.json", describe)
    if config.pipeline_file:
        app.router.add_get("/pipelines", list_pipelines)
        app.router.add_post("/pipelines/{name}/{action}", control_pipeline, expect_handler=expect)
        app.cleanup_ctx.append(_run_pipelines)
    if config.dashboard:
        add_dashboard(app)
    loader.load({resource.canonical.removeprefix("/") for resource in app.router.resources()})
    app[PIPELINES].load()
    resource = ProcessorResource(registry)
    app.router.register_resource(resource)
    resource.add_route("POST", run_processor, expect_handler=expect)
    resource.add_route("GET", _RUN_OVER_SOCKET)
    # Added last. Without it, aiohttp's own answer to "Expect" would reveal which paths exist.
    nowhere = _Nowhere("/{path:.*}")
    app.router.register_resource(nowhere)
    nowhere.add_route("*", _refuse_path, expect_handler=expect)
    if config.reload:
        app.cleanup_ctx.append(reload_changed_processors)
    return app


def _parameters(request: web.Request) -> tuple[str, ...]:
    return _QUERIES.get(request.match_info.handler, ())


def _check_names(request: web.Request) -> None:
    if request.match_info.handler is not _refuse_path:
        check_names(request, _parameters(request))


async def _keep_metrics_fresh(app: web.Application) -> AsyncIterator[None]:
    async def refresh() -> None:
        while True:
            await asyncio.sleep(_METRICS_INTERVAL)
            _update_metrics(app)

    async with keep_running("keeping metrics fresh", refresh, app[REGISTRY].metrics.failed):
        yield


def _update_metrics(app: web.Application) -> None:
    registry = app[REGISTRY]
    registry.update_metrics()
    registry.metrics.update_process()
    app[PIPELINES].update_metrics(registry.metrics)


async def _run_pipelines(app: web.Application) -> AsyncIterator[None]:
    pipelines = app[PIPELINES]
    shared = app[REGISTRY].config.processes > 1
    # The metrics' directory is that of this server alone, and removed with its last process.
    await pipelines.start(Path(os.environ[METRICS_VARIABLE], "pipelines") if shared else None)
    failed = app[REGISTRY].metrics.failed
    async with (
        keep_running("measuring pipelines", pipelines.measure, failed),
        keep_running("taking pipelines", pipelines.take, failed),
    ):
        yield
    await pipelines.close()


async def _close_sources(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[WRITERS].close()
    await app[FEEDS].close()


class _Nowhere(web.DynamicResource):
    """The catch-all resource for unknown paths."""

    paths = ()


async def _refuse_path(request: web.Request) -> web.StreamResponse:
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if not isinstance(resource, _Nowhere):
            allowed |= (await resource.resolve(request))[1]
    if allowed:
        raise web.HTTPMethodNotAllowed(request.method, allowed)
    raise web.HTTPNotFound


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _readyz(request: web.Request) -> web.Response:
    request.app[REGISTRY].check_ready()
    return web.json_response({"status": "ready"})


async def _version(_request: web.Request) -> web.Response:
    return web.json_response(
        {
            "forstcore": forstcore.__version__,
            "python": platform.python_version(),
            "aiohttp": aiohttp.__version__,
            "scan_path": _proc.scan_path(),
            "codings": CODINGS,
        }
    )


async def _metrics(request: web.Request) -> web.Response:
    registry = request.app[REGISTRY]
    _update_metrics(request.app)
    accept = ",".join(request.headers.getall(hdrs.ACCEPT, []))
    body, content_type = registry.metrics.render(is_openmetrics=prefers_openmetrics(accept))
    response = web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})
    vary(response.headers, hdrs.ACCEPT)
    return response
