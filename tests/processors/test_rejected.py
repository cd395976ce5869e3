"""Rejected lines of the engine, and results of processors that look like error lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forstcore import RejectedLine
from forstcore.engine import Engine
from forstcore.processors import REGISTRY, as_processor
from tests.core.strategies import chunked, inputs
from tests.processors import routes as _routes  # noqa: F401 (declares them)

LOOK_ALIKE = {"status": "error", "line": 1, "offset": 0, "code": "invalid_json", "message": "no"}


async def source_of(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


def run(
    processor: object, pieces: Sequence[bytes], **options: Any
) -> tuple[list[bytes], list[tuple[RejectedLine, bytes | None]], Engine]:
    """Return the output lines, and the rejected lines, each with its error line."""

    async def collect() -> Engine:
        engine = Engine(as_processor(processor), threads, keep_rejected=True, **options)
        async with aclosing(engine.run(source_of(pieces))) as outputs:
            async for output in outputs:
                lines = output.split(b"\n")[:-1]
                rejected = engine.take_rejected()
                assert engine.take_rejected() is None
                if rejected is not None:
                    places = rejected.places or [0] * len(rejected)
                    for each, place in zip(rejected, places, strict=True):
                        found.append((each, lines[place - 1] if place else None))
                out.extend(lines)
        assert engine.take_rejected() is None
        return engine

    out: list[bytes] = []
    found: list[tuple[RejectedLine, bytes | None]] = []
    with ThreadPoolExecutor(3) as threads:
        return out, found, asyncio.run(collect())


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", [None, *sorted(REGISTRY)])
@settings(max_examples=settings().max_examples // 5)
@given(pieces=chunked(inputs()), workers=st.integers(1, 3), data=st.data())
def test_they_are_the_lines_that_gave_errors(
    name: str | None, pieces: list[bytes], workers: int, data: st.DataObject
) -> None:
    mode = data.draw(st.sampled_from(["skip", "emit"]))
    order = data.draw(st.sampled_from(["input", "completion"]))
    _, found, engine = run(name, pieces, on_error=mode, workers=workers, order=order)
    assert len(found) == engine.errors
    lines = b"".join(pieces).split(b"\n")
    for each, error in found:
        assert each.raw == lines[each.line - 1]
        if mode == "skip":
            assert error is None
            continue
        assert error is not None
        assert json.loads(error) == {
            "status": "error",
            **{"line": each.line, "offset": each.offset},
            **{"code": each.code, "message": each.message},
        }
    if order == "input":
        assert [each.line for each, _ in found] == sorted(each.line for each, _ in found)


def sync(record: dict[str, Any]) -> Any:
    if record.get("raise"):
        raise ValueError("not this one")
    return LOOK_ALIKE


async def in_loop(record: dict[str, Any]) -> Any:
    await asyncio.sleep(0)
    return sync(record)


def generator(record: dict[str, Any]) -> Iterator[Any]:
    yield sync(record)
    yield {**LOOK_ALIKE, "line": "x"}


async def async_generator(record: dict[str, Any]) -> AsyncIterator[Any]:
    yield sync(record)
    yield {**LOOK_ALIKE, "line": None}


@dataclass
class Wanted:
    id: str


def typed(record: Wanted) -> dict[str, Any]:
    return LOOK_ALIKE


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("mode", ["skip", "emit"])
@pytest.mark.parametrize("function", [sync, in_loop, generator, async_generator, typed])
def test_results_that_look_like_errors_are_results(
    function: Callable[..., Any], mode: str, workers: int
) -> None:
    data = b'{"id":"1"}\nnope\n{"id":"2"}\n{"raise":1}\n' * 50
    if function is typed:
        pytest.importorskip("msgspec")
    out, found, engine = run(function, [data], on_error=mode, workers=workers)
    assert [each.line for each, _ in found] == [n for n in range(1, 201) if n % 2 == 0]
    assert {each.raw for each, _ in found} == {b"nope", b'{"raise":1}'}
    assert len(out) == engine.results + (engine.errors if mode == "emit" else 0)
    assert sum(json.loads(line) == LOOK_ALIKE for line in out) == 100


def test_fail_tells_of_the_line_that_failed(cases: ModuleType) -> None:
    for processor in (sync, in_loop, cases.twin, None):
        data = b'{"id":"1"}\n' * 9 + b"nope\n" + b'{"id":"1"}\n' * 9
        out, found, engine = run(processor, [data], on_error="fail", workers=2)
        assert engine.failure is not None
        ((line, error),) = found
        assert (line.line, line.raw, error) == (10, b"nope", out[-1])


def test_long_lines_are_kept_to_the_limit(cases: ModuleType) -> None:
    data = b'{"id":"' + b"x" * 5000 + b'"}\n{"id":"1"}\n'
    for processor in (sync, in_loop, cases.twin):
        pieces = [data[at : at + 7] for at in range(0, len(data), 7)]
        _, found, _ = run(processor, pieces, max_line_size=100)
        assert [each.raw for each, _ in found] == [data[:100]]


def test_what_is_held_counts_rejected_lines() -> None:
    """Batches that contain only rejected lines stop reading, too, if nothing is consumed."""
    fed = 0

    async def source() -> AsyncIterator[bytes]:
        nonlocal fed
        for _ in range(1000):
            fed += 1 << 16
            yield b"xx\n" * ((1 << 16) // 3)

    async def hold() -> None:
        engine = Engine(as_processor(sync), threads, keep_rejected=True, workers=4)
        async with aclosing(engine.run(source())) as outputs:
            async for _ in outputs:
                last = -1
                while fed != last:
                    last = fed
                    await asyncio.sleep(0.2)
                break

    with ThreadPoolExecutor(4) as threads, contextlib.suppress(asyncio.CancelledError):
        asyncio.run(hold())
    assert fed < 10 << 20
