"""The endpoints that process records: `/streaming-process`, and one for each processor."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from forstcore import RecordStream
from forstcore.engine import Engine
from forstcore.processors import BUILT_IN, Processor
from server.errors import Handler
from server.http.request_headers import first_line, on_error, record_filter, result_order
from server.streams.core import CoreStreamHandler
from server.streams.engine import EngineStreamHandler
from server.streams.handler import keep_rejected
from server.streams.registry import REGISTRY, StreamRegistry
from server.streams.web_socket import web_socket_request

__all__ = [
    "ProcessorResource",
    "large_dataset_stream",
    "list_processors",
    "over_web_socket",
    "run_engine",
    "run_processor",
    "streaming_process",
]

_MOST_PLACES = 20  # Places of a processor listed with the records given back there.


async def streaming_process(request: web.Request) -> web.StreamResponse:
    """Answer `POST /streaming-process`: NDJSON in, NDJSON out, at the same time."""
    registry = request.app[REGISTRY]
    stream = RecordStream(
        on_error=on_error(request),
        max_line_size=registry.config.max_line_size,
        first_line=first_line(request),
        filter=record_filter(request),
        keep_rejected=keep_rejected(request, registry),
    )
    return await CoreStreamHandler(request, registry, stream).run()


async def large_dataset_stream(request: web.Request) -> web.StreamResponse:
    """Answer `POST /large-dataset-stream`: the built-in processor, with several workers."""
    return await run_engine(request, BUILT_IN)


async def run_processor(request: web.Request) -> web.StreamResponse:
    """Answer `POST /<name>` for the processor of that name."""
    processors = request.app[REGISTRY].processors
    return await run_engine(request, processors[request.match_info["name"]])


def over_web_socket(answer: Handler) -> Handler:
    """Return a handler of `GET` that does the same over a WebSocket as a handler of `POST`."""

    async def answer_socket(request: web.Request) -> web.StreamResponse:
        # Pages see no reason why a WebSocket is refused: they ask again without an upgrade.
        request.app[REGISTRY].check_room()
        return await answer(web_socket_request(request))

    return answer_socket


async def list_processors(request: web.Request) -> web.Response:
    """Answer `GET /processors`."""
    found = [
        {
            "name": each.name,
            "kind": each.kind,
            "async": each.is_async,
            "input": each.takes,
            "output": each.gives,
            "doc": each.doc,
            **_compilation_of(each),
        }
        for _, each in sorted(request.app[REGISTRY].processors.items())
    ]
    return web.json_response({"processors": found})


def _compilation_of(processor: Processor) -> dict[str, object]:
    """Return whether a processor is compiled, and if not, why."""
    report = processor.compilation_report.without_directories()
    if report.reason is not None:
        return {"compiled": False, "reason": str(report.reason)}
    if processor.compilation is None or not (places := processor.compilation.given_back()):
        return {"compiled": report.compiled}
    given_back = [
        {
            "file": Path(remark.file).name,
            "line": remark.line,
            "column": remark.column,
            "reason": remark.construct,
            "records": records,
        }
        for remark, records in places[:_MOST_PLACES]
    ]
    return {"compiled": True, "given_back": given_back}


class ProcessorResource(web.DynamicResource):
    """The paths of all processors, which may change while the server runs."""

    def __init__(self, registry: StreamRegistry) -> None:
        super().__init__("/{name}")
        self._registry = registry

    async def resolve(
        self, request: web.Request
    ) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        if request.path.removeprefix("/") not in self._registry.processors:
            return None, set()
        return await super().resolve(request)

    @property
    def paths(self) -> list[str]:
        """The current paths."""
        return [f"/{name}" for name in self._registry.processors]


async def run_engine(request: web.Request, processor: Processor) -> web.StreamResponse:
    """Answer a request with the results of a processor, which runs in several workers."""
    registry = request.app[REGISTRY]
    config = registry.config
    engine = Engine(
        processor,
        registry.threads(processor.name),
        on_error=on_error(request),
        max_line_size=config.max_line_size,
        first_line=first_line(request),
        workers=config.workers,
        worker_kind=config.worker_kind,
        buffer_size=config.buffer_size,
        order=result_order(request),
        filter=record_filter(request),
        keep_rejected=keep_rejected(request, registry),
    )
    return await EngineStreamHandler(request, registry, engine, processor.name).run()
