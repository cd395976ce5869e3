"""Files that are renamed, copied, truncated and deleted while they are followed, or in between."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from pathlib import Path

import pytest

from forstcore.sources import _file_set
from tests.sources.followed import Followed, append, lines


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A file with 100 lines."""
    path = tmp_path / "app.log"
    append(path, lines(0, 100))
    return path


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file_set, "_GRACE", 1.5)


def wanted(first: int, end: int) -> list[bytes]:
    return lines(first, end).splitlines()


def by_number(found: list[bytes]) -> list[bytes]:
    return sorted(found, key=int)


def copy_and_truncate(path: Path, copy: Path) -> None:
    shutil.copyfile(path, copy)
    os.truncate(path, 0)


def rotate(path: Path, names: list[str]) -> None:
    """Give each file the next name, as logrotate does."""
    paths = [path, *(path.with_name(name) for name in names)]
    for older, newer in reversed(list(zip(paths[1:], paths[:-1], strict=True))):
        if newer.exists():
            newer.rename(older)


NUMBERED = ["app.log.1", "app.log.2", "app.log.3"]
PATTERNS = ["app.log", "app.log*"]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("is_away", [False, True])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_rotations_between_two_looks(log: Path, pattern: str, is_away: bool, times: int) -> None:
    source = log.with_name(pattern)
    with Followed(source) as followed:
        followed.until(100)
        followed.settle(0.3)
        offset = followed.offset
        for number in range(1, times + 1):
            append(log, lines(100 * number, 100 * number + 50))
            rotate(log, NUMBERED)
            append(log, lines(100 * number + 50, 100 * number + 100))
        if not is_away:
            assert by_number(followed.settle()) == wanted(0, 100 * (times + 1))
            assert not followed.gaps
    if is_away:
        with Followed(source, offset) as followed:
            assert by_number(followed.settle()) == wanted(100, 100 * (times + 1))
            assert not followed.gaps


@pytest.mark.parametrize(
    "names",
    [
        ["app.log-20261127", "app.log-20261128"],
        ["app-2026-11-27.log", "app-2026-11-28.log"],
        ["app.log.2026-11-27_10-00-00", "app.log.2026-11-28_10-00-00"],
        ["app.log.old", "app.log.1"],
        ["app.1.log", "app.2.log"],
    ],
)
@pytest.mark.parametrize("is_away", [False, True])
def test_names_of_any_rotation(log: Path, names: list[str], is_away: bool) -> None:
    with Followed(log) as followed:
        followed.until(100)
        offset = followed.offset
        for number, name in enumerate(names, 1):
            append(log, lines(100 * number, 100 * number + 100))
            log.rename(log.with_name(name))
            # Dates of modification decide which file is later.
            time.sleep(0.02)
        append(log, lines(300, 400))
        if not is_away:
            assert by_number(followed.settle()) == wanted(0, 400)
            assert not followed.gaps
    if is_away:
        with Followed(log, offset) as followed:
            assert by_number(followed.settle()) == wanted(100, 400)
            assert not followed.gaps


def test_files_that_were_rotated_before_are_not_read(log: Path) -> None:
    append(log.with_name("app.log.2"), b"old\n")
    os.utime(log.with_name("app.log.2"), (1, 1))
    append(log.with_name("app-1.log.3"), b"other\n")
    with Followed(log) as followed:
        followed.until(100)
        offset = followed.offset
        append(log.with_name("app-2.log"), b"other\n")
        append(log.with_name("app.logger"), b"other\n")
        rotate(log, NUMBERED)
        append(log, lines(100, 200))
        assert followed.settle() == wanted(0, 200)
    append(log.with_name("app.log.1.gz"), gzip.compress(b"packed\n"))
    with Followed(log, offset) as followed:
        assert followed.settle() == wanted(100, 200)


