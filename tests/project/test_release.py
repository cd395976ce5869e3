"""A release is published only if its tag, its versions and the changelogs agree."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import forstcore
from tests import children
from tests.servers import ROOT

_NPM = [
    f"clients/typescript/{each}" for each in ("package.json", "package-lock.json", "CHANGELOG.md")
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the files that have the version, with a change that was not released."""
    for name in ("CHANGELOG.md", "forstcore/_version.py", "deploy", *_NPM):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True, parents=True)
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


def test_the_npm_package_has_the_version_of_its_release(tree: Path) -> None:
    before = [(ROOT / name).read_text(encoding="utf-8") for name in _NPM[:2]]
    release(tree, "cut", "97.0.1rc2")
    after = [(tree / name).read_text(encoding="utf-8") for name in _NPM[:2]]
    for old, new in zip(before, after, strict=True):
        # Nothing else changes, including the format and the versions of dependencies.
        changed = [
            pair
            for pair in zip(old.splitlines(), new.splitlines(), strict=True)
            if len({*pair}) > 1
        ]
        assert {line.strip() for _, line in changed} == {'"version": "97.0.1-rc.2",'}
        assert len(changed) == (2 if "lockfileVersion" in old else 1)
    changelog = (tree / _NPM[2]).read_text(encoding="utf-8")
    assert changelog.index("## [Unreleased]") < changelog.index("## [97.0.1rc2] - ")
    changelog_path = tree / "CHANGELOG.md"
    text = changelog_path.read_text(encoding="utf-8")
    changelog_path.write_text(text.replace("[Unreleased]\n", "[Unreleased]\n\n- A change.\n"))
    assert release(tree, "cut", "97.0.2").returncode == 0
    changelog = (tree / _NPM[2]).read_text(encoding="utf-8")
    newest = changelog.partition("## [97.0.2]")[2].partition("\n## ")[0]
    assert "- No changes of the package." in newest
    assert release(tree, "check", "v97.0.2").returncode == 0


def test_a_version_of_the_npm_package_that_differs_is_refused(tree: Path) -> None:
    release(tree, "cut", "97.0.1")
    for name in _NPM[:2]:
        described = json.loads((tree / name).read_text(encoding="utf-8"))
        described["version"] = "97.0.0"
        (tree / name).write_text(json.dumps(described))
    done = release(tree, "check", "v97.0.1")
    assert done.returncode == 1
    assert done.stderr.startswith("clients/typescript/package.json has 97.0.0, not 97.0.1\n")


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
