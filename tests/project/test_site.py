"""The site of the documents: it builds without a warning, and nothing is missing from it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

import forstcore
from tests import children
from tests.servers import ROOT

pytest.importorskip("sphinx", reason="needs sphinx")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built anew."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", "."]
    done = children.run([*command, target], cwd=ROOT, text=True, timeout=300)
    assert done.stderr == ""
    assert done.returncode == 0
    return target


def test_every_page_is_in_the_navigation(site: Path) -> None:
    index = (site / "docs/index.html").read_text()
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    for page in pages - {Path("index.md")}:
        target = page.with_suffix(".html").as_posix()
        assert f'class="reference internal" href="{target}"' in index, page


def test_every_public_name_is_explained(site: Path) -> None:
    page = (site / "docs/reference/python.html").read_text()
    names = set(re.findall(r'id="forstcore\.([\w.]+)"', page))
    # The exceptions are where they are defined.
    wanted = {
        f"errors.{name}" if name.endswith("Error") else name
        for name in forstcore.__all__
        if name != "__version__"
    }
    assert wanted <= names
    assert "max_line_size" in page.partition('id="forstcore.RecordStream"')[2][:3000]


def test_written_pages_are_what_the_code_says() -> None:
    done = children.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
