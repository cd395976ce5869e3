"""The engine: how much it processes at once, and how large batches are."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import forstcore
from forstcore.engine import Engine, thread_pool
from forstcore.engine.batch_sizer import MAX_BATCH, BatchSizer
from forstcore.engine.line_queue import LineQueue
from forstcore.engine.runners import NativeRunner
from forstcore.engine.sequencer import Outcome
from forstcore.processors import BUILT_IN, as_processor
from tests.processors.engines import (
    Gauge,
    collect,
    engine_for,
    ids,
    numbered,
    source_of,
    until,
)

# Cancelled streams.


@pytest.mark.parametrize("is_compiled", [True, False])
def test_a_cancelled_stream_ends(*, is_compiled: bool) -> None:
    """Wherever processing is then: any of the checks between records may notice it first."""

    def unchanged(record: dict[str, Any]) -> dict[str, Any]:
        return record

    async def run(checks: int) -> tuple[int, int]:
        calls = iter(range(1 << 20))

        def is_cancelled() -> bool:
            return next(calls) >= checks

        processor = as_processor(forstcore.processor("unchanged", compiled=is_compiled)(unchanged))
        engine = Engine(processor, None, is_cancelled=is_cancelled)
        pieces = [numbered(20)] * 5
        output = await asyncio.wait_for(collect(engine, source_of(pieces)), 30)
        return len(ids(output)), next(calls)

    checks = 0
    lengths: list[int] = []
    while True:
        length, calls = asyncio.run(run(checks))
        lengths.append(length)
        if calls < checks:
            break
        checks += 1
    assert lengths[0] == 0
    assert lengths[-1] == 100


# Calls and records at once.


def test_as_many_calls_at_once_as_there_are_workers() -> None:
    gauge = Gauge()

    async def nap(record: dict[str, Any]) -> dict[str, Any]:
        with gauge:
            await asyncio.sleep(0.001)
        return record

    output = b"".join(forstcore.process([numbered(1000)], nap, workers=100))
    assert ids(output) == list(range(1000))
    assert gauge.most == 100


def test_a_function_that_never_waits_needs_one_worker() -> None:
    gauge = Gauge()

    tasks = set()

    async def same(record: dict[str, Any]) -> dict[str, Any]:
        tasks.add(asyncio.current_task())
        with gauge:
            return record

    assert ids(b"".join(forstcore.process([numbered(5000)], same))) == list(range(5000))
    assert gauge.most == 1
    # A worker ends when there is nothing to do, and another one starts.
    assert len(tasks) < 20


def test_a_function_that_never_waits_lets_others_run() -> None:
    async def run() -> None:
        turns = 0

        async def busy(record: dict[str, Any]) -> dict[str, Any]:
            time.sleep(0.002)  # noqa: ASYNC251 (what it must not do)
            return record

        with engine_for(busy) as engine:
            task = asyncio.ensure_future(collect(engine, source_of([numbered(50)])))
            while not task.done():
                await asyncio.sleep(0)
                turns += 1
            assert ids(task.result()) == list(range(50))
        assert turns >= 50

    asyncio.run(run())


def test_threads_run_at_once_and_no_more_than_there_are_workers() -> None:
    gauge = Gauge()
    together = threading.Barrier(4)

    def meet(record: dict[str, Any]) -> dict[str, Any]:
        with gauge:
            if record["id"] < 4:
                together.wait(60)
            time.sleep(0.0001)
        return record

    output = b"".join(forstcore.process([numbered(400)], meet, workers=4))
    assert ids(output) == list(range(400))
    assert gauge.most == 4


class CountingThreads(ThreadPoolExecutor):
    """An executor that counts the batches submitted to it."""

    handed = 0

    def submit(self, *arguments: Any, **options: Any) -> Any:
        self.handed += 1
        return super().submit(*arguments, **options)


@pytest.mark.parametrize(("seconds", "is_worth_it"), [(0.00001, False), (0.001, True)])
def test_only_what_is_worth_it_is_handed_over(
    cases: ModuleType, monkeypatch: pytest.MonkeyPatch, seconds: float, *, is_worth_it: bool
) -> None:
    # A clock that shows what a batch takes: other processes can make any batch expensive.
    ticks = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: next(ticks) * seconds)
    monkeypatch.setattr(thread_pool, "time", clock)

    async def run() -> None:
        piece = b'{"id":"1","data":"some text that is as long as it is"}\n' * 1000
        with CountingThreads(2) as threads:
            engine = Engine(as_processor(cases.twin), threads, workers=2)
            output = await collect(engine, source_of([piece] * 40))
            assert output.count(b"\n") == engine.results == 40_000
            assert (threads.handed > 10) is is_worth_it

    asyncio.run(run())


def test_records_in_work_are_bounded_though_one_is_never_done() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        gauge = Gauge()

        async def wait(record: dict[str, Any]) -> dict[str, Any]:
            with gauge:
                if record["id"] == 0:
                    await gate.wait()
            return record

        with engine_for(wait, workers=10, buffer_size=50) as engine:
            async with aclosing(engine.run(source_of([numbered(500)]))) as outputs:
                first = asyncio.ensure_future(anext(outputs))
                await asyncio.sleep(0.05)
                assert gauge.total == 50
                assert not first.done()
                gate.set()
                rest = await first + b"".join([output async for output in outputs])
                assert ids(rest) == list(range(500))

    asyncio.run(run())


@pytest.mark.parametrize("is_async", [False, True])
def test_no_more_is_read_than_fits(is_async: bool) -> None:
    opened = threading.Event()

    def block(record: dict[str, Any]) -> dict[str, Any]:
        assert opened.wait(60)
        return record

    async def block_async(record: dict[str, Any]) -> dict[str, Any]:
        await until(opened.is_set)
        return record

    async def run() -> None:
        read = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal read
            piece = numbered(5000)
            while not opened.is_set():
                read += len(piece)
                yield piece

        with engine_for(block_async if is_async else block, workers=2) as engine:
            task = asyncio.ensure_future(collect(engine, endless()))
            await until(lambda: read >= MAX_BATCH)
            await asyncio.sleep(0.1)
            before = read
            await asyncio.sleep(0.1)
            assert read == before < 3 * MAX_BATCH
            opened.set()
            assert len(await task) == engine.bytes_in == read

    asyncio.run(run())


def test_nothing_is_begun_while_nobody_takes() -> None:
    """Unread results count towards the bound: if the reader stops, processing stops."""
    gauge = Gauge()

    def same(record: dict[str, Any]) -> dict[str, Any]:
        with gauge:
            return record

    async def run() -> None:
        with engine_for(same, workers=2) as engine:
            async with aclosing(engine.run(source_of([numbered(200_000)]))) as outputs:
                output = await anext(outputs)
                await asyncio.sleep(0.3)
                before = gauge.total
                await asyncio.sleep(0.1)
                assert gauge.total == before < 200_000
                async for more in outputs:
                    output += more
                assert ids(output) == list(range(200_000))

    asyncio.run(run())


# Batches.


@given(
    st.lists(st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")))),
    st.lists(st.booleans(), min_size=1),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_queued_lines_come_out_whole(
    pieces: list[list[bytes]], counted: list[bool], sizes: list[int]
) -> None:
    queue = LineQueue()
    whole = b""
    for number, lines in enumerate(pieces):
        piece = b"".join(line + b"\n" for line in lines)
        if piece:
            queue.put(piece, len(lines) if counted[number % len(counted)] else None)
        whole += piece
    taken = b""
    for turn in range(len(whole)):
        assert queue.size == len(whole) - len(taken)
        size = sizes[turn % len(sizes)]
        batch, count = queue.take(size)
        if not batch:
            break
        assert batch.endswith(b"\n")
        assert count in (batch.count(b"\n"), *[None] * (not all(counted)))
        assert len(batch) <= size + size // 8 or batch.count(b"\n") == 1
        taken += batch
        if turn == 3:
            assert queue.count() == whole[len(taken) :].count(b"\n")
    assert taken == whole
    assert queue.take(1) == (b"", 0)


def settled(cost: Callable[[int], float], *, alone: bool = False) -> int:
    sizer = BatchSizer(alone=alone)
    for _ in range(30):
        sizer.add(sizer.size, cost(sizer.size))
    return sizer.size


def test_the_size_of_a_batch_follows_what_a_record_costs() -> None:
    assert BatchSizer().size == 1
    assert settled(lambda size: size * 1e-9) == MAX_BATCH
    assert 100_000 < settled(lambda size: size * 1e-8 + 1e-4) <= MAX_BATCH
    assert settled(lambda size: size * 1e-4) < 100
    assert settled(lambda size: 1.0) == 1
    assert settled(lambda size: 0.0) == MAX_BATCH
    assert settled(lambda size: size * 5e-8, alone=True) == MAX_BATCH
    assert settled(lambda size: size * 5e-8) < MAX_BATCH // 2
    assert settled(lambda size: 1.0, alone=True) == 1


@pytest.mark.parametrize(
    ("cost", "short"), [(1e-11, MAX_BATCH), (1.4e-9, MAX_BATCH), (1e-8, 10_000)]
)
def test_what_is_short_follows_what_a_record_costs(cost: float, short: int) -> None:
    sizer = BatchSizer()
    assert sizer.is_short(1)
    for size in (100, 10_000, 100, 1_000_000, 100):
        sizer.add(size, 5e-6 + size * cost)
    assert sizer.is_short(short * 9 // 10)
    assert sizer.is_short(2 * short) is (short == MAX_BATCH)


def test_workers_that_have_the_machine_share_what_is_large() -> None:
    sizer, spreading = BatchSizer(), BatchSizer(alone=True, workers=2)
    keeping = BatchSizer(alone=True, workers=1)
    for each in (sizer, spreading, keeping):
        for _ in range(10):
            each.add(100_000, 1e-9 * 100_000)
    assert sizer.is_short(MAX_BATCH)
    assert spreading.is_short(90_000)
    assert not spreading.is_short(MAX_BATCH)
    assert keeping.is_short(2 * MAX_BATCH)


def test_large_pieces_are_not_heaped() -> None:
    """However fast results arrive: a chunk of all of them would not be bounded."""
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(300):
            taken += 1
            yield b'{"id":"%b"}\n' % (b"x" * 200_000)

    most = done = 0
    for output in forstcore.process(pieces()):
        done += output.count(b"\n")
        most = max(most, taken - done)
    assert done == 300
    assert most < 20


def test_batches_grow_although_others_have_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a single worker processes for a whole input is measured by its CPU time."""
    count = 0
    run = NativeRunner.run

    def run_late(*arguments: Any, **options: Any) -> Outcome:
        nonlocal count
        count += 1
        time.sleep(0.05)  # To the engine, this is as if another process ran meanwhile.
        return run(*arguments, **options)

    monkeypatch.setattr(NativeRunner, "run", run_late)

    async def body() -> None:
        with engine_for(BUILT_IN, alone=True, workers=1) as engine:
            output = await collect(engine, source_of([b'{"id":"1","data":"x"}\n' * 2000]))
            assert output.count(b"\n") == engine.results == 2000

    asyncio.run(body())
    assert count < 20
