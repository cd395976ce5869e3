"""Records to stream, and checks of what is left of streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from forstcore import (
    RetryConfig,
    StreamingConfig,
    StreamingRecord,
)

__all__ = ["ENDPOINT", "QUICK", "collect", "endless", "nothing_is_left", "record", "silent"]

ENDPOINT = "/streaming-process"
QUICK = StreamingConfig(retry=RetryConfig(attempts=3, delay=0.01), timeout=5)


def record(number: int) -> StreamingRecord:
    return {"id": str(number), "data": "x"}


async def endless() -> AsyncIterator[StreamingRecord]:
    number = 0
    while True:
        yield record(number)
        number += 1
        await asyncio.sleep(0)


async def silent() -> AsyncIterator[StreamingRecord]:
    yield record(0)
    await asyncio.Event().wait()


async def collect(stream: Any, into: list[Any] | None = None) -> list[Any]:
    got = [] if into is None else into
    async for each in stream:
        got.append(each)
    return got


async def nothing_is_left() -> None:
    """Wait until no task runs but this one."""
    for _ in range(50):
        if asyncio.all_tasks() == {asyncio.current_task()}:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"tasks are left: {asyncio.all_tasks()}")
