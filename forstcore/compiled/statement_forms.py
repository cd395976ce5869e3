"""What the form of a statement tells."""

from __future__ import annotations

import ast

__all__ = ["keyword_of", "reads", "returned_at_once"]


def returned_at_once(node: ast.stmt, rest: list[ast.stmt]) -> ast.Return | None:
    """Return the statement that does the same as an assignment whose name is then returned."""
    if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and rest):
        return None
    target, after = node.targets[0], rest[0]
    if not (isinstance(after, ast.Return) and isinstance(after.value, ast.Name)):
        return None
    if not (isinstance(target, ast.Name) and target.id == after.value.id):
        return None
    if any(isinstance(each, ast.NamedExpr) for each in ast.walk(node.value)):
        return None
    return ast.copy_location(ast.Return(node.value), node)


def reads(node: ast.expr, name: str) -> bool:
    """Return whether an expression reads a variable."""
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(node))


def keyword_of(node: ast.stmt) -> str:
    """Return the name of a kind of statement, for messages."""
    return type(node).__name__.lower()
