"""The tutorial, block by block in one shell, as somebody does it who has just cloned forstcore."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import children
from tests.packaging.conftest import BUILT, outside
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
_PATIENCE = 120.0  # Seconds that a block may take,
_INSTALLATION = 900.0  # and the one that compiles.

pytestmark = pytest.mark.long


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

    def run(self, script: str, expected: str, patience: float = _PATIENCE) -> str:
        """Run a block; return its output as soon as it matches the expected output."""
        self._script.write_text(script, encoding="utf-8")
        assert self._shell.stdin is not None
        self._shell.stdin.write(f". ./{self._script.name} < /dev/null; printf {_DONE!r}\n")
        self._shell.stdin.flush()
        deadline = time.monotonic() + patience
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
def checkout(tmp_path: Path) -> Path:
    """A clone of the repository, without anything that was built."""
    return Path(shutil.copytree(ROOT, tmp_path / "clone", ignore=BUILT))


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    for tool in ("bash", "curl"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    # The Python that the environment of the tests was made from, which has no packages.
    paths = [str(Path(sys.base_prefix) / "bin"), *os.environ["PATH"].split(os.pathsep)]
    environment = {
        **outside(),
        "PATH": os.pathsep.join(path for path in paths if not path.startswith(sys.prefix)),
        "CFLAGS": "-O0",  # It is faster to compile.
    }
    (tmp_path / "empty").mkdir()
    shell = Shell(tmp_path / "empty", environment)
    yield shell
    shell.end()


def test_every_block_does_what_the_tutorial_says(
    shell: Shell, checkout: Path, tmp_path: Path
) -> None:
    assert "checkout=~/forstcore\n" in _TEXT
    blocks = _BLOCK.findall(_TEXT)
    assert sum(bool(output) for *_, output in blocks) == _TEXT.count("```text") > 10
    assert len(blocks) == _TEXT.count("```sh") + _TEXT.count("```python")
    port = free_port()
    shell.run(f"export FORSTCORE_PORT={port}", "")
    for before, kind, code, output in blocks:
        code = code.replace(":8080", f":{port}").replace("~/forstcore", str(checkout))
        if kind == "python":
            (name,) = _SAVED_AS.findall(before)
            (tmp_path / "empty" / name).write_text(code, encoding="utf-8")
            continue
        expected = output.replace(":8080", f":{port}")
        patience = _INSTALLATION if "pip install" in code else _PATIENCE
        printed = shell.run(code, expected, patience)
        if "pip install" in code and "No matching distribution" in shell.errors():
            pytest.skip("needs a package index that pip can reach")
        assert printed == expected, f"{code}\n{shell.errors()}"
    assert "Traceback" not in shell.errors()
