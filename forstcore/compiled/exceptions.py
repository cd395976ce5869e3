"""Raising and catching exceptions."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from forstcore.compiled.assembler import Label
from forstcore.compiled.exception_texts import Known, uses_of
from forstcore.compiled.matching import Matching, leaves
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Scope
from forstcore.compiled.source import MISSING
from forstcore.compiled.statuses import RAISED, caught

__all__ = ["Exceptions"]


# Statements that leave the surrounding one.
_LEAVES = (ast.Return, ast.Break, ast.Continue)


@dataclass
class Final:
    """A finally that runs before a return, break or continue leaves a try statement.

    Attributes:
        body: its statements.
        scope: the scope of its function.
        loops: number of loops around it.
    """

    body: list[ast.stmt]
    scope: Scope
    loops: int


# The statuses for exceptions of other classes, in the order of their use.
_OWN_STATUSES = (15, 14, 13, 12)
# Classes whose constructors check their arguments.
_SPECIAL = (OSError, UnicodeError, ImportError, SyntaxError, StopIteration, BaseExceptionGroup)
_CONSTRUCTORS = {"__init__", "__new__", "__init_subclass__"}


class Exceptions(Matching):
    """Compile raise, assert and try.

    An exception that no handler in the function catches gives the record back: Python raises it
    again, with its text.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.finals: list[Final] = []
        self._own: dict[type, int] = {}  # statuses of classes that are not in RAISED
        self.loops: list[tuple[Label, Label]] = []  # where continue and break lead to

    def leave(self, *, function: bool) -> None:
        """Emit the finally bodies that run before a loop or the function is left."""
        outer = self.finals
        try:
            for i in reversed(range(len(outer))):
                final = outer[i]
                is_left = function or final.loops >= len(self.loops)
                if final.scope is not self.scope or not is_left:
                    return
                self.finals = outer[:i]
                start = self.code.here()
                inner, self.loops = self.loops, self.loops[: final.loops]
                try:
                    self.block(final.body)
                finally:
                    self.loops = inner
                # The handlers of the statement do not catch exceptions of its finally.
                self.give_back_exceptions(start)
        finally:
            self.finals = outer

    def give_back_exceptions(self, start: Label) -> None:
        """Give the record back for exceptions in the code emitted since `start`."""
        end = Label()
        self.code.emit("JUMP", end)
        stop = self.code.here()
        self.code.emit("GIVE_BACK")
        self.code.handle(start, stop, stop, self._everything())
        self.code.place(end)

    def _do_Raise(self, node: ast.Raise) -> None:
        with self.temporaries():
            status = self._status_of(node.exc)
        if status is None:
            self.code.emit("GIVE_BACK")
        else:
            self.code.emit("RAISE", status)
        self.returned = True

    def _status_of(self, raised: ast.expr | None) -> int | None:
        """Return the status for a raised exception; None if only Python knows it."""
        given: list[int] = []
        if isinstance(raised, ast.Call):
            if raised.keywords or any(isinstance(each, ast.Starred) for each in raised.args):
                return None
            if self.tries:
                # They may raise another exception.
                given = [self._argument(each) for each in raised.args]
            raised = raised.func
        kind = MISSING if raised is None else self.static(raised)
        status = self._status_for(kind) if isinstance(kind, type) else None
        if self.known is not None and status is not None and len(given) < 2 and _has_text(kind):
            self.tell(kind, given[0] if given else None)
        return status

    def _argument(self, node: ast.expr) -> int:
        """Emit an argument of an exception; return a register that keeps it."""
        register = self.code.temporary()
        self.into(node, register)
        return register

    def _status_for(self, kind: type) -> int | None:
        """Return the status for an exception of a class; None if Python has to raise it."""
        if kind in RAISED:
            return RAISED[kind]
        is_plain = issubclass(kind, Exception) and not issubclass(kind, _SPECIAL)
        is_plain = is_plain and not _CONSTRUCTORS & _attributes_of(kind)
        if not is_plain or not self.tries or len(self._own) == len(_OWN_STATUSES):
            return None
        return self._own.setdefault(kind, _OWN_STATUSES[len(self._own)])

    def _do_Assert(self, node: ast.Assert) -> None:
        if __debug__:
            end = Label()
            self.jump(node.test, end, when=True)
            self.code.emit("GIVE_BACK")
            self.code.place(end)

    def _do_Try(self, node: ast.Try) -> None:
        if node.finalbody:
            self._do_try_finally(node)
            return
        end = Label()
        before = set(self.scope.bound)
        outer = self.known
        bodies = [self._body_of(each) for each in node.handlers]
        if any(body is not None for body in bodies):
            self.known = outer or self.new_known()
            self.forget()
        inner = self.known
        start = self.code.here()
        self.tries += 1
        self.branch(node.body)
        self.tries -= 1
        self.known = outer
        stop = self.code.here()
        self.branch(node.orelse)
        self.code.emit("JUMP", end)
        after = set(self.scope.bound)
        caught = 0
        for handler, body in zip(node.handlers, bodies, strict=True):
            self.scope.bound = set(before)
            target = self.code.here()
            statuses = self._statuses_of(handler) & ~caught
            caught |= statuses
            if inner is not None:
                self._take(inner, None if body is None else handler)
            if handler.name and _has_other_values(self.scope.definition, handler.name):
                self.give_back(Unsupported(handler, f"another value of {handler.name!r}"))
            elif body is None and handler.name and _reads(handler.body, handler.name):
                self.give_back(Unsupported(handler, "the text of an exception"))
            else:
                self.branch(handler.body if body is None else body)
                if not leaves(handler.body):
                    after &= self.scope.bound
                self.code.emit("JUMP", end)
            self.code.handle(start, stop, target, statuses)
        self.code.place(end)
        self.scope.bound = after

    def _body_of(self, handler: ast.ExceptHandler) -> list[ast.stmt] | None:
        """Return the statements of a handler that uses what may be known of its exception.

        None if it uses nothing of it, or something else.
        """
        name = handler.name
        if name is None or not _reads(handler.body, name):
            return None
        inner = (each for last in handler.body for each in ast.walk(last))
        if any(isinstance(each, ast.ExceptHandler) and each.name == name for each in inner):
            return None
        if any(self.static(ast.Name(each.__name__)) is not each for each in (str, repr, type)):
            return None
        body = uses_of(handler, _names_of(handler))
        return None if _reads(body, name) else body

    def _take(self, known: Known, handler: ast.ExceptHandler | None) -> None:
        """Emit the beginning of a handler in a try statement that keeps what is known."""
        outer, self.known = self.known, known
        if handler is not None:
            names = _names_of(handler)
            mine = self.new_known()
            self.scope.registers |= dict(zip(names, mine, strict=True))
            self.scope.locals |= set(names)
            self.take_known(mine)
        else:
            self.forget()
        self.known = outer

    def _do_try_finally(self, node: ast.Try) -> None:
        """Emit try with finally, which runs before whatever leaves the statement.

        An exception that leaves it gives the record back, unless finally itself may leave the
        statement: then the exception is forgotten.
        """
        parts = [each for last in node.finalbody for each in ast.walk(last)]
        if any(isinstance(each, ast.Yield | ast.YieldFrom) for each in parts):
            raise Unsupported(node, "finally with a yield")
        start = self.code.here()
        before = set(self.scope.bound)
        self.finals.append(Final(node.finalbody, self.scope, len(self.loops)))
        self.tries += 1
        try:
            if node.handlers:
                inner = ast.Try(node.body, node.handlers, node.orelse, [])
                self._do_Try(ast.copy_location(inner, node))
            else:
                self.block(node.body)
        finally:
            self.tries -= 1
            self.finals.pop()
        stop = self.code.here()
        self.block(node.finalbody)
        if any(isinstance(each, _LEAVES) for each in parts):
            self._forget_exceptions(node, start, stop, before)
        if self.tries:
            self.give_back_exceptions(start)

    def _forget_exceptions(self, node: ast.Try, start: Label, stop: Label, bound: set[str]) -> None:
        """Emit what finally does with an exception if it may leave the statement.

        Args:
            node: the statement.
            start, stop: its code before finally.
            bound: variables that have a value before the statement.
        """
        after, self.scope.bound = self.scope.bound, bound
        end = Label()
        self.code.emit("JUMP", end)
        target = self.code.here()
        self.branch(node.finalbody)
        self.code.emit("GIVE_BACK")
        self.code.handle(start, stop, target, self._everything())
        self.code.place(end)
        self.scope.bound = after

    def _do_With(self, node: ast.With) -> None:
        """Emit `with contextlib.suppress(…)`, the only context manager that programs have."""
        kinds: list[ast.expr] = []
        for item in node.items:
            call = item.context_expr
            if not (isinstance(call, ast.Call) and self.static(call.func) is contextlib.suppress):
                raise Unsupported(call, f"with {ast.unparse(call)}")
            if item.optional_vars is not None or call.keywords:
                raise Unsupported(call, "with … as")
            kinds += call.args
        caught = ast.copy_location(ast.Tuple(kinds, ast.Load()), node)
        ignored = ast.copy_location(ast.Pass(), node)
        handler = ast.copy_location(ast.ExceptHandler(caught, None, [ignored]), node)
        self._do_Try(ast.copy_location(ast.Try(node.body, [handler], [], []), node))

    def _everything(self) -> int:
        return sum(1 << status for status in (*caught().values(), *_OWN_STATUSES))

    def _statuses_of(self, handler: ast.ExceptHandler) -> int:
        """Return a bit for each status that a handler catches."""
        everything = self._everything()
        if handler.type is None:
            return everything
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        statuses = 0
        for each in kinds:
            kind = self.static(each)
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise Unsupported(each, f"except {ast.unparse(each)}")
            for raised, status in (caught() | self._own).items():
                if issubclass(raised, kind):
                    statuses |= 1 << status
        return statuses


