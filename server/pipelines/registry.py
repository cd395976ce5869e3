"""The pipelines of a server, which run from its start to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web

from forstcore.config import options_of
from forstcore.loading import Loader
from forstcore.pipelines import Pipeline, load_pipelines, take_processors
from server.config import ServerConfig
from server.observe.metrics import Metrics
from server.pipelines.managed_pipeline import ManagedPipeline

__all__ = ["PIPELINES", "PipelineRegistry"]

_LOGGER = logging.getLogger("forstcore")

_INTERVAL = 1.0  # Seconds between measurements of rates.

_SERVER_KEYS = frozenset(
    name
    for declared, _, _ in options_of(ServerConfig)
    for name in (declared.name, declared.name.replace("_", "-"))
) | {"sources"}


class PipelineRegistry:
    """The pipelines that the server's TOML file declares.

    Args:
        config: names the file, and the time for pipelines to end at shutdown.

    Attributes:
        pipelines: the pipelines by name; empty if there are none, or before `load`.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self.pipelines: Mapping[str, ManagedPipeline] = {}

    def load(self) -> None:
        """Make the pipelines; the processors have to be loaded before.

        Raises:
            PipelineConfigError: something is wrong with them.
            OSError: the file cannot be read.
        """
        path = self._config.pipeline_file
        if path is not None:
            self.pipelines = {
                pipeline.config.name: ManagedPipeline(
                    pipeline, partial(_load, path, pipeline.config.name)
                )
                for pipeline in load_pipelines(path, (), _SERVER_KEYS)
            }

    def start(self) -> None:
        """Start all pipelines."""
        for pipeline in self.pipelines.values():
            pipeline.start()

    async def close(self) -> None:
        """Stop all pipelines, within `drain_timeout`."""
        seconds = self._config.drain_timeout
        await asyncio.gather(*(each.close(seconds) for each in self.pipelines.values()))

    async def measure(self) -> None:
        """Measure the rates and the lag of all pipelines, for ever."""
        while True:
            await asyncio.gather(*(each.measure() for each in self.pipelines.values()))
            await asyncio.sleep(_INTERVAL)

    def take_processors(self, loader: Loader) -> None:
        """Have the pipelines process what comes next with processors that were reloaded."""
        pipelines = (each.pipeline for each in self.pipelines.values())
        take_processors(loader, pipelines, _LOGGER.error)

    def documents(self) -> list[dict[str, Any]]:
        """Describe all pipelines, by name."""
        return [each.document() for _, each in sorted(self.pipelines.items())]

    def update_metrics(self, metrics: Metrics) -> None:
        """Set the metrics of the pipelines."""
        for name, pipeline in self.pipelines.items():
            totals = pipeline.totals()
            metrics.set("pipeline_running", pipeline.is_running, name)
            metrics.set("pipeline_lag", pipeline.lag.amount if pipeline.lag else 0, name)
            for counter in ("results", "errors", "bytes_in"):
                metrics.set(f"pipeline_{counter}", totals[counter], name)


def _load(path: str, name: str) -> Pipeline:
    (pipeline,) = load_pipelines(path, (name,), _SERVER_KEYS)
    return pipeline


PIPELINES = web.AppKey("PIPELINES", PipelineRegistry)
