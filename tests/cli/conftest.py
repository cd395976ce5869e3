"""Running commands, and the server that some of them use."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import children
from tests.servers import ROOT, Server, launch

RECORDS = b"".join(b'{"id":"%d","data":"reading %d"}\n' % (n, n) for n in range(1000))
RESULTS = b"".join(
    b'{"id":"%d","result":"processed_reading %d","status":"success"}\n' % (n, n)
    for n in range(1000)
)

Done = subprocess.CompletedProcess[bytes]
Run = Callable[..., Done]
Start = Callable[..., "subprocess.Popen[bytes]"]


def command(*arguments: str | Path) -> list[str]:
    """Return the command line of `forstcore` with these arguments."""
    return [sys.executable, "-m", "forstcore", *map(str, arguments)]


def environment(env: dict[str, str] | None = None) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if "FORSTCORE_" not in name}
    return {**clean, "PYTHONPATH": str(ROOT), **(env or {})}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command to its end, in its own directory."""

    def run_it(
        *arguments: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None
    ) -> Done:
        return children.run(
            command(*arguments),
            input=stdin,
            cwd=tmp_path,
            env=environment(env),
        )

    return run_it


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start commands with pipes for everything; all are ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start_it(
        *arguments: str | Path,
        env: dict[str, str] | None = None,
        stdin: int = subprocess.PIPE,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> subprocess.Popen[bytes]:
        process = children.start(
            command(*arguments),
            cwd=tmp_path,
            env=environment(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        started.append(process)
        return process

    yield start_it
    for process in started:
        children.end(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server for all tests of a module."""
    server = launch("--no-access-log")
    yield server
    server.kill()


def answers_each_at_once(process: subprocess.Popen[bytes]) -> None:
    """Check that the result of each record arrives before the next record is written."""
    assert process.stdin
    assert process.stdout
    for number in range(3):
        process.stdin.write(b'{"id":"%d"}\n' % number)
        process.stdin.flush()
        assert process.stdout.readline().startswith(b'{"id":"%d","result"' % number)
    process.stdin.close()
    assert process.wait(60) == 0
