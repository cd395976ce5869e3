"""A supervisor that is killed leaves nothing behind: no worker, no files."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import requests

from tests import children
from tests.server.raw import RawStream
from tests.servers import Server, StartServer, wait_until

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
    with contextlib.suppress(AssertionError):
        wait_until(lambda: left(tmp_path) == [])
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
