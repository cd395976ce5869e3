"""Functions of the user that are compiled in the place of their calls."""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from forstcore.compiled.assembler import Label
from forstcore.compiled.comprehensions import Comprehensions
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Definition, Scope, assigned_names, defaults_of
from forstcore.compiled.source import FunctionSource
from forstcore.compiled.tables import is_scalar

__all__ = ["Argument", "Function", "Inlining"]

_MOST_DEPTH = 8  # Functions that are inlined in each other.

Argument = ast.expr | int
"""An argument of a call: an expression, or the register of its value."""


@dataclass
class Function:
    """A function to inline.

    Attributes:
        name: for messages.
        definition: in the syntax tree.
        source: that it belongs to.
        outer: the scope that it was defined in, None for a function of a module.
        defaults: arguments for parameters that are not given.
    """

    name: str
    definition: Definition
    source: FunctionSource
    outer: Scope | None = None
    defaults: dict[str, Argument] = field(default_factory=dict)


class Inlining(Comprehensions):
    """Compile calls of functions whose source is at hand."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._inlined: list[Definition] = []

    def local_function(self, node: ast.expr) -> Function | None:
        """Return the function that an expression refers to, if it was defined in this one."""
        if isinstance(node, ast.Lambda):
            return Function("the lambda", node, self.source, self.scope, dict(defaults_of(node)))
        if not isinstance(node, ast.Name):
            return None
        owner = self.scope.owner(node.id)
        if owner is None or node.id not in owner.functions:
            return None
        local = owner.functions[node.id]
        return Function(node.id, local.definition, owner.source, owner, dict(local.defaults))

    def global_function(self, node: ast.expr, function: types.FunctionType) -> Function:
        """Return a function of a module.

        Raises:
            Unsupported: it cannot be inlined.
        """
        name = function.__name__
        try:
            source = FunctionSource(function)
        except Unsupported as error:
            raise Unsupported(node, f"a call of {name}: {error.construct}") from None
        if isinstance(source.node, ast.AsyncFunctionDef):
            raise Unsupported(node, f"a call of {name}, which is async")
        defaults: dict[str, Argument] = {}
        for parameter, value in source.defaults().items():
            if is_scalar(value):
                defaults[parameter] = self.constant(value)
        return Function(name, source.node, source, None, defaults)

    def inline(
        self,
        node: ast.expr,
        function: Function,
        arguments: Sequence[Argument],
        keywords: Mapping[str, Argument],
        to: int,
    ) -> None:
        """Compile the body of a function in the place of its call.

        Args:
            node: the call, for messages.
            function: that is called.
            arguments, keywords: of the call.
            to: register of the result.
        """
        if not self.code.is_temporary(to):
            # The function may read the variable that its result is for.
            with self.temporaries():
                result = self.code.temporary()
                self.inline(node, function, arguments, keywords, result)
                self.code.emit("MOVE", to, result)
            return
        definition = function.definition
        if definition in self._inlined or self.scope.depth == _MOST_DEPTH:
            raise Unsupported(node, f"the recursion of {function.name}", "use a loop", fatal=True)
        if _yields(definition):
            raise Unsupported(node, f"a call of {function.name}, which is a generator")
        counts = assigned_names(definition)
        scope = Scope(
            function.source,
            function.outer,
            locals=frozenset(counts),
            once=frozenset(name for name, count in counts.items() if count == 1),
            result=to,
            end=Label(),
            depth=self.scope.depth + 1,
            branches=self.branches,
        )
        self._pass_arguments(node, function, arguments, keywords, scope)
        outer, self.scope = self.scope, scope
        returned = self.returned
        self._inlined.append(definition)
        try:
            if isinstance(definition, ast.Lambda):
                self.into(definition.body, to)
            else:
                self.constant(None, to)
                self.block(definition.body)
        except Unsupported as error:
            if function.source is not outer.source:
                if not error.fatal:
                    error.construct = f"{error.construct} (in {function.name})"
                error.node = node
            raise
        finally:
            self.scope = outer
            self.returned = returned
            self._inlined.pop()
        assert scope.end is not None
        self.code.place(scope.end)

    def _pass_arguments(
        self,
        node: ast.expr,
        function: Function,
        arguments: Sequence[Argument],
        keywords: Mapping[str, Argument],
        scope: Scope,
    ) -> None:
        parameters = function.definition.args
        if parameters.vararg or parameters.kwarg:
            raise Unsupported(node, f"a call of {function.name}, which takes * or **")
        names = [each.arg for each in (*parameters.posonlyargs, *parameters.args)]
        named = [each.arg for each in parameters.kwonlyargs]
        given: dict[str, Argument] = dict(zip(names, arguments, strict=False))
        if len(arguments) > len(names) or set(keywords) - set(names) - set(named):
            raise Unsupported(node, f"a call of {function.name} with other arguments")
        given |= keywords
        for name in (*names, *named):
            if name in given:
                self._pass(given[name], name, scope)
            elif name in function.defaults:
                self._pass(function.defaults[name], name, scope)
            else:
                raise Unsupported(
                    node,
                    f"a call of {function.name} without {name!r}",
                    "give it, if its default is no constant",
                )
            scope.bound.add(name)
        for name in scope.locals - scope.bound:
            scope.registers[name] = self.code.variable()
            self.code.emit("UNSET", scope.registers[name])

    def _pass(self, argument: Argument, name: str, scope: Scope) -> None:
        if isinstance(argument, int):
            register = scope.registers[name] = self.code.variable()
            self.code.emit("MOVE", register, argument)
            return
        if isinstance(argument, ast.GeneratorExp):
            raise Unsupported(argument, "a generator as an argument", "use a list")
        if isinstance(argument, ast.Lambda):
            raise Unsupported(argument, "a lambda as an argument")
        path = self.path_of(argument)
        if path is not None and name in scope.once:
            if path:
                self.code.emit("REQUIRE", self.code.path(path))
            scope.paths[name] = path
            return
        register = scope.registers[name] = self.code.variable()
        self.into(argument, register)
        scope.origins[name] = self.origin_of(argument)

    def block(self, statements: list[ast.stmt]) -> None:
        """Emit statements, one after the other; see statements.py."""
        raise NotImplementedError


def _yields(definition: Definition) -> bool:
    return any(
        isinstance(node, ast.Yield | ast.YieldFrom | ast.Await) for node in ast.walk(definition)
    )
