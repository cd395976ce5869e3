"""A release is published only if its tag, its version and the changelog agree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import forstcore
from tests import children
from tests.servers import ROOT


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the files that have the version, with a change that was not released."""
    for name in ("CHANGELOG.md", "forstcore/_version.py", "deploy"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    changelog = tmp_path / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    assert text.count("## [Unreleased]\n") == 1
    changelog.write_text(
        text.replace("## [Unreleased]\n", "## [Unreleased]\n\n### Fixed\n\n- A new change.\n")
    )
    return tmp_path


def release(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return children.run([sys.executable, ROOT / ".ci/release.py", *arguments], cwd=tree, text=True)


def test_a_release_is_cut_in_one_step(tree: Path) -> None:
    assert release(tree, "cut", "97.0.1").returncode == 0
    done = release(tree, "check", "v97.0.1")
    assert (done.returncode, done.stderr) == (0, "")
    text = (tree / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.index("## [Unreleased]") < text.index("## [97.0.1] - ") < text.index("A new change")
    assert "forstcore:97.0.1" in (tree / "deploy/kubernetes/service.yaml").read_text()
    again = release(tree, "cut", "97.0.2")
    assert (again.returncode, again.stderr) == (1, "CHANGELOG.md has no unreleased changes\n")


def test_another_tag_is_refused(tree: Path) -> None:
    release(tree, "cut", "97.0.1")
    done = release(tree, "check", "v97.0.2")
    assert done.returncode == 1
    assert done.stderr == "the tag is v97.0.2, and forstcore/_version.py has 97.0.1\n"


def test_a_change_after_the_release_is_refused(tree: Path) -> None:
    done = release(tree, "check", f"v{forstcore.__version__}")
    assert done.returncode == 1
    assert "CHANGELOG.md has unreleased changes\n" in done.stderr


@pytest.mark.parametrize("version", ["", "v1.2.3", "1.2"])
def test_what_is_no_version_is_refused(tree: Path, version: str) -> None:
    done = release(tree, "cut", version)
    assert done.returncode == 1
    assert "a version is like 1.2.3" in done.stderr
