"""Files in the working directory that have the names of modules: ours, or of the standard library.

A project may well have a `server.py` or a `types.py`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests import children
from tests.servers import await_server, wait_until

NAMES = ("server", "forstcore", "types", "asyncio", "queue", "socket", "aiohttp", "orjson")
"""Names of modules that our processes import."""

HIDING = "import sys; sys.exit('the file {name}.py was run')\n"

# It imports a module of the same directory, and one of the names above.
PROCESSORS = """
import queue
from forstcore import processor
from sizes import size_of

@processor("measure")
def measure(record: dict) -> dict:
    queue.SimpleQueue()
    return {"size": size_of(record["data"])}
"""
# Finds orjson only outside of installed packages.
WITHOUT_ORJSON = """
import sys
from importlib.machinery import PathFinder

class WithoutOrjson:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "orjson":
            return None
        found = PathFinder.find_spec(name, [each for each in sys.path if "-packages" not in each])
        if found is None:
            raise ModuleNotFoundError(name)
        return found

sys.meta_path.insert(0, WithoutOrjson)
"""
SIZES = "def size_of(text): return len(text)\n"

FORSTCORE = Path(sys.executable).with_name("forstcore")
RECORD = b'{"data":"abc"}\n'

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="one process only"),
    pytest.mark.real_start,
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with such files, and with processors."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(HIDING.format(name=name))
    (tmp_path / "words.py").write_text(PROCESSORS)
    (tmp_path / "sizes.py").write_text(SIZES)
    return tmp_path


def check_server(command: list[str | Path], directory: Path, **environment: str) -> None:
    """Start a server, have each of its processes run a processor, and stop it."""
    process = children.start(
        [*command, "--port", "0", "--no-access-log"],
        cwd=directory,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        server = await_server(process)
        wait_until(lambda: len(server.workers()) == 2)
        workers = server.workers()

        def look() -> bool:
            answer = requests.post(f"{server.url}/measure", data=RECORD, timeout=60)
            return bool(json.loads(answer.content) == {"size": 3})

        for worker in workers:
            server.without(worker, look)
        assert server.workers() == workers
        assert server.stop(signal.SIGTERM) == 0
        assert process.stderr is not None
        assert "was run" not in process.stderr.read()
    finally:
        children.end(process)


@pytest.fixture
def command() -> Path:
    if not FORSTCORE.exists():
        pytest.skip("needs the command forstcore")
    return FORSTCORE


@pytest.mark.parametrize("processors", ["words", "words.py"])
def test_the_command_and_its_workers(project: Path, command: Path, processors: str) -> None:
    check_server([command, "serve", "--processes", "2", "--processors", processors], project)


def test_worker_processes_of_a_processor(project: Path, command: Path) -> None:
    options = ["--processes", "2", "--worker-kind", "processes", "--processors", "words.py"]
    check_server([command, "serve", *options], project)


def test_worker_processes_where_orjson_is_not_installed(
    project: Path, command: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("without")
    (directory / "sitecustomize.py").write_text(WITHOUT_ORJSON)
    options = ["--processes", "2", "--worker-kind", "processes", "--processors", "words.py"]
    check_server([command, "serve", *options], project, PYTHONPATH=str(directory))


def test_a_package_of_the_same_name_in_the_search_path(project: Path, command: Path) -> None:
    # Those would hide modules of each program in Python.
    for name in NAMES:
        if name != "server":
            (project / f"{name}.py").unlink()
    options = ["--processes", "2", "--processors", "words.py"]
    check_server([command, "serve", *options], project, PYTHONPATH=".")


def test_python_is_asked_for_the_module(project: Path) -> None:
    # Python finds these two before any line of ours.
    for name in ("server", "types"):
        (project / f"{name}.py").unlink()
    options = ["--processes", "2", "--processors", "words"]
    check_server([sys.executable, "-m", "server", *options], project)


def test_a_safe_search_path_has_no_working_directory(project: Path, command: Path) -> None:
    environment = {"PYTHONSAFEPATH": "1"}
    options: list[str | Path] = [command, "serve", "--processes", "2", "--processors"]
    check_server([*options, "./words.py"], project, **environment)
    done = children.run(
        [*options, "words"], cwd=project, env={**os.environ, **environment}, text=True
    )
    assert done.returncode == 2
    assert "cannot load processors from words" in done.stderr


def test_other_commands(project: Path, command: Path) -> None:
    options = ["--processors", "words", "--processor", "measure"]
    for start in ([command], [sys.executable, "-m", "forstcore"]):
        if start == [sys.executable, "-m", "forstcore"]:
            for name in ("forstcore", "types"):
                (project / f"{name}.py").unlink()
        done = children.run([*start, "process", *options], input=RECORD, cwd=project, check=True)
        assert json.loads(done.stdout) == {"size": 3}


@pytest.mark.long
def test_a_cluster_on_this_machine(project: Path, command: Path) -> None:
    pytest.importorskip("distributed", reason="needs dask")
    (project / "in.ndjson").write_bytes(RECORD * 10)
    options = ["--processors", "words", "--processor", "measure", "--local-cluster", "1"]
    done = children.run(
        [command, "process", *options, "in.ndjson", "-o", "out"], cwd=project, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert next((project / "out").glob("*.ndjson")).read_text().count('"size":3') == 10
