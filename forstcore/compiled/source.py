"""Finding the source of a function, and what its names refer to outside of it."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import sys
import textwrap
import types
from collections.abc import Callable
from typing import Any

from forstcore.compiled.remarks import Remark, Unsupported

__all__ = ["MISSING", "FunctionSource"]

MISSING: Any = object()


class FunctionSource:
    """A Python function with its syntax tree.

    Args:
        function: the function.

    Attributes:
        function: as above.
        node: its definition, or its lambda expression.
        file: of its source.

    Raises:
        Unsupported: there is no source.
    """

    def __init__(self, function: types.FunctionType) -> None:
        self.function = function
        self.file = function.__code__.co_filename
        self.first_line = function.__code__.co_firstlineno
        self._indent = 0
        self.node = self._parse()
        names = function.__code__.co_freevars
        self._closure = dict(zip(names, function.__closure__ or (), strict=True))

    def _parse(self) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda:
        try:
            lines, first = inspect.getsourcelines(self.function)
        except (OSError, TypeError) as error:
            raise Unsupported(None, f"the source cannot be read ({error})") from None
        text = "".join(lines)
        self.first_line = first
        self._indent = len(lines[0]) - len(lines[0].lstrip())
        try:
            tree = ast.parse(textwrap.dedent(text))
        except SyntaxError:
            raise Unsupported(None, "the source is part of another statement", "use def") from None
        found = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            and getattr(node, "name", "<lambda>") == self.function.__name__
        ]
        if not found or (isinstance(found[0], ast.Lambda) and len(found) > 1):
            raise Unsupported(None, "the function cannot be found in its source", "use def")
        return found[0]

    def remark(self, unsupported: Unsupported, kind: type[Remark] = Remark) -> Remark:
        """Return where in the file something is, and what it is."""
        line, column = self.first_line, 1
        node = unsupported.node
        if isinstance(node, ast.expr | ast.stmt | ast.excepthandler):
            line, column = self.first_line + node.lineno - 1, self._indent + node.col_offset + 1
        return kind(self.file, line, column, unsupported.construct, unsupported.advice)

    def line_of(self, node: ast.stmt) -> int:
        """Return the line of the file that a statement begins in."""
        return self.first_line + node.lineno - 1

    def value_of(self, name: str) -> Any:
        """Return what a name that is no local variable refers to; MISSING if nothing."""
        if name in self._closure:
            try:
                return self._closure[name].cell_contents
            except ValueError:
                return MISSING
        scope = self.function.__globals__
        return scope.get(name, getattr(builtins, name, MISSING))

    def is_global(self, name: str) -> bool:
        return name not in self._closure and name in self.function.__globals__


def plain_function(what: Callable[..., Any]) -> types.FunctionType | None:
    """Return the function that a call of `what` runs, if it is one in Python.

    A cache in front of it is left out: it changes nothing but the time.
    """
    if isinstance(what, functools._lru_cache_wrapper):
        what = what.__wrapped__
    if not isinstance(what, types.FunctionType):
        return None
    # What the standard library's functions do in Python is theirs to change.
    return None if what.__module__.partition(".")[0] in sys.stdlib_module_names else what
