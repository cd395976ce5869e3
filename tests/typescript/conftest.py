"""The npm package, built and packed."""

from __future__ import annotations

import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests import children
from tests.made_once import made_once
from tests.servers import ROOT

SOURCE = ROOT / "clients/typescript"


def run(command: str, cwd: Path) -> str:
    """Run a command that must succeed; return its output."""
    done: subprocess.CompletedProcess[str] = children.run(
        command.split(), cwd=cwd, text=True, timeout=300
    )
    if "npm error network" in done.stderr:
        pytest.skip("needs a package registry that npm can reach")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, built with its tests."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node and npm")
    return made_once(tmp_path_factory, "npm", _build) / "forstcore"


def _build(directory: Path) -> None:
    place = directory / "forstcore"
    ignored = shutil.ignore_patterns("node_modules", "build", "dist", "*.tgz")
    shutil.copytree(SOURCE, place, ignore=ignored)
    run("npm ci --no-audit --no-fund --prefer-offline", place)
    run("npm run build", place)
    run("npm run build:test", place)


@pytest.fixture(scope="session")
def consumer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty project that has installed the package as it is published."""
    return made_once(tmp_path_factory, "consumer", partial(_install, package))


def _install(package: Path, project: Path) -> None:
    run("npm pack --ignore-scripts", package)
    (packed,) = package.glob("*.tgz")
    (project / "package.json").write_text('{"private": true, "type": "module"}')
    run(f"npm install --offline --no-audit --no-fund {packed}", project)
    shutil.copytree(Path(__file__).parent / "consumer", project, dirs_exist_ok=True)
    types = project / "node_modules/@types"
    types.mkdir()
    shutil.copytree(package / "node_modules/@types/node", types / "node")
    undici = "node_modules/undici-types"
    shutil.copytree(package / undici, project / undici)
