"""Local variables of a function during compilation, and what is known about them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any

from forstcore.compiled.assembler import Label
from forstcore.compiled.source import FunctionSource

__all__ = [
    "Definition",
    "Kind",
    "LocalFunction",
    "Origin",
    "Path",
    "Scope",
    "assigned_names",
    "defaults_of",
]

Path = tuple[str, ...]

Kind = type[Enum]
"""An enumeration."""


class Origin(IntEnum):
    """The origin of the value of an expression, as far as it matters for changes."""

    OTHER = 0
    NEW = 1
    """It is a container that the function created, whose parts may be parts of the record."""
    INSIDE = 2
    """It may be a part of the record."""
    RECORD = 3

    @property
    def of_parts(self) -> Origin:
        """Where the parts of the value come from."""
        return Origin.OTHER if self is Origin.OTHER else Origin.INSIDE


Definition = ast.FunctionDef | ast.Lambda


@dataclass
class LocalFunction:
    """A function that is defined in another one.

    Attributes:
        definition: its definition.
        defaults: registers of the defaults of its parameters.
    """

    definition: Definition
    defaults: dict[str, int] = field(default_factory=dict)


@dataclass
class Scope:
    """The variables of a function, a comprehension or a lambda.

    Attributes:
        source: the function it belongs to.
        definition: the definition of the function, None for a comprehension.
        outer: the surrounding scope, None for a function.
        registers: the registers of variables.
        paths: variables that are only names for values of the record.
        bound: variables that are certainly bound at this point.
        assigned: variables that have been assigned earlier in the source, without parameters.
        origins: origins of the values of variables; `Origin.OTHER` if missing.
        types: declared types of the values of variables.
        once: names that are assigned once in the whole function.
        result, end: of an inlined function: the register of its result, and its end.
        yielded: of an inlined generator: the register of the list of yielded values.
        is_recursive: whether it belongs to a recursive function.
        depth: number of inlined functions around it.
        branches: number of conditional statements around the function.
        functions: functions that were defined in the function.
        choices: variables whose values are functions selected from a table; see dispatch.py.
        members: variables whose values are members of an enumeration, or None; see
            enumerations.py.
        returns: the enumeration that an inlined function returns members of.
        read_early: variables that are read before the first assignment to them.
        imports: modules, and names from modules, that were imported in the function.
    """

    source: FunctionSource
    definition: Definition | ast.AsyncFunctionDef | None = None
    outer: Scope | None = None
    registers: dict[str, int] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    assigned: set[str] = field(default_factory=set)
    origins: dict[str, Origin] = field(default_factory=dict)
    types: dict[str, Any] = field(default_factory=dict)
    once: frozenset[str] = frozenset()
    locals: frozenset[str] = frozenset()
    result: int | None = None
    end: Label | None = None
    yielded: int | None = None
    is_recursive: bool = False
    depth: int = 0
    branches: int = 0
    functions: dict[str, LocalFunction] = field(default_factory=dict)
    choices: dict[str, tuple[Callable[..., Any], ...]] = field(default_factory=dict)
    members: dict[str, Kind] = field(default_factory=dict)
    returns: Kind | None = None
    read_early: set[str] = field(default_factory=set)
    imports: dict[str, Any] = field(default_factory=dict)

    def owner(self, name: str) -> Scope | None:
        """Return the scope in which a name is a variable; None if there is none."""
        scope: Scope | None = self
        while scope is not None and name not in scope.locals:
            scope = scope.outer
        return scope

    def may_be_special(self, name: str) -> bool:
        """Whether a variable may get a value that is no value of programs, such as a function.

        It must have had no other value, and nothing may have read it, as the beginning of a loop
        can do before the assignment further down.
        """
        had_one = name in self.assigned or name in self.bound or name in self.paths
        return not had_one and name not in self.read_early

    def bind(self, name: str, origin: Origin) -> None:
        """Record that a variable has a value in its register."""
        self.paths.pop(name, None)
        self.types.pop(name, None)
        self.bound.add(name)
        self.assigned.add(name)
        # There may be another assignment on another path to this point.
        self.origins[name] = max(origin, self.origins.get(name, Origin.OTHER))


def defaults_of(definition: Definition) -> dict[str, ast.expr]:
    """Return the defaults of the parameters of a local function."""
    parameters = definition.args
    names = [each.arg for each in (*parameters.posonlyargs, *parameters.args)]
    found = dict(zip(reversed(names), reversed(parameters.defaults), strict=False))
    for each, value in zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True):
        if value is not None:
            found[each.arg] = value
    return found


def assigned_names(function: ast.AST) -> dict[str, int]:
    """Count how often each local name of a function is assigned, parameters included."""
    counts: dict[str, int] = {}
    elsewhere: set[str] = set()

    def add(name: str) -> None:
        counts[name] = counts.get(name, 0) + 1

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                add(child.name)
                for inner in ast.walk(child):
                    if isinstance(inner, ast.Nonlocal):
                        for name in inner.names:
                            add(name)
                continue
            if isinstance(child, ast.Nonlocal):
                elsewhere.update(child.names)
            if isinstance(child, ast.alias):
                add(child.asname or child.name.partition(".")[0])
            if isinstance(child, ast.Lambda):
                continue
            if isinstance(child, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
                # Its targets are variables of its own; what := assigns in it is not.
                for inner in ast.walk(child):
                    if isinstance(inner, ast.NamedExpr) and isinstance(inner.target, ast.Name):
                        add(inner.target.id)
                continue
            if isinstance(child, ast.Name) and not isinstance(child.ctx, ast.Load):
                add(child.id)
            if isinstance(child, ast.AugAssign) and isinstance(child.target, ast.Name):
                add(child.target.id)
            if isinstance(child, ast.ExceptHandler) and child.name:
                add(child.name)
            if isinstance(child, ast.arg):
                add(child.arg)
            if isinstance(child, ast.MatchAs | ast.MatchStar) and child.name:
                add(child.name)
            if isinstance(child, ast.MatchMapping) and child.rest:
                add(child.rest)
            visit(child)

    visit(function)
    return {name: count for name, count in counts.items() if name not in elsewhere}
