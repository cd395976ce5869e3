"""With `--log-format json`, each line on standard error is an object, whatever wrote it."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import children
from tests.server.raw import RawStream
from tests.server.requests import ask
from tests.servers import ROOT, Server, StartServer, wait_until

NOISE = '''
import asyncio, gc, logging, os, sys, threading, warnings
from forstcore import processor

print("printed at import", file=sys.stderr)

def fail(text: str) -> None:
    raise ValueError(text)

class Bad:
    def __del__(self) -> None:
        raise ValueError("in a finalizer")

@processor("noise")
async def noise(record: dict) -> dict:
    """Write to standard error in every way."""
    print("printed\\nin two lines", file=sys.stderr)
    sys.stderr.write("an incomplete")
    sys.stderr.write(" line\\n")
    warnings.warn("a warning")
    logging.getLogger("library").warning("logged by a %s", "library")
    logging.getLogger("library").info("not wanted")
    asyncio.get_running_loop().call_soon(fail, "in a callback")
    thread = threading.Thread(target=fail, args=["in a thread"])
    thread.start()
    thread.join()
    Bad()
    gc.collect()
    fail("in the processor")
    return record

@processor("shout")
def shout(record: dict) -> dict:
    print("shouted by", os.getpid(), file=sys.stderr)
    return record
'''


@pytest.fixture
def module(tmp_path: Path) -> str:
    path = tmp_path / "noise.py"
    path.write_text(NOISE)
    return str(path)


def parsed(text: str) -> list[dict[str, Any]]:
    """Parse each line of a log."""
    entries = [json.loads(line) for line in text.splitlines()]
    for entry in entries:
        assert entry["time"].endswith("Z")
        assert entry["event"] in {"log", "output", "stream", "refused", "suppressed"}
    return entries


def messages(entries: list[dict[str, Any]]) -> str:
    return "\n".join(str(entry.get("message")) for entry in entries)


def process(server: Server, path: str) -> None:
    with RawStream((server.host, server.port), path=path) as request:
        request.send(b'{"id":"1","data":"x"}\n')
        request.end()
        request.read_rest()


@pytest.mark.real_start
def test_everything_is_json(start_one: StartServer, module: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    server = start_one("--log-format", "json", "--processors", module, log=log)
    process(server, "/noise")
    process(server, "/streaming-process")
    assert ask(server, "GET /nowhere HTTP/1.1\nHost: localhost").status == 404
    assert ask(server, "nonsense").status == 400
    os.kill(server.process.pid, signal.SIGHUP)
    assert server.stop() == 0
    entries = parsed(log.read_text())
    said = messages(entries)
    for text in (
        "printed at import",
        "printed\nin two lines\nan incomplete line",
        "a warning",
        "logged by a library",
        "uncaught exception",
    ):
        assert text in said
    assert "not wanted" not in said
    tracebacks = [entry for entry in entries if "traceback" in entry]
    for text in ("in a callback", "in a thread", "in a finalizer", "in the processor"):
        (found,) = [each for each in tracebacks if f"ValueError: {text}" in each["traceback"]]
        assert found["level"] in {"error", "critical"}
    assert {"asyncio", "py.warnings", "library"} <= {each.get("logger") for each in entries}
    assert [each["event"] for each in entries].count("stream") == 2
    assert [each["event"] for each in entries].count("refused") == 2


def test_workers_and_the_supervisor(start_one: StartServer, module: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    config = tmp_path / "server.toml"
    config.write_text('log_format = "json"\nprocesses = 2\nworker_kind = "processes"\n')
    server = start_one("--config", str(config), "--processors", module, log=log)
    workers = server.await_both(lambda: ask(server, "GET /healthz HTTP/1.1\nHost: localhost"))
    process(server, "/shout")
    os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: len({*server.workers()} - {workers[0]}) == 2)
    assert server.stop() == 0
    said = messages(parsed(log.read_text()))
    assert "shouted by" in said
    assert f"worker {workers[0]} was ended by SIGKILL; another one replaces it" in said


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("options", "status", "text"),
    [
        (["--port", "none"], 2, "port"),
        (["--no-such-option"], 2, "--no-such-option"),
        (["--host", "0.0.0.0"], 2, "token"),
        (["--host", "192.0.2.1", "--insecure"], 1, "cannot listen"),
        (["--port", "0", "--processors", "no_such_module"], 2, "no_such_module"),
    ],
)
@pytest.mark.parametrize("way", ["flag", "environment"])
def test_failing_to_start(options: list[str], status: int, text: str, way: str) -> None:
    given = ["--log-format=json"] if way == "flag" else []
    environment = {"FORSTCORE_LOG_FORMAT": "json"} if way == "environment" else {}
    done = children.run(
        [sys.executable, "-m", "server", *given, *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        text=True,
    )
    assert done.returncode == status
    assert text in messages(parsed(done.stderr))


@pytest.mark.real_start
def test_dropped_lines(start_one: StartServer, module: str) -> None:
    """The line that reports that lines are missing is an object, too."""
    server = start_one("--log-format", "json", "--processors", module)
    with RawStream((server.host, server.port), path="/shout") as request:
        request.send(b'{"id":"1","data":"x"}\n' * 60_000)
        request.end()
        request.read_rest()
    assert server.process.stderr is not None
    server.process.send_signal(signal.SIGTERM)
    entries = parsed(server.process.stderr.read())
    assert any("lines are missing here" in str(entry.get("message")) for entry in entries)


def test_pipelines(tmp_path: Path, module: str) -> None:
    (tmp_path / "in.ndjson").write_text('{"id":"1","data":"x"}\njunk\n')
    file = tmp_path / "pipelines.toml"
    file.write_text(
        f"""processors = ["{module}"]

[pipelines.noisy]
source = "file:{tmp_path}/in.ndjson?follow=no"
processor = "noise"
sink = "file:{tmp_path}/out.ndjson"
"""
    )
    command = [sys.executable, "-m", "forstcore", "run", str(file)]
    done = children.run([*command, "--log-format", "json"], cwd=ROOT, text=True)
    entries = parsed(done.stderr)
    assert "printed at import" in messages(entries)
    assert "noisy: 2 lines were rejected" in messages(entries)
    assert any("ValueError: in a thread" in each.get("traceback", "") for each in entries)
    for options in (["--no-such-option"], ["no_such_name"]):
        done = children.run([*command, *options, "--log-format=json"], cwd=ROOT, text=True)
        assert done.returncode in (2, 3)
        assert options[0] in messages(parsed(done.stderr))
