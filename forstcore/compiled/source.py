"""Finding the source of a function, and resolving its names outside of it."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

from forstcore.compiled.places import Place
from forstcore.compiled.remarks import Remark, Unsupported

__all__ = ["MISSING", "FunctionSource", "parsed_module", "plain_function"]

MISSING: Any = object()

_Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


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
        self.node = self._find()
        _mangle(self.node, function)
        names = function.__code__.co_freevars
        self._closure = dict(zip(names, function.__closure__ or (), strict=True))

    def _find(self) -> _Definition:
        try:
            lines, _ = inspect.findsource(self.function)
        except (OSError, TypeError) as error:
            raise Unsupported(None, f"the source cannot be read ({error})") from None
        code = self.function.__code__
        try:
            module = parsed_module("".join(lines))
        except (SyntaxError, ValueError):
            module = None
        if module is None or not module.has(code):
            raise Unsupported(None, "its file has changed since it was loaded", "load it again")
        found = module.functions.get((code.co_name, code.co_firstlineno), [])
        if len(found) > 1:
            found = [each for each in found if _is_body_of(each, code)]
        if len(found) != 1:
            raise Unsupported(None, "the function cannot be found in its source", "use def")
        return found[0]

    def remark(self, unsupported: Unsupported, kind: type[Remark] = Remark) -> Remark:
        """Return a remark with the position and description of a construct."""
        line, column = self.first_line, 1
        node = unsupported.node
        if isinstance(node, ast.expr | ast.stmt | ast.excepthandler):
            line, column = node.lineno, node.col_offset + 1
        return kind(self.file, line, column, unsupported.construct, unsupported.advice)

    def place_of(self, node: ast.expr | ast.stmt) -> Place:
        """Return the position of a construct in the file."""
        return Place(self.file, node.lineno, node.col_offset + 1, node)

    def value_of(self, name: str) -> Any:
        """Resolve a name that is not a local variable; return MISSING if it is undefined."""
        if name in self._closure:
            try:
                return self._closure[name].cell_contents
            except ValueError:
                return MISSING
        scope = self.function.__globals__
        return scope.get(name, getattr(builtins, name, MISSING))

    def static(self, node: ast.expr) -> Any:
        """Resolve a name, or an attribute of a module or class, outside of the function.

        Returns:
            The object; MISSING if it is undefined or neither of these.
        """
        match node:
            case ast.Name(id=name):
                return self.value_of(name)
            case ast.Attribute(value=value, attr=attr):
                owner = self.static(value)
                if isinstance(owner, types.ModuleType | type):
                    return getattr(owner, attr, MISSING)
        return MISSING

    def defaults(self) -> dict[str, Any]:
        """Return the defaults of the parameters."""
        parameters = self.node.args
        names = [each.arg for each in (*parameters.posonlyargs, *parameters.args)]
        values = self.function.__defaults__ or ()
        found = dict(zip(reversed(names), reversed(values), strict=False))
        return found | (self.function.__kwdefaults__ or {})

    def is_global(self, name: str) -> bool:
        return name not in self._closure and name in self.function.__globals__


class _ParsedModule:
    """A module with its functions.

    Args:
        source: its source.

    Attributes:
        tree: its syntax tree.
        functions: definitions and lambda expressions by their name and first line.

    Raises:
        SyntaxError, ValueError: the source is not valid.

    Thread-safety: immutable.
    """

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        self.functions: dict[tuple[str, int], list[_Definition]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Lambda):
                self.functions.setdefault(("<lambda>", node.lineno), []).append(node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.decorator_list[0] if node.decorator_list else node
                self.functions.setdefault((node.name, first.lineno), []).append(node)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python has shown them when it compiled the module.
            codes = [compile(self.tree, "", "exec", dont_inherit=True)]
        for code in codes:
            codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
        self._codes: dict[tuple[str, int], list[types.CodeType]] = {}
        for code in codes:
            self._codes.setdefault((code.co_name, code.co_firstlineno), []).append(code)

    def has(self, code: types.CodeType) -> bool:
        """Return whether a function was loaded from this source."""
        if any(name.startswith("@") for name in code.co_varnames):
            return True  # A tool has rewritten the code, as pytest does for assert.
        found = self._codes.get((code.co_name, code.co_firstlineno), [])
        return any(_are_alike(each, code) for each in found)


def _mangle(node: _Definition, function: types.FunctionType) -> None:
    """Give private attributes in a method, such as self.__total, the names that Python uses."""
    owner = function.__qualname__.rpartition(".")[0].rpartition(".")[2].lstrip("_")
    if not owner:
        return
    prefix = f"_{owner}__"
    codes = [function.__code__]
    for code in codes:
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    names = {name for code in codes for name in code.co_names if name.startswith(prefix)}
    if names:
        for each in ast.walk(node):
            if isinstance(each, ast.Attribute) and f"{prefix[:-2]}{each.attr}" in names:
                each.attr = f"{prefix[:-2]}{each.attr}"


parsed_module = functools.lru_cache(maxsize=4)(_ParsedModule)
"""Parse the source of a module, once for all of its functions."""


def _is_body_of(node: _Definition, code: types.CodeType) -> bool:
    """Return whether code belongs to a lambda expression, of which there are some in its line."""
    body = node.body
    if not isinstance(body, ast.expr):
        return False
    place = (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset)
    return place in code.co_positions()


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
    """Return a key that distinguishes constants, including 1, 1.0 and True, and 0.0 and -0.0."""
    if isinstance(constant, tuple):
        return tuple, tuple(map(_key_of, constant))
    if isinstance(constant, frozenset):
        return frozenset, frozenset(map(_key_of, constant))
    return type(constant), repr(constant)


def plain_function(what: Callable[..., Any]) -> types.FunctionType | None:
    """Return the function that a call of `what` runs, if it is one in Python.

    A cache around it is ignored: it affects only the time.
    """
    if hasattr(what, "cache_parameters"):
        what = getattr(what, "__wrapped__", what)
    # The effect of other decorators is not in the source of the function.
    if not isinstance(what, types.FunctionType) or hasattr(what, "__wrapped__"):
        return None
    # The implementation of standard library functions may change.
    return None if what.__module__.partition(".")[0] in sys.stdlib_module_names else what
