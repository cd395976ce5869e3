"""Files that grow, are rotated, truncated and deleted."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import Batch, open_source
from forstcore.sources.file import FileReader, FileSource
from tests.servers import StartServer
from tests.sources.followed import append, lines, source_of
from tests.sources.live import Subscription


async def read(reader: FileReader, count: int) -> tuple[list[bytes], str]:
    """Read so many lines; return them and the offset behind them."""
    found: list[bytes] = []
    offset = ""
    while len(found) < count or not offset:
        batch = await reader.read()
        assert batch is not None
        found += batch.lines.splitlines()
        offset = batch.offset
    assert len(found) == count
    return found, offset


Scenario = Callable[[FileReader], Awaitable[str]]


def following(source: FileSource, start: str, scenario: Scenario) -> str:
    async def run() -> str:
        reader = source.open(start)
        assert isinstance(reader, FileReader)
        try:
            async with asyncio.timeout(60):
                return await scenario(reader)
        finally:
            await reader.close()

    return asyncio.run(run())


def wanted(first: int, end: int) -> list[bytes]:
    return lines(first, end).splitlines()


def test_what_is_written_is_read_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, lines(0, 10) + b"1")
    source = source_of(path)

    async def from_now(reader: FileReader) -> str:
        await reader.read()
        append(path, b"0\n" + lines(11, 100_000))
        found, offset = await read(reader, 99_990)
        assert found == wanted(10, 100_000)
        append(path, lines(0, 5))
        assert (await read(reader, 5))[0] == wanted(0, 5)
        return offset

    offset = following(source, "now", from_now)

    async def from_offset(reader: FileReader) -> str:
        found, offset = await read(reader, 5)
        assert found == wanted(0, 5)
        return offset

    following(source, offset, from_offset)

    async def from_start(reader: FileReader) -> str:
        found, offset = await read(reader, 100_005)
        assert found == wanted(0, 100_000) + wanted(0, 5)
        return offset

    following(source, "start", from_start)


def test_a_file_that_is_rotated_while_it_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, lines(0, 10))

    async def scenario(reader: FileReader) -> str:
        await read(reader, 10)
        append(path, lines(10, 20))
        path.rename(tmp_path / "log.1")
        append(tmp_path / "log.1", lines(20, 30))
        append(path, lines(30, 40))
        found, offset = await read(reader, 30)
        assert sorted(found, key=int) == wanted(10, 40)
        return offset

    following(source_of(path), "start", scenario)


def test_a_file_that_was_rotated_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, lines(0, 10))

    async def first(reader: FileReader) -> str:
        return (await read(reader, 10))[1]

    offset = following(source_of(path), "start", first)
    append(path, lines(10, 20))
    path.rename(tmp_path / "log.1")
    append(path, lines(20, 30))

    async def then(reader: FileReader) -> str:
        start = await reader.read()
        assert start is not None
        assert start.missed == 0
        found, offset = await read(reader, 20)
        assert sorted(found, key=int) == wanted(10, 30)
        return offset

    following(source_of(path), offset, then)


def test_a_file_that_is_gone_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, lines(0, 10))

    async def first(reader: FileReader) -> str:
        return (await read(reader, 10))[1]

    offset = following(source_of(path), "start", first)
    append(tmp_path / "other", b"")
    path.unlink()
    append(path, lines(20, 25))

    async def then(reader: FileReader) -> str:
        start = await reader.read()
        assert start is not None
        assert start.missed is None
        found, offset = await read(reader, 5)
        assert found == wanted(20, 25)
        return offset

    following(source_of(path), offset, then)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("app.log", "app.log.1"),
        ("app.log", "app.log-20261123"),
        ("app.log", "app-20261123.log"),
        ("app.log", "app.1.log.old"),
        ("*.log", "app.log.1"),
        ("log", "log.1"),
    ],
)
def test_names_that_rotated_files_get(tmp_path: Path, pattern: str, name: str) -> None:
    append(tmp_path / name, lines(0, 5))

    async def scenario(reader: FileReader) -> str:
        found, offset = await read(reader, 5)
        assert found == wanted(0, 5)
        return offset

    start = f"{(tmp_path / name).stat().st_ino:x}:0"
    following(source_of(tmp_path / pattern), start, scenario)


@pytest.mark.parametrize("pattern", ["app.log", "*.log"])
@pytest.mark.parametrize("name", ["secret", "secret.json", "app.pid", "link.log", "app.log.fifo"])
def test_an_offset_leads_to_no_other_file(tmp_path: Path, pattern: str, name: str) -> None:
    other = tmp_path / name
    if name == "link.log":
        # A link that leads nowhere now: no file that fits the pattern.
        other.symlink_to(tmp_path / "elsewhere")
    elif name == "app.log.fifo":
        os.mkfifo(other)
    else:
        append(other, lines(0, 5))

    async def scenario(reader: FileReader) -> str:
        start = await reader.read()
        assert start is not None
        assert (start.missed, start.offset) == (None, "-")
        return ""

    inode = other.lstat().st_ino
    following(source_of(tmp_path / pattern), f"{inode:x}:0", scenario)


@pytest.mark.parametrize("again", [b"", b"7\n", b"in the middle of a line\n"])
def test_a_file_that_is_truncated(tmp_path: Path, again: bytes) -> None:
    path = tmp_path / "log"
    append(path, lines(0, 10))

    async def scenario(reader: FileReader) -> str:
        await read(reader, 10)
        path.write_bytes(again)
        append(path, lines(100, 103))
        found, offset = await read(reader, 3 + bool(again))
        assert found == [*again.splitlines(), *wanted(100, 103)]
        return offset

    following(source_of(path), "start", scenario)


@pytest.mark.parametrize("size", [10, 11])
def test_a_file_that_is_truncated_in_its_middle_comes_again(tmp_path: Path, size: int) -> None:
    path = tmp_path / "log"
    append(path, lines(0, 10))
    kept = lines(0, 10)[:size]

    async def scenario(reader: FileReader) -> str:
        await read(reader, 10)
        os.truncate(path, size)
        batch = await reader.read()
        assert batch is not None
        assert (batch.missed, batch.lines) == (None, lines(0, 5))
        append(path, lines(100, 103))
        found, offset = await read(reader, 3)
        assert found == (kept[10:] + lines(100, 103)).splitlines()
        return offset

    following(source_of(path), "start", scenario)


def test_files_that_come_later_fit_the_pattern(tmp_path: Path) -> None:
    async def scenario(reader: FileReader) -> str:
        start = await reader.read()
        assert start == Batch(b"", "-", 0, True)
        append(tmp_path / "a.log", lines(0, 10))
        append(tmp_path / "b.txt", lines(10, 20))
        append(tmp_path / "c.log", lines(20, 30))
        found, offset = await read(reader, 20)
        assert sorted(found, key=int) == wanted(0, 10) + wanted(20, 30)
        return offset

    offset = following(source_of(tmp_path / "*.log"), "now", scenario)
    append(tmp_path / "c.log", lines(30, 31))
    append(tmp_path / "d.log", lines(31, 32))

    async def then(reader: FileReader) -> str:
        found, offset = await read(reader, 2)
        assert sorted(found, key=int) == wanted(30, 32)
        return offset

    following(source_of(tmp_path / "*.log"), offset, then)


def test_one_file_that_is_long_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"1\n" * 1_000_000)
    append(tmp_path / "b.log", b"2\n")

    async def scenario(reader: FileReader) -> str:
        for _ in range(4):
            batch = await reader.read()
            assert batch is not None
            if b"2\n" in batch.lines:
                return "found"
        return ""

    assert following(source_of(tmp_path / "*.log"), "start", scenario) == "found"


def test_a_line_that_is_too_long_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, b"1\n" + b"x" * 1_000_000)

    async def scenario(reader: FileReader) -> str:
        assert (await read(reader, 1))[0] == [b"1"]
        append(path, b"x" * 1_000_000 + b"\n2\n")
        found, offset = await read(reader, 2)
        assert found == [b"x" * 1001, b"2"]
        return offset

    following(source_of(path, max_line_size=1000), "start", scenario)


@pytest.mark.parametrize("size", [0, 1, 999, 1001, 300_000])
def test_files_that_are_not_followed_have_an_end(tmp_path: Path, size: int) -> None:
    path = tmp_path / "log"
    append(path, lines(0, 10) + b"x" * size)

    async def scenario(reader: FileReader) -> str:
        found = []
        while (batch := await reader.read()) is not None:
            found += batch.lines.splitlines()
        assert found == wanted(0, 10) + ([b"x" * min(size, 1001)] if size else [])
        return ""

    following(source_of(path, "?follow=no", max_line_size=1000), "start", scenario)


@pytest.mark.parametrize(
    "offset",
    [
        *("", "x", "1", "1:", ":1", "1:1,", "1:1;2:2", "G:1", "1:" + "9" * 19, "1:" + "9" * 5000),
        *("f" * 17 + ":1", ",".join(f"{number:x}:1" for number in range(101))),
    ],
)
def test_what_is_no_offset_is_refused(offset: str) -> None:
    with pytest.raises(OffsetError):
        source_of("/tmp/log").check(offset)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:", "names no path"),
        ("file://host/path", "names no path"),
        ("file:/path?follow=maybe", "has follow=maybe"),
        ("file:/path?poll=1", "does not know: poll"),
        ("file:/data/*.csv", "names CSV files, which are not followed .* add follow=no"),
        ("file:/data/in.txt?format=tsv", "names TSV files"),
        ("file:/data/in.ndjson.gz", "names compressed files"),
        ("file:in.Parquet", "Parquet files; .* `forstcore process FILE --map r"),
        ("file:in.ndjson?format=xml", "has format=xml, which must be ndjson, csv or tsv"),
    ],
)
def test_bad_urls(url: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        open_source("a", url)


def test_over_http_to_the_end_of_the_source(start_one: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, b"".join(b'{"id":"%d","data":"x"}\n' % number for number in range(50_000)))
    server = start_one("--source", f"log=file:{path}?follow=no")
    with Subscription(server, "log", "start", receive_buffer=8192) as live:
        assert live.ids(50_000) == [str(number) for number in range(50_000)]
        end = json.loads(live.read_rest().splitlines()[-1].removeprefix(b":end "))
        assert (end["lines"], end["results"]) == (50_000, 50_000)


def test_over_http_live(start_one: StartServer, tmp_path: Path) -> None:
    server = start_one("--source", f"log=file:{tmp_path}/*.ndjson")
    with Subscription(server, "log") as live, Subscription(server, "log") as other:
        live.start()
        other.start()
        append(tmp_path / "a.ndjson", b'{"id":"1","data":"x"}\n{"id":"2"')
        assert live.ids(1) == other.ids(1) == ["1"]
        append(tmp_path / "a.ndjson", b"}\n")
        assert live.ids(1) == other.ids(1) == ["2"]
        offset = live.offset
    append(tmp_path / "b.ndjson", b'{"id":"3"}\n')
    with Subscription(server, "log", offset) as live:
        assert live.ids(1) == ["3"]


def test_lines_that_are_no_records_pass_a_filter(start_one: StartServer, tmp_path: Path) -> None:
    """With a processor in Python, too, there are error lines, with the numbers of the source."""
    path = tmp_path / "log.ndjson"
    path.write_bytes(b'{"n":1,"a":1}\n{"n":2}\nnope\n{"n":4,"a":1}\n')
    module = tmp_path / "same.py"
    module.write_text(
        "import forstcore\n@forstcore.processor('same')\ndef same(record: dict): return record\n"
    )
    server = start_one("--source", f"log=file:{path}?follow=no", "--processors", str(module))
    emit = {"Forst-On-Error": "emit"}
    wanted = {"a": 1}
    with Subscription(
        server, "log", "start", headers=emit, processor="same", filters=wanted
    ) as live:
        first, error, last = live.results(3)
        assert (first["n"], error["line"], last["n"]) == (1, 3, 4)
        assert len(live.rejected) == 1
