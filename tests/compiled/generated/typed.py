"""Generated functions with records of a declared type."""

from __future__ import annotations

import ast
import re
from random import Random
from typing import Final

__all__ = ["with_types"]

_TYPES: Final[dict[str, dict[str, str]]] = {
    "Record": {
        **dict.fromkeys(("id", "s", "text", "path", "email", "code", "when", "csv"), "str"),
        **dict.fromkeys(("n", "m", "big", "at", "status"), "int"),
        **dict.fromkeys(("x", "start"), "float"),
        "y": "float = 2",
        **dict.fromkeys(("none", "mixed", "either"), "Any"),
        **dict.fromkeys(("tags", "words"), "list[str]"),
        "level": "str = 'info'",
        "opt": "str | None = None",
        "flag": "bool",
        "nums": "list[Any]",
        "items": "list[Item]",
        "counts": "dict[str, int]",
        "meta": "Meta",
    },
    "Meta": {"a": "int", "b": "str", "on": "bool", "c": "Part"},
    "Part": {"d": "float", "e": "list[int]"},
    "Item": {"name": "str", "price": "float", "qty": "int", "tags": "list[str]"},
}
_PARTS: Final = {("Record", "meta"): "Meta", ("Meta", "c"): "Part"}
_HEADS: Final = {
    "class": "@dataclass\nclass {}:",
    "frozen": "@dataclass(frozen=True, slots=True)\nclass {}:",
    "struct": "class {}(msgspec.Struct):",
    "dict": "class {}(TypedDict):",
}


_METHODS: Final = """\

    @property
    def p_{0}(self):
        return self.{0}

    def m_{0}(self, other=None):
        return self.p_{0} if other is None else other
"""


def with_types(source: str, chance: Random) -> tuple[str, str]:
    """Return types for the record of a function, and the function with them.

    Args:
        source: the function, whose record is a dict.
        chance: decides which kind of types.
    """
    way = chance.choice(tuple(_HEADS))
    # Only what reads a TypedDict is spelled as for a dict.
    item = "Item" if way == "dict" and chance.random() < 0.7 else "dict[str, Any]"
    read = set(re.findall(r"'(\w+)'", source))
    types = []
    for name, fields in reversed(_TYPES.items()):
        lines = [
            f"    {each}: {kind.replace('Item', item)}"
            for each, kind in fields.items()
            if each in read
        ]
        if way == "dict":
            lines = [line.partition(" = ")[0] for line in lines]
        # Those with defaults come last.
        lines.sort(key=lambda line: "=" in line)
        lines = lines or ["    id: str"]
        if way != "dict":
            plain = [line.split(":")[0].strip() for line in lines]
            lines += [line for each in plain for line in _METHODS.format(each).splitlines()]
        types.append("\n".join([_HEADS[way].format(name), *lines]))
    if way != "dict":
        source = ast.unparse(_Attributes(chance).visit(ast.parse(source))) + "\n"
    return "\n\n\n".join([*types, ""]) + "\n", source.replace("def f(r)", "def f(r: Record)", 1)


class _Attributes(ast.NodeTransformer):
    """Replaces the members that a dict has by attributes, properties and methods.

    Args:
        chance: decides which.
    """

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        return self._attribute(node, node.value, node.slice)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
            return self._attribute(node, node.func.value, node.args[0])
        return node

    def _attribute(self, node: ast.expr, owner: ast.expr, name: ast.expr) -> ast.expr:
        kind = _kind_of(owner)
        if kind is None or not isinstance(name, ast.Constant) or name.value not in _TYPES[kind]:
            return node
        context = node.ctx if isinstance(node, ast.Subscript) else ast.Load()
        plain = ast.Attribute(owner, str(name.value), context)
        way = self._chance.random()
        if _kind_of(plain) is not None or not isinstance(context, ast.Load) or way > 0.2:
            return plain
        if way > 0.1:
            return ast.Attribute(owner, f"p_{name.value}", context)
        return ast.Call(ast.Attribute(owner, f"m_{name.value}", context), [], [])


def _kind_of(node: ast.expr) -> str | None:
    """Return the type of an expression, None if it is none of _TYPES."""
    if isinstance(node, ast.Name):
        return "Record" if node.id == "r" else None
    if isinstance(node, ast.Attribute):
        owner = _kind_of(node.value)
        return None if owner is None else _PARTS.get((owner, node.attr))
    return None
