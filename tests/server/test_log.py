"""Unread log output never blocks the server, and dropped lines are counted."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from server.observe.nonblocking_output import NonblockingOutput, own_output
from tests import children
from tests.servers import ROOT, Server, await_server, wait_until

PROCESSOR = """
import os, sys
from forstcore import processor

@processor("shout")
async def shout(record: dict) -> dict:
    print("out", "x" * int(record["data"]))
    print("err", "x" * int(record["data"]), file=sys.stderr)
    return record

@processor("crash")
async def crash(record: dict) -> dict:
    print("the last words", file=sys.stderr)
    os.kill(os.getpid(), int(record["data"]))
    return record
"""
RECORD = '{"id":"1","data":"500"}\n'
MANY = RECORD * 8_000  # More output than pipes and queues hold.
MISSING = re.compile(r"forstcore: (\d+) lines are missing here: standard \w+ was not writable\n")


def lines_in(text: str) -> int:
    """Count the lines of a text, and those that it reports as missing."""
    missing = MISSING.findall(text)
    return text.count("\n") - len(missing) + sum(map(int, missing))


class Reader:
    """Read a descriptor in a thread, from when it is started until a text has come."""

    def __init__(self, descriptor: int, pause: float = 0) -> None:
        self._descriptor = descriptor
        self._pause = pause
        self._data = bytearray()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            if select.select([self._descriptor], [], [], 0.02)[0]:
                try:
                    data = os.read(self._descriptor, 1 << 14)
                except OSError:
                    # A terminal that no process has open any more.
                    return
                if not data:
                    return
                self._data += data
                time.sleep(self._pause)

    def until(self, text: str) -> str:
        deadline = time.monotonic() + 30
        while text not in (found := self._data.decode(errors="replace")):
            assert time.monotonic() < deadline, f"{text!r} does not come"
            time.sleep(0.01)
        self.stop()
        return found

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(params=["pipe", "socket", "terminal"])
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """The descriptors of both ends: to read from, and to write to."""
    if request.param == "pipe":
        ends = os.pipe()
    elif request.param == "socket":
        one, other = socket.socketpair()
        ends = one.detach(), other.detach()
    else:
        ends = pty.openpty()
        tty.setraw(ends[1])
    yield ends
    os.close(ends[0])
    os.close(ends[1])


# One stream.


def test_lines_arrive_as_they_are_written(ends: tuple[int, int]) -> None:
    reader, writer = ends
    output = NonblockingOutput(writer, "standard error")
    for number in range(10):
        output.write(b"%d\n" % number)
        assert os.read(reader, 100) == b"%d\n" % number


def test_what_is_dropped_is_counted_where_it_is_missing(ends: tuple[int, int]) -> None:
    reader, writer = ends
    output = NonblockingOutput(writer, "standard error")
    for number in range(10_000):
        output.write(b"%06d %b\n" % (number, b"x" * 500))
    dropped = output.dropped
    assert dropped > 5_000
    reading = Reader(reader)
    assert output.flush_for(10)
    output.write(b"the end\n")
    *kept, notice, last = reading.until("the end\n").splitlines(keepends=True)
    assert last == "the end\n"
    assert [int(each.split()[0]) for each in kept] == list(range(10_000 - dropped))
    found = MISSING.fullmatch(notice)
    assert found
    assert int(found[1]) == dropped
    assert output.dropped == dropped


def test_own_output_has_room_behind_other_output(ends: tuple[int, int]) -> None:
    reader, writer = ends
    output = NonblockingOutput(writer, "standard error")
    for _ in range(10_000):
        output.write(b"%b\n" % (b"x" * 500))
    dropped = output.dropped
    with own_output():
        output.write(b"own 0\n")
        for number in range(1, 1_000):
            output.write(b"own %d %b\n" % (number, b"y" * 500))
    output.write(b"dropped, too\n")
    kept = 10_000 + 1_000 + 1 - output.dropped
    reading = Reader(reader)
    assert output.flush_for(10)
    output.write(b"the end\n")
    text = reading.until("the end\n")
    assert lines_in(text) == 10_000 + 1_000 + 2
    notice = f"forstcore: {dropped} lines are missing here: standard error was not writable"
    assert f"{notice}\nown 0\nown 1 " in text
    assert 100 < text.count("own") < 200
    assert kept == 10_000 - dropped + text.count("own")


def test_own_output_begins_a_line(ends: tuple[int, int]) -> None:
    reader, writer = ends
    output = NonblockingOutput(writer, "standard error")
    for _ in range(2):
        output.write(b"a processor ... ")
        with own_output():
            output.write(b"own")
            output.write(b" text\n")
            output.write(b"more\n")
    output.write(b"a processor ... ")
    output.write(b"goes on\n")
    with own_output():
        output.write(b"end\n")
    said = "a processor ... \nown text\nmore\n"
    assert Reader(reader).until("end\n") == 2 * said + "a processor ... goes on\nend\n"


@pytest.mark.parametrize("pause", [0, 0.0003])
def test_a_reader_that_lags_gets_every_line_or_a_count(ends: tuple[int, int], pause: float) -> None:
    reader, writer = ends
    output = NonblockingOutput(writer, "standard error")
    reading = Reader(reader, pause)
    for number in range(8_000):
        output.write(b"%06d %b\n" % (number, b"x" * (number % 1_000)))
    assert output.flush_for(30)
    output.write(b"999999\n")
    text = reading.until("999999\n")
    assert lines_in(text) == 8_001
    numbers = [int(each[:6]) for each in MISSING.sub("", text).splitlines()]
    assert numbers == sorted(set(numbers))


def test_threads_write_whole_lines(ends: tuple[int, int]) -> None:
    reader, writer = ends
    output = NonblockingOutput(writer, "standard error")
    reading = Reader(reader)

    def write(name: bytes) -> None:
        for number in range(200):
            output.write(b"%b %06d %b %b\n" % (name, number, b"x" * (number * 7 % 900), name))

    threads = [threading.Thread(target=write, args=[b"%d" % name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert output.flush_for(30)
    output.write(b"the end\n")
    lines = reading.until("the end\n").splitlines()[:-1]
    assert len(lines) == 1_600
    assert all(line[0] == line[-1] for line in lines)


def test_a_reader_that_has_gone_is_no_error() -> None:
    reader, writer = os.pipe()
    output = NonblockingOutput(writer, "standard error")
    os.close(reader)
    for number in range(10):
        output.write(b"%d\n" % number)
    assert output.dropped == 10
    os.close(writer)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_no_error() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        output = NonblockingOutput(full.fileno(), "standard error")
        for number in range(10):
            output.write(b"%d\n" % number)
        assert output.dropped == 10


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be another")
def test_a_pipe_of_another_user(tmp_path: Path) -> None:
    # It cannot be opened anew, so that the thread has to write everything.
    script = """
