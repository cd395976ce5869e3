"""Formats of str.format as f-strings."""

from __future__ import annotations

import ast
import string

from forstcore.compiled.remarks import Unsupported

__all__ = ["joined_format"]


def joined_format(node: ast.Call, text: str, keywords: dict[str, ast.expr]) -> ast.JoinedStr:
    """Return the f-string that does the same as a call of `format` of a constant.

    Raises:
        Unsupported: its fields are more than names and numbers.
    """
    values: list[ast.expr] = []
    fields: list[str] = []
    count = 0
    try:
        for before, name, spec, conversion in string.Formatter().parse(text):
            if before:
                values.append(ast.Constant(before))
            if name is None:
                continue
            if spec and "{" in spec:
                raise Unsupported(node, "a field of format within a field", "use an f-string")
            fields.append(name)
            if name == "":
                name = str(count)
                count += 1
            values.append(
                ast.FormattedValue(
                    _argument(node, name, keywords),
                    ord(conversion) if conversion else -1,
                    ast.JoinedStr([ast.Constant(spec)]) if spec else None,
                )
            )
    except ValueError as error:
        raise Unsupported(node, f"this format ({error})") from None
    if "" in fields and any(_is_number(name) for name in fields):
        raise Unsupported(node, "fields of format with and without numbers")
    if count + len(set(fields) - {""}) < len(node.args) + len(keywords):
        raise Unsupported(node, "an argument of format that no field takes", "use an f-string")
    joined = ast.JoinedStr(values)
    for each in ast.walk(joined):
        if isinstance(each, ast.expr) and not hasattr(each, "lineno"):
            ast.copy_location(each, node)
    return joined


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal()


def _argument(node: ast.Call, name: str, keywords: dict[str, ast.expr]) -> ast.expr:
    if _is_number(name) and int(name) < len(node.args):
        return node.args[int(name)]
    if name in keywords:
        return keywords[name]
    raise Unsupported(node, f"the field {name!r} of format", "use an f-string")
