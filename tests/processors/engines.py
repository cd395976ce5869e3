"""Engines, records for them, and a counter of concurrent calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

from forstcore.engine import Engine
from forstcore.processors import as_processor

__all__ = [
    "Gauge",
    "collect",
    "collect_into",
    "engine_for",
    "ids",
    "numbered",
    "source_of",
    "until",
]


def numbered(count: int) -> bytes:
    return b"".join(b'{"id":%d}\n' % number for number in range(count))


def ids(output: bytes) -> list[int]:
    return [json.loads(line)["id"] for line in output.splitlines()]


async def source_of(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


@contextlib.contextmanager
def engine_for(function: Any, **options: Any) -> Iterator[Engine]:
    """Create an engine and its threads, which must all be idle at the end."""
    with ThreadPoolExecutor(options.get("workers", 10)) as threads:
        yield Engine(as_processor(function), threads, **options)


async def collect(engine: Engine, source: AsyncIterator[bytes]) -> bytes:
    parts: list[bytes] = []
    await collect_into(parts, engine, source)
    return b"".join(parts)


async def collect_into(parts: list[bytes], engine: Engine, source: AsyncIterator[bytes]) -> None:
    async with aclosing(engine.run(source)) as outputs:
        async for output in outputs:
            parts.append(output)


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it does not happen"
        await asyncio.sleep(0.01)


class Gauge:
    """Count concurrent calls."""

    def __init__(self) -> None:
        self.now = self.most = self.total = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.total += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1
