"""Requests that schemathesis generates from the document; a real server answers accordingly."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import children
from tests.servers import ROOT, Server, launch

pytest.importorskip("schemathesis", reason="needs schemathesis")

TOKEN = "hush-4711"


def run(url: str, directory: Path, *options: str) -> None:
    """Send some thousand requests, the same ones in each run."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"]
    done = children.run(
        [
            *(*command, "--no-color", "--generation-deterministic", "--continue-on-failure"),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", "10"),
            *("--request-timeout", "10", "--header", f"Authorization: Bearer {TOKEN}"),
            *options,
        ],
        # It leaves files in its working directory.
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.api.sending"},
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tested:" in done.stdout


@contextlib.contextmanager
def guarded(*options: str) -> Iterator[Server]:
    """Run a server with a token; it must log no error."""
    server = launch("--no-access-log", *options, env={"FORSTCORE_TOKEN": TOKEN})
    try:
        yield server
        assert server.stop() == 0
        assert server.process.stderr is not None
        reports = "processor "  # They say at start whether processors are compiled.
        assert [line for line in server.process.stderr if not line.startswith(reports)] == []
    finally:
        server.kill()


@pytest.mark.long
def test_all_but_what_never_ends(tmp_path: Path) -> None:
    # A subscription to a file that is not followed ends at the end of the file.
    (tmp_path / "logs.ndjson").write_bytes(b'{"id":"1","data":"x"}\n{"id":2}\n')
    with guarded(
        *("--processors", "examples/processors.py"),
        *("--source", f"logs=file:{tmp_path}/logs.ndjson?follow=no"),
    ) as server:
        # schemathesis knows neither WebSockets nor events. A single option, because two would
        # exclude only the operations that match both.
        unknown = "(OverWebSocket|watchEvents|dashboardNews|publish)$"
        run(server.url, tmp_path, "--exclude-operation-id-regex", unknown)


@pytest.mark.long
def test_publishing(tmp_path: Path) -> None:
    with guarded("--takeover", "off") as server:
        run(server.url, tmp_path, "--include-path-regex", "^/sources/")
