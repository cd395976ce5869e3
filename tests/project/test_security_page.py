"""The page on security names tests that there are, and names some for every threat."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.servers import ROOT

PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", PAGE)))


def functions_of(path: Path) -> set[str]:
    """Return the tests that pytest collects from a module, without importing what they need."""
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    return {name for name in functions if path.name.startswith("test_") and name.startswith("test")}


@pytest.mark.parametrize("named", NAMED)
def test_each_is_there(named: str) -> None:
    path, _, name = named.partition("::")
    assert (ROOT / path).exists()
    assert name in functions_of(ROOT / path)


def test_every_threat_has_a_defence_and_a_test() -> None:
    table = PAGE.partition("| threat | defence | tests |\n")[2].partition("\n\n")[0]
    rows = table.splitlines()[1:]
    assert len(rows) > 20
    for row in rows:
        threat, defence, tests = (cell.strip() for cell in row.strip("|").split("|"))
        assert threat, row
        assert defence, row
        named = tests.split(", ")
        assert named, row
        assert all(test.strip("`") in NAMED for test in named), row


def test_every_attack_is_named() -> None:
    """A module of attacks that the page does not know is a threat that it does not know."""
    modules = {f"tests/hostile/{path.name}" for path in (ROOT / "tests/hostile").glob("test_*.py")}
    assert modules == {named.partition("::")[0] for named in NAMED if "/hostile/" in named}
