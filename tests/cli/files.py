"""Inputs and outputs of commands, and functions to inspect them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import forstcore
from tests import children
from tests.cli.conftest import environment

__all__ = ["INPUT", "OLD", "OUTPUT", "drafts", "is_root", "mode_of", "shell"]

INPUT = b'{"id":"1","data":"a"}\n{"id":2}\n{"id":"3","data":"c"}\n'
OUTPUT = forstcore.process_block(INPUT)
OLD = b"of the run before\n"

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def shell(directory: Path, line: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell command line, in which `F` is the command."""
    return children.run(
        ["bash", "-c", f'F() {{ {sys.executable} -m forstcore "$@"; }}; {line}'],
        cwd=directory,
        env=environment(),
    )


def drafts(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.name.startswith(".")]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
