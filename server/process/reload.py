"""Processors that are loaded again when their files change, for development."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from forstcore.errors import LoadError
from forstcore.loading import Loader
from server.background import keep_running
from server.streams.registry import REGISTRY

__all__ = ["keep_processors_fresh"]

_LOGGER = logging.getLogger("forstcore")
_INTERVAL = 0.5  # Seconds between two looks at the files.


async def keep_processors_fresh(app: web.Application) -> AsyncIterator[None]:
    """Load the processors again whenever a file of theirs has changed, for new streams."""
    registry = app[REGISTRY]
    watch = partial(_watch, registry.loader)
    async with keep_running("watching processors", watch, registry.metrics.failed):
        yield


async def _watch(loader: Loader) -> None:
    while True:
        await asyncio.sleep(_INTERVAL)
        if not loader.has_changed():
            continue
        try:
            await asyncio.to_thread(loader.reload)
        except LoadError as error:
            _LOGGER.error("%s; new streams go on with what was there before", error)
        else:
            _LOGGER.info("processors loaded again: %s", ", ".join(sorted(loader.processors)))
