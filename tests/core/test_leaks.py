"""The core leaks neither memory nor references."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from forstcore import (
    ForstError,
    LineSplitter,
    RecordError,
    RecordStream,
    parse_record,
    process_block,
    process_record,
)

STATM = Path("/proc/self/statm")
MIXED = b'{"id":"1","data":"a"}\n{"id":2}\n\n[]\nxxxxxxxxxx\n{"id":"\\u0041"}\n{"id":'


def stream(data: bytes | bytearray) -> None:
    """Run a stream that ends in the middle of a line."""
    one = RecordStream(on_error="emit", max_line_size=100)
    one.feed(data)
    one.feed(data)
    one.finish()


def abandoned(data: bytes | bytearray) -> None:
    """Leave a stream and a splitter with half a line in them."""
    RecordStream().feed(data)
    LineSplitter().feed(data)


def failing(data: bytes | bytearray) -> None:
    """Run a stream that fails, and one that is finished."""
    one = RecordStream(on_error="fail")
    one.feed(data)
    with pytest.raises(RecordError):
        one.feed(data)
    two = RecordStream()
    two.finish()
    with pytest.raises(ForstError):
        two.feed(data)


def splitter(data: bytes | bytearray) -> None:
    """Split lines, some of them too long."""
    one = LineSplitter(max_line_size=9)
    one.feed(data)
    one.finish()


def blocks(data: bytes | bytearray) -> None:
    """Process blocks in every mode."""
    process_block(data)
    process_block(data, on_error="emit", max_line_size=9)
    with pytest.raises(RecordError):
        process_block(data, on_error="fail")
    with pytest.raises(ValueError, match="max_line_size"):
        process_block(data, max_line_size=0)


def parsing(data: bytes | bytearray) -> None:
    """Parse a good and a bad record."""
    parse_record(data[:21])
    with pytest.raises(RecordError):
        parse_record(data)


def processing(data: bytes | bytearray) -> None:
    """Process a good and a bad record."""
    text = data[:21].decode()
    process_record({"id": text, "data": text})
    with pytest.raises(RecordError):
        process_record({"id": text, "data": data})


JOBS: list[Callable[[bytes | bytearray], None]] = [
    stream,
    abandoned,
    failing,
    splitter,
    blocks,
    parsing,
    processing,
]


@pytest.mark.parametrize("job", JOBS)
def test_inputs_are_let_go(job: Callable[[bytes | bytearray], None]) -> None:
    """The reference count of an input is the same afterwards."""
    data = bytes(bytearray(MIXED))
    before = sys.getrefcount(data)
    for _ in range(50):
        job(data)
    gc.collect()
    assert sys.getrefcount(data) == before


@pytest.mark.parametrize("job", JOBS)
def test_buffers_are_released(job: Callable[[bytes | bytearray], None]) -> None:
    """A bytearray can be resized after each call, which an open buffer forbids."""
    data = bytearray(MIXED)
    job(data)
    data.append(0)
    data.clear()


@pytest.mark.parametrize("job", JOBS)
def test_no_objects_pile_up(job: Callable[[bytes | bytearray], None]) -> None:
    """The number of objects that the collector knows stays the same."""
    for _ in range(20):
        job(MIXED)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(500):
        job(MIXED)
    gc.collect()
    # The test machinery makes a few of its own.
    assert len(gc.get_objects()) - before < 100


GOOD = b'{"id":"%s","data":"%s"}' % (b"a" * 100, b"b" * 100)


def hammer(count: int) -> None:
    """Make very many calls, many of which end in an error."""
    big = RecordStream(on_error="emit", max_line_size=1000)
    for _ in range(count):
        try:
            parse_record(b'{"id":1}')
        except RecordError:
            pass
        else:
            raise AssertionError
        try:
            process_block(MIXED, on_error="fail")
        except RecordError:
            pass
        else:
            raise AssertionError
        parse_record(GOOD)
        process_record({"id": "1", "data": "a"})
        big.feed(MIXED)
        RecordStream().feed(MIXED)
        LineSplitter().feed(MIXED)


def test_rss_stays_flat() -> None:
    """Two hundred thousand calls do not increase the resident memory."""
    if not STATM.exists():
        pytest.skip("needs /proc")
    hammer(2_000)
    gc.collect()
    before = int(STATM.read_text().split()[1])
    hammer(40_000)
    gc.collect()
    grown = (int(STATM.read_text().split()[1]) - before) * os.sysconf("SC_PAGE_SIZE")
    # One lost object of the smallest kind in each round would be more.
    assert grown < 1 << 20


def test_outputs_belong_to_the_caller() -> None:
    """An output is never written to again."""
    one = RecordStream()
    first = one.feed(b'{"id":"1"}\n')
    copy = bytes(bytearray(first))
    second = one.feed(b'{"id":"2"}\n' * 100)
    assert first == copy
    assert sys.getrefcount(first) == sys.getrefcount(copy)
    assert second.count(b'"2"') == 100
