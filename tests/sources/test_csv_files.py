"""CSV files as a source, read from any offset."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import START, BadRow, Batch, SourceLimits, open_source
from forstcore.sources._file_content import Rows


def batches_of(url: str, start: str = START, limit: int = 1 << 20) -> list[Batch]:
    async def read() -> list[Batch]:
        reader = open_source("a", url, SourceLimits(max_line_size=limit)).open(start)
        found: list[Batch] = []
        try:
            while (batch := await reader.read()) is not None:
                assert isinstance(batch, Batch)
                found.append(batch)
        finally:
            await reader.close()
        return found

    return asyncio.run(read())


def records_of(batches: list[Batch]) -> list[dict[str, str]]:
    lines = b"".join(each.lines for each in batches)
    return [json.loads(line) for line in lines.splitlines() if line]


def rows(first: int, end: int) -> bytes:
    """Return rows, many of which span several lines."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(
        (number, "x" * (number % 40) + '\r\n,"\n' * (number % 3)) for number in range(first, end)
    )
    return text.getvalue().encode()


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_rows_are_read_once_from_any_offset(tmp_path: Path, suffix: str) -> None:
    pack = gzip.compress if suffix.endswith(".gz") else bytes
    for number in range(3):
        content = b"id,text\n" + rows(number * 20_000, number * 20_000 + 20_000)
        (tmp_path / f"{number}{suffix}").write_bytes(pack(content))
    url = f"file:{tmp_path}/*{suffix}?follow=no"
    batches = batches_of(url)
    found = records_of(batches)
    assert [each["id"] for each in found] == [str(number) for number in range(60_000)]
    assert found[2]["text"] == "xx" + '\r\n,"\n' * 2
    assert len(batches) > 6
    assert [each.is_last for each in batches].index(True) == len(batches) - 1
    source = open_source("a", url)
    for place in [0, *random.Random(1).sample(range(len(batches)), 4), len(batches) - 1]:
        source.check(batches[place].offset)
        rest = batches_of(url, batches[place].offset)
        assert records_of(batches[: place + 1] + rest) == found


# Fields that are cut anywhere, quotes that are wrong, and rows that are too long.
TEXT = st.lists(
    st.sampled_from(
        ['"', '""', ",", "\n", "\r\n", "a", "b,c\n", '"d\ne"\n', "\xff", "f" * 30, "1,2\n"]
    ),
    max_size=60,
).map(lambda parts: "".join(parts).encode("latin-1"))


@given(TEXT, st.integers(1, 40), st.integers(1, 40))
def test_reading_again_from_a_position_gives_the_same(data: bytes, first: int, cut: int) -> None:
    whole = b"x,y\n" + data

    def read(rows: Rows, at: int, size: int) -> list[tuple[int, bytes, tuple[BadRow, ...]]]:
        found = []
        for start in range(at, len(whole), size):
            if lines := rows.feed(whole[start : start + size]):
                found.append((rows.position, lines, rows.bad_rows))
        lines = rows.finish()
        assert rows.position == len(whole)
        return [*found, (rows.position, lines, rows.bad_rows)]

    def joined(parts: list[tuple[int, bytes, tuple[BadRow, ...]]]) -> tuple[bytes, list[BadRow]]:
        lines, bad = b"", []
        for _, more, rows in parts:
            before = lines.count(b"\n")
            # What is wrong with a long row depends on how much of it was there.
            bad += [BadRow(before + row.line, "", 0, b"", False) for row in rows]
            lines += more
        return lines, bad

    parts = read(Rows("in.csv", ",", 50), 0, first)
    everything = joined(parts)
    for place, (position, _, _) in enumerate(parts):
        again = Rows("in.csv", ",", 50)
        assert not again.pass_over(whole[:position])
        again.go_to(position)
        assert joined(parts[: place + 1] + read(again, position, cut)) == everything


def test_invalid_rows_are_known_by_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'a,b\n"1\n2",3\n4\n5,6\n')
    (tmp_path / "b.csv").write_bytes(b"a,b\n7,8,9\n" + b"x" * 200_000 + b"\n1,2\n")
    batches = batches_of(f"file:{tmp_path}/*.csv?follow=no", limit=100)
    bad = [row for batch in batches for row in batch.bad_rows]
    # Counted within a batch; that of the second file ends before its long line.
    assert [(row.line, row.raw[:8]) for row in bad] == [(4, b"4"), (2, b"7,8,9"), (1, b"x" * 8)]
    assert bad[0].why == "1 field, but 2 columns"
    assert b"".join(batch.lines for batch in batches) == (
        b'\n{"a":"1\\n2","b":"3"}\n\n!\n{"a":"5","b":"6"}\n\n!\n!\n{"a":"1","b":"2"}\n'
    )


def test_other_names_in_the_first_row_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,text\n" + rows(0, 40_000))
    url = f"file:{path}?follow=no"
    offset = batches_of(url)[1].offset
    path.write_bytes(b"text,id\n" + rows(0, 40_000))
    with pytest.raises(SourceError, match="its first row is not the one it had before"):
        batches_of(url, offset)
    path.write_bytes(b"id,text\n1,2\n")
    with pytest.raises(SourceError, match="behind the end"):
        batches_of(url, offset)
    with pytest.raises(OffsetError):
        open_source("a", url).check(offset + "x")


@pytest.mark.parametrize("content", [b"a,a\n1,2\n", b'"a\n1,2\n'])
def test_names_that_cannot_be_used_are_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(SourceError, match=r"cannot be read: .*a\.csv, line 1"):
        batches_of(f"file:{tmp_path}/a.csv?follow=no")


def test_the_format_is_that_of_the_option(tmp_path: Path) -> None:
    (tmp_path / "export.txt").write_bytes(b"a\tb\n1\t2\n")
    found = batches_of(f"file:{tmp_path}/export.txt?follow=no&format=tsv")
    assert records_of(found) == [{"a": "1", "b": "2"}]
