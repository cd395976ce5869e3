"""`forstcore bench`: a short benchmark of this machine."""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

import click

from forstcore import _proc
from forstcore._plural import plural
from forstcore.cli import _options
from forstcore.config import StreamLimits
from forstcore.engine import Engine
from forstcore.processors import BUILT_IN

__all__ = ["command"]

_BLOCK = 1 << 16
_WORDS = ("sensor", "reading", "order", "shipped", "pressure", "valve", "normal", "overdue")


@click.command()
@click.option(
    "--size",
    metavar="MB",
    type=click.IntRange(1, 4096),
    default=64,
    show_default=True,
    help="How much each run processes.",
)
@click.option(
    "--runs",
    metavar="N",
    type=click.IntRange(1, 100),
    default=5,
    show_default=True,
    help="Runs of each; the median is printed.",
)
@click.option(
    "--workers",
    metavar="N",
    **_options.declared(StreamLimits, "workers") | {"default": os.cpu_count() or 1},
    help="Workers of the engine. Default: one for each core.",
)
def command(size: int, runs: int, workers: int) -> None:
    """Measure the core, the engine and comparable code on this machine.

    Records have 110 bytes on average and are in memory: no disk and no network are measured.
    Runs are interleaved; the median and the range are printed.
    """
    blocks = _blocks(size * 1_000_000)
    total = sum(map(len, blocks))
    lines = sum(block.count(b"\n") for block in blocks)
    print(
        f"{total / 1e6:.0f} MB, {lines:,} {plural(lines, 'record')}, "
        f"{runs} {plural(runs, 'run')}, scan path {_proc.scan_path()}"
    )
    contestants: dict[str, Callable[[], None]] = {
        "the core, one thread": lambda: _core(blocks),
        f"the engine, {workers} {plural(workers, 'worker')}": lambda: _engine(blocks, workers),
        "memcpy, one thread": lambda: _copy(blocks),
    }
    # Pure Python is about a hundred times slower: measure it on a part of the data.
    part = blocks[: max(1, len(blocks) // 32)]
    share = sum(map(len, part)) / total
    contestants["json of Python, one thread"] = lambda: _python(part, json.loads, _dumps)
    try:
        import orjson
    except ImportError:
        pass
    else:
        contestants["orjson, one thread"] = lambda: _python(part, orjson.loads, orjson.dumps)
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(runs):
        for name, run in contestants.items():
            started = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - started)
    for name, seconds in taken.items():
        size_of_run = total * (share if "json" in name else 1.0)
        rates = sorted(size_of_run / 1e6 / second for second in seconds)
        middle = statistics.median(rates)
        print(
            f"{name:28} {middle:10,.0f} MB/s  {middle * lines / total:8.2f} M records/s"
            f"  ({rates[0]:,.0f} to {rates[-1]:,.0f})"
        )


def _blocks(size: int) -> list[bytes]:
    """Return blocks of whole lines, the same on every machine."""
    source = random.Random(4711)
    lines = []
    for number in range(20_000):
        words = " ".join(source.choices(_WORDS, k=source.randint(6, 13)))
        lines.append(b'{"id":"dev:%06d","data":"%s"}\n' % (number, words.encode()))
    blocks: list[bytes] = []
    block: list[bytes] = []
    length = total = 0
    while total < size:
        for line in lines:
            block.append(line)
            length += len(line)
            if length >= _BLOCK:
                blocks.append(b"".join(block))
                total += length
                block, length = [], 0
    return blocks


def _core(blocks: list[bytes]) -> None:
    for block in blocks:
        _proc.process_block(block)


def _copy(blocks: list[bytes]) -> None:
    for block in blocks:
        bytearray(block)


def _engine(blocks: list[bytes], workers: int) -> None:
    async def source() -> AsyncIterator[bytes]:
        for block in blocks:
            yield block

    async def run() -> None:
        with ThreadPoolExecutor(workers) as threads:
            async for _ in Engine(BUILT_IN, threads, workers=workers).run(source()):
                pass

    asyncio.run(run())


def _python(
    blocks: list[bytes], loads: Callable[[bytes], dict[str, str]], dumps: Callable[[object], bytes]
) -> None:
    for block in blocks:
        results = []
        for line in block.splitlines():
            record = loads(line)
            result = {
                "id": record["id"],
                "result": "processed_" + record["data"],
                "status": "success",
            }
            results.append(dumps(result))
        b"\n".join(results)


def _dumps(value: object) -> bytes:
    return json.dumps(value).encode()
