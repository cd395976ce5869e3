"""Every link between the documents leads to a file that is there, and to a place in it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.servers import ROOT

_OTHERS = {"build", "dist", "node_modules", "wheelhouse"}
_FENCE = re.compile(r"^(```+).*?^\1$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_SOURCE = re.compile(r"""(?:src|srcset|href)=["']([^"']+)["']""")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def is_ours(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return not any(part in _OTHERS or part.startswith(".") for part in parts)


DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "*/*.md", "*/*/*.md", "*/*/*/*.md")
    for path in ROOT.glob(pattern)
    if is_ours(path)
)


def links(document: Path) -> list[str]:
    text = _FENCE.sub("", document.read_text(encoding="utf-8"))
    # Text in backticks is no link.
    text = re.sub(r"`[^`\n]*`", "code", text)
    found = _LINK.findall(text) + _SOURCE.findall(text)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(document: Path) -> set[str]:
    """Name the places that the headings of a document make."""
    text = _FENCE.sub("", document.read_text(encoding="utf-8"))
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def test_there_are_links() -> None:
    assert sum(len(links(document)) for document in DOCUMENTS) > 50


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links(document: Path) -> None:
    broken = []
    for link in links(document):
        path, _, place = unquote(link).partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.is_relative_to(ROOT), link
        if not target.exists():
            broken.append(f"{link}: there is no {target.relative_to(ROOT)}")
        elif place and place not in anchors(target):
            broken.append(f"{link}: there is no heading {place!r}")
    assert not broken


def test_the_table_of_changes_names_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("\n## Where to make a change\n")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert len(rows) >= 12
    for row in rows:
        for cell in row.split("|"):
            names = re.findall(r"`([\w./-]+(?:/|\.\w+))`", cell)
            folders = [ROOT / Path(name) for name in names if "/" in name]
            folders += [ROOT / name for name in re.findall(r"`((?:\w+/)+\w+)`", cell)]
            places = [ROOT, *folders, *(folder.parent for folder in folders)]
            for name in names:
                assert any((place / name).exists() for place in places), name
