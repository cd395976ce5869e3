"""The engine: order, bounds, acknowledgements, and how streams end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import forstcore
from forstcore.engine import Engine
from forstcore.engine.batch_sizer import MAX_BATCH, BatchSizer
from forstcore.engine.line_queue import LineQueue
from forstcore.processors import REGISTRY, as_processor
from tests.core.strategies import chunked, inputs
from tests.processors import routes as _routes  # noqa: F401 (declares them)

NAMES = [None, *sorted(REGISTRY)]


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
    """Make an engine and its threads, which must all be free again at the end."""
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


# The same bytes, however cut and by how many.


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(pieces=chunked(inputs()), workers=st.integers(1, 3), data=st.data())
def test_neither_cuts_nor_workers_change_the_bytes(
    name: str | None, pieces: list[bytes], workers: int, data: st.DataObject
) -> None:
    mode: Any = data.draw(st.sampled_from(["skip", "emit"]))
    whole = b"".join(forstcore.process([b"".join(pieces)], name, on_error=mode, workers=1))
    cut = forstcore.process(pieces, name, on_error=mode, workers=workers)
    assert b"".join(cut) == whole


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
        # The number of a line is in its error line: numbers of four digits, as above.
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


# Bounds.


class Gauge:
    """Count how many are inside at once."""

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
    # One ends where there is nothing to do, and another begins.
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
    """Threads that know how many batches they were handed."""

    handed = 0

    def submit(self, *arguments: Any, **options: Any) -> Any:
        self.handed += 1
        return super().submit(*arguments, **options)


@pytest.mark.parametrize(("name", "count"), [("twin", 1000), ("toil", 40)])
def test_only_what_is_worth_it_is_handed_over(cases: ModuleType, name: str, count: int) -> None:
    async def run() -> None:
        piece = b'{"id":"1","data":"some text that is as long as it is"}\n' * 1000
        with CountingThreads(2) as threads:
            engine = Engine(as_processor(getattr(cases, name)), threads, workers=2)
            output = await collect(engine, source_of([piece] * count))
            assert output.count(b"\n") == engine.results == 1000 * count
            # Others that want the CPU make some of the cheap ones seem dear.
            assert (threads.handed > count // 4) is (name == "toil")

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
    """Results that wait count as work: a reader that stops stops everything."""
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
            # Those that have begun their record, and one that is between two.
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


class Disaster(BaseException):
    """What no processor should raise, and nobody can go on after."""


def test_what_is_no_mere_failure_ends_the_stream() -> None:
    def fails(record: dict[str, Any]) -> None:
        raise Disaster

    async def fails_async(record: dict[str, Any]) -> None:
        raise Disaster

    for function in (fails, fails_async):
        with pytest.raises(Disaster):
            b"".join(forstcore.process([numbered(100)], function))


@pytest.mark.parametrize("options", [{"workers": 0}, {"buffer_size": 0}, {"max_line_size": 0}])
def test_options_out_of_range(options: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        list(forstcore.process(b"", "same", **options))


# Batches.


@given(
    st.lists(st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")))),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_queued_lines_come_out_whole(pieces: list[list[bytes]], sizes: list[int]) -> None:
    queue = LineQueue()
    whole = b""
    for lines in pieces:
        piece = b"".join(line + b"\n" for line in lines)
        if piece:
            queue.put(piece, len(lines))
        whole += piece
    taken = b""
    for turn in range(len(whole)):
        assert queue.size == len(whole) - len(taken)
        size = sizes[turn % len(sizes)]
        batch, count = queue.take(size)
        if not batch:
            break
        assert batch.endswith(b"\n")
        assert count == batch.count(b"\n")
        assert len(batch) <= size + size // 8 or count == 1
        taken += batch
    assert taken == whole
    assert queue.take(1) == (b"", 0)


def settled(cost: Callable[[int], float]) -> int:
    sizer = BatchSizer()
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


def test_large_pieces_are_not_heaped() -> None:
    """However fast they come: a chunk of them all would not be bounded."""
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
