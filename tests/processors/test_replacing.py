"""Replacing the processor of an engine while it runs."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from forstcore.engine import Engine
from forstcore.processors import as_processor
from tests.processors.engines import engine_for, until

COUNT = 6000


def compiled(record: dict[str, Any]) -> dict[str, Any]:
    return {"by": "compiled", "n": record["n"]}


def python(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"by": "python", "n": record["n"], "process": os.getpid()}]


async def waiting(record: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"by": "waiting", "n": record["n"]}


def many(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return so much that batches pause."""
    yield {"by": "many", "n": record["n"]}
    for _ in range(20):
        yield {"more": "x" * 100, "process": os.getpid()}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (compiled, python, waiting, many)
}


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize(
    "order",
    [("compiled", "python"), ("python", "waiting", "compiled"), ("waiting", "many", "waiting")],
)
def test_each_record_is_processed_once_and_in_order(order: tuple[str, ...], workers: int) -> None:
    processors = [as_processor(FUNCTIONS[name]) for name in order]
    step = COUNT // (3 * len(order))

    async def run() -> list[dict[str, Any]]:
        with engine_for(FUNCTIONS[order[0]], workers=workers) as engine:

            async def source() -> AsyncGenerator[bytes, None]:
                for place, first in enumerate(range(0, COUNT, step)):
                    # Between two lines of a batch, and of a piece that was split into lines.
                    engine.replace_processor(processors[min(place // 3, len(order) - 1)])
                    numbers = range(first, min(COUNT, first + step))
                    yield b"".join(b'{"n":%d}\n' % number for number in numbers)
                    await asyncio.sleep(0)

            output = b"".join([part async for part in engine.run(source())])
            assert engine.records == engine.lines == COUNT
            assert engine.seconds > 0
            return [json.loads(line) for line in output.splitlines()]

    found = [each for each in asyncio.run(run()) if "n" in each]
    assert [each["n"] for each in found] == list(range(COUNT))
    # Some may be replaced before they have processed anything.
    left = iter(order)
    assert all(name in left for name, _ in groupby(each["by"] for each in found))


def test_an_engine_that_waits_takes_it_at_once() -> None:
    async def run() -> bytes:
        engine = Engine(as_processor(python), None)

        async def source() -> AsyncGenerator[bytes, None]:
            await asyncio.sleep(0)
            engine.replace_processor(as_processor(compiled))
            yield b'{"n":1}\n'

        return b"".join([part async for part in engine.run(source())])

    assert asyncio.run(run()) == b'{"by":"compiled","n":1}\n'


def test_worker_processes_end_with_their_processor() -> None:
    def process_of(output: bytes) -> int:
        return int(json.loads(output)["process"])

    async def run() -> None:
        with engine_for(python, workers=1, worker_kind="processes") as engine:
            may_go_on = asyncio.Event()

            async def source() -> AsyncGenerator[bytes, None]:
                yield b'{"n":1}\n'
                await may_go_on.wait()
                engine.replace_processor(as_processor(compiled))
                yield b'{"n":2}\n'
                await until(lambda: not Path(f"/proc/{process}").exists())

            results = engine.run(source())
            process = process_of(await anext(results))
            assert process != os.getpid()
            may_go_on.set()
            output = b"".join([part async for part in results])
            assert output == b'{"by":"compiled","n":2}\n'

    asyncio.run(run())
