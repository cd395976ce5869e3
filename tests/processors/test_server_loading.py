"""Processors of a server: which it loads, and reloads, and those of the examples."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import children
from tests.processors.requesting import EMIT, send, stream
from tests.servers import ROOT, Server, StartServer, wait_until

SERVER = (sys.executable, "-m", "server", "--port", "0")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt ("),
    ],
)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_what_cannot_be_loaded_is_reported_once(
    tmp_path: Path, processes: str, text: str, cause: str
) -> None:
    (tmp_path / "broken.py").write_text(text)
    done = children.run(
        [*SERVER, "--processes", processes, "--processors", str(tmp_path / "broken.py")],
        cwd=ROOT,
        text=True,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"forstcore: cannot load processors from {tmp_path / 'broken.py'}: ")
    assert cause in line


def test_a_name_that_the_server_needs(tmp_path: Path) -> None:
    text = "import forstcore\n@forstcore.processor('metrics')\ndef f(record): return record\n"
    (tmp_path / "mine.py").write_text(text)
    done = children.run(
        [*SERVER, "--processors", "mine"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        text=True,
    )
    assert done.returncode == 2
    assert "cannot be called 'metrics'" in done.stderr


def replace(path: Path, text: str) -> None:
    """Write a file in one step: the server must not load half of it."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def write(path: Path, value: str) -> None:
    replace(
        path,
        "import asyncio, forstcore\n"
        "@forstcore.processor('route')\n"
        f"async def route(record):\n    return {{'from': {value!r}}}\n",
    )


def from_route(server: Server) -> str:
    return str(json.loads(send(server, "route", b"{}"))["from"])


@pytest.mark.parametrize("processes", [1, 2])
def test_reload(start_server: StartServer, tmp_path: Path, processes: int) -> None:
    path, log = tmp_path / "mine.py", tmp_path / "log"
    write(path, "old")
    options = ("--processors", str(path), "--reload", "--processes", str(processes))
    server = start_server(*options, log=log)
    if processes == 2:
        server.await_both(lambda: from_route(server) == "old")
    with stream(server, "route") as running:
        running.send(b"{}\n")
        assert running.read_line() == b'{"from":"old"}\n'
        write(path, "new")
        wait_until(lambda: "reloaded processors: route" in log.read_text())
        assert from_route(server) == "new"
        running.send_and_end(b"{}\n")
        assert running.read_rest() == b'{"from":"old"}\n'
    replace(path, "1 / 0\n")
    wait_until(lambda: "ZeroDivisionError: division by zero" in log.read_text())
    assert from_route(server) == "new"
    assert server.stop() == 0
    errors = log.read_text()
    # A file that stays the same is loaded once, and all workers together report that once.
    assert errors.count("reloaded processors: route") == 1
    assert errors.count("ZeroDivisionError: division by zero") == 1
    assert "new streams use the previous processors" in errors


def test_workers_that_reload_a_change_differently_are_named(
    start_one: StartServer, tmp_path: Path
) -> None:
    path, log = tmp_path / "mine.py", tmp_path / "log"
    write(path, "old")
    server = start_one("--processors", str(path), "--reload", "--processes", "2", log=log)
    workers = server.await_both(lambda: from_route(server) == "old")
    text = path.read_text().replace("'old'", "'new'")
    replace(path, f"import os\nif os.environ['FORSTCORE_WORKER'] == '2':\n    1 / 0\n{text}")
    wait_until(lambda: "ZeroDivisionError" in log.read_text())
    assert server.stop() == 0
    lines = [line for line in log.read_text().splitlines() if line.startswith("worker ")]
    assert len(lines) == 2
    named = {int(line.split()[1].removesuffix(":")) for line in lines}
    assert named == set(workers)
    (failed,) = (line for line in lines if "ZeroDivisionError" in line)
    assert failed.endswith("new streams use the previous processors")
    (done,) = (line for line in lines if line != failed)
    assert done.endswith(": reloaded processors: route")


def test_the_environment_names_modules_too(start_server: StartServer) -> None:
    server = start_server(env={"FORSTCORE_PROCESSORS": "tests.processors.routes"})
    assert send(server, "same", b"{}") == b"{}\n"


# The example of the documents.


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("enrich", {"id": "1", "data": "hello", "words": 1}),
        ("shout", {"id": "1", "result": "HELLO", "status": "success"}),
        ("words", {"id": "1", "word": "hello"}),
        ("look-up", {"id": "1", "data": "hello", "asked": True}),
    ],
)
def test_the_example(start_server: StartServer, name: str, first: Any) -> None:
    server = start_server("--processors", "examples/processors.py")
    output = send(server, name, (ROOT / "examples" / "records.ndjson").read_bytes())
    assert json.loads(output.splitlines()[0]) == first
    body = b'{"sensor":"a","celsius":100}\n{"sensor":"b","celsius":"hot"}\n'
    good, bad = send(server, "convert", body, EMIT).splitlines()
    assert json.loads(good) == {"sensor": "a", "fahrenheit": 212.0}
    assert json.loads(bad)["message"] == "Expected `float`, got `str` - at `$.celsius`"


INTERRUPTS = """
from forstcore import processor

@processor("in-thread")
def in_thread(record: dict) -> dict:
    raise KeyboardInterrupt

@processor("in-loop")
async def in_loop(record: dict) -> dict:
    raise KeyboardInterrupt
"""


@pytest.mark.parametrize("name", ["in-thread", "in-loop"])
def test_a_processor_that_raises_keyboard_interrupt_does_not_end_the_server(
    start_one: StartServer, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "interrupts.py"
    path.write_text(INTERRUPTS)
    server = start_one("--processors", str(path))
    (line,) = send(server, name, b"{}", EMIT).splitlines()
    assert (json.loads(line)["code"], json.loads(line)["message"]) == (
        "processor_failed",
        "KeyboardInterrupt",
    )
    assert send(server, name, b"") == b""
    assert server.stop() == 0
