"""Finding the source of a function, and what its names refer to outside of it."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import linecache
import sys
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
        is_indented = lines[0][:1].isspace()
        try:
            # Not dedented: that would change strings of several lines.
            tree = ast.parse("if True:\n" + text if is_indented else text)
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
        if is_indented:
            ast.increment_lineno(tree, -1)
        if not _is_loaded(self.function.__code__):
            raise Unsupported(None, "its file has changed since it was loaded", "load it again")
        return found[0]

    def remark(self, unsupported: Unsupported, kind: type[Remark] = Remark) -> Remark:
        """Return where in the file something is, and what it is."""
        line, column = self.first_line, 1
        node = unsupported.node
        if isinstance(node, ast.expr | ast.stmt | ast.excepthandler):
            line, column = self.first_line + node.lineno - 1, node.col_offset + 1
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

    def defaults(self) -> dict[str, Any]:
        """Return the defaults of the parameters."""
        parameters = self.node.args
        names = [each.arg for each in (*parameters.posonlyargs, *parameters.args)]
        values = self.function.__defaults__ or ()
        found = dict(zip(reversed(names), reversed(values), strict=False))
        return found | (self.function.__kwdefaults__ or {})

    def is_global(self, name: str) -> bool:
        return name not in self._closure and name in self.function.__globals__


def _is_loaded(code: types.CodeType) -> bool:
    """Return whether a file is still the one that a function was loaded from."""
    if any(name.startswith("@") for name in code.co_varnames):
        return True  # A tool has rewritten it, as pytest does for assert.
    try:
        found = _codes_in("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError):
        return False
    return any(_are_alike(each, code) for each in found)


@functools.lru_cache(maxsize=4)
def _codes_in(source: str) -> list[types.CodeType]:
    """Return the code of all functions in a module."""
    found = [compile(source, "", "exec", dont_inherit=True)]
    for code in found:
        found += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return found


def _are_alike(one: types.CodeType, other: types.CodeType) -> bool:
    """Return whether two functions have the same code."""
    return (
        one.co_name == other.co_name
        and one.co_firstlineno == other.co_firstlineno
        and one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and one.co_freevars == other.co_freevars
        and len(one.co_consts) == len(other.co_consts)
        and all(map(_are_alike_constants, one.co_consts, other.co_consts))
    )


def _are_alike_constants(one: object, other: object) -> bool:
    if isinstance(one, types.CodeType) and isinstance(other, types.CodeType):
        return _are_alike(one, other)
    return _key_of(one) == _key_of(other)


def _key_of(constant: object) -> object:
    """Return what tells constants apart: 1, 1.0 and True are three, and so are 0.0 and -0.0."""
    if isinstance(constant, tuple):
        return tuple, tuple(map(_key_of, constant))
    if isinstance(constant, frozenset):
        return frozenset, frozenset(map(_key_of, constant))
    return type(constant), repr(constant)


def plain_function(what: Callable[..., Any]) -> types.FunctionType | None:
    """Return the function that a call of `what` runs, if it is one in Python.

    A cache in front of it is left out: it changes nothing but the time.
    """
    if hasattr(what, "cache_parameters"):
        what = getattr(what, "__wrapped__", what)
    # What another decorator does is not in the source of the function.
    if not isinstance(what, types.FunctionType) or hasattr(what, "__wrapped__"):
        return None
    # What the standard library's functions do in Python is theirs to change.
    return None if what.__module__.partition(".")[0] in sys.stdlib_module_names else what
