"""Notifications to systemd, over a real datagram socket."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.raw import RawStream
from tests.servers import StartServer

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of systemd"),
    pytest.mark.real_start,
]

RECORD = b'{"id":"1","data":"x"}\n'


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        if request.param == "path":
            bound.bind(str(tmp_path / "notify"))
        else:
            bound.bind(f"\0forstcore-test-{os.getpid()}-{time.monotonic_ns()}")
        bound.settimeout(60)
        yield bound


def environment(manager: socket.socket, **variables: str) -> dict[str, str]:
    name = manager.getsockname()
    address = "@" + name[1:].decode() if isinstance(name, bytes) else name
    return {"NOTIFY_SOCKET": address, **variables}


def receive(manager: socket.socket) -> dict[str, str]:
    """Return the next message other than one for the watchdog."""
    while True:
        message = manager.recv(1 << 16).decode()
        if message != "WATCHDOG=1":
            return dict(line.split("=", 1) for line in message.splitlines())


@pytest.mark.one_in(3)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_it_tells_when_it_serves_reloads_and_stops(
    start_one: StartServer, manager: socket.socket, processes: str
) -> None:
    server = start_one("--processes", processes, env=environment(manager))
    ready = {"READY": "1", "STATUS": f"Listening on {server.url}"}
    assert receive(manager) == ready
    with RawStream((server.host, server.port), headers={"Forst-Frames": "1"}) as stream:
        stream.send(RECORD)
        stream.read_line()
        before = time.monotonic_ns() // 1000
        server.process.send_signal(signal.SIGHUP)
        reloading = receive(manager)
        assert reloading["RELOADING"] == "1"
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert receive(manager) == ready
    assert server.stop() == 0
    assert receive(manager)["STOPPING"] == "1"
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(1)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_it_resets_the_watchdog(
    start_one: StartServer, manager: socket.socket, processes: str
) -> None:
    server = start_one("--processes", processes, env=environment(manager, WATCHDOG_USEC="400000"))
    messages = [manager.recv(1 << 16).decode() for _ in range(5)]
    assert messages.count("WATCHDOG=1") >= 4
    os.kill(server.process.pid, signal.SIGSTOP)
    time.sleep(0.5)
    manager.setblocking(False)
    for _ in range(20):
        with contextlib.suppress(BlockingIOError):
            manager.recv(1 << 16)
    manager.settimeout(1)
    with pytest.raises(TimeoutError):
        manager.recv(1 << 16)
    os.kill(server.process.pid, signal.SIGCONT)
    assert server.stop() == 0


def test_the_watchdog_of_another_process_is_not_reset(
    start_one: StartServer, manager: socket.socket
) -> None:
    variables = environment(manager, WATCHDOG_USEC="100000", WATCHDOG_PID="1")
    server = start_one(env=variables)
    assert "READY" in receive(manager)
    manager.settimeout(1)
    with pytest.raises(TimeoutError):
        manager.recv(1 << 16)
    assert server.stop() == 0


def test_a_service_manager_that_has_gone_is_no_error(
    start_one: StartServer, tmp_path: Path
) -> None:
    server = start_one(env={"NOTIFY_SOCKET": str(tmp_path / "none")})
    assert server.stop() == 0
    assert server.process.stderr is not None
    assert server.process.stderr.read() == ""
