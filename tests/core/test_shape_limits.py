"""Shapes cost bounded time and memory, whatever the input."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable
from types import ModuleType

import pytest

from forstcore import RecordStream

NAMES = [f'"n{number}":{number}'.encode() for number in range(200)]
CHANCE = random.Random(5)


def shuffled(count: int) -> bytes:
    """Give a record with some of the names, in any order."""
    return b"{" + b",".join(CHANCE.sample(NAMES, count)) + b"}\n"


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "new names": lambda number: b'{"k%d":1,"id":"1"}\n' % number,
    "new names below": lambda number: b'{"id":"1","m":{"k%d":1}}\n' % number,
    "any two of many": lambda _: shuffled(2),
    "any order": lambda _: shuffled(100),
    "any order, and good ones": lambda number: shuffled(100) if number % 2 else b'{"n1":1}\n',
    "twice at the end": lambda _: b"{" + b",".join(NAMES) + b',"n0":1}\n',
    "invalid strings": lambda _: b'{"id":"' + b"x" * 1000 + b'\x01"}\n',
    "open quotes": lambda _: b'""\n"\n',
    "very long": lambda _: b'{"id":"1","u":"' + b"x" * 32_751 + b'"}\n',
    "full of quotes": lambda _: b'{"id":"1","u":[' + b'"",' * 2100 + b"1]}\n",
    "deep": lambda _: b'{"u":' + b"[" * 128 + b"]" * 128 + b"}\n",
    "spaces": lambda number: b'{"id":' + b" " * (number % 100) + b'"1","b":2}\n',
}


def lines(make: Callable[[int], bytes], size: int) -> bytes:
    made: list[bytes] = []
    left = size
    while left > 0:
        made.append(make(len(made)))
        left -= len(made[-1])
    return b"".join(made)


def seconds(data: bytes, processor: object) -> float:
    """Measure the CPU time for an input, in the best of several runs."""
    best = float("inf")
    for _ in range(5):
        stream = RecordStream(processor=processor)
        start = time.thread_time()
        stream.feed(data)
        best = min(best, time.thread_time() - start)
    return best


@pytest.mark.parametrize("kind", HOSTILE)
def test_time_grows_with_the_input(cases: ModuleType, kind: str) -> None:
    """An input of 16 times the size takes less than 64 times as long, not 256 times."""
    small, large = (lines(HOSTILE[kind], size) for size in (100_000, 1_600_000))
    for processor in (None, cases.members):
        assert seconds(large, processor) < 64 * seconds(small, processor) + 0.01


def test_memory_of_all_streams(cases: ModuleType) -> None:
    """Only eight shapes are kept, with at most 1,024 names and six gaps behind each."""
    text = b"x" * 150

    def record(_: int) -> bytes:
        objects = (
            b'"%c":{' % name
            + b",".join(b'"k%d":"%s"' % (number, text) for number in CHANCE.sample(range(250), 6))
            + b"}"
            for name in b"abcd"
        )
        return b"{" + b",".join(objects) + b"}\n"

    data = lines(record, 6_000_000)
    streams = [RecordStream(processor=cases.members) for _ in range(24)]
    tracemalloc.start()
    try:
        held: list[int] = []
        for stream in streams:
            stream.feed(data)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert 4_000_000 < max(held) < 12_000_000