def test_files_rotated_before_an_offset_are_not_read_again(log: Path) -> None:
    """File systems update times a few hundred times a second: those of two files may be equal."""
    older = log.with_name("app.log.1")
    older.write_bytes(b"old\n")
    time_of_both = log.stat().st_mtime_ns
    os.utime(older, ns=(0, time_of_both))
    with Followed(log) as followed:
        assert followed.until(100) == wanted(0, 100)
        offset = followed.offset
    with Followed(log, offset) as followed:
        assert followed.settle() == []
        rotate(log, NUMBERED)
        os.utime(log.with_name("app.log.1"), ns=(0, time_of_both))
        append(log, lines(100, 200))
        assert followed.settle() == wanted(100, 200)
        assert not followed.gaps


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_last_line_without_lf_is_complete_when_the_file_is(log: Path, pattern: str) -> None:
    append(log, b"100")
    with Followed(log.with_name(pattern)) as followed:
        followed.until(100)
        for number in (101, 103, 105):
            rotate(log, NUMBERED)
            append(log, b"%d\n%d" % (number, number + 1))
            followed.settle(0.3)
        assert by_number(followed.until(106)) == wanted(0, 106)
        assert not followed.gaps
        # The last is not: it has its name.
        assert followed.settle(2.5)[106:] == []
        offset = followed.offset
        append(log, b"\n")
        assert followed.until(107)[-1] == b"106"
    with Followed(log.with_name(pattern), offset) as followed:
        assert followed.settle() == [b"106"]


@pytest.mark.usefixtures("short_grace")
def test_a_deleted_file_is_read_to_its_end_and_closed(log: Path) -> None:
    with Followed(log) as followed:
        followed.until(100)
        with log.open("ab") as writer:
            log.unlink()
            append(log, b"200\n")
            for number in range(100, 105):
                writer.write(b"%d\n" % number)
                writer.flush()
                followed.settle(0.3)
            writer.write(b"105")
        assert by_number(followed.until(107)) == [*wanted(0, 106), b"200"]
        followed.until_open(log)
        assert not followed.gaps


@pytest.mark.usefixtures("short_grace")
def test_a_writer_that_keeps_a_renamed_file(log: Path) -> None:
    with Followed(log) as followed, log.open("ab") as writer:
        followed.until(100)
        log.rename(log.with_name("app.log.1"))
        log.touch()
        followed.settle(2.5)
        writer.write(b"100\n")
        writer.flush()
        assert followed.until(101) == wanted(0, 101)
        append(log, b"101\n")
        assert followed.until(102) == wanted(0, 102)
        followed.until_open(log)


@pytest.mark.usefixtures("short_grace")
def test_a_file_that_goes_out_of_sight_is_not_read_twice(log: Path) -> None:
    with Followed(log) as followed:
        followed.until(100)
        away = log.parent / "away"
        away.mkdir()
        log.rename(away / "file")
        append(log, b"200\n")
        followed.until(101)
        followed.until_open(log)
        append(away / "file", b"100\n")
        (away / "file").rename(log)
        assert followed.settle() == [*wanted(0, 100), b"200", b"100"]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("is_away", [False, True])
def test_a_file_that_is_copied_and_truncated(log: Path, pattern: str, is_away: bool) -> None:
    source = log.with_name(pattern)
    with Followed(source) as followed:
        followed.until(100)
        offset = followed.offset
        append(log, lines(100, 150))
        copy_and_truncate(log, log.with_name("app.log.1"))
        append(log, lines(150, 200))
        if not is_away:
            # Lines may always have been written between the copying and the truncation.
            followed.until_gap()
            assert by_number(followed.settle()) == wanted(0, 200)
            offset = followed.offset
            rotate(log.with_name("app.log.1"), ["app.log.2"])
            append(log, lines(200, 250))
            copy_and_truncate(log, log.with_name("app.log.1"))
            append(log, lines(250, 300))
            assert by_number(followed.settle()) == wanted(0, 300)
    first = 200
    if is_away:
        first = 100
        append(log, lines(200, 300))
    with Followed(source, offset) as followed:
        assert by_number(followed.settle()) == wanted(first, 300)
        assert followed.gaps


