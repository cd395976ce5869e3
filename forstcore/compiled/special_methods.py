"""Special methods of the user's classes: __str__, __eq__, __len__, __add__ and the like.

A call is compiled inline behind a test for each class that has the method, as those of other
methods. Where a program uses an instance in another way, as an item that a list is searched for,
it has no such test, and gives the record back.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Sequence
from typing import Any

from forstcore.compiled.assembler import Label
from forstcore.compiled.expressions import operator_of
from forstcore.compiled.instance_classes import InstanceClass
from forstcore.compiled.instances import Instances
from forstcore.compiled.source import plain_function
from forstcore.compiled.type_bits import BITS

__all__ = ["SpecialMethods"]

_COMPARISONS: dict[type[ast.cmpop], tuple[str, str, str]] = {
    # The instruction, the method, and that of the right operand, which a subclass may have.
    ast.Eq: ("EQUAL", "__eq__", "__eq__"),
    ast.NotEq: ("NOT_EQUAL", "__ne__", "__ne__"),
    ast.Lt: ("LESS", "__lt__", "__gt__"),
    ast.LtE: ("LESS_EQUAL", "__le__", "__ge__"),
    ast.Gt: ("GREATER", "__gt__", "__lt__"),
    ast.GtE: ("GREATER_EQUAL", "__ge__", "__le__"),
}
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
}


class SpecialMethods(Instances):
    """Compile what runs a special method of an instance."""

    def _having_special(self, name: str, reflected: str = "") -> list[InstanceClass]:
        """Return the classes with a special method that the user has written.

        Args:
            name: of the method.
            reflected: the method that Python calls first for operands of a subclass.
        """
        found = [each for each in self.classes.values() if _is_written(each.attribute(name))]
        return [
            each
            for each in found
            if not reflected
            or all(
                other.attribute(reflected) is each.attribute(reflected)
                for other in self.classes.values()
                if issubclass(other.kind, each.kind)
            )
        ]

    def _call_special(
        self,
        node: ast.expr,
        kinds: Sequence[InstanceClass],
        name: str,
        registers: list[int],
        to: int,
        end: Label,
    ) -> None:
        """Emit the call of a special method for instances; it goes on at `end`.

        Args:
            node: what calls it.
            kinds: the classes that have it.
            name: of the method.
            registers: of the instance and the other arguments.
            to: register of the result.
            end: where to go on.
        """
        for each in kinds:

            def emit(kind: InstanceClass = each) -> None:
                function = plain_function(kind.attribute(name))
                assert function is not None
                made = self.global_function(node, function)
                self.inline(node, made, list(registers), {}, to)

            self._if_instance(registers[0], each, emit, end)

    # Operators.

    def _compare(
        self,
        node: ast.Compare,
        left: int,
        operator: ast.cmpop,
        right: ast.expr,
        to: int,
        *,
        first: bool,
    ) -> int:
        entry = _COMPARISONS.get(type(operator))
        is_plain = isinstance(right, ast.Constant) or isinstance(node.left, ast.Constant)
        if entry is None or is_plain:
            return super()._compare(node, left, operator, right, to, first=first)
        instruction, name, reflected = entry
        kinds = self._having_special(name, reflected)
        inverted: list[InstanceClass] = []
        if name == "__ne__":
            equal = self._having_special("__eq__", "__eq__")
            inverted = [each for each in equal if each.attribute("__ne__") is None]
        has_none = all(each.attribute(name) is None for each in self.classes.values())
        # No object has the method, so Python asks the right one.
        swapped = self._having_special(reflected, name) if has_none and not inverted else []
        if not (kinds or inverted or swapped):
            return super()._compare(node, left, operator, right, to, first=first)
        other = self.operand(right)
        with self.temporaries():
            result, end, is_equal = self.code.temporary(), Label(), Label()
            self._call_special(node, kinds, name, [left, other], result, end)
            self._call_special(node, swapped, reflected, [other, left], result, end)
            self._call_special(node, inverted, "__eq__", [left, other], result, is_equal)
            self.code.emit(instruction, result, left, other)
            self.code.emit("JUMP", end)
            self.code.place(is_equal)
            self.code.emit("NOT", result, result)
            self.code.place(end)
            self.code.emit("MOVE", to, result)
        return other

    def _into_BinOp(self, node: ast.BinOp, to: int) -> None:
        name = _OPERATORS.get(type(node.op), "")
        kinds = self._having_special(f"__{name}__", f"__r{name}__") if name else []
        if not kinds:
            super()._into_BinOp(node, to)
            return
        with self.temporaries():
            left, right = self.code.temporary(), self.code.temporary()
            self.into(node.left, left)
            self.into(node.right, right)
            result, end = self.code.temporary(), Label()
            self._call_special(node, kinds, f"__{name}__", [left, right], result, end)
            self.operate(operator_of(node), result, left, right)
            self.code.place(end)
            self.code.emit("MOVE", to, result)

    def operate_on_instance(
        self, node: ast.AugAssign, to: int, left: int, right: int, end: Label
    ) -> None:
        """Emit += and the like for instances whose classes have the operator."""
        name = _OPERATORS.get(type(node.op), "")
        kinds = self._having_special(f"__{name}__", f"__r{name}__") if name else []
        kinds = [each for each in kinds if each.attribute(f"__i{name}__") is None]
        self._call_special(node.value, kinds, f"__{name}__", [left, right], to, end)

    # Texts and lengths.

    def formatted(self, node: ast.FormattedValue) -> int:
        kinds = self._having_text(is_repr=False)
        is_shown = node.conversion == ord("s") or (
            node.conversion == -1 and node.format_spec is None
        )
        if not kinds or not is_shown:
            return super().formatted(node)
        shown = self.code.temporary()
        with self.temporaries():
            self.code.emit("MOVE", shown, super().formatted(node))
            end = Label()
            self._call_text(node, kinds, shown, shown, end, is_repr=False)
            self.code.place(end)
        return shown

    def _into_FormattedValue(self, node: ast.FormattedValue, to: int) -> None:
        if node.conversion == ord("r") and self._having_text(is_repr=True):
            function = ast.copy_location(ast.Name("repr", ast.Load()), node)
            if self.static(function) is repr:
                call = ast.copy_location(ast.Call(function, [node.value], []), node)
                shown = ast.FormattedValue(call, ord("s"), node.format_spec)
                node = ast.copy_location(shown, node)
        super()._into_FormattedValue(node, to)

    def _having_text(self, *, is_repr: bool) -> list[InstanceClass]:
        """Return the classes whose instances have a text by a method of the user."""
        found = self._having_special("__repr__")
        if not is_repr:
            found += [each for each in self._having_special("__str__") if each not in found]
        return [
            each
            for each in found
            if each.attribute("__format__") is None
            and (
                is_repr
                or each.attribute("__str__") is None
                or _is_written(each.attribute("__str__"))
            )
        ]

    def _call_text(
        self,
        node: ast.expr,
        kinds: list[InstanceClass],
        owner: int,
        to: int,
        end: Label,
        *,
        is_repr: bool,
    ) -> None:
        """Emit the text of instances by their methods; it goes on at `end`."""
        with self.temporaries():
            text, check, test = self.code.temporary(), Label(), self.code.temporary()
            by_str = [
                each for each in kinds if not is_repr and _is_written(each.attribute("__str__"))
            ]
            by_repr = [each for each in kinds if each not in by_str]
            self._call_special(node, by_str, "__str__", [owner], text, check)
            self._call_special(node, by_repr, "__repr__", [owner], text, check)
            others = Label()
            self.code.emit("JUMP", others)
            self.code.place(check)
            fine = Label()
            self.code.emit("IS_A", test, text, BITS[str])
            self.code.emit("JUMP_IF", test, fine)
            self.code.emit("GIVE_BACK")
            self.code.place(fine)
            self.code.emit("MOVE", to, text)
            self.code.emit("JUMP", end)
            self.code.place(others)

    def call_special(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> bool:
        """Emit str, repr or len of what may be an instance; return whether it may be one."""
        if callee not in (str, repr, len) or len(node.args) != 1 or keywords:
            return False
        value = node.args[0]
        is_length = callee is len
        kinds = self._having_special("__len__") if is_length else []
        if not is_length:
            kinds = self._having_text(is_repr=callee is repr)
        if not kinds or isinstance(value, ast.Constant | ast.JoinedStr):
            return False
        with self.temporaries():
            owner, result, end = self.code.temporary(), self.code.temporary(), Label()
            self.into(value, owner)
            if is_length:
                self._call_length(node, kinds, owner, result, end)
            else:
                self._call_text(node, kinds, owner, result, end, is_repr=callee is repr)
            self.call_native(node, callee.__name__, [value], {}, result, first=owner)
            self.code.place(end)
            self.code.emit("MOVE", to, result)
        return True

    def _call_length(
        self, node: ast.expr, kinds: list[InstanceClass], owner: int, to: int, end: Label
    ) -> None:
        with self.temporaries():
            length, check, others = self.code.temporary(), Label(), Label()
            self._call_special(node, kinds, "__len__", [owner], length, check)
            self.code.emit("JUMP", others)
            self.code.place(check)
            test, odd = self.code.temporary(), Label()
            self.code.emit("IS_A", test, length, BITS[int])
            self.code.emit("JUMP_UNLESS", test, odd)
            self.code.emit("ADD", to, length, self.constant(0))  # True is 1.
            self.code.emit("LESS", test, to, self.constant(0))
            self.code.emit("JUMP_UNLESS", test, end)
            self.code.place(odd)
            self.code.emit("GIVE_BACK")
            self.code.place(others)

    # Names of classes.

    def _into_Attribute(self, node: ast.Attribute, to: int) -> None:
        owner = self._class_is_named(node)
        if owner is None or not self.classes:
            super()._into_Attribute(node, to)
            return
        with self.temporaries():
            value, result, end = self.code.temporary(), self.code.temporary(), Label()
            self.into(owner, value)
            for each in self.classes.values():

                def emit(kind: type = each.kind) -> None:
                    self.constant(kind.__name__, result)

                self._if_instance(value, each, emit, end)
            self.code.emit("GIVE_BACK")
            self.code.place(end)
            self.code.emit("MOVE", to, result)

    def _class_is_named(self, node: ast.Attribute) -> ast.expr | None:
        """Return the object in `type(object).__name__`; None if it is something else."""
        match node:
            case ast.Attribute(ast.Call(function, [owner], []), "__name__"):
                return owner if self.static(function) is type else None
            case ast.Attribute(ast.Attribute(owner, "__class__"), "__name__"):
                return owner
        return None


def _is_written(method: Any) -> bool:
    """Whether a method has been written by the user, not made by a decorator."""
    if not isinstance(method, types.FunctionType) or plain_function(method) is None:
        return False
    return method.__code__.co_filename != "<string>"
