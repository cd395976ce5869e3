"""Byte order marks, zeros and long lines in files that are followed."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from forstcore.sources import _file_set, _followed_file
from tests.sources.followed import Followed, append, lines, source_of

_BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("options", ["", "?follow=no"])
def test_a_byte_order_mark_starts_each_file(tmp_path: Path, options: str) -> None:
    for name in ("a.log", "b.log"):
        append(tmp_path / name, _BOM + b"1\n" + _BOM + b"2\n")
    append(tmp_path / "c.log", _BOM)
    append(tmp_path / "d.log", b"")
    with Followed(source_of(tmp_path / "*.log", options)) as followed:
        # Only at the start.
        assert followed.until(4) == [b"1", _BOM + b"2"] * 2
        offset = followed.offset
        if options:
            followed.settle()
            assert followed.has_ended
            return
        append(tmp_path / "c.log", b"1\n")
        append(tmp_path / "d.log", _BOM[:2])
        followed.until(5)
        append(tmp_path / "d.log", _BOM[2:] + b"3\n")
        (tmp_path / "a.log").write_bytes(_BOM + b"4\n")
        assert sorted(followed.until(7)[4:]) == [b"1", b"3", b"4"]
    with Followed(source_of(tmp_path / "*.log"), offset) as followed:
        assert sorted(followed.settle()) == [b"1", b"3", b"4"]
    with Followed(source_of(tmp_path / "*.log"), "now") as followed:
        append(tmp_path / "c.log", b"5\n")
        assert followed.until(1) == [b"5"]


@pytest.mark.parametrize("is_away", [False, True])
def test_a_writer_that_keeps_its_position_in_a_truncated_file(
    tmp_path: Path, is_away: bool
) -> None:
    path = tmp_path / "a.log"
    with path.open("wb") as writer:
        writer.write(lines(0, 1000))
        writer.flush()
        with Followed(path) as followed:
            followed.until(1000)
            offset = followed.offset
            os.truncate(path, 0)
            writer.write(lines(1000, 1010))
            writer.flush()
            if not is_away:
                assert followed.until(1010) == lines(0, 1010).splitlines()
                assert followed.gaps
                offset = followed.offset
        writer.write(lines(1010, 1020))
    first = 1000 if is_away else 1010
    with Followed(path, offset) as followed:
        assert followed.until(1020 - first) == lines(first, 1020).splitlines()
        assert bool(followed.gaps) == is_away


@pytest.mark.parametrize("zeros", [1, 2, 4096, 300_000, 2_000_000])
@pytest.mark.parametrize("before", [b"", b"1\n", b'1\n{"torn', b"1\n" * 200_000])
def test_a_hole(tmp_path: Path, zeros: int, before: bytes) -> None:
    if before.endswith(b"torn") and zeros == 1:
        pytest.skip("one zero in a line is part of the line")
    path = tmp_path / "a.log"
    append(path, before + b"\0" * zeros + b"2\n3\n")
    wanted = before.splitlines()
    with Followed(source_of(path, max_line_size=1000)) as followed:
        assert followed.until(len(wanted) + 2) == [*wanted, b"2", b"3"]
        assert followed.gaps
        gaps = followed.gaps
        append(path, b"4\n")
        assert followed.until(len(wanted) + 3)[-1] == b"4"
        assert followed.gaps == gaps


def test_a_zero_within_a_line_is_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1\n2\x002\n3\n")
    with Followed(path) as followed:
        assert followed.until(3) == [b"1", b"2\x002", b"3"]
        assert not followed.gaps


def test_room_that_a_writer_has_reserved_is_no_hole(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"\0" * 1_000_000)
    with Followed(path) as followed, path.open("r+b") as writer:
        assert followed.settle() == []
        for number in range(5):
            writer.write(b"%d" % number)
            writer.flush()
            followed.settle(0.3)
            writer.write(b"\n")
            writer.flush()
            followed.until(number + 1)
        assert followed.lines == lines(0, 5).splitlines()
        assert not followed.gaps
        offset = followed.offset
    with Followed(path, offset) as followed:
        assert followed.settle() == []
    with Followed(source_of(path, "?follow=no")) as followed:
        assert followed.settle() == lines(0, 5).splitlines()
        assert followed.has_ended


def test_a_hole_of_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1\n")
    os.truncate(path, 50 << 30)
    with Followed(path) as followed:
        assert followed.settle() == [b"1"]
        assert not followed.gaps
        append(path, b"2\n")
        assert followed.until(2) == [b"1", b"2"]
        assert followed.gaps
    with Followed(path, "now") as followed:
        append(path, b"3\n")
        assert followed.until(1) == [b"3"]


def test_a_hole_that_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_followed_file, "_MAX_HOLE_READS", 2)
    path = tmp_path / "a.log"
    append(path, b"1\n" + b"\0" * 4_000_000)
    with Followed(source_of(path, max_line_size=1000)) as followed:
        assert followed.settle() == [b"1"]
        append(path, b"2\n")
        assert followed.until(2) == [b"1", b"2"]
    with Followed(source_of(path, "?follow=no", max_line_size=1000)) as followed:
        assert followed.until(2) == [b"1", b"2"]
        followed.settle()
        assert followed.has_ended


def test_zeros_behind_the_last_line_of_a_rotated_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_file_set, "_GRACE", 1.0)
    path = tmp_path / "a.log"
    append(path, b"1\n2" + b"\0" * 100)
    with Followed(path) as followed:
        assert followed.settle() == [b"1"]
        path.unlink()
        append(path, b"3\n")
        assert sorted(followed.until(3)) == [b"1", b"2", b"3"]
        followed.until_open(path)


def test_a_long_line_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1\n")
    with Followed(source_of(path, max_line_size=1000)) as followed:
        followed.until(1)
        tracemalloc.start()
        for _ in range(20):
            append(path, b"x" * 1_000_000)
            followed.settle(0.3)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5_000_000
        assert followed.lines == [b"1"]
        offset = followed.offset
        append(path, b"\n2\n")
        assert followed.until(3) == [b"1", b"x" * 1001, b"2"]
    with Followed(source_of(path, max_line_size=1000), offset) as followed:
        assert followed.until(2) == [b"x" * 1001, b"2"]


def test_now_within_a_long_line(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1\n" + b"x" * 3_000_000)
    with Followed(source_of(path, max_line_size=1000), "now") as followed:
        append(path, b"x\n2\n")
        assert followed.until(2) == [b"x" * 1001, b"2"]


def test_a_long_line_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1\n" + b"x" * 3_000_000)
    with Followed(source_of(path, max_line_size=1000)) as followed:
        assert followed.settle() == [b"1"]
        os.truncate(path, 2)
        append(path, b"2\n")
        assert followed.until(2) == [b"1", b"2"]
        path.write_bytes(b"3\n")
        assert followed.until(3)[-1] == b"3"
        assert followed.gaps
