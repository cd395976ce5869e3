"""Files that cannot be read, or not yet, or not as text: others are not affected."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest

from forstcore.errors import OffsetError, SourceError
from forstcore.sources import _file_set
from tests import children
from tests.servers import StartServer
from tests.sources.followed import Followed, append, lines, open_descriptors, source_of
from tests.sources.live import Subscription

_NOBODY = 65534


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that all users may enter, which `tmp_path` is not."""
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run as an unprivileged user in the block."""
    if os.geteuid() != 0:
        yield
        return
    # Modules that are imported later may be in directories that other users cannot read.
    asyncio.run(asyncio.to_thread(int))
    os.setegid(_NOBODY)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def warnings(caplog: pytest.LogCaptureFixture, path: Path) -> list[str]:
    return [record.message for record in caplog.records if repr(str(path)) in record.message]


@pytest.mark.parametrize("options", ["", "?follow=no", "?follow=no&format=csv"])
@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("missing.log", "matches no file"),
        ("*.log", "matches no file"),
        ("missing/a.log", "matches no file"),
        ("", "is a directory: name its files, as DIRECTORY/*.ndjson"),
    ],
)
def test_a_path_without_files_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, trouble: str, options: str
) -> None:
    with Followed(source_of(tmp_path / name, options)) as followed:
        followed.settle()
    assert warnings(caplog, tmp_path / name) == [f"source logs: {str(tmp_path / name)!r} {trouble}"]


@pytest.mark.parametrize("start", ["start", "now"])
def test_a_file_that_may_be_read_later(
    shared: Path, start: str, caplog: pytest.LogCaptureFixture
) -> None:
    append(shared / "a.log", b"a1\n")
    append(shared / "b.log", b"b1\n")
    (shared / "b.log").chmod(0)
    with unprivileged(), Followed(shared / "*.log", start) as followed:
        os.seteuid(os.getuid())
        append(shared / "a.log", b"a2\n")
        append(shared / "b.log", b"b2\n")
        if os.getuid() == 0:
            os.seteuid(_NOBODY)
        assert [line for line in followed.settle(1.0) if line != b"a1"] == [b"a2"]
        os.seteuid(os.getuid())
        (shared / "b.log").chmod(0o644)
        if os.getuid() == 0:
            os.seteuid(_NOBODY)
        found = followed.settle(1.0)
        assert (b"b1" in found, found[-1]) == (start == "start", b"b2")
        assert not followed.gaps
    assert len(warnings(caplog, shared / "b.log")) == 1


def test_a_file_that_may_not_be_read_and_goes(shared: Path) -> None:
    append(shared / "a.log", b"a1\n")
    (shared / "a.log").chmod(0)
    with unprivileged(), Followed(shared / "*.log") as followed:
        assert followed.settle() == []
        assert not followed.gaps
        os.seteuid(os.getuid())
        (shared / "a.log").unlink()
        followed.until_gap()


def test_an_offset_in_a_file_that_may_not_be_read_now(shared: Path) -> None:
    path = shared / "a.log"
    append(path, lines(0, 10))
    with Followed(path) as followed:
        followed.until(10)
        offset = followed.offset
    append(path, lines(10, 20))
    path.chmod(0)
    with unprivileged(), Followed(path, offset) as followed:
        assert followed.settle() == []
        assert (followed.gaps, followed.offset) == (0, offset)
        os.seteuid(os.getuid())
        path.chmod(0o644)
        assert followed.until(10) == lines(10, 20).splitlines()


def test_a_directory_that_may_not_be_read(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    append(shared / "a.log", b"a1\n")
    shared.chmod(0)
    with unprivileged(), Followed(shared / "*.log") as followed:
        assert followed.settle() == []
        assert len(warnings(caplog, shared)) == 1
        os.seteuid(os.getuid())
        shared.chmod(0o755)
        assert followed.until(1) == [b"a1"]


def test_a_directory_that_goes_and_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file_set, "_GRACE", 0.5)
    directory = tmp_path / "logs"
    with Followed(directory / "*.log") as followed:
        for number in range(3):
            directory.mkdir()
            append(directory / "a.log", b"%d\n" % number)
            followed.until(number + 1)
            shutil.rmtree(directory)
            followed.settle(0.3 * number)
        directory.mkdir()
        append(directory / "a.log", b"3\n")
        followed.until(4)
        directory.rename(tmp_path / "away")
        followed.settle(1.5)
        (tmp_path / "away").rename(directory)
        append(directory / "a.log", b"4\n")
        assert followed.settle() == lines(0, 5).splitlines()
        assert not followed.gaps


def test_what_is_no_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    append(tmp_path / "a.log", b"1\n")
    (tmp_path / "directory.log").mkdir()
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "zero.log").symlink_to("/dev/zero")
    (tmp_path / "nowhere.log").symlink_to("nothing")
    (tmp_path / "loop.log").symlink_to("loop.log")
    with Followed(tmp_path / "*.log") as followed:
        followed.until(1)
        append(tmp_path / "nothing", b"2\n")
        assert followed.settle(1.0) == [b"1", b"2"]
        (tmp_path / "pipe.log").unlink()
        append(tmp_path / "pipe.log", b"3\n")
        (tmp_path / "a.log").unlink()
        os.mkfifo(tmp_path / "a.log")
        assert followed.until(3)[2] == b"3"
        assert not followed.gaps
    logged = {name: len(warnings(caplog, tmp_path / name)) for name in os.listdir(tmp_path)}  # noqa: PTH208
    assert {name for name, count in logged.items() if count} == {
        *("pipe.log", "zero.log", "loop.log", "a.log")
    }
    assert max(logged.values()) == 1


def test_files_that_come_and_go(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"1\n")
    churn = (
        "import os, sys\n"
        "while True:\n"
        "    os.close(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY))\n"
        "    os.unlink(sys.argv[1])\n"
    )
    with children.started([sys.executable, "-c", churn, str(tmp_path / "b.log")]) as process:
        try:
            with Followed(tmp_path / "*.log") as followed:
                for number in range(2, 12):
                    append(tmp_path / "a.log", b"%d\n" % number)
                    followed.until(number)
                    followed.wait(0.2)
                assert not followed.gaps
        finally:
            process.kill()


def test_a_file_that_cannot_be_read_any_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.log"
    append(path, lines(0, 10))
    append(tmp_path / "b.log", b"b\n")
    with Followed(tmp_path / "*.log") as followed:
        followed.until(11)
        for link in Path("/proc/self/fd").iterdir():
            if link.is_symlink() and link.resolve() == path:
                # Reading fails from here on.
                directory = os.open(tmp_path, os.O_RDONLY)
                os.dup2(directory, int(link.name))
                os.close(directory)
                break
        append(path, lines(10, 20))
        append(tmp_path / "b.log", b"b\n")
        followed.until(22)
        assert [line for line in followed.lines if line != b"b"] == lines(0, 20).splitlines()
        assert not followed.gaps
    assert len(warnings(caplog, path)) == 1


def test_others_go_on_over_http(start_one: StartServer, tmp_path: Path) -> None:
    append(tmp_path / "a.ndjson", b'{"id":"1"}\n')
    (tmp_path / "loop.ndjson").symlink_to("loop.ndjson")
    (tmp_path / "zero.ndjson").symlink_to("/dev/zero")
    server = start_one("--source", f"log=file:{tmp_path}/*.ndjson")
    with Subscription(server, "log", "start") as live, Subscription(server, "log") as other:
        assert live.ids(1) == ["1"]
        other.start()
        append(tmp_path / "a.ndjson", b'{"id":"2"}\n')
        assert live.ids(1) == other.ids(1) == ["2"]
        (tmp_path / "a.ndjson").write_bytes(b'{"id":"3"}\n')
        assert live.ids(1) == other.ids(1) == ["3"]
        assert live.missed == other.missed == ["?"]


def test_more_files_than_can_be_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(150):
        append(tmp_path / f"{number}.log", b"%d\n" % number)
        os.utime(tmp_path / f"{number}.log", (number, number))
    with Followed(tmp_path / "*.log") as followed:
        followed.until_gap()
        # Those that were written to last.
        assert sorted(followed.until(100), key=int) == lines(50, 150).splitlines()
        assert len(open_descriptors(tmp_path)) == 100
        for number in range(100, 150):
            (tmp_path / f"{number}.log").unlink()
        assert sorted(followed.until(150), key=int) == lines(0, 150).splitlines()
        assert followed.gaps == 1
    assert len(warnings(caplog, tmp_path / "*.log")) == 1


def test_waiting_files_begin_where_the_reading_did(tmp_path: Path) -> None:
    for number in range(110):
        append(tmp_path / f"{number}.log", b"old\n")
        os.utime(tmp_path / f"{number}.log", (number, number))
    with Followed(tmp_path / "*.log", "now") as followed:
        followed.settle()
        assert not followed.gaps
        append(tmp_path / "0.log", b"new\n")
        followed.until_gap()
        (tmp_path / "109.log").unlink()
        assert followed.until(1) == [b"new"]
        assert followed.settle() == [b"new"]


def test_deleted_files_make_room(tmp_path: Path) -> None:
    with Followed(tmp_path / "*.log") as followed:
        for first in range(0, 130, 10):
            for number in range(first, first + 10):
                append(tmp_path / f"{number}.log", b"%d\nrest %d" % (number, number))
            while not set(lines(first, first + 10).splitlines()) <= set(followed.lines):
                followed.wait(1)
            for number in range(first, first + 10):
                (tmp_path / f"{number}.log").unlink()
        found = followed.settle(1.0)
        numbers = [line for line in found if b"rest" not in line]
        assert sorted(numbers, key=int) == lines(0, 130).splitlines()
        assert not followed.gaps
        assert len(open_descriptors(tmp_path)) <= 100


def test_more_files_that_are_not_followed(tmp_path: Path) -> None:
    for number in range(101):
        append(tmp_path / f"{number}.log", b"1\n")
    with pytest.raises(SourceError, match="more than 100 files"):
        Followed(source_of(tmp_path / "*.log", "?follow=no"))


def test_files_that_are_not_followed_and_not_read_do_not_stop_the_others(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"1\n2")
    (tmp_path / "b.log").symlink_to("b.log")
    with Followed(source_of(tmp_path / "*.log", "?follow=no")) as followed:
        assert followed.settle() == [b"1", b"2"]
        assert followed.has_ended


def test_looking_at_thousands_of_files_leaves_time(tmp_path: Path) -> None:
    for number in range(5_000):
        (tmp_path / f"{number}.log").touch()
    append(tmp_path / "0.log", lines(0, 1_000_000))
    with Followed(tmp_path / "*.log") as followed:
        batches = followed.batches
        begin = time.process_time()
        followed.until(1_000_000, 60)
        # Finding files is not done once for each batch.
        assert followed.batches - batches > 5
        used = time.process_time() - begin
        begin = time.process_time()
        followed.settle(2.0)
        assert time.process_time() - begin < 1.0, used


@pytest.mark.parametrize(
    "name",
    [b"\xff\xfe.log", b"app[1].log", b"a*b?.log", b"line\nfeed.log", "größe %41.log".encode()],
)
def test_names_of_any_bytes(tmp_path: Path, name: bytes) -> None:
    directory = tmp_path / "d[x]*"
    directory.mkdir()
    path = directory / os.fsdecode(name)
    append(path, b"1\n")
    append(directory / "app1.log", b"other\n")
    source = source_of(quote_from_bytes(os.fsencode(path)))
    with Followed(source) as followed:
        assert b"1" in followed.settle()
        offset = followed.offset
        append(path, b"2\n")
        path.rename(f"{path}.1")
        append(path, b"3\n")
        found = followed.settle()
        assert [line for line in found if line != b"other"] == [b"1", b"2", b"3"]
    with Followed(source, offset) as followed:
        assert sorted(followed.settle()) == [b"2", b"3"]
        assert not followed.gaps


def test_an_offset_on_a_device_with_another_number(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, lines(0, 10))
    with Followed(path) as followed:
        followed.until(10)
        offset = followed.offset
    append(path, lines(10, 12))
    with Followed(path, f"abcdef.{offset.split('.')[1]}") as followed:
        assert followed.settle() == [b"10", b"11"]
        assert not followed.gaps
    # The fingerprint is what tells that it is the same file.
    with Followed(path, f"abcdef.{offset.split('.')[1][:-8]}AAAAAAAA") as followed:
        assert followed.gaps == 1
        assert followed.settle() == lines(0, 12).splitlines()


def test_an_offset_of_an_earlier_version(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, lines(0, 12))
    for position, first in ((0, 0), (20, 10)):
        with Followed(path, f"{path.stat().st_ino:x}:{position}") as followed:
            assert followed.settle() == lines(first, 12).splitlines()
            assert not followed.gaps
            assert "." in followed.offset
    for entry in (f"{path.stat().st_ino:x}:3", f"{path.stat().st_ino + 1:x}:4"):
        with Followed(path, entry) as followed:
            assert followed.gaps == 1


@pytest.mark.parametrize(
    "offset",
    [
        *(
            "1.2",
            "1.2:",
            ".2:3",
            "1.:3",
            "1.2:3:",
            "1.2:3:AAAA",
            "1.2:3:AAAAAAAAA",
            "1.2:3:AAAAAA!A",
        ),
        *("1.2.3:4", "1.2:-1", "1.2:3:AAAAAAAA,", "-,-", "1.2:3 ", "1.2:3\n", "１.2:3"),
    ],
)
def test_what_is_no_offset(offset: str) -> None:
    with pytest.raises(OffsetError):
        source_of("/tmp/log").check(offset)


_TWO_DEVICES = """
import sys
from pathlib import Path
from tests.sources.followed import Followed, append, lines, source_of
a, b = (Path(path) / "app.log" for path in sys.argv[1:])
append(a, b"a1\\n"); append(b, b"b1\\n")
assert a.stat().st_ino == b.stat().st_ino, "the files have different inodes"
pattern = a.parent.parent / "*" / "app.log"
with Followed(pattern) as followed:
    assert sorted(followed.until(2)) == [b"a1", b"b1"]
    offset = followed.offset
    append(b, b"b2\\n"); append(a, b"a2\\n")
    assert sorted(followed.until(4)) == [b"a1", b"a2", b"b1", b"b2"]
