"""Functions of the user to inline, and the arguments of their calls."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Definition, Scope
from forstcore.compiled.source import FunctionSource

__all__ = ["Argument", "Function", "FunctionKey", "given_arguments"]

Argument = ast.expr | int
"""An argument of a call: an expression, or the register of its value."""

FunctionKey = tuple[types.CodeType, int, int]
"""The identity of a function, which is the same each time its source is read."""


@dataclass
class Function:
    """A function to inline.

    Attributes:
        name: for messages.
        definition: in the syntax tree.
        source: that it belongs to.
        outer: the scope that it was defined in, None for a function of a module.
        defaults: arguments for parameters that are not given.
        bound: of a class method the class, as which its first parameter is known.
    """

    name: str
    definition: Definition
    source: FunctionSource
    outer: Scope | None = None
    defaults: dict[str, Argument] = field(default_factory=dict)
    bound: dict[str, type] = field(default_factory=dict)

    @property
    def key(self) -> FunctionKey:
        """Its code, and the place of its definition."""
        return self.source.function.__code__, self.definition.lineno, self.definition.col_offset


def given_arguments(
    node: ast.expr,
    function: Function,
    arguments: Sequence[Argument],
    keywords: Mapping[str, Argument],
) -> dict[str, Argument]:
    """Return the argument for each parameter, in the order of their evaluation."""
    parameters = function.definition.args
    positional = [each.arg for each in (*parameters.posonlyargs, *parameters.args)]
    positional = positional[len(function.bound) :]
    by_name = {each.arg for each in (*parameters.args, *parameters.kwonlyargs)}
    given: dict[str, Argument] = dict(zip(positional, arguments, strict=False))
    further = arguments[len(positional) :]
    others = {name: value for name, value in keywords.items() if name not in by_name}
    is_odd = (further and not parameters.vararg) or (others and not parameters.kwarg)
    if is_odd or any(name in given for name in keywords if name in by_name):
        raise Unsupported(node, f"a call of {function.name} with other arguments")
    if parameters.vararg:
        given[parameters.vararg.arg] = _packed(node, further)
    given |= {name: value for name, value in keywords.items() if name in by_name}
    if parameters.kwarg:
        if not _are_last(keywords, others):
            raise Unsupported(node, f"a call of {function.name} with ** before its parameters")
        keys = [ast.Constant(name) for name in others]
        given[parameters.kwarg.arg] = _packed_dict(node, keys, others.values())
    names = [*positional, *(each.arg for each in parameters.kwonlyargs)]
    for name in names:
        if name in given:
            continue
        if name not in function.defaults:
            raise Unsupported(
                node,
                f"a call of {function.name} without {name!r}",
                "give it, if its default is no constant",
            )
        given[name] = function.defaults[name]
    return given


def _are_last(keywords: Mapping[str, Argument], others: Mapping[str, Argument]) -> bool:
    """Whether arguments for ** may be computed after all others."""
    after = False
    for name, value in keywords.items():
        if name not in others and after:
            return False
        after |= name in others and not isinstance(value, ast.Constant)
    return True


def _packed(node: ast.expr, arguments: Sequence[Argument]) -> ast.expr:
    """Return the tuple that a parameter with * gets."""
    items = [each for each in arguments if isinstance(each, ast.expr)]
    if len(items) < len(arguments):
        raise Unsupported(node, "a function with * that is handed over", "use a lambda")
    return ast.copy_location(ast.Tuple(items, ast.Load()), node)


def _packed_dict(
    node: ast.expr, keys: Sequence[ast.expr], arguments: Iterable[Argument]
) -> ast.expr:
    """Return the dict that a parameter with ** gets."""
    values = [each for each in arguments if isinstance(each, ast.expr)]
    return ast.copy_location(ast.Dict([*keys], values), node)
