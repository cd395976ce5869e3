"""A module of twenty processors as people write them: functions of the corpus of the tests.

It is written anew, because the modules of the corpus also import what makes their records, which
would count as time to start.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.compiled import corpus

__all__ = ["write_routes"]

# The functions that are taken from a theme; None for all.
_THEMES: Final[dict[str, set[str] | None]] = {
    "logs": None,
    "orders": None,
    "sensors": {"to_celsius"},
}


def write_routes(path: Path) -> None:
    """Write the module."""
    parts = ["from forstcore import processor"]
    for theme, names in _THEMES.items():
        parts += _statements(theme, names)
    path.write_text("\n\n".join(parts) + "\n")


def _statements(theme: str, names: set[str] | None) -> Iterator[str]:
    """Yield the statements of a theme, without those for records."""
    source = Path(corpus.__file__).with_name(f"{theme}.py").read_text()
    of_records: set[str] = set()
    for statement in ast.parse(source).body:
        match statement:
            case ast.ImportFrom(module=str(module)) if module.startswith("tests."):
                of_records |= {each.name for each in statement.names}
            case ast.FunctionDef(name=name):
                if not name.startswith("_") and (names is None or name in names):
                    yield f"@processor({name.replace('_', '-')!r})\n{ast.unparse(statement)}"
            case _ if not _names(statement) & of_records:
                yield ast.unparse(statement)


def _names(statement: ast.stmt) -> set[str]:
    return {each.id for each in ast.walk(statement) if isinstance(each, ast.Name)}
