"""Sources in memory: the ring, its offsets, and records that it has dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

import pytest

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import (
    NOW,
    START,
    Batch,
    SourceLimits,
    open_source,
    place_of,
    without_password,
)
from forstcore.sources.memory import MemoryReader, MemorySource

T = TypeVar("T")


def ring(size: int = 1 << 20) -> MemorySource:
    source = open_source("ring", "memory:", SourceLimits(ring_size=size))
    assert isinstance(source, MemorySource)
    return source


def publish(source: MemorySource, first: int, end: int, each: int = 1) -> None:
    for number in range(first, end, each):
        some = range(number, min(number + each, end))
        assert source.publish(b"".join(b"%d\n" % record for record in some)) == len(some)


def soon(waits: Coroutine[object, object, T]) -> T:
    async def limited() -> T:
        async with asyncio.timeout(60):
            return await waits

    return asyncio.run(limited())


async def read_all(reader: MemoryReader) -> tuple[list[int], list[Batch]]:
    batches = [await reader.read()]
    while not batches[-1].is_last:
        batches.append(await reader.read())
    return [int(line) for batch in batches for line in batch.lines.split()], batches


@pytest.mark.parametrize("each", [1, 7, 50_000])
def test_every_reader_gets_everything_in_order(each: int) -> None:
    source = ring()
    reader = source.open(NOW)
    publish(source, 0, 50_000, each)
    assert soon(read_all(reader))[0] == list(range(50_000))
    assert soon(read_all(source.open(START)))[0] == list(range(50_000))
    assert soon(read_all(source.open(NOW)))[0] == []


@pytest.mark.parametrize("number", [0, 1, 9_999, 13_107, 49_999, 50_000])
def test_an_offset_is_where_the_next_reading_goes_on(number: int) -> None:
    source = ring()
    publish(source, 0, number)
    offset = source.offset
    publish(source, number, 50_000)
    source.check(offset)
    assert soon(read_all(source.open(offset)))[0] == list(range(number, 50_000))


def test_every_batch_ends_at_its_offset() -> None:
    source = ring()
    publish(source, 0, 100_000, 100)
    _, batches = soon(read_all(source.open(START)))
    assert len(batches) > 5
    for batch in batches:
        rest = soon(read_all(source.open(batch.offset)))[0]
        done = 100_000 - len(rest)
        assert rest == list(range(done, 100_000))


def test_a_slow_reader_gets_the_count_of_what_it_missed() -> None:
    source = ring(100_000)
    reader = source.open(NOW)
    assert soon(reader.read()) == Batch(b"", source.offset, 0, True)
    publish(source, 0, 10)
    assert soon(read_all(reader))[0] == list(range(10))
    publish(source, 10, 100_000)
    first = source.first
    assert 10 < first < 99_999
    batch = soon(reader.read())
    assert (batch.lines, batch.missed) == (b"", first - 10)
    records, batches = soon(read_all(reader))
    assert records == list(range(first, 100_000))
    assert all(batch.missed == 0 for batch in batches)


def test_the_size_of_the_ring_bounds_what_it_keeps() -> None:
    source = ring(1 << 17)
    publish(source, 0, 300_000)
    kept = soon(read_all(source.open(START)))[0]
    assert kept[-1] == 299_999
    assert 1 << 15 < sum(len(str(record)) + 1 for record in kept) <= 1 << 17


def test_a_record_larger_than_the_ring_is_the_only_one() -> None:
    source = ring(1 << 16)
    publish(source, 0, 10)
    source.publish(b" " * (1 << 17) + b"7\n")
    assert soon(read_all(source.open(START)))[0] == [7]


def test_a_reader_is_woken() -> None:
    async def scenario() -> bytes:
        source = ring()
        reader = source.open(NOW)
        await reader.read()
        reading = asyncio.create_task(reader.read())
        await asyncio.sleep(0)
        assert not reading.done()
        source.publish(b"1\n")
        return (await reading).lines

    assert soon(scenario()) == b"1\n"


def test_the_offset_of_another_life_is_known_as_such() -> None:
    before, source = ring(), ring()
    publish(before, 0, 5)
    publish(source, 0, 3)
    source.check(before.offset)
    records, batches = soon(read_all(source.open(before.offset)))
    assert records == [0, 1, 2]
    assert batches[0].missed is None


@pytest.mark.parametrize("offset", ["", "0", "-1", "x-1", "00000000-", "later"])
def test_what_is_no_offset_is_refused(offset: str) -> None:
    with pytest.raises(OffsetError, match="source 'ring' has no offset"):
        ring().check(offset)


def test_an_offset_that_is_not_there_yet_is_refused() -> None:
    source = ring()
    with pytest.raises(OffsetError):
        source.check(source.offset_of(1))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "starts with none of memory:, file:"),
        ("amqp://host", "starts with none of memory:, file:"),
        ("memory:?size=1", "has options that memory: does not know: size"),
        ("redis://user:secret@[::1/0", "has a URL that cannot be read"),
        ("redis://user:secret@host:port/0", "has a URL that cannot be read"),
        ("memory:?a=1&a=2", "given twice"),
    ],
)
def test_what_is_no_source_is_refused(url: str, reason: str) -> None:
    with pytest.raises(SourceError, match="source 'mine'") as caught:
        open_source("mine", url)
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("memory:", "memory:"),
        ("redis://host/0", "redis://host/0"),
        ("redis://user@host/0", "redis://user@host/0"),
        ("redis://user:pass@host/0", "redis://user:…@host/0"),
        ("a=mqtt://:p@ss@host:1/a/b:c", "a=mqtt://:…@host:1/a/b:c"),
        ("a=mqtt://host:1/a/b", "a=mqtt://host:1/a/b"),
        ("redis://u:pa/ss@host/0", "redis://u:…@host/0"),
        ("redis://u:p@s/s?#@host/0", "redis://u:…@host/0"),
        ("redis://u:first", "redis://u:…"),
        ("redis://u:first/half", "redis://u:…/half"),
        ("second@host/0", "…@host/0"),
        ("redis://[::1]/0", "redis://[::1]/0"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        (
            "redis://host/0?stream=a&password=x&group=b",
            "redis://host/0?stream=a&password=…&group=b",
        ),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("file:in.ndjson", "file:in.ndjson"),
        ("file:in.ndjson?follow=no", "file:in.ndjson"),
        ("redis://u:p@h/0?group=g&stream=s&claim=3", "redis://u:…@h/0?stream=s"),
        ("nats://h?stream=s&token=x&subject=a.>", "nats://h?stream=s&subject=a.>"),
        ("kafka://h:1,i:2?config=x&topic=t", "kafka://h:1,i:2?topic=t"),
    ],
)
def test_the_place_of_a_source_is_without_other_options(url: str, place: str) -> None:
    assert place_of(url) == place
