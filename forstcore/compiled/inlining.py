"""Inlining: functions of the user are compiled in place of their calls."""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from forstcore.compiled.assembler import FunctionCode, Label
from forstcore.compiled.base import StartAgain
from forstcore.compiled.comprehensions import Comprehensions
from forstcore.compiled.function_arguments import (
    Argument,
    Function,
    FunctionKey,
    given_arguments,
)
from forstcore.compiled.generators import (
    called_functions,
    changes_only_its_own,
    may_change,
    yields,
)
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import (
    Definition,
    Kind,
    Origin,
    Scope,
    assigned_names,
    defaults_of,
)
from forstcore.compiled.source import MISSING, FunctionSource, plain_function
from forstcore.compiled.tables import is_immutable

__all__ = ["Inlining"]

_MOST_DEPTH = 8  # Maximum depth of inlined functions.


@dataclass
class Body:
    """A recursive function while its body is compiled.

    Attributes:
        code: where its code begins and ends.
        scope: its variables.
        inside: parameters that may be parts of the record.
    """

    code: FunctionCode
    scope: Scope
    inside: set[str]


class Inlining(Comprehensions):
    """Compile calls of functions whose source is available.

    Attributes:
        recursive: the known recursive functions, with those of their parameters that may be parts
            of the record.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._inlined: list[FunctionKey] = []
        self.consumed: dict[ast.expr, list[ast.AST]] = {}  # see generators.py
        self.iterators: set[str] = set()  # variables that have been assigned one
        self._bodies: dict[FunctionKey, Body] = {}  # of recursive functions around this place
        self.recursive: dict[FunctionKey, set[str]] = {}

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
            if is_immutable(value):
                defaults[parameter] = self.constant(value)
        return Function(name, source.node, source, None, defaults)

    def inline(
        self,
        node: ast.expr,
        function: Function,
        arguments: Sequence[Argument],
        keywords: Mapping[str, Argument],
        to: int,
        *,
        returns: Kind | None = None,
    ) -> None:
        """Compile the body of a function in place of its call.

        Args:
            node: the call, for messages.
            function: the function.
            arguments, keywords: the arguments of the call.
            to: register of the result.
            returns: the enumeration whose members the function returns, if numbers are wanted.
        """
        if not self.code.is_temporary(to):
            # The function may read the variable that its result is for.
            with self.temporaries():
                result = self.code.temporary()
                self.inline(node, function, arguments, keywords, result, returns=returns)
                self.code.emit("MOVE", to, result)
            return
        definition = function.definition
        given = given_arguments(node, function, arguments, keywords)
        start = self.code.here()
        generates = yields(definition)
        if generates:
            self._check_generator(node, function, arguments)
        body = self._bodies.get(function.key)
        if body is not None:
            self._enter(body, given, to)
        else:
            self._begin(node, function, given, to, returns)
        if generates and self.tries:
            # The values yielded before an exception are lost.
            self.give_back_exceptions(start)

    def _begin(
        self,
        node: ast.expr,
        function: Function,
        given: dict[str, Argument],
        to: int,
        returns: Kind | None,
    ) -> None:
        """Compile the body of a function that does not contain this point."""
        definition = function.definition
        if function.key in self._inlined:
            self.recursive[function.key] = set()
            raise StartAgain(self.changes)
        if self.scope.depth == _MOST_DEPTH:
            raise Unsupported(node, f"a call of {function.name} in so many others", fatal=True)
        counts = assigned_names(definition)
        scope = Scope(
            function.source,
            definition,
            function.outer,
            locals=frozenset(counts),
            once=frozenset(name for name, count in counts.items() if count == 1),
            result=to,
            end=Label(),
            depth=self.scope.depth + 1,
            branches=self.branches,
            returns=returns,
            imports=dict(function.bound),
        )
        if function.key in self.recursive:
            if returns is not None or self.item_types:
                raise Unsupported(node, f"a call of {function.name}, which calls itself")
            self._inline_recursive(node, function, given, scope, to)
        else:
            for name, argument in given.items():
                self._pass(argument, name, scope)
            self._unset(scope, frozenset(given) | function.bound.keys())
            if not isinstance(definition, ast.Lambda):
                self.constant(None, to)
            self._body(node, function, scope)

    def _check_generator(
        self, node: ast.expr, function: Function, arguments: Sequence[Argument]
    ) -> None:
        """Check that all values of a generator may be computed before they are used.

        Raises:
            Unsupported: Python might behave differently.
        """
        is_alone = self.changes is None and function.outer is None
        if not is_alone or not _is_apart(function.source, function.definition, set()):
            raise _changes_meanwhile(node, f"the generator {function.name}")
        self.check_consumed(node, f"the generator {function.name}", arguments)

    def check_consumed(self, node: ast.expr, what: str, arguments: Sequence[Argument]) -> None:
        """Check that all values of an iterator may be computed before they are used.

        Args:
            node: the call that creates it.
            what: what it is, for messages.
            arguments: the arguments of the call.

        Raises:
            Unsupported: Python might behave differently.
        """
        if node not in self.consumed:
            raise Unsupported(node, f"a call of {what} that is kept", "iterate over it")
        used = {
            each.id
            for argument in arguments
            if isinstance(argument, ast.expr)
            for each in ast.walk(argument)
            if isinstance(each, ast.Name)
        }
        # The rest of an iterator may be used elsewhere.
        is_used = bool(used & self.iterators)
        others = self.consumed[node]
        if used and any(self.local_function(each) for each in _names_called(others)):
            is_used = True  # It may change what the iterator reads.
        if is_used or self.changes is not None or may_change(others, used):
            raise _changes_meanwhile(node, what)

    def require_pure(self, node: ast.Call, function: ast.expr) -> None:
        """Check that a function may be called before Python calls it.

        Raises:
            Unsupported: it might change something.
        """
        known = self.function_of(function)
        if known is None:
            return  # It is one of Python.
        calls = called_functions(known.definition)
        has_local = any(self.local_function(each) is not None for each in calls)
        if has_local or not _is_apart(known.source, known.definition, set()):
            raise Unsupported(node, f"{ast.unparse(node.func)} with a function that has effects")

    def function_of(self, node: ast.expr) -> Function | None:
        """Return the function of the user that an expression refers to."""
        local = self.local_function(node)
        callee = MISSING if local is not None else self.static(node)
        function = None if callee is MISSING else plain_function(callee)
        if function is None and callee is not MISSING:
            return self.class_method(node, callee)
        return local if function is None else self.global_function(node, function)

    def class_method(self, node: ast.expr, callee: Any) -> Function | None:
        """Return the function of a class method; None if it is something else."""
        if not isinstance(callee, types.MethodType) or not isinstance(callee.__self__, type):
            return None
        function = plain_function(callee.__func__)
        if function is None:
            return None
        found = self.global_function(node, function)
        parameters = found.definition.args
        names = [each.arg for each in (*parameters.posonlyargs, *parameters.args)]
        if not names or assigned_names(found.definition).get(names[0]) != 1:
            raise Unsupported(node, f"the class method {found.name}, which assigns its class")
        found.bound = {names[0]: callee.__self__}
        return found

    def _body(self, node: ast.expr, function: Function, scope: Scope) -> None:
        """Compile the body of a function whose parameters are bound."""
        definition = function.definition
        assert scope.result is not None
        assert scope.end is not None
        outer, self.scope = self.scope, scope
        returned = self.returned
        self._inlined.append(function.key)
        if yields(definition):
            scope.yielded = self.code.variable()
            self.code.emit("LIST", scope.yielded, scope.yielded, 0)
        try:
            if isinstance(definition, ast.Lambda):
                self.into(definition.body, scope.result)
            else:
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
        if scope.is_recursive and isinstance(definition, ast.FunctionDef):
            self.constant(None, scope.result)
        self.code.place(scope.end)
        if scope.yielded is not None:
            self.code.emit("MOVE", scope.result, scope.yielded)

    def _unset(self, scope: Scope, given: frozenset[str]) -> None:
        """Emit code that unbinds the variables of a function, except for its parameters."""
        scope.bound |= given
        for name in sorted(scope.locals - given):
            if name not in scope.registers:
                scope.registers[name] = self.code.variable()
            self.code.emit("UNSET", scope.registers[name])

    # Recursive functions.

    def _inline_recursive(
        self,
        node: ast.expr,
        function: Function,
        given: dict[str, Argument],
        scope: Scope,
        to: int,
    ) -> None:
        """Compile the body of a recursive function in place of its first call."""
        inside = self.recursive[function.key]
        result = scope.result = self.code.variable()
        scope.is_recursive = True
        behind = Label()
        # An exception of one call may be caught in another.
        self.tries += 1
        try:
            with self.code.function() as code:
                for name, argument in given.items():
                    register = scope.registers[name] = self.code.variable()
                    if isinstance(argument, int):
                        self.code.emit("MOVE", register, argument)
                    else:
                        self.into(self._checked(argument), register)
                        if self.origin_of(argument) is not Origin.OTHER:
                            inside.add(name)
                    if name in inside:
                        scope.origins[name] = Origin.INSIDE
                self._unset(scope, frozenset(given))
                self.code.emit("ENTER", code.end, behind)
                self.code.place(code.start)
                self._bodies[function.key] = Body(code, scope, inside)
                try:
                    self._body(node, function, scope)
                finally:
                    del self._bodies[function.key]
        finally:
            self.tries -= 1
        self.code.place(behind)
        self.code.emit("MOVE", to, result)

    def _enter(self, body: Body, given: dict[str, Argument], to: int) -> None:
        """Emit a call of a function within itself."""
        behind = Label()
        scope = body.scope
        with self.temporaries():
            registers = {}
            for name, argument in given.items():
                if isinstance(argument, int):
                    registers[name] = argument
                    continue
                registers[name] = self.code.temporary()
                self.into(self._checked(argument), registers[name])
                if self.origin_of(argument) is not Origin.OTHER and name not in body.inside:
                    body.inside.add(name)
                    raise StartAgain(self.changes)
            # Arguments that are variables of the function are moved before they change.
            copies = {name: self.code.temporary() for name in registers}
            for name, register in registers.items():
                self.code.emit("MOVE", copies[name], register)
            self.code.emit("ENTER", body.code.end, behind)
            for name, register in copies.items():
                self.code.emit("MOVE", scope.registers[name], register)
            self._unset(scope, frozenset(given))
            self.code.emit("JUMP", body.code.start)
        self.code.place(behind)
        assert scope.result is not None
        self.code.emit("MOVE", to, scope.result)

    def _checked(self, argument: ast.expr) -> ast.expr:
        if isinstance(argument, ast.GeneratorExp):
            raise Unsupported(argument, "a generator as an argument", "use a list")
        if isinstance(argument, ast.Lambda):
            raise Unsupported(argument, "a lambda as an argument", "call it in the function itself")
        return argument

    def _pass(self, argument: Argument, name: str, scope: Scope) -> None:
        if isinstance(argument, int):
            register = scope.registers[name] = self.code.variable()
            self.code.emit("MOVE", register, argument)
            if argument in self.item_types:
                if name not in scope.once:
                    raise Unsupported(None, f"{name!r}, which is assigned once more")
                scope.types[name] = self.item_types[argument]
            return
        path = self.path_of(self._checked(argument))
        if path is not None and name in scope.once:
            if path:
                self.code.emit("REQUIRE", self.code.path(path))
            scope.paths[name] = path
            return
        if self.pass_member(argument, name, scope):
            return
        register = scope.registers[name] = self.code.variable()
        typed = self.typed_value(argument)
        if typed is not None and typed[1] == () and name in scope.once:
            self.code.emit("MOVE", register, self.typed_object(argument))
            scope.types[name] = typed[0]
            return
        self.into(argument, register)
        scope.origins[name] = self.origin_of(argument)

    def pass_member(self, argument: ast.expr, name: str, scope: Scope) -> bool:
        """Emit an argument that is a member of an enumeration; see enumerations.py."""
        raise NotImplementedError

    def block(self, statements: list[ast.stmt]) -> None:
        """Emit statements, one after the other; see statements.py."""
        raise NotImplementedError


def _changes_meanwhile(node: ast.expr, what: str) -> Unsupported:
    return Unsupported(node, f"{what}, for something changes meanwhile", "use a list")


def _is_apart(source: FunctionSource, definition: Definition, seen: set[Any]) -> bool:
    """Whether neither a function nor its callees change their arguments."""
    if not changes_only_its_own(definition):
        return False
    if not all(_is_named(each, definition) for each in called_functions(definition)):
        return False
    for callee in map(source.static, called_functions(definition)):
        function = None if callee is MISSING else plain_function(callee)
        if function is None or function.__code__ in seen:
            continue
        seen.add(function.__code__)
        try:
            inner = FunctionSource(function)
        except Unsupported:
            return False
        if isinstance(inner.node, ast.AsyncFunctionDef):
            return False
        if not _is_apart(inner, inner.node, seen):
            return False
    return True


def _is_named(called: ast.expr, definition: Definition) -> bool:
    """Whether a function finds its callees by name, not in a table."""
    if isinstance(called, ast.Name):
        stores = (each for each in ast.walk(definition) if isinstance(each, ast.Name))
        return not any(each.id == called.id and isinstance(each.ctx, ast.Store) for each in stores)
    return isinstance(called, ast.Attribute | ast.Lambda)


def _names_called(nodes: list[ast.AST]) -> list[ast.expr]:
    return [node.func for top in nodes for node in ast.walk(top) if isinstance(node, ast.Call)]
