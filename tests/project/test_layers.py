"""The layering: errors ← _proc ← forstcore ← server, imports downwards only."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HTTP = {"aiohttp", "http"}
CORE = ("forstcore.errors", "forstcore.native", "forstcore._core")


def imports(path: Path) -> set[str]:
    if path.suffix in {".pyx", ".pxd"}:
        text = path.read_text()
        return set(re.findall(r"^(?:from|c?import)\s+([\w.]+)", text, re.MULTILINE))
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def test_errors_import_nothing_of_ours() -> None:
    assert not any("forstcore" in name for name in imports(ROOT / "forstcore/errors.py"))


def test_the_core_imports_only_errors() -> None:
    for path in [*ROOT.glob("forstcore/**/*.pyx"), *ROOT.glob("forstcore/**/*.pxd")]:
        ours = {name for name in imports(path) if name.startswith(("forstcore", "server"))}
        assert all(name.startswith(CORE) for name in ours), path


def test_the_package_knows_no_server() -> None:
    for path in ROOT.glob("forstcore/**/*.py"):
        assert not any(name.split(".")[0] == "server" for name in imports(path)), path


@pytest.mark.parametrize("module", ["aiohttp", "orjson", "asyncio"])
def test_importing_forstcore_stays_light(module: str) -> None:
    code = f"import sys, forstcore; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
