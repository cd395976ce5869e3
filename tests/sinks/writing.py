"""Writing to a sink, in a separate event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from forstcore.sinks import Output, Sink, SinkLimits, Writer, open_sink
from forstcore.sources import open_source

__all__ = ["opened", "outputs", "run", "until", "write"]


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario, which must leave no task behind."""

    async def bounded() -> None:
        async with asyncio.timeout(120):
            await scenario()
            # Cancelled tasks end slightly later.
            while asyncio.all_tasks() != {asyncio.current_task()}:  # noqa: ASYNC110 (no event)
                await asyncio.sleep(0.01)

    asyncio.run(bounded())


@asynccontextmanager
async def opened(url: str, limits: SinkLimits | None = None) -> AsyncIterator[tuple[Sink, Writer]]:
    """Open a sink and its writer."""
    sink = open_sink("out", url, limits)
    source = open_source("in", "memory:")
    reader = source.open("now")
    writer = await sink.open(None)
    try:
        yield sink, writer
    finally:
        await writer.close()
        await sink.close()
        await reader.close()
        await source.close()


def outputs(first: int, end: int, size: int = 10) -> list[Output]:
    """Return outputs of so many results, which are numbers; each output has an offset."""
    return [
        Output(
            b"".join(b'{"n":%d}\n' % number for number in range(begin, min(begin + size, end))),
            str(min(begin + size, end)),
        )
        for begin in range(first, end, size)
    ]


async def write(writer: Writer, *some: Output) -> list[Awaitable[None]]:
    """Write outputs; return the awaitables of their confirmations."""
    return [await writer.write(output) for output in some]


async def until(holds: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    while not holds():  # noqa: ASYNC110 (it may be anything)
        await asyncio.sleep(0.01)
