"""Raising and catching exceptions."""

from __future__ import annotations

import ast
import binascii
import json
from collections.abc import Iterable

from forstcore.compiled.assembler import Label
from forstcore.compiled.matching import Matching, leaves
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import MISSING

__all__ = ["RAISED", "Exceptions"]

# The numbers of fst_status.
RAISED: dict[type, int] = {
    KeyError: 1,
    IndexError: 2,
    ValueError: 3,
    TypeError: 4,
    AttributeError: 5,
    ZeroDivisionError: 6,
}
# What only functions of the runtime raise.
_CAUGHT = RAISED | {
    json.JSONDecodeError: 7,
    UnicodeDecodeError: 8,
    UnicodeEncodeError: 9,
    binascii.Error: 10,
}


class Exceptions(Matching):
    """Compile raise, assert and try.

    An exception that no handler in the function catches gives the record back: Python raises it
    again, with its text.
    """

    def _do_Raise(self, node: ast.Raise) -> None:
        status = self._status_of(node.exc)
        if status is None:
            self.code.emit("GIVE_BACK")
        else:
            self.code.emit("RAISE", status)
        self.returned = True

    def _status_of(self, raised: ast.expr | None) -> int | None:
        """Return the status for what is raised; None if only Python can tell."""
        if isinstance(raised, ast.Call):
            if not all(isinstance(each, ast.Constant) for each in raised.args) or raised.keywords:
                return None
            raised = raised.func
        kind = MISSING if raised is None else self.static(raised)
        return RAISED.get(kind) if isinstance(kind, type) else None

    def _do_Assert(self, node: ast.Assert) -> None:
        if __debug__:
            end = Label()
            self.jump(node.test, end, when=True)
            self.code.emit("GIVE_BACK")
            self.code.place(end)

    def _do_Try(self, node: ast.Try) -> None:
        if node.finalbody:
            raise Unsupported(node, "finally")
        end = Label()
        before = set(self.scope.bound)
        start = self.code.here()
        self.tries += 1
        self.branch(node.body)
        self.tries -= 1
        stop = self.code.here()
        self.branch(node.orelse)
        self.code.emit("JUMP", end)
        after = set(self.scope.bound)
        caught = 0
        for handler in node.handlers:
            self.scope.bound = set(before)
            target = self.code.here()
            statuses = self._statuses_of(handler) & ~caught
            caught |= statuses
            if handler.name and _reads(handler.body, handler.name):
                self.code.emit("GIVE_BACK")
                error = Unsupported(handler, "the text of an exception")
                self.remarks.append(self.source.remark(error))
            else:
                self.branch(handler.body)
                if not leaves(handler.body):
                    after &= self.scope.bound
                self.code.emit("JUMP", end)
            self.code.handle(start, stop, target, statuses)
        self.code.place(end)
        self.scope.bound = after

    def _statuses_of(self, handler: ast.ExceptHandler) -> int:
        """Return a bit for each status that a handler catches."""
        everything = sum(1 << status for status in _CAUGHT.values())
        if handler.type is None:
            return everything
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        statuses = 0
        for each in kinds:
            kind = self.static(each)
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise Unsupported(each, f"except {ast.unparse(each)}")
            for raised, status in _CAUGHT.items():
                if issubclass(raised, kind):
                    statuses |= 1 << status
        return statuses


def _reads(statements: Iterable[ast.stmt], name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name
        for statement in statements
        for node in ast.walk(statement)
    )
