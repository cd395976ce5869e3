"""Forms of expressions that are compiled in a way of their own."""

from __future__ import annotations

import ast

__all__ = ["index_of", "is_with_none", "may_raise"]


def is_with_none(node: ast.Compare) -> bool:
    """Whether a comparison is with None alone."""
    right = node.comparators[0]
    return (
        len(node.ops) == 1
        and isinstance(node.ops[0], ast.Is | ast.IsNot)
        and isinstance(right, ast.Constant)
        and right.value is None
    )


def index_of(node: ast.expr) -> int | None:
    """Return the value of an expression that is an integer as written; None for any other one."""
    match node:
        case ast.Constant(value=int(value)) if type(value) is int:
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -value
    return None


def may_raise(argument: ast.expr | None) -> bool:
    """Whether computing an argument may raise an exception that a function catches."""
    return not (argument is None or isinstance(argument, ast.Constant | ast.Name))
