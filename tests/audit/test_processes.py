"""The faults of an audit really affect a server."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.audit.processes import Child, can_mount, fake_clock_library, in_own_mounts
from tests.server.raw import Cut, RawStream

LINE = b'{"id":"1","data":"' + b"x" * 100 + b'"}\n'
RESULT = b'{"id":"1","result":"processed_' + b"x" * 100 + b'","status":"success"}\n'

Start = Callable[..., Child]

if not Path("/proc/self/fd").exists():
    pytest.skip("needs /proc", allow_module_level=True)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers as an audit does."""
    started: list[Child] = []

    def start(*options: str, before: list[str] | None = None, **env: str) -> Child:
        command = ["server", "--port", "0", "--stall", "0.2", *options]
        ready = r"listens on http://127\.0\.0\.1:(\d+)"
        started.append(Child("server", tmp_path, command, ready, before=before or [], env=env))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.kill_all()


def one(server: Child) -> bytes:
    with RawStream(("127.0.0.1", int(server.found)), timeout=3) as request:
        request.send_and_end(LINE)
        return request.read_rest()


def all_before_reading(server: Child, count: int) -> bytes:
    address = ("127.0.0.1", int(server.found))
    with RawStream(address, timeout=60, receive_buffer=1 << 16) as request:
        request.send_many(LINE * 1000, times=count // 1000)
        request.end()
        return request.read_rest()


def test_a_disk_is_full_for_a_while(start: Start, tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("needs root, or user namespaces")
    spool = tmp_path / "spool"
    spool.mkdir()
    server = start("--spool-dir", str(spool), before=in_own_mounts(spool, 48))
    with server.full_disk(spool), pytest.raises((Cut, OSError)):
        all_before_reading(server, 100_000)
    assert '"outcome": "spool"' in server.log.read_text()
    assert all_before_reading(server, 100_000) == RESULT * 100_000
    # No other process has seen that disk.
    assert list(spool.iterdir()) == []


def settled(server: Child, processes: int) -> None:
    """Wait until this many server processes serve, and have released that stream."""
    assert one(server) == RESULT
    for _ in range(100):
        if len(server.tree()) == processes and not server.held():
            return
        time.sleep(0.1)
    pytest.fail("the server does not settle")


def said(server: Child, pattern: str, times: int) -> list[str]:
    """Wait until the server has logged something so often, which may be after its effect."""
    for _ in range(500):
        found = re.findall(pattern, server.log.read_text())
        if len(found) >= times:
            return found
        time.sleep(0.02)
    pytest.fail(f"the server has said {pattern!r} {len(found)} times, not {times}")


def served_at_last(server: Child) -> bool:
    for _ in range(30):
        # asyncio waits a second before it accepts again.
        time.sleep(0.2)
        with contextlib.suppress(Cut, OSError):
            return one(server) == RESULT
    return False


def test_a_server_has_no_descriptors_for_a_while(start: Start) -> None:
    server = start()
    settled(server, 1)
    with server.no_descriptors(), pytest.raises((Cut, OSError)):
        one(server)
    assert served_at_last(server)
    log = server.log.read_text()
    assert log.count("cannot accept connections: Too many open files") == 1
    assert "Traceback" not in log
    assert server.end(10) == 0


def test_many_connections_may_wait_to_be_accepted(start: Start) -> None:
    server = start()
    server.signal_all(signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        for _ in range(500):
            # The kernel does not answer where the queue is full.
            address = ("127.0.0.1", int(server.found))
            stack.enter_context(socket.create_connection(address, timeout=2))
        server.signal_all(signal.SIGCONT)
    assert served_at_last(server)


@pytest.mark.parametrize("path", ["/streaming-process", "/large-dataset-stream"])
def test_who_has_gone_before_the_end_is_no_error_of_the_server(start: Start, path: str) -> None:
    server = start()
    server.signal_all(signal.SIGSTOP)
    for size in range(200):
        # Everything has been sent, and the client has gone when it is read.

        with RawStream(("127.0.0.1", int(server.found)), path) as request:
            request.send_and_end(LINE * (1 + size % 20))
    server.signal_all(signal.SIGCONT)
    said(server, '"outcome"', 200)
    assert served_at_last(server)
    assert "Traceback" not in server.log.read_text()
    assert '"internal"' not in server.log.read_text()


def test_a_worker_is_replaced_when_there_are_descriptors_again(start: Start) -> None:
    server = start("--processes", "2")
    settled(server, 3)
    with server.no_descriptors():
        for worker in server.workers():
            os.kill(worker, signal.SIGKILL)
        said(server, "cannot replace it yet", 2)
        assert server.status() is None
    assert served_at_last(server)
    settled(server, 3)
    assert server.log.read_text().count("cannot replace it yet") == 2
    assert server.log.read_text().count("another one replaces it") == 2
    assert server.end(10) == 0


def test_a_clock_jumps(start: Start, tmp_path: Path) -> None:
    library = fake_clock_library()
    if library is None:
        pytest.skip("needs libfaketime")
    year = r'"time": "(\d+)-'
    clock = tmp_path / "clock"
    clock.write_text("+0")
    server = start(
        LD_PRELOAD=library,
        FAKETIME_TIMESTAMP_FILE=str(clock),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    assert one(server) == RESULT
    (before,) = said(server, year, 1)
    clock.write_text(f"+{20 * 365 * 86400}")
    assert one(server) == RESULT
    _, after = said(server, year, 2)
    assert 19 <= int(after) - int(before) <= 20


def test_a_stopped_process_goes_on(start: Start) -> None:
    server = start("--processes", "2")
    settled(server, 3)
    server.signal_all(signal.SIGSTOP)
    with pytest.raises((Cut, OSError)):
        one(server)
    server.signal_all(signal.SIGCONT)
    settled(server, 3)
    with RawStream(("127.0.0.1", int(server.found))) as request:
        request.send(LINE)
        assert request.read_line() == RESULT
        assert server.held() == 1
    server.look()
    assert 20 << 20 < server.peak < 200 << 20
