"""The pipelines of a server, which start and stop with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from forstcore.errors import PipelineConfigError
from forstcore.loading import Loader
from forstcore.pipelines import Pipeline, load_pipelines, take_processors
from forstcore.sources import Source
from forstcore.sources._published import PublishedSource
from forstcore.sources.memory import MemorySource
from server.config import TOML_KEYS, ServerConfig
from server.errors import ProblemError
from server.observe.metrics import Metrics
from server.pipelines.managed_pipeline import Action, ManagedPipeline
from server.pipelines.peers import Message
from server.pipelines.sharing import SharedPipelines

__all__ = ["PIPELINES", "PipelineRegistry"]

_LOGGER = logging.getLogger("forstcore")

_INTERVAL = 1.0  # Seconds between measurements of rates.


class PipelineRegistry:
    """The pipelines that the server's TOML file declares, and those of them that run here.

    With several processes each pipeline runs in one of them, and each process describes and
    controls all pipelines.

    Args:
        config: names the file, and the time limit for pipelines to end at shutdown.
        worker: the number of this process, counted from 1, if there are several.
        sources: the server's sources; pipelines may read those in memory.
    """

    def __init__(self, config: ServerConfig, worker: int, sources: Mapping[str, Source]) -> None:
        self._config = config
        self._sources = sources
        self._published: dict[tuple[str, str], PublishedSource] = {}
        self._worker = worker
        self._pipelines: Mapping[str, ManagedPipeline] = {}
        self._own: dict[str, ManagedPipeline] = {}
        self._shared: SharedPipelines | None = None
        self._is_leaving = False

    def load(self) -> None:
        """Create the pipelines; the processors must be loaded first.

        Raises:
            PipelineConfigError: a declaration is invalid.
            OSError: the file cannot be read.
        """
        path = self._config.pipeline_file
        if path is not None:
            self._pipelines = {
                pipeline.config.name: ManagedPipeline(
                    pipeline, partial(self._load_one, path, pipeline.config.name)
                )
                for pipeline in load_pipelines(path, (), TOML_KEYS, self._memory)
            }

    async def start(self, directory: Path | None) -> None:
        """Start the pipelines.

        Args:
            directory: shared by several processes; None if there is only one.

        Raises:
            OSError: the directory is not writable.
        """
        if directory is None:
            self._own = dict(self._pipelines)
            for pipeline in self._own.values():
                pipeline.start()
            return
        self._shared = SharedPipelines(
            directory, self._worker, self._config.processes, [*self._pipelines], self._answer
        )
        await self._shared.start()

    def leave(self) -> None:
        """Stop taking over pipelines of processes that end."""
        self._is_leaving = True

    async def close(self) -> None:
        """Stop all pipelines, within `drain_timeout`."""
        self.leave()
        seconds = self._config.drain_timeout
        await asyncio.gather(*(each.close(seconds) for each in self._own.values()))
        if self._shared is not None:
            await self._shared.close()

    async def measure(self) -> None:
        """Measure the rates and the lag of the pipelines that run here, until cancelled."""
        while True:
            await asyncio.gather(*(each.measure() for each in self._own.values()))
            await asyncio.sleep(_INTERVAL)

    async def take(self) -> None:
        """Take over pipelines that no process runs, until this one ends."""
        if self._shared is not None:
            await self._shared.take(self._begin, lambda: self._is_leaving)

    def take_processors(self, loader: Loader) -> None:
        """Have the pipelines process further records with the reloaded processors."""
        pipelines = (each.pipeline for each in self._pipelines.values())
        take_processors(loader, pipelines, _LOGGER.error)

    async def documents(self) -> list[dict[str, Any]]:
        """Describe all pipelines, by name."""
        found = {name: each.document() for name, each in self._own.items()}
        if self._shared is not None:
            for answer in await self._shared.ask({}):
                found |= {each["name"]: each for each in answer["pipelines"]}
        for name, pipeline in self._pipelines.items():
            if name not in found:
                found[name] = pipeline.document() | {"state": "waiting"}
        return [document for _, document in sorted(found.items())]

    async def control(self, name: str, action: Action) -> dict[str, Any]:
        """Start, pause or stop a pipeline in whichever process runs it; return its description.

        Raises:
            ProblemError: there is none of that name, its file is invalid, or no process answers.
        """
        if name not in self._pipelines:
            known = ", ".join(sorted(self._pipelines))
            raise ProblemError(404, f"there is no pipeline {name!r}; there are: {known}")
        if name in self._own:
            return self._control(name, action)
        if self._shared is not None:
            for answer in await self._shared.ask({"name": name, "action": action}):
                if "problem" in answer:
                    raise ProblemError(*answer["problem"])
                for document in answer["pipelines"]:
                    return dict(document)
        raise ProblemError(
            503,
            f"no process runs the pipeline {name!r} at the moment",
            headers={"Retry-After": "2"},
        )

    def update_metrics(self, metrics: Metrics) -> None:
        """Set the metrics of the pipelines that run here."""
        for name, pipeline in self._own.items():
            totals = pipeline.totals()
            metrics.set("pipeline_running", pipeline.is_running, name)
            metrics.set("pipeline_lag", pipeline.lag.amount if pipeline.lag else 0, name)
            for counter in ("results", "errors", "bytes_in"):
                metrics.set(f"pipeline_{counter}", totals[counter], name)

    def _load_one(self, path: str, name: str) -> Pipeline:
        (pipeline,) = load_pipelines(path, (name,), TOML_KEYS, self._memory)
        return pipeline

    def _memory(self, pipeline: str, source: str) -> PublishedSource:
        """Return a pipeline's reader of a source in memory: the same one when it is restarted."""
        memory = self._sources.get(source)
        if not isinstance(memory, MemorySource):
            names = sorted(n for n, each in self._sources.items() if isinstance(each, MemorySource))
            known = ", ".join(f"memory:{name}" for name in names) or "none"
            raise LookupError(f"there is no source memory:{source}; there are: {known}")
        key = pipeline, source
        if key not in self._published:
            self._published[key] = PublishedSource(memory)
        return self._published[key]

    def _begin(self, name: str, wanted: str) -> None:
        """Run a pipeline that this process has taken over."""
        pipeline = self._own[name] = self._pipelines[name]
        _LOGGER.info("pipeline %s: runs in process %d", name, self._worker)
        pipeline.begin(wanted)

    def _control(self, name: str, action: Action) -> dict[str, Any]:
        pipeline = self._own[name]
        try:
            if self._shared is not None:
                self._shared.want(name, action)
            pipeline.control(action)
        except (PipelineConfigError, LookupError, OSError) as error:
            raise ProblemError(409, f"its file was changed: {error}") from None
        return pipeline.document()

    async def _answer(self, request: Message) -> Message:
        """Answer another process: describe or control pipelines that run here."""
        if not request:
            return {"pipelines": [each.document() for each in self._own.values()]}
        if request["name"] not in self._own:
            return {"pipelines": []}
        try:
            return {"pipelines": [self._control(request["name"], request["action"])]}
        except ProblemError as error:
            return {"problem": [error.status, error.detail]}


PIPELINES = web.AppKey("PIPELINES", PipelineRegistry)