with Followed(pattern, offset) as followed:
    assert sorted(followed.settle()) == [b"a2", b"b2"]
    assert not followed.gaps
with Followed(source_of(pattern, "?follow=no")) as followed:
    assert len(followed.settle()) == 4 and followed.has_ended
with Followed(pattern, "now") as followed:
    append(b, b"b3\\n")
    assert followed.until(1) == [b"b3"]
"""


def test_two_files_with_one_inode_on_two_devices(tmp_path: Path) -> None:
    script = (
        'mount -t tmpfs none "$1" && mount -t tmpfs none "$2" || exit 77; '
        'exec "$3" -c "$4" "$1" "$2"'
    )
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    command = ["unshare", "-m", "sh", "-c", script, "sh", *map(str, tmp_path.iterdir())]
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    done = children.run([*command, sys.executable, _TWO_DEVICES], text=True)
    if done.returncode in (1, 77) and "Traceback" not in done.stderr:
        pytest.skip(f"may not mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


_FEW_DESCRIPTORS = """
import resource, sys
from pathlib import Path
from tests.sources.followed import Followed, append, lines, open_descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, (160, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
directory = Path(sys.argv[1])
for number in range(90):
    append(directory / f"{number}.log", b"%d\\n" % number)
with Followed(directory / "*.log") as followed, Followed(directory / "*.log") as other:
    assert len(followed.until(39)) < 90
    followed.until_gap()
    other.until(1)
    assert len(open_descriptors(directory)) <= 42
    for path in list(directory.iterdir())[:80]:
        path.unlink()
    for path in directory.iterdir():
        append(path, b"more\\n")
    while followed.lines.count(b"more") < 10:
        followed.wait(1)
"""


@pytest.mark.long
def test_followed_files_leave_descriptors_for_the_rest(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _FEW_DESCRIPTORS, str(tmp_path)]
    done = children.run(command, text=True)
    assert done.returncode == 0, done.stderr
