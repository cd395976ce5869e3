"""Processes that are forked for tests do what those do that a user starts."""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.request
from pathlib import Path
from subprocess import PIPE

import pytest

import forstcore
from tests import children, preloaded
from tests.servers import StartServer

RECORD = b'{"id":"1","data":"x"}\n'
RESULT = b'{"id":"1","result":"processed_x","status":"success"}\n'

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nothing is forked")


@pytest.fixture(params=[True, False], ids=["forked", "started"])
def way(request: pytest.FixtureRequest) -> bool:
    """Start processes in one way and in the other."""
    preloaded.turn(on=request.param)
    if preloaded.is_on() != request.param:
        pytest.skip("pytest was started in another directory")
    return preloaded.is_on()


@pytest.fixture
def launched(way: bool, start_one: StartServer) -> StartServer:
    """Start servers in one way and in the other."""
    return start_one


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGKILL, -9)])
def test_it_serves_and_ends(launched: StartServer, number: int, status: int) -> None:
    server = launched("--max-connections", "70", env={"FORSTCORE_MAX_STREAMS": "7"})
    with urllib.request.urlopen(f"{server.url}/version", timeout=60) as response:
        assert json.load(response)["forstcore"] == forstcore.__version__
    assert server.figure("streams_limit") == 7
    assert server.figure("connections_limit") == 70
    request = urllib.request.Request(f"{server.url}/streaming-process", RECORD)
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.read() == RESULT
    assert server.process.poll() is None
    assert server.stop(number) == status
    output, errors = server.process.communicate(timeout=60)
    assert output == ""
    if number == signal.SIGTERM:
        assert "/streaming-process" in errors


def test_it_does_not_start(launched: StartServer) -> None:
    with pytest.raises(pytest.fail.Exception, match="processors must be"):
        launched("--processors", "")


PROCESSOR = """
import os, sys, words
from forstcore import processor

@processor("tell")
def tell(record: dict) -> dict:
    print("a message", file=sys.stderr)
    return {"cwd": os.getcwd(), "variable": os.environ["FORSTCORE_TEST"], "word": words.WORD}
"""


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("process", "--processors", "telling"), 0),
        (("process", "--processors", "no_such_module"), 3),
        (("validate",), 1),
        (("--no-such-option",), 2),
        (("--help",), 0),
    ],
)
def test_a_command(tmp_path: Path, arguments: tuple[str, ...], status: int) -> None:
    (tmp_path / "telling.py").write_text(PROCESSOR)
    (tmp_path / "on_path").mkdir()
    (tmp_path / "on_path/words.py").write_text('WORD = "found"')
    command = [sys.executable, "-m", "forstcore", *arguments]
    path = os.pathsep.join((str(tmp_path), str(tmp_path / "on_path")))
    env = {**os.environ, "FORSTCORE_TEST": "x", "PYTHONPATH": path}
    preloaded.turn(on=True)
    forked = children.run(command, input=b"{}\nno record\n", cwd=tmp_path, env=env)
    preloaded.turn(on=False)
    started = children.run(command, input=b"{}\nno record\n", cwd=tmp_path, env=env)
    assert (forked.stdout, forked.stderr) == (started.stdout, started.stderr)
    assert forked.returncode == started.returncode == status
    assert started.stdout + started.stderr


def test_a_command_that_a_signal_ends(way: bool, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "forstcore", "process"]
    with children.started(command, cwd=tmp_path, stdin=PIPE, stdout=PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(RECORD)
        process.stdin.flush()
        assert process.stdout.read(len(RESULT)) == RESULT
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT
