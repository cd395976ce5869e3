"""Compressed files as a source."""

from __future__ import annotations

import asyncio
import gzip
import random
from pathlib import Path

import pytest

from forstcore._io.compressed import zstd
from forstcore.errors import OffsetError, SourceError
from forstcore.sources import NOW, START, Batch, Lag, SourceLimits, open_source

LINES = [b'{"n":%d,"text":"%s"}\n' % (n, b"x" * (n % 40)) for n in range(60_000)]


def write(directory: Path) -> None:
    """Write three files with all lines, the last of which has no LF."""
    (directory / "b.ndjson.gz").write_bytes(
        gzip.compress(b"".join(LINES[20_000:30_000]))
        + gzip.compress(b"".join(LINES[30_000:40_000]))
    )
    (directory / "a.ndjson.gz").write_bytes(gzip.compress(b"".join(LINES[:20_000])))
    (directory / "c.ndjson.gz").write_bytes(gzip.compress(b"".join(LINES[40_000:])[:-1]))


def batches_of(
    url: str, start: str = START, most: int = 1 << 30, limit: int = 1 << 20
) -> list[Batch]:
    """Read so many batches, or all."""

    async def read() -> list[Batch]:
        reader = open_source("a", url, SourceLimits(max_line_size=limit)).open(start)
        found: list[Batch] = []
        try:
            while len(found) < most and (batch := await reader.read()) is not None:
                assert isinstance(batch, Batch)
                found.append(batch)
        finally:
            await reader.close()
        return found

    return asyncio.run(read())


def lines_of(batches: list[Batch]) -> bytes:
    return b"".join(each.lines for each in batches)


def test_files_are_read_in_order_and_from_any_offset(tmp_path: Path) -> None:
    write(tmp_path)
    url = f"file:{tmp_path}/*.ndjson.gz?follow=no"
    batches = batches_of(url)
    assert lines_of(batches) == b"".join(LINES)
    assert len(batches) > 6
    assert [each.is_last for each in batches].index(True) == len(batches) - 1
    source = open_source("a", url)
    chance = random.Random(1)
    for place in [0, *chance.sample(range(len(batches)), 5), len(batches) - 1]:
        source.check(batches[place].offset)
        rest = batches_of(url, batches[place].offset)
        assert lines_of(batches[: place + 1]) + lines_of(rest) == b"".join(LINES)
    assert lines_of(batches_of(url, NOW)) == b""


def test_new_files_are_read_later(tmp_path: Path) -> None:
    url = f"file:{tmp_path}/*.gz?follow=no"
    (end,) = batches_of(url)
    assert end.offset == START
    write(tmp_path)
    offset = batches_of(url)[-1].offset
    (tmp_path / "d.ndjson.gz").write_bytes(gzip.compress(b'{"n":1}\n'))
    assert lines_of(batches_of(url, offset)) == b'{"n":1}\n'
    offset = batches_of(url, most=2)[-1].offset
    (tmp_path / "a.ndjson.gz").unlink()
    rest = batches_of(url, offset)
    assert rest[0].missed is None
    assert lines_of(rest) == b"".join(LINES[20_000:]) + b'{"n":1}\n'


@pytest.mark.skipif(zstd is None, reason="needs zstd")
def test_zstd(tmp_path: Path) -> None:
    (tmp_path / "a.zst").write_bytes(zstd.compress(b'\xef\xbb\xbf{"n":1}\n{"n":2}\n'))
    assert lines_of(batches_of(f"file:{tmp_path}/a.zst?follow=no")) == b'{"n":1}\n{"n":2}\n'


def test_long_lines_are_cut(tmp_path: Path) -> None:
    content = b'{"n":1}\n' + b"x" * 3_000_000 + b'\n{"n":2}\n' + b"y" * 600_000 + b"\n"
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    url = f"file:{tmp_path}/a.gz?follow=no"
    batches = batches_of(url, limit=1000)
    found = lines_of(batches).split(b"\n")
    assert [found[0], found[2], found[4]] == [b'{"n":1}', b'{"n":2}', b""]
    assert 1001 <= len(found[1]) < 1 << 19
    for place, batch in enumerate(batches):
        rest = lines_of(batches_of(url, batch.offset, limit=1000))
        count = lines_of(batches[: place + 1]).count(b"\n")
        assert rest.count(b"\n") == 4 - count


def test_the_lag_is_in_compressed_bytes(tmp_path: Path) -> None:
    write(tmp_path)
    size = sum(path.stat().st_size for path in tmp_path.iterdir())

    async def measure() -> None:
        reader = open_source("a", f"file:{tmp_path}/*.gz?follow=no").open(START)
        assert await reader.lag() == Lag(size, "bytes")
        for _ in range(3):
            await reader.read()
        lag = await reader.lag()
        assert lag is not None
        assert 0 < lag.amount < size
        while await reader.read() is not None:
            pass
        assert await reader.lag() == Lag(0, "bytes")
        await reader.close()

    asyncio.run(measure())


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"compressed files, .* add follow=no"):
        open_source("a", f"file:{tmp_path}/a.gz")
    source = open_source("a", f"file:{tmp_path}/a.gz?follow=no")
    with pytest.raises(OffsetError):
        source.check("1:2:x")
    whole = gzip.compress(b"".join(LINES))
    for content, reason in (
        (whole[:-5000], "cannot be decompressed"),
        (b"{}\n", "cannot be decom"),
    ):
        (tmp_path / "a.gz").write_bytes(content)
        with pytest.raises(SourceError, match=f"a.gz: {reason}"):
            batches_of(f"file:{tmp_path}/a.gz?follow=no")
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"{}\n"))
    offset = f"{tmp_path}/a.gz:500"
    with pytest.raises(SourceError, match="has an offset behind the end of"):
        batches_of(f"file:{tmp_path}/a.gz?follow=no", offset)
