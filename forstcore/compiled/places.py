"""The places in a function to which instructions belong, and why a record was given back there."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from forstcore.compiled.remarks import Remark
from forstcore.compiled.statuses import NAMES

__all__ = ["Place"]

_MOST_TEXT = 60  # Maximum characters of source to show.
_NO_MEMORY = -2


@dataclass(frozen=True)
class Place:
    """A place in a function.

    Attributes:
        file: path of the source file.
        line, column: of the construct, counted from 1.
        node: the construct, None if it does not compile.
        construct: what does not compile.

    Thread-safety: immutable.
    """

    file: str
    line: int
    column: int
    node: ast.AST | None
    construct: str = ""

    def remark(self, status: int) -> Remark:
        """Return why a record was given back.

        Args:
            status: the status with which the program stopped; see fst_status in vm/values.h.
        """
        why = self.construct if self.node is None else _reason(self.node, status)
        return Remark(self.file, self.line, self.column, why)


def _reason(node: ast.AST, status: int) -> str:
    if isinstance(node, ast.FunctionDef):
        return "a record that is not of the declared type"
    if isinstance(node, ast.Try):
        return "an exception that leaves try"
    text = ast.unparse(node).partition("\n")[0]
    if len(text) > _MOST_TEXT:
        text = f"{text[:_MOST_TEXT]}…"
    if isinstance(node, ast.Raise | ast.Assert):
        return text
    if status == _NO_MEMORY:
        return f"too much memory for {text}"
    name = NAMES.get(status)
    return f"only Python is sure of {text}" if name is None else f"{name} in {text}"
