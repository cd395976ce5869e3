"""Pipelines of a server with several processes, some of which are killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import children
from tests.servers import Server, launch, wait_until
from tests.standing_pipelines.test_server import ask
from tests.standing_pipelines.workspace import PROCESSORS, records, results

NAMES = ("a", "b", "c", "d")
PIPELINE = """
[pipelines.{name}]
source = "file:{directory}/in.ndjson"
processor = "double"
sink = "file:{directory}/{name}.ndjson"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with two processes and four pipelines."""
    (tmp_path / "processors.py").write_text(PROCESSORS)
    (tmp_path / "in.ndjson").write_bytes(b"")
    text = f'processors = ["{tmp_path}/processors.py"]\naccess_log = false\nprocesses = 2\n'
    text += "".join(PIPELINE.format(name=name, directory=tmp_path) for name in NAMES)
    (tmp_path / "server.toml").write_text(text)
    # Too long for the sockets of the processes, if they used it as it is.
    directory = tmp_path / (80 * "x")
    directory.mkdir()
    options = ("--config", str(tmp_path / "server.toml"))
    started = launch(*options, log=tmp_path / "log", env={"TMPDIR": str(directory)})
    yield started
    started.stop()
    started.kill()


def states(server: Server) -> dict[str, str]:
    status, answer = ask(server, "GET", "/pipelines")
    assert status == 200
    return {each["name"]: each["state"] for each in answer["pipelines"]}


def all_are(state: str) -> dict[str, str]:
    return dict.fromkeys(NAMES, state)


def names_of(server: Server, worker: int) -> set[str]:
    """Return the pipelines that run in a process; other processes cannot describe them."""
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(states(server))
        return True

    server.without(worker, look)
    return {name for name, state in found.items() if state == "waiting"}


def control(server: Server, name: str, action: str) -> None:
    """Have a pipeline do something; busy processes may need a second try."""
    wait_until(lambda: ask(server, "POST", f"/pipelines/{name}/{action}")[0] == 200)


@pytest.mark.long
def test_each_pipeline_runs_in_one_process_and_any_controls_it(server: Server) -> None:
    wait_until(lambda: states(server) == all_are("running"))
    worker = server.workers()[0]
    share = names_of(server, worker)
    assert share in ({"a", "c"}, {"b", "d"})
    # Requests come to either process.
    for action, state in (("pause", "paused"), ("start", "running"), ("stop", "stopped")):
        for name in NAMES:
            control(server, name, action)
        wait_until(lambda state=state: states(server) == all_are(state))  # type: ignore[misc]
    wait_until(lambda: server.figure("pipeline_running") == 0)
    found: list[Any] = []

    def start() -> bool:
        found.extend(ask(server, "POST", f"/pipelines/{min(share)}/start"))
        return True

    server.without(worker, start)
    assert found[0] == 503
    assert found[1]["detail"] == f"no process runs the pipeline '{min(share)}' at the moment"
    assert ask(server, "POST", "/pipelines/none/start")[0] == 404


def test_pipelines_of_a_killed_process_go_on_in_another(server: Server, tmp_path: Path) -> None:
    wait_until(lambda: states(server) == all_are("running"))
    control(server, "c", "stop")
    control(server, "d", "pause")
    count = 0
    deadline = time.monotonic() + children.LIMIT
    for turn in range(2):
        before = count
        while not all(read(tmp_path, name).count(b"\n") > before for name in ("a", "b")):
            assert time.monotonic() < deadline, "they do not go on"
            with (tmp_path / "in.ndjson").open("ab") as file:
                file.write(records(count, count + 500))
            count += 500
            time.sleep(0.05)
        worker = server.workers()[turn % 2]
        os.kill(worker, signal.SIGKILL)
        # Both are there again.
        wait_until(
            lambda worker=worker: worker not in (now := server.workers()) and len(now) == 2  # type: ignore[misc]
        )
    wait_until(lambda: states(server) == {**all_are("running"), "c": "stopped", "d": "paused"})
    for name in ("a", "b"):
        wait_until(lambda name=name: read(tmp_path, name).count(b"\n") >= count)  # type: ignore[misc]
        assert read(tmp_path, name) == results(0, count)


def read(directory: Path, name: str) -> bytes:
    path = directory / f"{name}.ndjson"
    return path.read_bytes() if path.exists() else b""
