"""Compile the programs of the benchmarks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
BUILD: Final = HERE / ".build"


class BenchmarkError(Exception):
    """A program of a benchmark failed; the message names it and the reason."""


def compile_program(
    command: Sequence[str], sources: Iterable[Path], output: Path, directory: Path = HERE
) -> None:
    """Run a compiler, unless its output is newer than all sources.

    Raises:
        BenchmarkError: the compiler is not installed, or failed.
    """
    newest = max(path.stat().st_mtime for path in sources)
    if output.exists() and output.stat().st_mtime > newest:
        return
    BUILD.mkdir(exist_ok=True)
    (BUILD / ".gitignore").write_text("*\n")
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BenchmarkError(f"{command[0]} is not installed") from None
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command)} failed:\n{done.stderr}")
