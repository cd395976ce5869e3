"""Equal sources make equal archives, wherever and whenever they are built."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests import children
from tests.packaging.conftest import BUILT, outside
from tests.servers import ROOT

pytestmark = pytest.mark.long

_BUILD = """
import sys
from setuptools import build_meta

target = sys.argv[1]  # setuptools changes it.
build_meta.build_sdist(target)
build_meta.build_wheel(target)
"""
_MODULES = 3  # That many are as good as all, and take seconds.


def archives(directory: Path) -> dict[str, bytes]:
    """Build in a copy of the sources, and return the archives."""
    source = directory / "source"
    shutil.copytree(ROOT, source, ignore=BUILT, copy_function=shutil.copyfile)
    modules = [
        path for package in ("forstcore", "server") for path in (source / package).rglob("*.pyx")
    ]
    kept = sorted(modules, key=lambda path: path.stat().st_size)[:_MODULES]
    for module in modules:
        if module not in kept:
            module.unlink()
    done = children.run(
        [sys.executable, "-c", _BUILD, directory / "dist"],
        cwd=source,
        env={**outside(), "SOURCE_DATE_EPOCH": "1700000000"},
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: path.read_bytes() for path in (directory / "dist").iterdir()}


def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    one = archives(tmp_path / "one")
    two = archives(tmp_path / "another-directory")
    assert sorted(name.rpartition(".")[2] for name in one) == ["gz", "whl"]
    assert one == two