def _has_other_values(definition: ast.AST | None, name: str) -> bool:
    """Whether a name is anything but that of an exception in a function, or in one within it.

    Python unbinds the name at the end of the handler, and inner functions may have their own.
    """
    for node in ast.walk(definition) if definition is not None else ():
        match node:
            case ast.Name(id=other, ctx=ast.Store() | ast.Del()) | ast.arg(arg=other):
                pass
            case ast.FunctionDef(name=other) | ast.AsyncFunctionDef(name=other):
                pass
            case ast.MatchAs(name=other) | ast.MatchStar(name=other):
                pass
            case ast.MatchMapping(rest=other) | ast.ClassDef(name=other):
                pass
            case ast.alias():
                other = node.asname or node.name.partition(".")[0]
            case _:
                continue
        if other == name:
            return True
    return False


def _names_of(handler: ast.ExceptHandler) -> tuple[str, str, str]:
    """Return names that no other variable has, for what is known of an exception."""
    name = f"{handler.name} {handler.lineno}"
    return f"text of {name}", f"argument of {name}", f"class of {name}"


def _has_text(kind: type) -> bool:
    """Whether instances of a class of exceptions are shown as those of Python."""
    own = {"__str__", "__repr__", "args"} & _attributes_of(kind)
    return not own


def _attributes_of(kind: type) -> set[str]:
    """Return what a class of exceptions defines besides those of Python."""
    own = [each for each in kind.__mro__ if each.__module__ != "builtins"]
    return {name for each in own for name in vars(each)}


def _reads(statements: Iterable[ast.stmt], name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name
        for statement in statements
        for node in ast.walk(statement)
    )
