"""Reloading the processors of running pipelines when their files change, for development."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from forstcore.errors import LoadError
from forstcore.loading import CHECK_INTERVAL, Loader
from forstcore.pipelines.pipeline import Pipeline

__all__ = ["reload_processors", "take_processors"]


async def reload_processors(
    loader: Loader, pipelines: Iterable[Pipeline], report: Callable[[str], None]
) -> None:
    """Reload modules whenever one changes, and give pipelines the new processors, until cancelled.

    Args:
        loader: has loaded the modules.
        pipelines: get the new processors.
        report: called with a message about each reload.
    """
    while True:
        await asyncio.sleep(CHECK_INTERVAL)
        if not loader.has_changed():
            continue
        try:
            await asyncio.to_thread(_reload, loader)
        except LoadError as error:
            report(f"{error}; the previous processors are kept")
        else:
            report(f"reloaded processors: {', '.join(sorted(loader.processors))}")
            take_processors(loader, pipelines, report)


def take_processors(
    loader: Loader, pipelines: Iterable[Pipeline], report: Callable[[str], None]
) -> None:
    """Give pipelines the reloaded processors; report which pipelines have lost theirs."""
    for pipeline in pipelines:
        try:
            pipeline.take_processor(loader.processors)
        except LookupError as error:
            report(str(error.args[0]))


def _reload(loader: Loader) -> None:
    for processor in loader.reload().values():
        # Compiles it, in this thread.
        _ = processor.compilation_report
