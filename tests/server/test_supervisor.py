"""A supervisor that is killed leaves nothing behind: no worker, no files."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.server.raw import RawStream
from tests.servers import Server, StartServer

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

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")


def children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(each) for each in found.split()]


def lives(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def end_of(processes: list[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(lives, processes)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not any(map(lives, processes))


def started(start_one: StartServer, directory: Path, *options: str) -> tuple[Server, list[int]]:
    server = start_one("--processes", "2", *options, env={"TMPDIR": str(directory)})
    deadline = time.monotonic() + 30
    while len(list(directory.glob("forstcore-metrics-*/*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    return server, children(server.process.pid)


def left(directory: Path) -> list[str]:
    return [found.name for found in directory.iterdir()]


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
    server.process.wait(20)
    assert end_of(workers, 20)
    assert left(tmp_path) == []


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
        assert end_of(workers, 30)


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
