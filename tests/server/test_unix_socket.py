"""An existing file at the path of the Unix socket, and removal of the socket at exit."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests import children
from tests.servers import ROOT, on_unix_socket, wait_until

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="a kind of socket of POSIX")
GET = b"GET /healthz HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n"


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(GET)
        return connection.recv(1 << 16).startswith(b"HTTP/1.1 200")


def refusal(path: str) -> str:
    """Return the message of a server that cannot start there."""
    done = children.run(
        [sys.executable, "-m", "server", "--unix-socket", path],
        cwd=ROOT,
        text=True,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


def test_the_socket_of_a_newer_server_stays(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with on_unix_socket(path) as older:
        path.unlink()
        with on_unix_socket(path):
            older.terminate()
            assert older.wait(60) == 0
            assert answers(path)
        assert not path.exists()


def test_a_lock_of_another_program_does_not_stop_the_server(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        with on_unix_socket(tmp_path / "socket"):
            assert answers(tmp_path / "socket")
    finally:
        os.close(directory)


def test_a_file_that_took_its_place_stays(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with on_unix_socket(path) as server:
        path.unlink()
        path.write_text("precious")
        server.terminate()
        assert server.wait(60) == 0
    assert path.read_text() == "precious"


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with on_unix_socket(path, "--processes", "2"):
        assert answers(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


@pytest.mark.parametrize("is_stale", [False, True])
def test_a_link_is_left_alone(tmp_path: Path, is_stale: bool) -> None:
    """It may lead to the socket of another program."""
    path, target = tmp_path / "socket", tmp_path / "target"
    path.symlink_to(target)
    with socket.socket(socket.AF_UNIX) as others:
        others.bind(str(target))
        if not is_stale:
            others.listen()
        assert "cannot listen" in refusal(str(path))
        assert path.is_symlink()
        assert target.is_socket()


def test_of_several_that_start_at_once_one_does(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    command = [sys.executable, "-m", "server", "--unix-socket", str(path)]
    servers = [
        children.start(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    try:
        lines: dict[int, str] = {}

        def read(number: int) -> None:
            pipe = servers[number].stdout
            assert pipe is not None
            lines[number] = pipe.readline()

        readers = [threading.Thread(target=read, args=(number,)) for number in range(4)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(60)
        (first,) = [number for number, line in lines.items() if "listens" in line]
        assert answers(path)
        servers[first].terminate()
        assert servers[first].wait(60) == 0
        assert not os.path.lexists(path)
    finally:
        for server in servers:
            children.end(server)


def test_what_is_no_path_is_refused(tmp_path: Path) -> None:
    assert "cannot listen" in refusal(str(tmp_path / ("a" * 200)))
    assert "cannot listen" in refusal(str(tmp_path / "none" / "socket"))
    config = tmp_path / "forst.toml"
    config.write_text('unix_socket = "\\u0000abstract"\n')
    done = children.run(
        [sys.executable, "-m", "server", "--config", str(config)],
        cwd=ROOT,
        text=True,
    )
    assert done.returncode == 2
    assert "unix_socket must be text without NUL characters" in done.stderr


def test_sigterm_during_the_start_removes_the_socket(tmp_path: Path) -> None:
    path, loading = tmp_path / "socket", tmp_path / "loading"
    processors = tmp_path / "slow.py"
    processors.write_text(
        f"import pathlib, time\npathlib.Path({str(loading)!r}).touch()\ntime.sleep(60)\n"
    )
    command = ["-m", "server", "--unix-socket", str(path), "--processors", str(processors)]
    with children.started([sys.executable, *command], cwd=ROOT) as server:
        wait_until(loading.exists)
        assert path.exists()
        server.terminate()
        assert server.wait(30) == 0
    assert not path.exists()
