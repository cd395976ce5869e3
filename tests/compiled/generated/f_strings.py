"""f-strings of generated functions, which are hard to quote when they are nested."""

from __future__ import annotations

import ast

__all__ = ["FormattedStrings"]


class FormattedStrings(ast.NodeTransformer):
    """Replaces F("…") by f"…", in which each value stands in parentheses."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not (isinstance(node.func, ast.Name) and node.func.id == "F"):
            return self.generic_visit(node)
        (text,) = node.args
        assert isinstance(text, ast.Constant)
        return _joined(str(text.value))


def _joined(text: str) -> ast.JoinedStr:
    """Return an f-string; the parts of `text` are as in one, with each value in parentheses."""
    values: list[ast.expr] = []
    at = 0
    while at < len(text):
        if text.startswith("{(", at):
            end = _end_of(text, at + 1)
            value = FormattedStrings().visit(ast.parse(text[at + 1 : end], mode="eval").body)
            stop = text.index("}", end)
            conversion, _, spec = text[end:stop].partition(":")
            form = ast.JoinedStr([ast.Constant(spec)]) if spec else None
            values.append(ast.FormattedValue(value, ord(conversion[1]) if conversion else -1, form))
            at = stop + 1
            continue
        start = at
        while at < len(text) and not text.startswith("{(", at):
            at += 1
        values.append(ast.Constant(text[start:at].replace("\\", "/")))
    return ast.JoinedStr(values)


def _end_of(text: str, at: int) -> int:
    """Return where the parenthesis at `at` is closed."""
    depth = 0
    quote = ""
    while True:
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
