"""The examples, built, and the applications among them, running."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import children
from tests.made_once import made_once
from tests.servers import ROOT, Server

StartApp = Callable[..., Server]
_ADDRESS = re.compile(r"http://([^\s:]+):(\d+)|unix:\S+")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples with their packages, also ours, and their TypeScript compiled."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node and npm")
    return made_once(tmp_path_factory, "built-examples", _build) / "examples"


def _build(root: Path) -> None:
    place = root / "examples"
    ignored = shutil.ignore_patterns("node_modules", "build", "dist")
    for folder in ("clients", "examples"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    for command in ("npm run setup", "npm run build"):
        done = children.run(command.split(), cwd=place, text=True, timeout=300)
        if "npm error network" in done.stderr:
            pytest.skip("needs a package registry that npm can reach")
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def start_app() -> Iterator[StartApp]:
    """Start applications that print their address; all are ended after the test."""
    apps: list[Server] = []

    def start(*command: str, cwd: Path, env: dict[str, str] | None = None) -> Server:
        process = children.start(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        apps.append(Server(process, "", 0))
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if match := _ADDRESS.search(line):
                apps[-1].host, apps[-1].port = match[1] or "", int(match[2] or 0)
                return apps[-1]
        pytest.fail(f"the application did not start: {printed}")

    yield start
    for app in apps:
        app.kill()
