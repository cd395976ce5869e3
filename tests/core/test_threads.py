"""Many threads at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import ModuleType
from typing import TypeVar

import pytest

from forstcore import LineSplitter, RecordStream, StreamStateError, process_block

from .driver import cut, run
from .mixed_records import Records

THREADS = 8
T = TypeVar("T")


def block(seed: int, count: int) -> bytes:
    """Return records, some of them invalid, that differ for each seed."""
    return b"".join(
        b'{"id":"%d-%d","data":"%s"}\n' % (seed, n, b"x" * (n % 50))
        if n % 10
        else b'{"id":%d}\n' % n
        for n in range(count)
    )


def at_once(job: Callable[[int], T]) -> list[T]:
    """Run a job in all threads at the same time."""
    barrier = Barrier(THREADS)

    def start(number: int) -> T:
        barrier.wait()
        return job(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(start, range(THREADS)))


@pytest.fixture(autouse=True)
def _hasty() -> Iterator[None]:
    """Make Python switch between threads as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_blocks() -> None:
    """Blocks in different threads do not disturb each other."""
    blocks = [block(seed, 5000) for seed in range(THREADS)]
    expected = [process_block(data, on_error="emit") for data in blocks]

    def job(number: int) -> list[bytes]:
        return [process_block(blocks[number], on_error="emit") for _ in range(10)]

    for outputs, right in zip(at_once(job), expected, strict=True):
        assert outputs == [right] * 10


def test_one_block_for_all() -> None:
    """Threads may read the same buffer."""
    data = bytearray(block(0, 5000))
    expected = process_block(data)
    assert at_once(lambda _: process_block(data)) == [expected] * THREADS


def test_streams_of_their_own() -> None:
    """Each thread with its own stream gets its own results."""
    blocks = [block(seed, 5000) for seed in range(THREADS)]
    expected = [run([data]) for data in blocks]
    assert at_once(lambda number: run(cut(blocks[number], 10_007))) == expected


def test_streams_that_take_the_shapes_of_others(cases: ModuleType) -> None:
    """More streams than shapes are kept for take turns, each with different records."""
    inputs = [list(cut(b"".join(Records(seed).lines(100_000)), 6000)) for seed in range(24)]

    def results(numbers: range) -> list[bytes]:
        streams = [
            RecordStream(processor=(None, cases.members)[number % 2], on_error="emit")
            for number in numbers
        ]
        outputs = [b""] * len(streams)
        for turn in range(max(len(inputs[number]) for number in numbers)):
            for place, number in enumerate(numbers):
                outputs[place] += b"".join(
                    streams[place].feed(chunk) for chunk in inputs[number][turn : turn + 1]
                )
        return outputs

    expected = [results(range(number, number + 1))[0] for number in range(24)]
    outputs = at_once(lambda thread: results(range(thread, 24, THREADS)))
    for thread, each in enumerate(outputs):
        assert each == expected[thread::THREADS]


def test_shared_stream() -> None:
    """Calls on one stream work one at a time; a call in between is refused."""
    count = 5000
    data = block(0, count)
    expected = process_block(data, on_error="emit").count(b"\n")
    stream = RecordStream(on_error="emit")

    def job(_: int) -> tuple[int, int]:
        worked = output_lines = 0
        for _attempt in range(20):
            try:
                output = stream.feed(data)
            except StreamStateError:
                continue
            worked += 1
            output_lines += output.count(b"\n")
        return worked, output_lines

    outcomes = at_once(job)
    worked = sum(outcome[0] for outcome in outcomes)
    assert worked > 0
    assert sum(outcome[1] for outcome in outcomes) == worked * expected
    assert stream.bytes_in == worked * len(data)
    assert stream.lines == worked * count
    assert stream.records + stream.errors == stream.lines
    assert stream.finish() == b""


def test_shared_stream_and_finish() -> None:
    """The first thread that finishes the stream ends it for all."""
    data = block(0, 2000)
    for _ in range(20):
        stream = RecordStream()

        def job(number: int, stream: RecordStream = stream) -> int:
            try:
                if number % 2:
                    return len(stream.feed(data))
                stream.finish()
            except StreamStateError:
                return 0
            return 0

        written = sum(at_once(job))
        assert stream.bytes_out == written


def test_shared_splitter() -> None:
    """A shared splitter never mixes the pieces of two calls."""
    data = block(0, 5000)
    expected = data.split(b"\n")[:-1]
    splitter = LineSplitter()

    def job(_: int) -> int:
        worked = 0
        for _attempt in range(10):
            try:
                lines = splitter.feed(data)
            except StreamStateError:
                continue
            assert lines == expected
            worked += 1
        return worked

    assert splitter.lines == 0
    worked = sum(at_once(job))
    assert worked > 0
    assert splitter.lines == worked * len(expected)
