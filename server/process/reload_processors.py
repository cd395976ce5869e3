"""Reloading processors when their files change, for development."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial

from aiohttp import web

from forstcore.errors import LoadError
from forstcore.loading import Loader
from forstcore.processors import Processor
from server.background import keep_running
from server.streams.registry import REGISTRY

__all__ = ["log_compilation", "reload_changed_processors"]

_LOGGER = logging.getLogger("forstcore")
_INTERVAL = 0.5  # Seconds between two checks of the files.


async def reload_changed_processors(app: web.Application) -> AsyncIterator[None]:
    """Reload the processors for new streams whenever one of their files has changed."""
    registry = app[REGISTRY]
    run = partial(_run, registry.loader)
    async with keep_running("reloading processors", run, registry.metrics.failed):
        yield


def log_compilation(processors: Mapping[str, Processor]) -> None:
    """Compile the processors, and log for each whether that was possible."""
    for name, processor in sorted(processors.items()):
        if processor.kind != "native":
            _LOGGER.info("processor %r: %s", name, processor.compilation_report)


async def _run(loader: Loader) -> None:
    while True:
        await asyncio.sleep(_INTERVAL)
        if not loader.has_changed():
            continue
        try:
            await asyncio.to_thread(loader.reload)
        except LoadError as error:
            _LOGGER.error("%s; new streams use the previous processors", error)
        else:
            _LOGGER.info("reloaded processors: %s", ", ".join(sorted(loader.processors)))
            log_compilation(loader.processors)
