"""Calls of compiled regular expressions, and of the functions of re that take one."""

from __future__ import annotations

import ast
import re
import types
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from forstcore._core.program import FUNCTIONS
from forstcore.compiled.itertools_calls import ItertoolsCalls
from forstcore.compiled.patterns import UnsupportedPattern, pattern_integers
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import MISSING

__all__ = ["PatternCalls"]

_METHODS = {
    "search": ("string",),
    "match": ("string",),
    "fullmatch": ("string",),
    "findall": ("string",),
    "finditer": ("string",),
    "split": ("string", "maxsplit"),
    "sub": ("repl", "string", "count"),
    "subn": ("repl", "string", "count"),
}
"""The arguments of the functions of re between the pattern and the flags."""

_FUNCTIONS = {getattr(re, name): name for name in _METHODS}


class PatternCalls(ItertoolsCalls):
    """Compile calls of regular expressions, which are known when the function is compiled."""

    def apply(self, node: ast.expr, argument: int, to: int) -> None:
        """Emit the call of a function that is an argument itself; see handed_over.py."""
        raise NotImplementedError

    def call_re(self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int) -> bool:
        """Emit the call of a function of re, if it is one."""
        if callee is re.compile:
            bound = _bind(node, ("pattern", "flags"), keywords)
            self.constant(self._pattern(node, bound), to)
            return True
        if not isinstance(callee, types.FunctionType) or callee not in _FUNCTIONS:
            return False
        name = _FUNCTIONS[callee]
        bound = _bind(node, ("pattern", *_METHODS[name], "flags"), keywords)
        pattern = self._pattern(node, bound)
        with self.temporaries():
            self.call_pattern(node, self.constant(pattern), pattern, name, [], bound, to)
        return True

    def _pattern(self, node: ast.Call, bound: dict[str, ast.expr]) -> re.Pattern[str]:
        """Return the regular expression that a call of a function of re is about."""
        if "pattern" not in bound:
            raise Unsupported(node, "a call of re without a pattern")
        expression = bound.pop("pattern")
        flags = self._flags(bound.pop("flags")) if "flags" in bound else 0
        value = self._known(expression)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # It has to come when the function runs.
                pattern: re.Pattern[str] = re.compile(value, flags)
        except (TypeError, ValueError, re.error, RecursionError, OverflowError, Warning) as error:
            raise Unsupported(expression, f"a regular expression with an error: {error}") from None
        return pattern

    def _known(self, node: ast.expr) -> Any:
        """Return the value of an expression that is a constant."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name) and self.static(node) is not MISSING:
            return self.constant_of(node)
        value = self.static(node)
        if not isinstance(value, int | str | re.Pattern):
            raise Unsupported(node, "a regular expression that is not a constant")
        return value

    def _flags(self, node: ast.expr) -> int:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self._flags(node.left) | self._flags(node.right)
        flags = self.static(node) if isinstance(node, ast.Attribute) else self._known(node)
        if not isinstance(flags, int):
            raise Unsupported(node, "flags of a regular expression that are not a constant")
        return int(flags)

    def call_pattern(
        self,
        node: ast.Call,
        register: int,
        pattern: re.Pattern[Any],
        name: str,
        arguments: Sequence[ast.expr],
        keywords: dict[str, ast.expr],
        to: int,
    ) -> None:
        """Emit the call of a method.

        Args:
            node: for the error.
            register: of the pattern.
            pattern: itself.
            name: of the method.
            arguments, keywords: of the call.
            to: register of the result.
        """
        try:
            pattern_integers(pattern)
        except UnsupportedPattern as error:
            raise Unsupported(node, str(error)) from None
        replacement = keywords.get("repl") or (arguments[0] if arguments else None)
        if name == "sub" and replacement is not None and self._is_function(replacement):
            bound = dict(zip(_METHODS[name], arguments, strict=False)) | keywords
            self._replace(node, register, replacement, bound, to)
            return
        native = "re.Pattern.split" if name == "split" else f".{name}"
        self.call_native(node, native, [node.func, *arguments], keywords, to, first=register)

    # sub with a function.

    def _is_function(self, node: ast.expr) -> bool:
        if self.local_function(node) is not None:
            return True
        return isinstance(self.static(node), types.FunctionType)

    def _replace(
        self,
        node: ast.Call,
        pattern: int,
        function: ast.expr,
        bound: Mapping[str, ast.expr],
        to: int,
    ) -> None:
        """Emit the matches, then what the function makes of each, and then the whole text."""
        if "string" not in bound or set(bound) - set(_METHODS["sub"]):
            raise Unsupported(node, "a call of sub with other arguments")
        with self.temporaries():
            string, matches, replacements = (self.code.temporary() for _ in range(3))
            self.into(bound["string"], string)
            first = self.code.temporary(3)
            self.code.emit("MOVE", first, pattern)
            self.code.emit("MOVE", first + 1, string)
            if "count" in bound:
                self.into(bound["count"], first + 2)
            else:
                self.code.emit("UNSET", first + 2)
            self.code.emit("CALL", matches, FUNCTIONS["<matches>"][0], first)
            self.code.emit("LIST", replacements, replacements, 0)

            def add(match: int) -> None:
                with self.temporaries():
                    replacement = self.code.temporary()
                    self.apply(function, match, replacement)
                    self.code.emit("APPEND", replacements, replacement)

            self.code.each(matches, add)
            for i, each in enumerate((string, matches, replacements)):
                self.code.emit("MOVE", first + i, each)
            self.code.emit("CALL", to, FUNCTIONS["<replace matches>"][0], first)


def _bind(
    node: ast.Call, names: Sequence[str], keywords: Mapping[str, ast.expr]
) -> dict[str, ast.expr]:
    """Return the arguments of a call by the names of their parameters."""
    bound = dict(zip(names, node.args, strict=False))
    if len(node.args) > len(names) or set(keywords) & set(bound) or set(keywords) - set(names):
        raise Unsupported(node, f"a call of {ast.unparse(node.func)} with other arguments")
    return bound | dict(keywords)