@pytest.mark.parametrize("sleep", [0.0, 0.3])
def test_a_copy_is_not_read_while_the_file_is_not_truncated_yet(log: Path, sleep: float) -> None:
    copy = log.with_name("app.log.1")
    with Followed(log.with_name("app.log*")) as followed:
        followed.until(100)
        append(log, lines(100, 150))
        followed.settle(0.3)
        data = log.read_bytes()
        for end in (0, 1, 100, 300, len(data)):
            copy.write_bytes(data[:end])
            followed.settle(0.3)
        append(log, lines(150, 160))
        followed.settle(sleep)
        os.truncate(log, 0)
        append(log, lines(160, 170))
        followed.until_gap()
        lost = [] if sleep else wanted(150, 160)
        assert by_number(followed.settle() + lost) == wanted(0, 170)
        offset = followed.offset
    with Followed(log.with_name("app.log*"), offset) as followed:
        assert followed.settle() == []


@pytest.mark.parametrize("first", [100, 200, 1000])
@pytest.mark.parametrize("is_away", [False, True])
@pytest.mark.parametrize("is_longer", [False, True])
def test_a_file_written_anew(log: Path, first: int, is_away: bool, is_longer: bool) -> None:
    log.write_bytes(lines(first, first + 100))
    with Followed(log) as followed:
        followed.until(100)
        offset = followed.offset
        # As long as before, to the byte, or longer.
        log.write_bytes(lines(first + 100, first + (300 if is_longer else 200)))
        if not is_away:
            followed.until_gap()
            assert followed.settle()[100:] == log.read_bytes().splitlines()
    if is_away:
        with Followed(log, offset) as followed:
            assert followed.gaps == 1
            assert followed.settle() == log.read_bytes().splitlines()


@pytest.mark.parametrize("is_away", [False, True])
def test_a_file_written_anew_that_starts_or_ends_as_before(log: Path, is_away: bool) -> None:
    head = b"header\n" * 300
    log.write_bytes(head + b"aaaaaaaaaa\n" * 50 + b"end\n" * 100)
    with Followed(log) as followed:
        followed.until(450)
        offset = followed.offset
        # Only what neither fingerprint covers differs: that cannot be seen.
        for changed in (
            head + b"aaaaaaaaaa\n" * 50 + b"END\n" * 100,
            b"HEADER\n" * 300 + b"aaaaaaaaaa\n" * 50 + b"END\n" * 100,
        ):
            before, gaps = len(followed.lines), followed.gaps
            log.write_bytes(changed)
            if is_away:
                with Followed(log, offset) as other:
                    assert other.gaps == 1
                    assert other.settle() == changed.splitlines()
            else:
                assert followed.settle()[before:] == changed.splitlines()
                assert followed.gaps > gaps


def test_another_file_that_got_the_inode(log: Path) -> None:
    with Followed(log) as followed:
        followed.until(100)
        offset = followed.offset
    inode = log.stat().st_ino
    for number in range(100):
        log.unlink()
        append(log, b"line %d of another file\n" % number * 100)
        if log.stat().st_ino == inode:
            break
    else:
        pytest.skip("the file system gives no inode twice")
    with Followed(log, offset) as followed:
        assert followed.gaps == 1
        assert len(followed.settle()) == 100


def test_a_truncated_file_loses_what_was_not_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, lines(0, 1_000_000))
    with Followed(path) as followed:
        followed.wait(5)
        read = len(followed.lines)
        assert 0 < read < 900_000
        size = len(b"\n".join(followed.lines)) + 1
        os.truncate(path, size + 7 * 1000)
        followed.settle()
        assert followed.gaps == 1


def test_a_link_that_is_switched(tmp_path: Path) -> None:
    current = tmp_path / "current"
    for day in (27, 28, 29):
        append(tmp_path / f"app-{day}", b"%d\n" % day)
    current.symlink_to("app-27")
    with Followed(current) as followed:
        followed.until(1)
        append(tmp_path / "app-27", b"late")
        for day in (28, 29):
            (tmp_path / "next").symlink_to(f"app-{day}")
            (tmp_path / "next").rename(current)
            followed.until(day - 26)
        append(tmp_path / "app-27", b"r\n")
        assert followed.until(4) == [b"27", b"28", b"29", b"later"]


