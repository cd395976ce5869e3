"""The engine: results in order, acknowledgements, and how streams end."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import forstcore
from forstcore.processors import REGISTRY, as_processor
from tests.core.strategies import chunked, inputs
from tests.processors import routes as _routes  # noqa: F401 (declares them)
from tests.processors.engines import (
    Gauge,
    collect,
    collect_into,
    engine_for,
    ids,
    numbered,
    source_of,
    until,
)

NAMES = [None, *sorted(REGISTRY)]


# Same bytes for any split and any number of workers.


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=settings().max_examples // 3)
@given(pieces=chunked(inputs()), workers=st.integers(1, 3), data=st.data())
def test_neither_cuts_nor_workers_change_the_bytes(
    name: str | None, pieces: list[bytes], workers: int, data: st.DataObject
) -> None:
    mode: Any = data.draw(st.sampled_from(["skip", "emit"]))
    whole = b"".join(forstcore.process([b"".join(pieces)], name, on_error=mode, workers=1))
    cut = forstcore.process(pieces, name, on_error=mode, workers=workers)
    assert b"".join(cut) == whole


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", NAMES)
def test_a_flood_comes_back_in_order(name: str | None) -> None:
    data = b"".join(b'{"id":"%d","n":2,"sensor":"s","value":1}\n' % n for n in range(20_000))
    if name == "order":
        data = data.replace(b'"id":"', b'"id":').replace(b'","n"', b',"n"')
    output = b"".join(forstcore.process([data], name, on_error="emit", workers=3))
    lines = output.splitlines()
    assert len(lines) == (40_000 if name in ("times", "times-async") else 20_000)
    assert b"error" not in output
    if name != "reading":
        order = [int(json.loads(line)["id"]) for line in lines]
        assert order == sorted(order)


# Order and acknowledgements.


@pytest.mark.parametrize("name", ["nap", "nap-async"])
def test_the_first_is_first_though_it_takes_longest(name: str) -> None:
    data = b"".join(b'{"id":%d,"seconds":%f}\n' % (n, (9 - n) / 100) for n in range(10))
    assert ids(b"".join(forstcore.process([data], name))) == list(range(10))


@pytest.mark.parametrize("name", ["times", "times-async", "picky", "picky-async"])
@pytest.mark.parametrize("mode", ["skip", "emit"])
def test_what_has_been_handed_out_is_what_lines_says(name: str, mode: Any) -> None:
    texts = [b'{"id":1,"n":3}', b'{"drop":1,"n":0,"id":2}', b'{"refuse":"x"}', b"", b"junk"]
    lines = [texts[number % 7 % 5] for number in range(2000)]
    each = {
        text: b"".join(forstcore.process([text], name, on_error=mode, first_line=1000))
        for text in texts
    }

    def sizes(count: int) -> int:
        # Error lines contain line numbers; here all have four digits, as above.
        return sum(len(each[line]) for line in lines[:count])

    async def run() -> int:
        data = b"\n".join(lines) + b"\n"
        pieces = [data[at : at + 300] for at in range(0, len(data), 300)]
        count = 0
        with engine_for(name, on_error=mode, first_line=1000, workers=3) as engine:
            size = 0
            async with aclosing(engine.run(source_of(pieces))) as outputs:
                async for output in outputs:
                    size += len(output)
                    assert size == sizes(engine.lines)
                    count += 1
            assert engine.lines == 2000
            assert engine.bytes_out == size
            assert engine.records + engine.errors + lines.count(b"") == 2000
        return count

    assert asyncio.run(run()) > 1


def test_completion_order_hands_out_what_is_there() -> None:
    async def run() -> None:
        gates = [asyncio.Event() for _ in range(4)]

        async def wait(record: dict[str, Any]) -> dict[str, Any]:
            await gates[record["id"]].wait()
            return record

        with engine_for(wait, order="completion") as engine:
            async with aclosing(engine.run(source_of([numbered(4)]))) as outputs:
                for opened, lines in ((2, 0), (0, 1), (1, 3), (3, 4)):
                    gates[opened].set()
                    assert ids(await anext(outputs)) == [opened]
                    assert engine.lines == lines
                assert [output async for output in outputs] == []
            assert (engine.records, engine.results) == (4, 4)

    asyncio.run(run())


def test_completion_order_of_threads() -> None:
    gate = threading.Event()

    def wait(record: dict[str, Any]) -> dict[str, Any]:
        if record["id"] == 0:
            assert gate.wait(60)
        return record

    async def run() -> None:
        with engine_for(wait, order="completion", workers=2) as engine:
            async with aclosing(engine.run(source_of([numbered(3)]))) as outputs:
                seen = ids(await anext(outputs))
                while len(seen) < 2:
                    seen += ids(await anext(outputs))
                assert seen == [1, 2]
                assert engine.lines == 0
                gate.set()
                assert ids(b"".join([output async for output in outputs])) == [0]
                assert engine.lines == 3

    asyncio.run(run())


# Ends.


@pytest.mark.parametrize("name", ["picky", "picky-async"])
def test_the_first_error_stops_the_rest(name: str) -> None:
    data = numbered(3000) + b'{"refuse":"x"}\n' + numbered(100_000)

    async def run() -> None:
        with engine_for(name, on_error="fail", workers=3) as engine:
            output = await collect(engine, source_of([data]))
            lines = output.splitlines()
            assert len(lines) == 3001
            assert json.loads(lines[-1])["line"] == 3001
            assert engine.failed
            assert engine.failure is not None
            assert engine.failure.code == "processor_failed"
            assert (engine.lines, engine.records, engine.errors) == (3001, 3000, 1)

    asyncio.run(run())


@pytest.mark.parametrize("name", [None, "same"])
def test_the_first_error_is_the_first_by_line(name: str | None) -> None:
    data = (numbered(1) if name else b'{"id":"0"}\n') * 10_000 + b"junk\n" * 10_000

    async def run() -> None:
        with engine_for(name, on_error="fail", workers=3) as engine:
            output = await collect(engine, source_of([data]))
            assert output.count(b"\n") == 10_001
            assert engine.failure is not None
            assert engine.failure.line == 10_001
            assert engine.errors_by_code() == {"invalid_json": 1}

    asyncio.run(run())


def test_closing_cancels_the_calls() -> None:
    async def run() -> None:
        gauge = Gauge()

        async def forever(record: dict[str, Any]) -> dict[str, Any]:
            with gauge:
                await asyncio.Event().wait()
            return record

        with engine_for(forever) as engine:
            task = asyncio.ensure_future(collect(engine, source_of([numbered(100)])))
            await until(lambda: gauge.now == 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (gauge.now, gauge.total) == (0, 10)
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())


def test_closing_stops_threads_at_the_record_they_are_at() -> None:
    gauge = Gauge()

    def nap(record: dict[str, Any]) -> dict[str, Any]:
        with gauge:
            time.sleep(0.0005)
        return record

    async def run() -> None:
        with engine_for(nap, workers=2) as engine:
            async with aclosing(engine.run(source_of([numbered(100_000)]))) as outputs:
                size = 0
                while size < 1000:
                    size += len(await anext(outputs))
            # Those that have started a record, and one between two records.
            assert gauge.total < 10_000
            ended = gauge.total
        assert gauge.total <= ended + 4

    asyncio.run(run())


@pytest.mark.parametrize("name", [None, "same", "same-async"])
def test_an_error_of_the_source_comes_behind_the_results(name: str | None) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b'{"id":"1"}\n{"id":"2"}\n{"id":'
        raise ConnectionError("gone")

    async def run() -> None:
        parts: list[bytes] = []
        with engine_for(name) as engine:
            with pytest.raises(ConnectionError, match="gone"):
                await collect_into(parts, engine, broken())
            assert b"".join(parts).count(b"\n") == engine.lines == 2

    asyncio.run(run())


@pytest.mark.parametrize("name", ["nap", "nap-async"])
def test_input_that_is_ended_early_is_processed_as_far_as_it_was_read(name: str) -> None:
    async def waits() -> AsyncIterator[bytes]:
        yield b'{"id":0,"seconds":0.1}\n{"id":1}\n{"id":2'
        await asyncio.Event().wait()

    async def run() -> None:
        parts: list[bytes] = []
        with engine_for(name) as engine:
            asyncio.get_running_loop().call_later(0.02, engine.end_input, EOFError("enough"))
            with pytest.raises(EOFError, match="enough"):
                await collect_into(parts, engine, waits())
            assert ids(b"".join(parts)) == [0, 1]
            assert engine.lines == 2

    asyncio.run(run())


def test_input_that_is_ended_before_it_is_read() -> None:
    async def run() -> None:
        with engine_for("same") as engine:
            engine.end_input(EOFError("enough"))
            with pytest.raises(EOFError, match="enough"):
                await collect(engine, source_of([b"{}\n"]))
            assert engine.bytes_in == 0

    asyncio.run(run())


class Interrupted(KeyboardInterrupt):
    """What handlers of signals raise in commands, in the main thread only."""


def test_an_interrupt_by_a_signal_ends_the_stream() -> None:
    async def fails_async(record: dict[str, Any]) -> None:
        raise Interrupted

    def fails(record: dict[str, Any]) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        b"".join(forstcore.process([numbered(100)], fails_async))
    # In other threads there are no signals.
    processor = as_processor(fails, compiled=False)
    output = b"".join(forstcore.process([numbered(100)], processor, on_error="emit"))
    assert output.count(b"processor_failed") == 100


@pytest.mark.parametrize("options", [{"workers": 0}, {"buffer_size": 0}, {"max_line_size": 0}])
def test_options_out_of_range(options: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        list(forstcore.process(b"", "same", **options))
