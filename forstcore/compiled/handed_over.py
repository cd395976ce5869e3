"""Functions that are handed over, as `key=` of sorted."""

from __future__ import annotations

import ast
import operator
import types
import typing

from forstcore._core.program import FUNCTIONS
from forstcore.compiled.assembler import Label
from forstcore.compiled.calls import Calls, name_of
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import MISSING, plain_function
from forstcore.compiled.tables import MUTATORS
from forstcore.compiled.type_bits import bits_with

__all__ = ["HandedOver"]


class HandedOver(Calls):
    """Compile calls of functions that are arguments themselves."""

    def apply(self, node: ast.expr, argument: int, to: int) -> None:
        """Emit the call of a function that is an argument itself, as of `key=`.

        Args:
            node: the function.
            argument: register of what it is called with.
            to: register of the result.
        """
        local = self.local_function(node)
        if local is not None:
            self.inline(node, local, [argument], {}, to)
            return
        if isinstance(node, ast.Call) and self.static(node.func) is operator.itemgetter:
            self._get_items(node, argument, to)
            return
        if isinstance(node, ast.Call) and self.static(node.func) is operator.attrgetter:
            self.apply(_attribute_lambda(node), argument, to)
            return
        callee = self.static(node)
        function = None if callee is MISSING else plain_function(callee)
        if function is not None:
            self.inline(node, self.global_function(node, function), [argument], {}, to)
        elif self._is_method_of_value(node):
            self._apply_method(node, argument, to)
        elif isinstance(callee, types.MethodDescriptorType):
            self.call_descriptor(node, callee, argument, [node], {}, to)
        elif callee is not MISSING:
            self.call_native(node, name_of(callee), [node], {}, to, first=argument)
        else:
            raise Unsupported(node, f"the function {ast.unparse(node)}")

    def hand_over(self, function: ast.expr) -> None:
        """Emit what Python does with a function before it is applied to any item.

        It looks for the method of `key=counts.get`, even if there is nothing to call it with: the
        record is given back if there is no such method.
        """
        if not self._is_method_of_value(function):
            return
        behind = Label()
        with self.temporaries():
            has = self.code.temporary()
            self.code.emit("IS_A", has, self.value(function.value), bits_with(function.attr))
            self.code.emit("JUMP_IF", has, behind)
            self.code.emit("GIVE_BACK")
            self.code.place(behind)

    def _is_method_of_value(self, node: ast.expr) -> typing.TypeGuard[ast.Attribute]:
        return (
            isinstance(node, ast.Attribute)
            and self.local_function(node) is None
            and self.static(node) is MISSING
        )

    def _apply_method(self, node: ast.Attribute, argument: int, to: int) -> None:
        """Emit the call of a method of a variable or constant, as of `key=counts.get`."""
        name = f".{node.attr}"
        is_simple = isinstance(node.value, ast.Name | ast.Constant) and bits_with(node.attr)
        if not is_simple or node.attr in MUTATORS or name not in FUNCTIONS:
            raise Unsupported(node, f"the function {ast.unparse(node)}", "use a lambda")
        number, parameters = FUNCTIONS[name]
        count = len([each for each in parameters.split(",") if each != "*"])
        with self.temporaries():
            block = self.code.temporary(max(count, 2))
            self.into(node.value, block)
            self.code.emit("MOVE", block + 1, argument)
            for i in range(2, count):
                self.code.emit("UNSET", block + i)
            self.code.emit("CALL", to, number, block)

    def _get_items(self, node: ast.Call, argument: int, to: int) -> None:
        if not node.args:
            raise Unsupported(node, "an itemgetter without arguments")
        for each in node.args:
            is_global = isinstance(each, ast.Name) and self.scope.owner(each.id) is None
            if not is_global and not isinstance(each, ast.Constant):
                raise Unsupported(each, "an itemgetter of other than constants", "use a lambda")
        with self.temporaries():
            first = self.code.temporary(len(node.args))
            for i, key in enumerate(node.args):
                with self.temporaries():
                    self.code.emit("GET_ITEM", first + i, argument, self.value(key))
            if len(node.args) == 1:
                self.code.emit("MOVE", to, first)
            else:
                self.code.emit("TUPLE", to, first, len(node.args))


def _attribute_lambda(node: ast.Call) -> ast.expr:
    """Return the lambda that does what a call of attrgetter returns."""
    found = [each.value for each in node.args if isinstance(each, ast.Constant)]
    names = [each for each in found if isinstance(each, str)]
    if len(names) != len(node.args) or not names or node.keywords:
        raise Unsupported(node, "an attrgetter of other than constants", "use a lambda")
    values = ", ".join(f"item.{name}" for name in names)
    made = ast.parse(f"lambda item: {values if len(names) == 1 else f'({values})'}", mode="eval")
    for each in ast.walk(made.body):
        ast.copy_location(each, node)
    return made.body