import os, sys, time
from server.observe.nonblocking_output import NonblockingOutput
os.seteuid(65534)
output = NonblockingOutput(2, "standard error")
for number in range(10_000):
    output.write(b"%06d %b\\n" % (number, b"x" * 500))
print("written", flush=True)
sys.stdin.read()
output.flush_for(10)
"""
    with children.started(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "written\n"
        _, errors = process.communicate(timeout=60)
    assert lines_in(errors) == 10_000
    assert MISSING.search(errors)


def test_a_file_goes_on_where_it_is(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb", buffering=0) as file:
        file.write(b"before\n")
        output = NonblockingOutput(file.fileno(), "standard error")
        output.write(b"one\n")
        file.write(b"between\n")
        output.write(b"two\n")
    assert (tmp_path / "log").read_text() == "before\none\nbetween\ntwo\n"


def test_a_forked_child_writes_too() -> None:
    script = """
import os, sys
from server.observe.nonblocking_output import flush_output, start_logging
start_logging()
for _ in range(5_000):
    sys.stderr.write("x" * 500 + "\\n")
if os.fork() == 0:
    sys.stdout.write("the child\\n")
    flush_output()
    os._exit(0)
os.wait()
sys.stdout.write("the parent\\n")
"""
    with children.started(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "the child\n"
        assert process.stdout.readline() == "the parent\n"
        assert process.wait(60) == 0
        process.communicate()


# A server.


@contextlib.contextmanager
def unread_server(tmp_path: Path, *options: str, **pipes: Any) -> Iterator[Server]:
    """Run a server with a processor that prints, whose standard error nobody reads."""
    (tmp_path / "printing.py").write_text(PROCESSOR)
    process = children.start(
        [
            *(sys.executable, "-m", "server", "--port", "0"),
            *("--processors", str(tmp_path / "printing.py"), *options),
        ],
        cwd=ROOT,
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes},
    )
    try:
        yield await_server(process)
    finally:
        children.end(process)


def works(server: Server) -> None:
    """Have the server print more than fits, and see that it works."""
    done = requests.post(f"{server.url}/shout", data=MANY, timeout=60)
    assert done.text.count("\n") == 8_000
    for _ in range(20):
        done = requests.post(f"{server.url}/streaming-process", data=RECORD, timeout=60)
        assert done.text.count("\n") == 1


def ends_in_time(server: Server) -> None:
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 30


@pytest.mark.real_start
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_server_whose_output_nobody_reads(tmp_path: Path, processes: str) -> None:
    with unread_server(tmp_path, "--processes", processes) as server:
        works(server)
        ends_in_time(server)


@pytest.mark.real_start
def test_a_server_whose_output_is_read_later(tmp_path: Path) -> None:
    with unread_server(tmp_path) as server:
        works(server)
        assert server.process.stderr
        reading = Reader(server.process.stderr.fileno())
        found = reading.until("standard error was not writable\n")
        assert lines_in(found.partition("forstcore: ")[0]) < 8_000
        requests.post(f"{server.url}/streaming-process", data=RECORD, timeout=60)
        last = server.process.stderr.readline()
        while '"records": 1,' not in last:
            last = server.process.stderr.readline()
        ends_in_time(server)


@pytest.mark.real_start
def test_a_server_on_a_terminal_that_is_stopped(tmp_path: Path) -> None:
    reader, writer = pty.openpty()
    tty.setraw(writer)
    with unread_server(tmp_path, stderr=writer) as server:
        termios.tcflow(writer, termios.TCOOFF)
        works(server)
        ends_in_time(server)
        termios.tcflow(writer, termios.TCOON)
    os.close(reader)
    os.close(writer)


@pytest.mark.real_start
def test_a_server_whose_readers_have_gone(tmp_path: Path) -> None:
    with unread_server(tmp_path) as server:
        assert server.process.stdout
        assert server.process.stderr
        server.process.stdout.close()
        server.process.stderr.close()
        works(server)
        assert server.stop() == 0


def test_a_supervisor_whose_output_nobody_reads(tmp_path: Path) -> None:
    with unread_server(tmp_path, "--processes", "2") as server:
        works(server)
        before = server.workers()
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: len({*server.workers()} - {*before}) == 2)
        works(server)
        ends_in_time(server)


def test_the_last_words_before_a_crash(tmp_path: Path) -> None:
    with unread_server(tmp_path) as server:
        with pytest.raises(requests.RequestException):
            requests.post(f"{server.url}/crash", data='{"data":"9"}', timeout=60)
        assert server.process.wait(60) == -signal.SIGKILL
        assert server.process.stderr
        assert server.process.stderr.read().splitlines()[-1] == "the last words"


def test_a_crash_that_nobody_reads_of(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    with unread_server(tmp_path, env=environment) as server:
        works(server)
        with pytest.raises(requests.RequestException):
            requests.post(f"{server.url}/crash", data='{"data":"11"}', timeout=60)
        assert server.process.wait(60) == -signal.SIGSEGV


def test_the_traceback_of_a_crash(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    with unread_server(tmp_path, env=environment) as server:
        with pytest.raises(requests.RequestException):
            requests.post(f"{server.url}/crash", data='{"data":"11"}', timeout=60)
        assert server.process.wait(60) == -signal.SIGSEGV
        assert server.process.stderr
        assert "Fatal Python error: Segmentation fault" in server.process.stderr.read()


# Output that is read immediately.


def test_a_configuration_that_nobody_reads() -> None:
    command = [sys.executable, "-m", "server", "--print-config"]
    reader, writer = os.pipe()
    os.close(reader)
    done = children.run(command, stdout=writer, text=True, cwd=ROOT)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_configuration_that_cannot_be_written() -> None:
    command = [sys.executable, "-m", "server", "--print-config"]
    with Path("/dev/full").open("wb") as full:
        done = children.run(command, stdout=full, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr == "forstcore: cannot write the configuration: No space left on device\n"
