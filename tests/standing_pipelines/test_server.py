"""Pipelines that run in the server, and are controlled through its API."""

from __future__ import annotations

import http.client
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import children
from tests.servers import ROOT, Server, launch
from tests.sinks.http_target import Answer, HttpTarget
from tests.standing_pipelines.workspace import PROCESSORS, records, results

CONFIG = """
processors = ["{directory}/processors.py"]
access_log = false
state = "{directory}/state"

[pipelines.double]
source = "file:{directory}/in.ndjson"
processor = "double"
sink = "file:{directory}/out.ndjson"

[pipelines.bad]
source = "file:{directory}/in.ndjson"
sink = "file:{directory}/missing/out.ndjson"

[pipelines.rotated]
source = "file:{directory}/in.ndjson"
sink = "file:{directory}/rotated.ndjson?max_size=1GB"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with pipelines."""
    (tmp_path / "processors.py").write_text(PROCESSORS)
    (tmp_path / "in.ndjson").write_bytes(records(0, 1000))
    (tmp_path / "server.toml").write_text(CONFIG.format(directory=tmp_path))
    started = launch("--config", str(tmp_path / "server.toml"))
    yield started
    started.stop()
    started.process.communicate()


def ask(server: Server, method: str, path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    try:
        connection.request(method, path, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def pipeline(server: Server, name: str) -> dict[str, Any]:
    status, answer = ask(server, "GET", "/pipelines")
    assert status == 200
    found: dict[str, Any] = next(each for each in answer["pipelines"] if each["name"] == name)
    return found


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + children.LIMIT
    while not is_so():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.02)


def read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def append(directory: Path, first: int, end: int) -> None:
    with (directory / "in.ndjson").open("ab") as file:
        file.write(records(first, end))


def test_pipelines_are_listed_with_their_counters(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "out.ndjson"
    wait_until(lambda: read(out) == results(0, 1000))
    wait_until(lambda: pipeline(server, "double")["results"] == 1000)
    found = pipeline(server, "double")
    assert found.pop("results_per_second") >= 0
    wait_until(lambda: pipeline(server, "double")["lag"] == 0)
    assert (found.pop("lag") or 0, found.pop("lag_unit")) in ((0, "bytes"), (0, None))
    assert found == {
        "name": "double",
        "state": "running",
        "source": f"file:{tmp_path}/in.ndjson",
        "processor": "double",
        "sink": f"file:{out}",
        "errors_sink": None,
        "bytes_in": len(records(0, 1000)),
        "results": 1000,
        "filtered": 0,
        "errors": 0,
        "trouble": None,
        "last_error": None,
        "last_error_time": None,
    }
    wait_until(lambda: pipeline(server, "bad")["state"] == "failed")
    assert "sink 'bad' cannot be written: " in pipeline(server, "bad")["last_error"]
    assert server.figure("pipeline_results_total", pipeline="double") == 1000
    assert server.figure("pipeline_running", pipeline="double") == 1
    assert server.figure("pipeline_running", pipeline="bad") == 0


def test_pipelines_are_paused_stopped_and_started(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "out.ndjson"
    wait_until(lambda: read(out) == results(0, 1000))
    assert ask(server, "POST", "/pipelines/double/pause")[1]["state"] == "paused"
    append(tmp_path, 1000, 80_000)
    rotated = tmp_path / ".rotated-000001.ndjson.part"
    wait_until(lambda: read(rotated) == records(0, 80_000))
    assert read(out) == results(0, 1000)
    # It has read at most 1 MiB of the new lines.
    wait_until(lambda: (pipeline(server, "double")["lag"] or 0) > 0)
    assert pipeline(server, "double")["lag_unit"] == "bytes"
    wait_until(lambda: server.figure("pipeline_lag", pipeline="double") > 0)
    assert ask(server, "POST", "/pipelines/double/start")[1]["state"] == "running"
    wait_until(lambda: read(out) == results(0, 80_000))
    assert ask(server, "POST", "/pipelines/double/stop")[0] == 200
    wait_until(lambda: pipeline(server, "double")["state"] == "stopped")
    # Stopping or pausing a stopped pipeline changes nothing.
    assert ask(server, "POST", "/pipelines/double/stop")[1]["state"] == "stopped"
    assert ask(server, "POST", "/pipelines/double/pause")[1]["state"] == "stopped"
    append(tmp_path, 80_000, 81_000)
    # A start reads the configuration again.
    config = tmp_path / "server.toml"
    config.write_text(config.read_text().replace('processor = "double"', 'processor = "python"'))
    assert ask(server, "POST", "/pipelines/double/start")[1]["processor"] == "python"
    wait_until(lambda: read(out) == results(0, 81_000))
    wait_until(lambda: pipeline(server, "double")["results"] == 81_000)
    assert server.figure("pipeline_results_total", pipeline="double") == 81_000


@pytest.mark.parametrize("last", ["start", "stop"])
def test_a_pipeline_that_is_stopping_starts_again_unless_it_is_stopped(
    tmp_path: Path, last: str
) -> None:
    is_up = False
    with HttpTarget(lambda _: Answer(200 if is_up else 503)) as target:
        (tmp_path / "in.ndjson").write_bytes(records(0, 3))
        (tmp_path / "server.toml").write_text(
            f"""state = "{tmp_path}/state"
            [pipelines.a]
            source = "file:{tmp_path}/in.ndjson"
            sink = "http://127.0.0.1:{target.port}/"
            """
        )
        server = launch("--config", str(tmp_path / "server.toml"))
        try:
            wait_until(lambda: pipeline(server, "a")["trouble"] is not None)
            for action in ("stop", "start", last):
                assert ask(server, "POST", f"/pipelines/a/{action}")[1]["state"] == "stopping"
            is_up = True
            state = "running" if last == "start" else "stopped"
            wait_until(lambda: pipeline(server, "a")["state"] == state)
            with (tmp_path / "in.ndjson").open("ab") as file:
                file.write(records(3, 5))
            count = 5 if last == "start" else 3
            wait_until(lambda: len({*target.taken}) == count)
            assert pipeline(server, "a")["state"] == state
        finally:
            server.stop()
            server.process.communicate()


def test_wrong_requests_are_refused(server: Server, tmp_path: Path) -> None:
    status, problem = ask(server, "POST", "/pipelines/none/start")
    assert (status, problem["detail"]) == (
        404,
        "there is no pipeline 'none'; there are: bad, double, rotated",
    )
    status, problem = ask(server, "POST", "/pipelines/double/explode")
    assert (status, problem["detail"]) == (
        404,
        "there is no action 'explode'; there are: start, pause, stop",
    )
    wait_until(lambda: pipeline(server, "bad")["state"] == "failed")
    (tmp_path / "server.toml").write_text("[pipelines.bad]\nsink = 5\n")
    status, problem = ask(server, "POST", "/pipelines/bad/start")
    assert status == 409
    assert "[pipelines.bad], sink: must be text, not 5" in problem["detail"]
    assert ask(server, "GET", "/pipelines/double/start")[0] == 405


def test_a_server_that_stops_drains_its_pipelines(server: Server, tmp_path: Path) -> None:
    part = tmp_path / ".rotated-000001.ndjson.part"
    wait_until(lambda: read(part) == records(0, 1000))
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=children.LIMIT) == 0
    assert read(tmp_path / "rotated-000001.ndjson") == records(0, 1000)


def test_the_document_describes_them(server: Server) -> None:
    paths = ask(server, "GET", "/openapi.json")[1]["paths"]
    listed = ask(server, "GET", "/nowhere")[1]["detail"]
    for method, path in (("get", "/pipelines"), ("post", "/pipelines/{name}/{action}")):
        assert "200" in paths[path][method]["responses"]
        assert f"{method.upper()} {path}" in listed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[pipelines.a]\nsink = 'file:x'\n", "server.toml, [pipelines.a], source: is missing"),
        ("state = 'x'\n", "there are no pipelines: declare each as a table [pipelines.NAME]"),
    ],
)
def test_a_file_with_problems_is_an_error_at_start(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "server.toml").write_text("port = 0\n" + text)
    done = children.run(
        [sys.executable, "-m", "server", "--config", tmp_path / "server.toml"], cwd=ROOT, text=True
    )
    assert done.returncode == 2
    assert reason in done.stderr
