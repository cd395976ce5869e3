"""`forstcore pipelines`: a server's pipelines on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import children
from tests.cli.conftest import command, environment
from tests.servers import Server, free_port, launch, wait_until

CONFIG = """
access_log = false
token_file = "{directory}/token"

[pipelines.copy]
source = "file:{directory}/in.ndjson"
sink = "file:{directory}/out.ndjson"
errors = "file:{directory}/errors.ndjson"

[pipelines.lost]
source = "file:{directory}/in.ndjson"
sink = "file:{directory}/missing/out.ndjson"
"""
TOKEN = "secret-token"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with records and the configuration of a server."""
    directory = tmp_path_factory.mktemp("pipelines")
    (directory / "in.ndjson").write_text('{"n":1}\nbroken\n{"n":2}\n')
    (directory / "token").write_text(TOKEN)
    (directory / "server.toml").write_text(CONFIG.format(directory=directory))
    return directory


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    """A server with a pipeline that runs and one that has failed, and a token."""
    server = launch("--config", str(directory / "server.toml"))
    yield server
    server.kill()


def run(server: Server, *arguments: str, token: str = TOKEN) -> tuple[int, str, str]:
    """Run the command; return its exit status, and what it wrote."""
    env = environment({"FORSTCORE_SERVER": server.url, "FORSTCORE_TOKEN": token})
    done = children.run(command("pipelines", *arguments), env=env, text=True)
    return done.returncode, done.stdout, done.stderr


def test_pipelines_are_listed(server: Server) -> None:
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    table = re.compile(
        r"NAME  STATE    RESULTS +RATE  LAG  ERRORS\n"
        r"copy  running        2 +\d+/s  0 B       1\n"
        rf"  {time}: line 2, byte 0: expected a value \(invalid_json\)\n"
        r"lost  failed         0 +0/s            0\n"
        rf"  {time}: sink 'lost' cannot be written: .*\n"
    )
    wait_until(lambda: table.fullmatch(run(server)[1]))
    status, text, errors = run(server, "list", "lost", "--json")
    assert (status, errors) == (0, "")
    assert json.loads(text)["name"] == "lost"


def test_pipelines_are_controlled(server: Server, directory: Path) -> None:
    status, text, _ = run(server, "pause", "copy")
    assert (status, "copy  paused" in text) == (0, True)
    assert "copy  running" in run(server, "start", "copy")[1]
    status, text, _ = run(server, "stop", "--all", "--wait")
    assert status == 0
    assert "copy  stopped" in text
    assert "lost  failed" in text
    assert "copy  running" in run(server, "start", "copy")[1]


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (["explode"], 2, "'explode' is none of list, start, pause, stop"),
        (["stop"], 2, "name the pipelines to stop, or give --all"),
        (["stop", "copy", "--all"], 2, "give names or --all, not both"),
        (["pause", "copy", "--wait"], 2, "--wait is for stop"),
        (["stop", "copi"], 3, "the server has no pipeline 'copi'; there are copy, lost\n"),
        (["--token", "guess"], 3, "status 401: the Authorization header must contain"),
    ],
)
def test_what_is_wrong_is_said(
    server: Server, arguments: list[str], status: int, reason: str
) -> None:
    found, text, errors = run(server, *arguments)
    assert (found, text) == (status, "")
    assert reason in errors


@pytest.mark.long
def test_a_server_without_pipelines_says_so() -> None:
    server = launch("--no-access-log")
    try:
        assert run(server) == (0, "", "forstcore: the server has no pipelines\n")
        status, _, errors = run(server, "stop", "orders")
        assert status == 3
        assert "no pipeline 'orders'; there are none: its TOML file declares them" in errors
    finally:
        server.kill()


def test_a_server_that_is_not_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = children.run(command("pipelines", "--server", url), env=environment(), text=True)
    assert done.returncode == 3
    assert done.stderr.startswith(f"forstcore: {url} cannot be reached: ")
