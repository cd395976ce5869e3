"""The origin of the value of an expression: whether it may be a part of the record."""

from __future__ import annotations

import ast
from collections.abc import Callable

from forstcore.compiled.scope import Origin, Scope

__all__ = ["origin_of"]

_PARTS = frozenset(("get", "values", "items", "keys", "pop", "setdefault", "popitem", "popleft"))
_COPIES = frozenset(
    ("list", "tuple", "dict", "sorted", "reversed", "enumerate", "zip", "filter", "copy", "deque")
)
_PICKS = frozenset(("next", "min", "max"))
_TEXT_METHODS = frozenset(
    (
        *("capitalize", "casefold", "center", "expandtabs", "format", "isoformat", "join", "ljust"),
        *("lower", "lstrip", "removeprefix", "removesuffix", "rjust", "rstrip", "strftime"),
        *("strip", "sub", "swapcase", "title", "upper", "zfill"),
    )
)
_KEEPS_OPERANDS = (ast.Add, ast.Mult, ast.BitOr)
"""Operators of lists and dicts, whose results have the elements of their operands."""


def origin_of(node: ast.expr, scope: Scope, record: str) -> Origin:
    """Return the origin of the value of an expression.

    An expression that may have a part of the record as its value, or in it, is never
    `Origin.OTHER`, except for the call of a function by its name.

    Args:
        node: the expression.
        scope: its scope.
        record: name of the parameter for the record.
    """

    def of(node: ast.expr) -> Origin:
        return origin_of(node, scope, record)

    def container(*nodes: ast.expr) -> Origin:
        return min(_highest(*map(of, nodes)), Origin.NEW)

    match node:
        case ast.Name():
            return _origin_of_name(node.id, scope, record)
        case ast.NamedExpr() | ast.Starred():
            return of(node.value)
        case ast.Subscript(slice=ast.Slice()):
            return container(node.value)
        case ast.Subscript():
            return of(node.value).of_parts
        case ast.IfExp():
            return _highest(of(node.body), of(node.orelse))
        case ast.BoolOp():
            return _highest(*map(of, node.values))
        case ast.BinOp(op=operator, left=left, right=right):
            if isinstance(operator, _KEEPS_OPERANDS) and not (_is_text(left) or _is_text(right)):
                return container(left, right)
        case ast.Dict():
            return container(*node.values)
        case ast.List() | ast.Tuple() | ast.Set():
            return container(*node.elts)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
            return _origin_of_comprehension(node.elt, node, container)
        case ast.DictComp():
            return _origin_of_comprehension(node.value, node, container)
        case ast.Call(func=ast.Attribute(value=owner, attr=attr), args=args) if attr in _PARTS:
            return _highest(of(owner).of_parts, *map(of, args))
        case ast.Call(func=ast.Attribute(value=owner, attr="copy"), args=args):
            return container(owner, *args)
        case ast.Call(func=ast.Attribute(attr="fromkeys"), args=args):
            return container(*args)
        case ast.Call(func=ast.Name(id=name), args=args) if name in _COPIES:
            return container(*args)
        case ast.Call(func=ast.Name(id=name), args=args) if name in _PICKS:
            return _highest(*map(of, args)).of_parts
    return Origin.OTHER


def _origin_of_name(name: str, scope: Scope, record: str) -> Origin:
    owner = scope.owner(name)
    if name == record and scope.outer is None and owner is not None and owner.depth == 0:
        return Origin.RECORD
    if owner is None:
        return Origin.OTHER
    if name in owner.paths:
        return Origin.INSIDE if owner.paths[name] else Origin.RECORD
    return owner.origins.get(name, Origin.OTHER)


def _origin_of_comprehension(
    item: ast.expr,
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
    container: Callable[..., Origin],
) -> Origin:
    # Its variables are not known yet; they have parts of what it iterates over.
    if _is_scalar(item):
        return Origin.OTHER
    return container(item, *(each.iter for each in node.generators))


def _highest(*origins: Origin) -> Origin:
    return min(max(origins, default=Origin.OTHER), Origin.INSIDE)


def _is_scalar(node: ast.expr) -> bool:
    """Return whether the value of an expression certainly has no parts."""
    match node:
        case ast.Compare() | ast.UnaryOp():
            return True
        case ast.BinOp(op=operator, left=left, right=right):
            is_plain = not isinstance(operator, _KEEPS_OPERANDS)
            return is_plain or _is_text(left) or _is_text(right)
    return _is_text(node)


def _is_text(node: ast.expr) -> bool:
    """Return whether the value of an expression is a str, or a float."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in _TEXT_METHODS
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str | float)
    return isinstance(node, ast.JoinedStr)
