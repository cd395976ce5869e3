"""Reloading processors when their files change, for development."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

from aiohttp import web

from forstcore.errors import LoadError
from forstcore.loading import CHECK_INTERVAL
from server.background import keep_running
from server.live.feed_registry import worker_number
from server.pipelines.registry import PIPELINES, PipelineRegistry
from server.process.reload_reports import Message, change_reporter
from server.streams.registry import REGISTRY, StreamRegistry

__all__ = ["reload_changed_processors", "report_compilation"]

_LOGGER = logging.getLogger("forstcore")


async def reload_changed_processors(app: web.Application) -> AsyncIterator[None]:
    """Reload the processors whenever one of their files has changed.

    New streams use the new ones, and pipelines switch to them between batches.
    """
    registry = app[REGISTRY]
    report = change_reporter(registry.config.processes)
    run = partial(_run, registry, app[PIPELINES], report)
    async with keep_running("reloading processors", run, registry.metrics.failed):
        yield


def report_compilation(registry: StreamRegistry, *, is_logged: bool = True) -> None:
    """Compile the processors; report to the metrics, and optionally the log, which compile."""
    for name, processor in sorted(registry.processors.items()):
        report = processor.compilation_report
        registry.metrics.set("processor_compiled", report.compiled, name)
        if is_logged and processor.kind != "native":
            _LOGGER.info("processor %r: %s", name, report)


async def _run(
    registry: StreamRegistry,
    pipelines: PipelineRegistry,
    report: Callable[[int, Sequence[Message]], object],
) -> None:
    loader = registry.loader
    count = 0
    while True:
        await asyncio.sleep(CHECK_INTERVAL)
        if not loader.has_changed():
            continue
        count += 1
        try:
            await asyncio.to_thread(loader.reload)
        except LoadError as error:
            text = f"{error}; new streams use the previous processors"
            report(count, [Message(logging.ERROR, text)])
        else:
            text = f"reloaded processors: {', '.join(sorted(loader.processors))}"
            report(count, [Message(logging.INFO, text)])
            report_compilation(registry, is_logged=worker_number() == 1)
            pipelines.take_processors(loader)
