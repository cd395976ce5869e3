"""What modules of processors print does not hide what the server says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import children
from tests.servers import ROOT

LOUD = """
import sys
import forstcore

print("x" * 3_000_000)
print("x" * 3_000_000, file=sys.stderr)
for _ in range(30_000):
    print("x" * 100)
    print("x" * 100, file=sys.stderr)

@forstcore.processor("loud")
def loud(record: dict):
    return record
"""


@pytest.mark.real_start
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_module_that_prints_more_than_fits_hides_nothing(tmp_path: Path, processes: str) -> None:
    module = tmp_path / "loud.py"
    command = [sys.executable, "-m", "server", "--port", "0", "--processes", processes]
    module.write_text(f"{LOUD}\nraise RuntimeError('the table is missing')\n")
    command += ["--processors", str(module)]
    done = children.run(command, cwd=ROOT, text=True, timeout=60)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        f"forstcore: cannot load processors from {module}: RuntimeError: the table"
    )
    module.write_text(LOUD)
    process = children.start(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout
        # Another process may have written part of a line before it.
        said = iter(process.stdout.readline, "")
        assert any("forstcore listens on " in line for line in said)
    finally:
        children.end(process)


PART_OF_A_LINE = """
import sys
import forstcore

sys.stdout.write("loading")
sys.stderr.write("tables")

@forstcore.processor("same")
def same(record: dict):
    return record
"""


@pytest.mark.real_start
def test_a_module_that_prints_part_of_a_line(tmp_path: Path) -> None:
    module = tmp_path / "loading.py"
    module.write_text(PART_OF_A_LINE)
    command = [sys.executable, "-m", "server", "--port", "0", "--ready-line", "json"]
    process = children.start(
        [*command, "--processors", str(module)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "loading\n"
        assert json.loads(process.stdout.readline())["event"] == "ready"
        assert process.stderr
        assert process.stderr.readline() == "tables\n"
        assert process.stderr.readline() == "processor 'same': compiled\n"
    finally:
        children.end(process)
