"""Live updates of the dashboard: one JSON line per second, shared by all viewers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncGenerator, Mapping

from aiohttp import web

import forstcore
from forstcore import _proc
from forstcore.wire import COUNTERS
from server.background import keep_running
from server.dashboard.figures import Figures, Point
from server.dashboard.processors import Processors
from server.dashboard.streams import Streams
from server.errors import ProblemError
from server.live.feed_registry import FeedRegistry
from server.live.source_list import SourceList
from server.pipelines.registry import PipelineRegistry
from server.streams.registry import StreamRegistry

__all__ = ["News"]

_LIVE = 1.0  # Seconds between two lines.
_QUIET = 5.0  # Seconds between two points of the history while there are no viewers.
_TURNS = 4  # Measurements of the event loop's latency per line, which contains the maximum.
_MOST_VIEWERS = 100
_BUILT_IN = ("/streaming-process", "/large-dataset-stream")


class News:
    """Sample the process periodically, and send updates to all viewers.

    A slow viewer skips lines: it always gets only the latest one.

    Args:
        registry: the open streams.
        feeds: the sources.
        pipelines: the pipelines.
    """

    def __init__(
        self, registry: StreamRegistry, feeds: FeedRegistry, pipelines: PipelineRegistry
    ) -> None:
        self._registry = registry
        self._figures = Figures(registry)
        self._streams = Streams(registry)
        self._sources = SourceList(registry, feeds)
        self._processors = Processors(registry)
        self._pipelines = pipelines
        self._viewers = 0
        self._came = asyncio.Event()
        self._told = asyncio.Event()
        self._line = b""
        self._ended = False

    async def run(self, _app: web.Application) -> AsyncGenerator[None, None]:
        """Sample for as long as the application runs; for its `cleanup_ctx`."""
        failed = self._registry.metrics.failed
        async with keep_running("sampling for the dashboard", self._look_on, failed):
            yield

    async def end(self, _app: web.Application) -> None:
        """End the streams of all viewers when the application shuts down."""
        self._ended = True
        self._told.set()

    def check_room(self) -> None:
        """Raise ProblemError 503 if the maximum number of viewers is reached."""
        if self._viewers >= _MOST_VIEWERS:
            raise ProblemError(
                503,
                f"{_MOST_VIEWERS} dashboard pages are already open",
                headers={"Retry-After": "10"},
                reason="too_many_viewers",
            )

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Yield a line with the history, then a line per second."""
        self._viewers += 1
        if self._viewers == 1:
            self._came.set()
        try:
            yield self._greeting()
            while not self._ended:
                await self._told.wait()
                if not self._ended:
                    yield self._line
        finally:
            self._viewers -= 1
            if not self._viewers:
                self._streams.forget()

    async def _look_on(self) -> None:
        while True:
            turn = 0.0
            if self._viewers:
                for _ in range(_TURNS):
                    await asyncio.sleep(_LIVE / _TURNS)
                    turn = max(turn, await _turn())
                await self._tell(self._figures.look(turn))
                continue
            self._came.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_QUIET):
                    await self._came.wait()
            self._figures.look(await _turn())

    async def _tell(self, point: Point) -> None:
        metrics = self._registry.metrics
        self._line = _dumped(
            {
                "point": point,
                "streams": self._streams.look(),
                "sources": [_source_row(each) for each in self._sources.documents()],
                "processors": self._processors.look(),
                "pipelines": await self._pipelines.documents(),
                "errors": metrics.errors_by_code(),
                "totals": {name: int(metrics.total(name)) for name in COUNTERS},
                "draining": self._registry.draining,
                "viewers": self._viewers,
            }
        )
        news, self._told = self._told, asyncio.Event()
        news.set()

    def _greeting(self) -> bytes:
        config = self._registry.config
        return _dumped(
            {
                "server": {
                    "version": forstcore.__version__,
                    "scan_path": _proc.scan_path(),
                    "process": os.getpid(),
                    "processes": config.processes,
                    "max_streams": config.max_streams,
                },
                "endpoints": _BUILT_IN,
                "processors": self._processors.look(),
                "columns": Point._fields,
                "history": list(self._figures.points),
                "time": time.time(),
            }
        )


async def _turn() -> float:
    """Measure the latency of the event loop in seconds."""
    started = time.perf_counter()
    await asyncio.sleep(0)
    return time.perf_counter() - started


def _source_row(source: Mapping[str, object]) -> dict[str, object]:
    """Return what the dashboard shows of a source."""
    return {
        "name": source["name"],
        "kind": str(source["url"]).partition(":")[0],
        "state": source["trouble"] or source["state"],
        "subscribers": source["subscribers"],
        "missed": source["missed"],
    }


def _dumped(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
