"""Streams that a processor works on, over several workers: one endpoint for each processor."""

from __future__ import annotations

from contextlib import aclosing
from typing import Literal, cast

from aiohttp import web

from forstcore.engine import Engine
from forstcore.processors import BUILT_IN, Processor
from server.errors import ProblemError
from server.exchange import Exchange, drained, first_line, on_error
from server.outlet import Outlet
from server.state import STATE, State
from server.takeover import Takeover

__all__ = ["ProcessorResource", "large_dataset_stream", "list_processors", "run_processor"]


async def large_dataset_stream(request: web.Request) -> web.StreamResponse:
    """Answer `POST /large-dataset-stream`: what the core does, over several workers."""
    return await _process(request, BUILT_IN)


async def run_processor(request: web.Request) -> web.StreamResponse:
    """Answer `POST /<name>` for the processor of that name."""
    processors = request.app[STATE].processors
    return await _process(request, processors[request.match_info["name"]])


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
        }
        for _, each in sorted(request.app[STATE].processors.items())
    ]
    return web.json_response({"processors": found})


class ProcessorResource(web.DynamicResource):
    """The paths of all processors. Which there are may change while the server runs."""

    def __init__(self, state: State) -> None:
        super().__init__("/{name}")
        self._state = state

    async def resolve(
        self, request: web.Request
    ) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        if request.path.removeprefix("/") not in self._state.processors:
            return None, set()
        return await super().resolve(request)

    @property
    def paths(self) -> list[str]:
        """The paths that there are now."""
        return [f"/{name}" for name in self._state.processors]


async def _process(request: web.Request, processor: Processor) -> web.StreamResponse:
    state = request.app[STATE]
    config = state.config
    engine = Engine(
        processor,
        state.threads(processor.name),
        on_error=on_error(request),
        max_line_size=config.max_line_size,
        first_line=first_line(request),
        workers=config.workers,
        buffer_size=config.buffer_size,
        order=_order(request),
    )
    return await EngineExchange(request, state, engine, processor.name).run()


class EngineExchange(Exchange):
    """A stream that an engine processes.

    Reading goes on while workers are busy, as far as the engine has room; results are
    written as they come out of it.
    """

    stream: Engine

    @property
    def core_seconds(self) -> float:
        return self.stream.seconds

    def drain(self) -> None:
        self.stream.end_input(drained())

    async def _process(self, outlet: Outlet, takeover: Takeover | None) -> None:
        async with (
            aclosing(self.intake.pieces()) as pieces,
            aclosing(self.stream.run(pieces)) as outputs,
        ):
            async for output in outputs:
                await outlet.send(outlet.wrapped(output))
                self._check()
        await outlet.end()

    def _at_once(self, piece: memoryview) -> bool:
        if not self.stream.has_room or not self.intake.may_go_at_once():
            return False
        self.intake.count(len(piece))
        self.stream.feed(piece)
        return True

    def _is_processing(self) -> bool:
        return self.stream.is_busy


def _order(request: web.Request) -> Literal["input", "completion"]:
    order = request.headers.get("Forst-Order", "input")
    if order not in ("input", "completion"):
        raise ProblemError(400, f"Forst-Order must be input or completion, not {order!r}")
    return cast("Literal['input', 'completion']", order)
