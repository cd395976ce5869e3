"""A file that lines are appended to, while disks fill up and others rename or empty it."""

from __future__ import annotations

import contextlib
import os
import resource
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.streams.append_file import Appender
from tests import children
from tests.servers import ROOT

LINES = [b"%03d " % number + b"x" * 95 + b"\n" for number in range(50)]
MUCH = 1 << 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lines"


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file of this process become larger."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_was_torn_is_ended_first(path: Path) -> None:
    path.write_bytes(LINES[0] + b"torn")
    file = Appender(str(path), MUCH)
    assert file.append(LINES[1:3]) == (2, "")
    with path.open("ab") as other:
        other.write(b"torn again")
    assert file.append(LINES[3:4]) == (1, "")
    file.close()
    assert path.read_bytes() == (
        LINES[0] + b"torn\n" + LINES[1] + LINES[2] + b"torn again\n" + LINES[3]
    )


@pytest.mark.parametrize("room", [0, 1, 99, 100, 101, 250, 4999, 5000])
@pytest.mark.parametrize("before", [b"", LINES[0], b"torn"])
def test_a_full_disk_leaves_whole_lines(path: Path, room: int, before: bytes) -> None:
    path.write_bytes(before)
    file = Appender(str(path), MUCH)
    with room_for(len(before) + room):
        written, why = file.append(LINES)
    healed = before + b"\n" * (before == b"torn" and written > 0)
    whole = max(0, room - (before == b"torn")) // 100
    assert written == whole
    assert (why == "") == (written == 50)
    found = path.read_bytes()
    assert found.rstrip(b"\n") == (healed + b"".join(LINES[:written])).rstrip(b"\n")
    # There is room again.
    assert file.append(LINES[:1]) == (1, "")
    file.close()
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines[-1] == LINES[0]
    assert all(line in (*LINES, b"torn\n") for line in lines)


def test_the_limit_is_for_each_line(path: Path) -> None:
    file = Appender(str(path), 250)
    written, why = file.append([LINES[0], LINES[1], LINES[2], b"short\n"])
    assert written == 3
    assert "250 bytes" in why
    assert path.read_bytes() == LINES[0] + LINES[1] + b"short\n"
    os.truncate(path, 0)
    assert file.append(LINES[:2]) == (2, "")
    file.close()


def test_rotation(path: Path) -> None:
    file = Appender(str(path), MUCH)
    assert file.append(LINES[:1]) == (1, "")
    path.rename(path.with_suffix(".1"))
    assert file.append(LINES[1:2]) == (1, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.rename(path.with_suffix(".2"))
    path.touch()  # As logrotate's `create` does.
    assert file.append(LINES[2:3]) == (1, "")
    os.truncate(path, 0)  # As its `copytruncate` does.
    assert file.append(LINES[3:4]) == (1, "")
    path.unlink()
    assert file.append(LINES[4:5]) == (1, "")
    file.close()
    assert path.with_suffix(".1").read_bytes() == LINES[0]
    assert path.with_suffix(".2").read_bytes() == LINES[1]
    assert path.read_bytes() == LINES[4]


def test_a_directory_that_goes_and_comes_back(tmp_path: Path) -> None:
    directory = tmp_path / "errors"
    directory.mkdir()
    path = directory / "lines"
    file = Appender(str(path), MUCH)
    path.unlink()
    directory.rmdir()
    for _ in range(2):
        assert file.append(LINES[:1]) == (0, "No such file or directory")
    directory.mkdir()
    assert file.append(LINES[1:2]) == (1, "")
    file.close()
    assert path.read_bytes() == LINES[1]


def test_where_no_new_file_can_be_made_the_old_one_goes_on(path: Path) -> None:
    file = Appender(str(path), MUCH)
    path.rename(path.with_suffix(".1"))
    path.mkdir()
    assert file.append(LINES[:1]) == (1, "")
    assert path.with_suffix(".1").read_bytes() == LINES[0]
    path.rmdir()
    assert file.append(LINES[1:2]) == (1, "")
    assert path.read_bytes() == LINES[1]
    file.close()


def test_what_is_no_file(tmp_path: Path) -> None:
    file = Appender("/dev/full", MUCH)
    assert file.append(LINES) == (0, "No space left on device")
    file.close()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        Appender(str(tmp_path / "pipe"), MUCH)  # There is no reader, and it does not wait for one.
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    file = Appender(str(tmp_path / "pipe"), 10)
    assert file.append(LINES[:3]) == (3, "")
    assert os.read(reader, 1000) == b"".join(LINES[:3])
    file.close()
    os.close(reader)


WRITER = """
import random, sys
from server.streams.append_file import Appender
number, path = sys.argv[1:]
chance = random.Random(int(number))
file = Appender(path, 1 << 30)
left = 2000
while left:
    lines = [
        b"%s %d %s\\n" % (number.encode(), at, b"x" * chance.randrange(3000))
        for at in range(left, max(0, left - chance.randrange(1, 50)), -1)
    ]
    assert file.append(lines) == (len(lines), "")
    left -= len(lines)
"""


def test_several_processes_and_rotation(path: Path) -> None:
    command = [sys.executable, "-c", WRITER]
    writers = [children.start([*command, str(number), str(path)], cwd=ROOT) for number in range(4)]
    rotated = 0
    while any(writer.poll() is None for writer in writers):
        time.sleep(0.02)
        with contextlib.suppress(FileNotFoundError):
            path.rename(path.with_suffix(f".{rotated}"))
            rotated += 1
    assert [writer.returncode for writer in writers] == [0] * 4
    found = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert found.endswith(b"\n")
    lines = [line.split() for line in found.splitlines()]
    assert all(set(line[2] if len(line) > 2 else b"x") == {ord("x")} for line in lines)
    assert sorted((int(line[0]), int(line[1])) for line in lines) == [
        (number, at) for number in range(4) for at in range(1, 2001)
    ]