def test_names_of_one_file_are_one_file(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"1\n")
    os.link(tmp_path / "a.log", tmp_path / "b.log")
    (tmp_path / "c.log").symlink_to("a.log")
    with Followed(tmp_path / "*.log") as followed:
        followed.until(1)
        (tmp_path / "a.log").unlink()
        followed.settle()
        append(tmp_path / "b.log", b"2\n")
        assert followed.settle() == [b"1", b"2"]
        assert not followed.gaps


@pytest.mark.parametrize("is_away", [False, True])
def test_compressed_files_are_not_read(
    log: Path, is_away: bool, caplog: pytest.LogCaptureFixture
) -> None:
    packed = log.with_name("app.log.1.gz")
    source = log.with_name("app.log*")
    with Followed(source) as followed:
        followed.until(100)
        offset = followed.offset
        for _ in range(2):
            packed.write_bytes(gzip.compress(log.read_bytes()))
            log.unlink()
            append(log, lines(100, 120))
            if not is_away:
                assert followed.settle()[:120] == wanted(0, 120)
                assert not followed.gaps
                break
    if is_away:
        with Followed(source, offset) as followed:
            # The compressed file may hold lines that were not read.
            assert followed.gaps == 1
            assert followed.settle() == wanted(100, 120)
    assert sum("is compressed" in record.message for record in caplog.records) == 1


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_last_line_without_lf_that_was_rotated_meanwhile(log: Path, pattern: str) -> None:
    with Followed(log.with_name(pattern)) as followed:
        followed.until(100)
        offset = followed.offset
    for number in (100, 101):
        append(log, b"%d" % number)
        rotate(log, NUMBERED)
        log.touch()
    with Followed(log.with_name(pattern), offset) as followed:
        assert by_number(followed.until(2)) == wanted(100, 102)
        assert not followed.gaps


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_file_written_anew_and_rotated_meanwhile(log: Path, pattern: str) -> None:
    with Followed(log.with_name(pattern)) as followed:
        followed.until(100)
        offset = followed.offset
    log.write_bytes(lines(100, 150))
    for number in (150, 200):
        rotate(log, NUMBERED)
        append(log, lines(number, number + 50))
    with Followed(log.with_name(pattern), offset) as followed:
        assert followed.gaps == 1
        assert by_number(followed.settle()) == wanted(100, 250)


def test_an_offset_in_an_empty_file_whose_inode_another_got(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.touch()
    with Followed(path) as followed:
        offset = followed.offset
    inode = path.stat().st_ino
    time.sleep(0.02)
    append(path, lines(0, 50))
    rotate(path, NUMBERED)
    append(path, lines(50, 100))
    rotate(path, NUMBERED)
    path.with_name("app.log.2").unlink()
    append(path, lines(100, 150))
    if path.stat().st_ino != inode:
        pytest.skip("the file system gives no inode twice")
    with Followed(path, offset) as followed:
        assert followed.gaps == 1
        assert by_number(followed.settle()) == wanted(50, 150)


def test_old_files_beside_an_empty_one_are_not_read(tmp_path: Path) -> None:
    append(tmp_path / "app.log.1", b"old\n")
    time.sleep(0.02)
    (tmp_path / "app.log").touch()
    with Followed(tmp_path / "app.log") as followed:
        offset = followed.offset
    append(tmp_path / "app.log", b"new\n")
    with Followed(tmp_path / "app.log", offset) as followed:
        assert followed.settle() == [b"new"]
        assert not followed.gaps


@pytest.mark.usefixtures("short_grace")
def test_an_offset_follows_files_without_lines(log: Path) -> None:
    with Followed(log) as followed:
        followed.until(100)
        log.rename(log.with_name("app.log.1"))
        append(log, b"part")
        followed.until_open(log)
        followed.settle()
        offset = followed.offset
    # The offset no longer refers to the old file, which may be deleted.
    log.with_name("app.log.1").unlink()
    append(log, b" of a line\n")
    with Followed(log, offset) as followed:
        assert followed.settle() == [b"part of a line"]
        assert not followed.gaps
