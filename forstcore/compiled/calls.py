"""Calls: of functions of the runtime, of methods, and of the user's own functions."""

from __future__ import annotations

import ast
import re
import types
from collections.abc import Sequence
from typing import Any

from forstcore._core.program import FUNCTIONS
from forstcore.compiled.assembler import Label
from forstcore.compiled.base import Changes, StartAgain
from forstcore.compiled.comprehensions import Comprehensions
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Origin, Scope, assigned_names
from forstcore.compiled.source import MISSING, FunctionSource, plain_function
from forstcore.compiled.tables import MUTATORS

__all__ = ["Calls"]

_MOST_DEPTH = 8  # Functions that are inlined in each other.
_TYPES = {
    type(None): 1,
    bool: 2,
    int: 4,
    float: 8,
    str: 16,
    list: 32,
    tuple: 64,
    dict: 128,
    set: 256,
}


class Calls(Comprehensions):
    """Compile calls."""

    def _into_Call(self, node: ast.Call, to: int) -> None:
        keywords: dict[str, ast.expr] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise Unsupported(node, "** in a call")
            keywords[keyword.arg] = keyword.value
        if any(isinstance(each, ast.Starred) for each in node.args):
            raise Unsupported(node, "* in a call")
        callee = self.static(node.func)
        if callee is not MISSING:
            self._call_static(node, callee, keywords, to)
        elif isinstance(node.func, ast.Attribute):
            self._call_method(node, node.func, keywords, to)
        else:
            raise Unsupported(node, f"a call of {ast.unparse(node.func)}")

    # Functions that are known.

    def _call_static(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> None:
        if callee is isinstance and len(node.args) == 2 and not keywords:
            self._isinstance(node, to)
            return
        if self.call_with_loop(node, callee, keywords, to):
            return
        function = plain_function(callee)
        if function is not None and function.__module__ != "re":
            self._inline(node, function, keywords, to)
            return
        if (
            callee in (re.sub, re.search, re.match, re.fullmatch, re.split, re.findall)
            and node.args
        ):
            pattern = node.args[0]
            if isinstance(pattern, ast.Constant) and "flags" not in keywords:
                self._call_pattern(
                    node, re.compile(pattern.value), callee.__name__, node.args[1:], keywords, to
                )
                return
        self.call_native(node, _name_of(callee), node.args, keywords, to)

    def _isinstance(self, node: ast.Call, to: int) -> None:
        kinds = node.args[1].elts if isinstance(node.args[1], ast.Tuple) else [node.args[1]]
        bits = 0
        for each in kinds:
            kind = self.static(each)
            if not isinstance(kind, type) or kind not in _TYPES:
                raise Unsupported(each, f"isinstance with {ast.unparse(each)}")
            bits |= _TYPES[kind]
        with self.temporaries():
            self.code.emit("IS_A", to, self.value(node.args[0]), bits)

    def call_native(
        self,
        node: ast.expr,
        name: str,
        arguments: Sequence[ast.expr],
        keywords: dict[str, ast.expr],
        to: int,
        *,
        first: int | None = None,
    ) -> None:
        """Emit the call of a function of the runtime.

        Args:
            node: for the error.
            name: of the function, as in FUNCTIONS.
            arguments, keywords: of the call.
            to: register of the result.
            first: register of a first argument that has been computed.
        """
        shown = name.lstrip(".@")
        if name not in FUNCTIONS:
            kind = "the attribute" if name[0] == "@" else "a call of"
            raise Unsupported(node, f"{kind} {shown}")
        number, parameters = FUNCTIONS[name]
        with self.temporaries():
            slots = _bind(node, shown, parameters, arguments, keywords, skip=first is not None)
            block = self.code.temporary(max(len(slots), 1))
            for i, slot in enumerate(slots):
                if i == 0 and first is not None:
                    self.code.emit("MOVE", block, first)
                elif slot is None:
                    self.code.emit("UNSET", block + i)
                else:
                    self.into(slot, block + i)
            self.code.emit("CALL", to, number, block)

    # Methods.

    def _call_method(
        self,
        node: ast.Call,
        method: ast.Attribute,
        keywords: dict[str, ast.expr],
        to: int,
    ) -> None:
        name, owner = method.attr, method.value
        static = self.static(owner)
        if isinstance(static, re.Pattern):
            self._call_pattern(node, static, name, node.args, keywords, to)
            return
        if name in MUTATORS:
            self.change(owner)
        if name == "get" and not keywords and 1 <= len(node.args) <= 2:
            path, key = self.path_of(owner), node.args[0]
            if path is not None and isinstance(key, ast.Constant) and isinstance(key.value, str):
                self._get(node, (*path, key.value), to)
                return
        if name == "format" and isinstance(owner, ast.Constant):
            raise Unsupported(node, "str.format", "use an f-string")
        with self.temporaries():
            # What a method changes must not be a copy.
            register = self.value(owner)
            self.call_native(node, f".{name}", [owner, *node.args], keywords, to, first=register)

    def _get(self, node: ast.Call, path: tuple[str, ...], to: int) -> None:
        with self.temporaries():
            has_default = len(node.args) == 2
            otherwise = self.value(node.args[1]) if has_default else self.constant(None)
            self.code.emit("LOAD_OR", to, self.code.path(path), otherwise)

    def _call_pattern(
        self,
        node: ast.Call,
        pattern: re.Pattern[Any],
        name: str,
        arguments: Sequence[ast.expr],
        keywords: dict[str, ast.expr],
        to: int,
    ) -> None:
        raise Unsupported(node, "a regular expression")

    def change(self, node: ast.expr) -> None:
        """Take note that the value of an expression is changed here."""
        origin = self.origin_of(node)
        if origin is Origin.OTHER:
            return
        deep = origin is Origin.INSIDE
        if self.changes is None or (deep and not self.changes.deep):
            raise StartAgain(Changes(deep=deep, early=self.changes is not None))
        if self.record_register is None:
            # The record is not yet an object of its own.
            raise StartAgain(Changes(deep=self.changes.deep, early=True))

    # The user's own functions.

    def _inline(
        self,
        node: ast.Call,
        function: types.FunctionType,
        keywords: dict[str, ast.expr],
        to: int,
    ) -> None:
        """Compile the body of a function in the place of its call."""
        if self.scope.depth == _MOST_DEPTH:
            raise Unsupported(node, f"calls of {function.__name__} that are nested too deeply")
        try:
            source = FunctionSource(function)
        except Unsupported as error:
            raise Unsupported(node, f"a call of {function.__name__}: {error.construct}") from None
        definition = source.node
        if isinstance(definition, ast.AsyncFunctionDef) or _yields(definition):
            raise Unsupported(node, f"a call of {function.__name__}, which is a generator")
        counts = assigned_names(definition)
        scope = Scope(
            source,
            None,
            locals=frozenset(counts),
            once=frozenset(name for name, count in counts.items() if count == 1),
            result=to,
            end=Label(),
            depth=self.scope.depth + 1,
        )
        self._pass_arguments(node, definition.args, function, keywords, scope)
        outer, self.scope = self.scope, scope
        try:
            if isinstance(definition, ast.Lambda):
                self.into(definition.body, to)
            else:
                self.constant(None, to)
                self.block(definition.body)
        except Unsupported as error:
            error.construct = f"{error.construct} (in {function.__name__})"
            error.node = node
            raise
        finally:
            self.scope = outer
        assert scope.end is not None
        self.code.place(scope.end)

    def _pass_arguments(
        self,
        node: ast.Call,
        parameters: ast.arguments,
        function: types.FunctionType,
        keywords: dict[str, ast.expr],
        scope: Scope,
    ) -> None:
        if parameters.vararg or parameters.kwarg:
            raise Unsupported(node, f"a call of {function.__name__}, which takes * or **")
        names = [each.arg for each in (*parameters.posonlyargs, *parameters.args)]
        named = [each.arg for each in parameters.kwonlyargs]
        given = dict(zip(names, node.args, strict=False))
        if len(node.args) > len(names) or set(keywords) - set(names) - set(named):
            raise Unsupported(node, f"a call of {function.__name__} with other arguments")
        given |= keywords
        defaults = dict(zip(reversed(names), reversed(function.__defaults__ or ()), strict=False))
        defaults |= function.__kwdefaults__ or {}
        for name in (*names, *named):
            if name in given:
                argument = given[name]
                path = self.path_of(argument)
                if path is not None and name in scope.once:
                    if path:
                        self.code.emit("REQUIRE", self.code.path(path))
                    scope.paths[name] = path
                    continue
                register = scope.registers[name] = self.code.variable()
                self.into(argument, register)
                scope.origins[name] = self.origin_of(argument)
            elif name in defaults:
                value = defaults[name]
                if not (value is None or type(value) in (bool, int, float, str)):
                    raise Unsupported(node, f"the default of {name!r} of {function.__name__}")
                register = scope.registers[name] = self.code.variable()
                self.constant(value, register)
            else:
                raise Unsupported(node, f"a call of {function.__name__} without {name!r}")
            scope.bound.add(name)
        for name in scope.locals - scope.bound - set(scope.paths):
            scope.registers[name] = self.code.variable()
            self.code.emit("UNSET", scope.registers[name])

    def block(self, statements: list[ast.stmt]) -> None:
        """Emit statements, one after the other; see statements.py."""
        raise NotImplementedError


def _name_of(callee: Any) -> str:
    """Return the name of a function as the table of the runtime has it."""
    module = getattr(callee, "__module__", None)
    owner = getattr(callee, "__self__", None)
    name = getattr(callee, "__qualname__", None) or getattr(callee, "__name__", "")
    if isinstance(owner, type):
        return f"{owner.__module__}.{owner.__qualname__}.{callee.__name__}"
    return str(name) if module in (None, "builtins") else f"{module}.{name}"


def _bind(
    node: ast.expr,
    shown: str,
    parameters: str,
    arguments: Sequence[ast.expr],
    keywords: dict[str, ast.expr],
    *,
    skip: bool,
) -> list[ast.expr | None]:
    """Return the argument for each parameter of a function of the runtime."""
    names: list[str] = []
    optional = set()
    positional = None
    for each in parameters.split(",") if parameters else []:
        if each == "*":
            positional = len(names)
            continue
        names.append(each.removesuffix("?"))
        if each.endswith("?"):
            optional.add(names[-1])
    if len(arguments) > (len(names) if positional is None else positional):
        raise Unsupported(node, f"a call of {shown} with so many arguments")
    slots: dict[str, ast.expr | None] = dict(zip(names, arguments, strict=False))
    for name, value in keywords.items():
        if name not in names or name in slots:
            raise Unsupported(node, f"a call of {shown} with {name}=")
        slots[name] = value
    for i, name in enumerate(names):
        if name not in slots:
            if name not in optional and not (skip and i == 0):
                raise Unsupported(node, f"a call of {shown} without {name}")
            slots[name] = None
    return [slots[name] for name in names]


def _yields(definition: ast.FunctionDef | ast.Lambda) -> bool:
    return any(
        isinstance(node, ast.Yield | ast.YieldFrom | ast.Await) for node in ast.walk(definition)
    )
