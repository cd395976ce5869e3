"""The tutorial, block by block in one shell, from the installation of the wheel on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import children
from tests.packaging.conftest import Installed, outside
from tests.servers import ROOT, free_port

_TEXT = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
# The text before a block, the block, and the output shown below it.
_BLOCK = re.compile(
    r"((?:(?!^```).)*)^```(sh|python)\n(.*?)^```\n"
    r"(?:\n(?:(?:prints|says)[^\n]*\n\n)?```text\n(.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
_SAVED_AS = re.compile(r"[Ss]ave (?:this|it) as `(\w+\.py)`")
_DONE = "\n-- done --\n"
_PATIENCE = 120.0  # Seconds that a block may take.


class Shell:
    """A shell that runs one block after the other, as a reader's does.

    Args:
        directory: where it runs.
        environment: its environment.
    """

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._script = directory / "block.sh"
        self._output = directory / "output"
        self._errors = directory / "errors"
        self._seen = 0
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self._shell = children.start(
                ["bash"],
                cwd=directory,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=errors,
                text=True,
            )

    def run(self, script: str, expected: str) -> str:
        """Run a block; return its output as soon as it matches the expected output."""
        self._script.write_text(script, encoding="utf-8")
        assert self._shell.stdin is not None
        self._shell.stdin.write(f". ./{self._script.name} < /dev/null; printf {_DONE!r}\n")
        self._shell.stdin.flush()
        deadline = time.monotonic() + _PATIENCE
        while True:
            printed = self._output.read_text(encoding="utf-8")[self._seen :]
            # A server in the background prints its address once it listens.
            is_as_expected = printed.replace(_DONE, "") == expected
            if (_DONE in printed and is_as_expected) or time.monotonic() > deadline:
                self._seen += len(printed)
                return printed.replace(_DONE, "")
            time.sleep(0.05)

    def errors(self) -> str:
        """Return what was written to standard error."""
        return self._errors.read_text(encoding="utf-8")

    def end(self) -> None:
        """End the shell and its child processes."""
        os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.communicate()


@pytest.fixture
def shell(installed: Installed, tmp_path: Path) -> Iterator[Shell]:
    for tool in ("bash", "curl"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    environment = {
        **outside(),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        # Install the wheel that was just built; its dependencies are added below.
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_FIND_LINKS": str(installed.wheel.parent),
    }
    shell = Shell(tmp_path, environment)
    yield shell
    shell.end()


def test_every_block_does_what_the_tutorial_says(shell: Shell, tmp_path: Path) -> None:
    blocks = _BLOCK.findall(_TEXT)
    assert sum(bool(output) for *_, output in blocks) == _TEXT.count("```text") > 10
    assert len(blocks) == _TEXT.count("```sh") + _TEXT.count("```python")
    port = free_port()
    shell.run(f"export FORSTCORE_PORT={port}", "")
    for before, kind, code, output in blocks:
        code = code.replace(":8080", f":{port}")
        if kind == "python":
            (name,) = _SAVED_AS.findall(before)
            (tmp_path / name).write_text(code, encoding="utf-8")
            continue
        expected = output.replace(":8080", f":{port}")
        assert shell.run(code, expected) == expected, f"{code}\n{shell.errors()}"
        if "pip install" in code:
            (packages,) = tmp_path.glob(".venv/lib/python*/site-packages")
            (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    assert "Traceback" not in shell.errors()
