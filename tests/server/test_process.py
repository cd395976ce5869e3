"""The server as a process: start, exit and output."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from tests import children
from tests.server.raw import RawStream
from tests.servers import ROOT, Server, StartServer


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return children.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        text=True,
    )


@pytest.mark.real_start
def test_help_teaches() -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("--host", "--port", "--max-line-size", "example", "curl", "/streaming-process"):
        assert word in done.stdout


@pytest.mark.real_start
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(start_server: StartServer, number: int) -> None:
    server = start_server()
    assert server.stop(number) == 0
    assert server.process.stderr is not None
    assert server.process.stderr.read() == ""


def test_a_signal_ends_it_with_a_stream_open(start_server: StartServer) -> None:
    server = start_server("--drain-timeout", "2")
    with RawStream((server.host, server.port)) as request:
        request.send(b'{"id":"1"}\n')
        request.read_line()
        assert server.stop() == 0


def test_a_port_in_use_is_one_clear_line(server: Server) -> None:
    done = run("--port", str(server.port))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"127.0.0.1:{server.port}" in done.stderr
    assert "in use" in done.stderr


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["--port", "65536"], "--port"),
        (["--port", "http"], "--port"),
        (["--max-line-size", "0"], "--max-line-size"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_a_bad_option_is_named(options: list[str], name: str) -> None:
    done = run(*options)
    assert done.returncode == 2
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_core_is_one_clear_line(tmp_path: object) -> None:
    blocker = "import sys; sys.modules['forstcore._proc'] = None; import runpy; "
    blocker += "sys.argv = ['server']; runpy.run_module('server', run_name='__main__')"
    done = children.run(
        [sys.executable, "-c", blocker],
        cwd=ROOT,
        text=True,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "forstcore" in done.stderr


def test_it_listens_on_loopback_only(server: Server) -> None:
    assert server.host == "127.0.0.1"
    with socket.socket() as other:
        # The same port is free on another loopback address, because only one was bound.
        other.bind(("127.0.0.2", server.port))
