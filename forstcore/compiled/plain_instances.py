"""Making instances of the user's classes with an `__init__` of their own."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from forstcore.compiled.class_attributes import is_reassigned
from forstcore.compiled.function_arguments import Argument, Function
from forstcore.compiled.generators import yields
from forstcore.compiled.instance_classes import InstanceClass
from forstcore.compiled.methods import Methods
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import MISSING, plain_function
from forstcore.compiled.tables import is_immutable
from forstcore.compiled.typed import is_none

__all__ = ["PlainInstances"]


class PlainInstances(Methods):
    """Compile calls of plain classes: an instance without values, and its constructor inline.

    Attributes:
        classes: the classes of which the program has instances, as far as they are known.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.classes: dict[type, InstanceClass] = {}

    def make_plain(
        self,
        node: ast.Call,
        found: InstanceClass,
        arguments: Sequence[Argument],
        keywords: Mapping[str, Argument],
        to: int,
    ) -> None:
        """Emit the call of a class whose constructor assigns the fields."""
        names = found.parameters
        with self.temporaries():
            first, result = self.code.temporary(max(len(names), 1)), self.code.temporary()
            for i, name in enumerate(names):
                default = found.defaults[name]
                is_known = default is not MISSING and is_immutable(default)
                if is_known and not is_reassigned(found.kind, name):
                    self.constant(default, first + i)
                else:
                    self.code.emit("UNSET", first + i)
            self.code.emit("TUPLE", result, first, len(names))
            self.code.emit("INSTANCE", result, result, self.code.classes[found.kind])
            init = self.constructor(node, found)
            if init is not None:
                given = [result, *arguments]
                self.inline(node, init, given, keywords, self.code.temporary())
            elif arguments or keywords:
                raise Unsupported(node, f"a call of {found.kind.__name__} with arguments")
            self.code.emit("MOVE", to, result)

    def constructor(self, node: ast.expr, found: InstanceClass) -> Function | None:
        """Return the constructor of a plain class; None if it has none."""
        if found.init is None:
            return None
        function = plain_function(found.init)
        if function is None:
            raise Unsupported(node, f"the __init__ of {found.kind.__name__}")
        init = self.global_function(node, function)
        if yields(init.definition) or any(map(_returns_something, ast.walk(init.definition))):
            raise Unsupported(node, f"the __init__ of {found.kind.__name__}, which returns a value")
        return init

    def is_read_again(self, owner: ast.expr, value: ast.expr) -> bool:
        """Whether an object is the same when it is read once more: a.b in a.b.c += 1.

        Args:
            owner: the object.
            value: an expression that is computed meanwhile.
        """
        if isinstance(owner, ast.Attribute):
            found = (each.attribute(owner.attr) for each in self.classes.values())
            is_computed = any(isinstance(each, property) for each in found)
            calls = (each for each in ast.walk(value) if isinstance(each, ast.Call | ast.NamedExpr))
            return not (is_computed or any(calls)) and self.is_read_again(owner.value, value)
        return isinstance(owner, ast.Name)


def _returns_something(node: ast.AST) -> bool:
    return isinstance(node, ast.Return) and node.value is not None and not is_none(node.value)
