"""A supervisor that is killed leaves nothing behind: no worker, no files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests import children
from tests.server.raw import RawStream
from tests.servers import ROOT, Server, StartServer, wait_until

RECORD = b'{"id":"1","data":"x"}\n'

HANG = """
import time
from forstcore import processor

@processor("hang")
def hang(record: dict) -> dict:
    time.sleep(3600)

@processor("spin")
async def spin(record: dict) -> dict:
    while True:
        pass
"""

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc"),
    pytest.mark.real_start,
]


def started(start_one: StartServer, directory: Path, *options: str) -> tuple[Server, list[int]]:
    server = start_one("--processes", "2", *options, env={"TMPDIR": str(directory)})
    return server, server.await_both(lambda: requests.get(f"{server.url}/readyz", timeout=60).ok)


def left(directory: Path) -> list[str]:
    return [str(found.relative_to(directory)) for found in directory.rglob("*")]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT, signal.SIGTERM])
def test_workers_end_with_their_supervisor(
    start_one: StartServer, tmp_path: Path, number: signal.Signals
) -> None:
    server, workers = started(start_one, tmp_path)
    assert len(workers) == 2
    with RawStream((server.host, server.port), headers={"Forst-Frames": "1"}) as stream:
        stream.send(RECORD)
        assert stream.read_line()
        server.process.send_signal(number)
        assert b'"code": "draining"' in stream.read_rest()
    server.process.wait(60)
    wait_until(lambda: not any(map(children.lives, workers)))
    assert left(tmp_path) == []


# As if the system was slow to end it: the pipes are closed, but the lock is still held.
ENDS_SLOWLY = """
import gc, os, signal, subprocess, sys, time
from server.cli import main

def end_slowly(*_):
    for found in gc.get_objects():
        if isinstance(found, subprocess.Popen):
            os.close(found.stdin.fileno())
    time.sleep(2)
    os.kill(os.getpid(), signal.SIGKILL)

signal.signal(signal.SIGUSR1, end_slowly)
main(["--port", "0", "--processes", "2"])
"""


def test_workers_wait_for_the_end_of_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENDS_SLOWLY]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with children.started(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        assert "listens on" in supervisor.stdout.readline()
        workers = children.of(supervisor.pid)
        assert len(workers) == 2
        assert left(tmp_path) != []
        supervisor.send_signal(signal.SIGUSR1)
        wait_until(lambda: not any(map(children.lives, workers)))
        supervisor.wait(60)
        assert left(tmp_path) == []


@pytest.mark.long
@pytest.mark.parametrize("name", ["hang", "spin"])
def test_a_worker_that_hangs_ends_too(start_one: StartServer, tmp_path: Path, name: str) -> None:
    module = tmp_path / "module.py"
    module.write_text(HANG)
    figures = tmp_path / "figures"
    figures.mkdir()
    options = ("--processors", str(module), "--drain-timeout", "0.5")
    server, workers = started(start_one, figures, *options)
    with RawStream((server.host, server.port), f"/{name}") as stream:
        stream.send(RECORD)
        time.sleep(0.5)
        server.process.kill()
        wait_until(lambda: not any(map(children.lives, workers)))


def test_what_was_left_behind_is_removed_at_the_next_start(
    start_one: StartServer, tmp_path: Path
) -> None:
    old, new = tmp_path / "forstcore-metrics-old", tmp_path / "forstcore-metrics-new"
    elsewhere = tmp_path / "elsewhere"
    for directory in (old, new, elsewhere):
        directory.mkdir()
        (directory / "counter_1.db").write_bytes(b"")
    (tmp_path / "forstcore-metrics-link").symlink_to(elsewhere)
    os.utime(old, (0, 0))
    server, _ = started(start_one, tmp_path)
    assert not old.exists()
    assert new.exists()
    assert (elsewhere / "counter_1.db").exists()
    assert server.stop() == 0
