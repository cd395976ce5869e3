"""Batches with much larger results: produced in parts, same bytes, bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Literal

import pytest

from forstcore import RecordStream
from forstcore.engine import Engine
from forstcore.processors import BUILT_IN, Processor, as_processor

GOOD = b'{"id":"1","data":"x"}\n'
DATA = (b"x\n" * 3000 + GOOD + b"\n") * 40


def same(record: dict[str, object]) -> dict[str, object]:
    return record


def long(record: dict[str, object]) -> list[dict[str, object]]:
    return [{"id": record["id"], "n": n, "pad": "x" * 100} for n in range(50)]


PROCESSORS = [BUILT_IN, as_processor(same)]


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1 << 17):
        yield data[start : start + (1 << 17)]


async def collected(
    processor: Processor,
    data: bytes,
    order: Literal["input", "completion"] = "input",
) -> tuple[Engine, list[bytes], list[int]]:
    with ThreadPoolExecutor(4) as threads:
        engine = Engine(
            processor, threads, on_error="emit", workers=4, order=order, keep_rejected=False
        )
        outputs, lines = [], []
        async with aclosing(engine.run(pieces(data))) as run:
            async for output in run:
                outputs.append(output)
                lines.append(engine.lines)
        return engine, outputs, lines


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda each: each.name)
def test_the_same_bytes_in_small_outputs(processor: Processor) -> None:
    engine, outputs, lines = asyncio.run(collected(processor, DATA))
    if processor is BUILT_IN:
        stream = RecordStream(on_error="emit")
        assert b"".join(outputs) == stream.feed(DATA) + stream.finish()
    assert max(map(len, outputs)) < 1 << 20
    assert (engine.lines, engine.records, engine.errors) == (40 * 3002, 40, 40 * 3000)
    # Each `lines` counts lines whose results are all in what came so far.
    done = 0
    for output, line in zip(outputs, lines, strict=True):
        done += output.count(b"\n")
        assert line - line // 3002 <= done + 1


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda each: each.name)
def test_as_they_come_none_is_lost(processor: Processor) -> None:
    engine, outputs, lines = asyncio.run(collected(processor, DATA, "completion"))
    _, expected, _ = asyncio.run(collected(processor, DATA))
    assert sorted(b"".join(outputs).splitlines()) == sorted(b"".join(expected).splitlines())
    assert (engine.lines, engine.errors) == (40 * 3002, 40 * 3000)
    assert lines == sorted(lines)


def test_long_results_of_functions() -> None:
    engine, outputs, _ = asyncio.run(collected(as_processor(long), GOOD * 2000))
    assert b"".join(outputs).count(b"\n") == 2000 * 50
    assert max(map(len, outputs)) < 1 << 20
    assert engine.results == 2000 * 50


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda each: each.name)
@pytest.mark.parametrize("order", ["input", "completion"])
def test_what_nobody_takes_is_bounded(
    processor: Processor, order: Literal["input", "completion"]
) -> None:
    """If the consumer stops after one output, reading stops far from the end."""
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1 << 16
            yield b"x\n" * (1 << 15)

    async def main() -> int:
        with ThreadPoolExecutor(4) as threads:
            engine = Engine(processor, threads, on_error="emit", workers=10, order=order)
            async with aclosing(engine.run(endless())) as run:
                await anext(run)
                last = -1
                while last != read:
                    last = read
                    await asyncio.sleep(0.5)
                return engine._backlog.held

    held = asyncio.run(main())
    assert held < 6 << 20
    assert read < 6 << 20


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda each: each.name)
def test_rejected_lines_come_with_their_part(processor: Processor) -> None:
    async def main() -> list[tuple[int, list[int]]]:
        found: list[tuple[int, list[int]]] = []
        with ThreadPoolExecutor(2) as threads:
            engine = Engine(processor, threads, on_error="emit", keep_rejected=True)
            async with aclosing(engine.run(pieces(DATA))) as run:
                async for output in run:
                    rejected = engine.take_rejected()
                    lines = output.splitlines()
                    if rejected is not None:
                        for each, place in zip(rejected, rejected.places, strict=True):
                            assert f'"line":{each.line},'.encode() in lines[place - 1]
                            found.append((each.line, [place]))
        return found

    found = asyncio.run(main())
    assert [line for line, _ in found] == [
        block * 3002 + number for block in range(40) for number in range(1, 3001)
    ]


def test_the_error_that_ends_a_stream_keeps_its_place() -> None:
    def picky(record: dict[str, object]) -> list[dict[str, object]]:
        if record["id"] == "2":
            raise ValueError("no")
        return long(record)

    async def main() -> tuple[Engine, bytes]:
        with ThreadPoolExecutor(2) as threads:
            engine = Engine(as_processor(picky), threads, on_error="fail", workers=1)
            data = GOOD * 200 + b'{"id":"2"}\n' + GOOD * 200
            async with aclosing(engine.run(pieces(data))) as run:
                return engine, b"".join([output async for output in run])

    engine, output = asyncio.run(main())
    assert engine.failure is not None
    assert engine.failure.line == 201
    assert output.count(b"\n") == 200 * 50 + 1
    assert engine.lines == 201
