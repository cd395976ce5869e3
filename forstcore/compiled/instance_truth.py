"""The truth of instances by __bool__ or __len__, and calls of instances with __call__."""

from __future__ import annotations

import ast
from typing import Any

from forstcore.compiled.assembler import Label
from forstcore.compiled.special_methods import SpecialMethods
from forstcore.compiled.type_bits import BITS

__all__ = ["InstanceTruth"]

_MAY_BE_INSTANCES = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.NamedExpr)


class InstanceTruth(SpecialMethods):
    """Compile tests of what may be an instance with a truth of its own."""

    def jump(self, node: ast.expr, target: Label, *, when: bool) -> None:
        if not self._may_have_truth(node):
            super().jump(node, target, when=when)
            return
        with self.temporaries():
            truth = self.code.temporary()
            self._into_truth(node, truth)
            self.code.emit("JUMP_IF" if when else "JUMP_UNLESS", truth, target)

    def _into_UnaryOp(self, node: ast.UnaryOp, to: int) -> None:
        if not isinstance(node.op, ast.Not) or not self._may_have_truth(node.operand):
            super()._into_UnaryOp(node, to)
            return
        with self.temporaries():
            truth = self.code.temporary()
            self._into_truth(node.operand, truth)
            self.code.emit("NOT", to, truth)

    def call_special(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> bool:
        is_bool = callee is bool and len(node.args) == 1 and not keywords
        if not is_bool or not self._may_have_truth(node.args[0]):
            return super().call_special(node, callee, keywords, to)
        with self.temporaries():
            truth = self.code.temporary()
            self._into_truth(node.args[0], truth)
            self.code.emit("NOT", truth, truth)
            self.code.emit("NOT", to, truth)
        return True

    def _may_have_truth(self, node: ast.expr) -> bool:
        return isinstance(node, _MAY_BE_INSTANCES) and any(
            each.has_truth for each in self.classes.values()
        )

    def _into_truth(self, node: ast.expr, to: int) -> None:
        """Emit a value, or what the methods of an instance return, which is as true as it."""
        by_bool = self._having_special("__bool__")
        by_length = [each for each in self._having_special("__len__") if each not in by_bool]
        with self.temporaries():
            owner, test, check, end = self.code.temporary(), self.code.temporary(), Label(), Label()
            self.into(node, owner)
            self._call_special(node, by_bool, "__bool__", [owner], to, check)
            self._call_length(node, by_length, owner, to, end)
            self.code.emit("MOVE", to, owner)
            self.code.emit("JUMP", end)
            self.code.place(check)
            self.code.emit("IS_A", test, to, BITS[bool])
            self.code.emit("JUMP_IF", test, end)
            self.code.emit("GIVE_BACK")
            self.code.place(end)

    def call_instance(self, node: ast.Call, keywords: dict[str, ast.expr], to: int) -> bool:
        """Emit the call of an instance in a variable; return whether it may be one."""
        name = node.func
        if not isinstance(name, ast.Name) or self.scope.owner(name.id) is None:
            return False
        method = ast.copy_location(ast.Attribute(name, "__call__", ast.Load()), name)
        call = ast.copy_location(ast.Call(method, node.args, node.keywords), node)
        return self.call_method_of_instance(call, keywords, to)
