"""The examples, built by pip in isolation, in an environment with nothing but the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import children
from tests.packaging.conftest import Installed, outside
from tests.servers import ROOT

OPTION = "--find-links"


@pytest.fixture(scope="module")
def fresh(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment, with forstcore from the wheel."""
    directory = tmp_path_factory.mktemp("fresh")
    children.run([sys.executable, "-m", "venv", directory], env=outside(), check=True)
    python = directory / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = install(python, OPTION, installed.wheel.parent, "forstcore")
    if "No matching distribution" in done.stderr:
        pytest.skip("needs a package index that pip can reach")
    assert done.returncode == 0, done.stderr
    return python


def install(python: Path, *what: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Install with pip, with the build tools that it downloads."""
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    return children.run(command, cwd=cwd, env=outside(), text=True, timeout=600)


@pytest.mark.parametrize(
    ("example", "module"),
    [("native_processor", "forst_thermo"), ("cython_processor", "forst_orders")],
)
def test_it_installs(
    installed: Installed, fresh: Path, tmp_path: Path, example: str, module: str
) -> None:
    source = tmp_path / example
    shutil.copytree(ROOT / "examples" / example, source)
    done = install(fresh, OPTION, installed.wheel.parent, ".", cwd=source)
    assert done.returncode == 0, done.stderr
    done = children.run(
        [str(fresh), "-c", f"import {module}"], cwd=tmp_path, env=outside(), text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
