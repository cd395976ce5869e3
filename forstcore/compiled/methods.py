"""Methods and properties of the classes that typed records are declared with."""

from __future__ import annotations

import ast
import inspect
import types
from typing import Any

from forstcore.compiled.assembler import Label
from forstcore.compiled.library_calls import LibraryCalls
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import plain_function
from forstcore.compiled.tables import is_immutable
from forstcore.compiled.type_bits import DICT

__all__ = ["Methods"]


class Methods(LibraryCalls):
    """Compile what a class declares besides its members, in the place of its use."""

    def call_own_method(self, node: ast.Call, keywords: dict[str, ast.expr], to: int) -> bool:
        """Emit the call of a method of a typed record; return whether it is one."""
        method = node.func
        if not isinstance(method, ast.Attribute):
            return False
        found = self._declared(method)
        if isinstance(found, types.FunctionType):
            arguments = [method.value, *node.args]
        elif isinstance(found, staticmethod):
            found, arguments = found.__func__, list(node.args)
        else:
            return False
        function = plain_function(found)
        if function is None:
            raise Unsupported(node, f"a call of {ast.unparse(method)}")
        self._expect_object(method.value)
        self.inline(node, self.global_function(node, function), arguments, keywords, to)
        return True

    def _into_Attribute(self, node: ast.Attribute, to: int) -> None:
        found = self._declared(node)
        if isinstance(found, property):
            function = None if found.fget is None else plain_function(found.fget)
            if function is None:
                raise Unsupported(node, f"the property {node.attr}")
            self._expect_object(node.value)
            self.inline(node, self.global_function(node, function), [node.value], {}, to)
        elif found is not None and is_immutable(found):
            self._expect_object(node.value)
            self.constant(found, to)
        else:
            super()._into_Attribute(node, to)

    def _expect_object(self, node: ast.expr) -> None:
        """Give the record back if a member that may be None is not an object."""
        path = self.path_of(node)
        if path == ():
            return
        fine = Label()
        with self.temporaries():
            test = self.code.temporary()
            value = self.typed_object(node) if path is None else self.object_or_none(node)
            self.code.emit("IS_A", test, value, DICT)
            self.code.emit("JUMP_IF", test, fine)
            self.code.emit("GIVE_BACK")
            self.code.place(fine)

    def _declared(self, node: ast.Attribute) -> Any:
        """Return what the class of a typed record has as an attribute; None if it is a member."""
        kind = self.class_of(node.value)
        if kind is None or node.attr in _members_of(kind):
            return None
        if isinstance(inspect.getattr_static(kind, "__getattribute__"), types.FunctionType):
            return None
        return inspect.getattr_static(kind, node.attr, None)


def _members_of(kind: type) -> tuple[str, ...]:
    import dataclasses

    if dataclasses.is_dataclass(kind):
        return tuple(each.name for each in dataclasses.fields(kind))
    return tuple(getattr(kind, "__struct_fields__", ()))
