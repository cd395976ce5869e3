"""A Python environment that has the wheel instead of the checkout."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import children
from tests.servers import ROOT

_SDIST = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"

BUILT = shutil.ignore_patterns(
    ".*_cache",
    ".build",
    ".git",
    ".hypothesis",
    ".venv",
    "*.so",
    "*.pyd",
    "*.egg-info",
    "__pycache__",
    "node_modules",
    "build",
    "dist",
)


@dataclass
class Installed:
    """An environment with forstcore installed.

    Attributes:
        python: its interpreter.
        sdist: what the wheel was built from.
        wheel: what was installed.
    """

    python: Path
    sdist: Path
    wheel: Path

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        """Run a command of this Python outside of the checkout; return what it prints."""
        done = children.run(
            [self.python, *command],
            cwd=cwd or self.python.parent,
            env=outside(),
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def install_example(self, name: str, directory: Path) -> None:
        """Install a copy of an example in a directory, with the commands of its README."""
        source = directory / name
        shutil.copytree(ROOT / "examples" / name, source, ignore=BUILT)
        readme = (source / "README.md").read_text(encoding="utf-8")
        for block in re.findall(r"^```sh\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL):
            for command in block.splitlines():
                assert command.startswith("pip ")
                self.run("-m", *shlex.split(command), cwd=source)

    def install(self, *what: str | Path) -> None:
        """Install with this environment's build tools; dependencies are there already."""
        pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation")
        self.run(*pip, "--disable-pip-version-check", *what)


def outside() -> dict[str, str]:
    """An environment for processes that must not see the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    compiler = (sysconfig.get_config_var("CC") or "cl").split()[0]
    if shutil.which(compiler) is None:
        pytest.skip("needs a C compiler")
    directory = tmp_path_factory.mktemp("installed")
    # A copy, because building creates files in the source tree.
    source = directory / "source"
    shutil.copytree(ROOT, source, ignore=BUILT)
    children.run(
        [sys.executable, "-c", _SDIST, directory],
        cwd=source, env=outside(), check=True, timeout=600,
    )  # fmt: skip
    (sdist,) = directory.glob("*.tar.gz")
    children.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--wheel-dir", directory, sdist],
        cwd=directory, env=outside(), check=True, timeout=600,
    )  # fmt: skip
    (wheel,) = directory.glob("*.whl")
    venv.create(directory / "venv", symlinks=os.name != "nt")
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = directory / "venv" / scripts / ("python.exe" if os.name == "nt" else "python")
    here = Installed(python, sdist, wheel)
    # The dependencies, and the tools to build with, come from the environment of the tests:
    # a line of a .pth file adds a directory, and does not look at the .pth files in there.
    packages = Path(
        here.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    here.install(wheel)
    return here
