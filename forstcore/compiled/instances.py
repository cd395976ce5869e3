"""Instances of classes of the user that a function makes, keeps and reads.

A program has them as values, with the number of their class. Only their fields, methods and
properties are used; whatever else Python does with such an object gives the record back, except
that a NamedTuple is a tuple.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from forstcore._core.program import FUNCTIONS
from forstcore.compiled.assembler import Label
from forstcore.compiled.base import StartAgain
from forstcore.compiled.class_attributes import check_class_attribute
from forstcore.compiled.expression_forms import may_raise
from forstcore.compiled.function_arguments import Argument
from forstcore.compiled.instance_classes import InstanceClass, instance_class, known_classes
from forstcore.compiled.plain_instances import PlainInstances
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import MISSING, plain_function
from forstcore.compiled.tables import is_immutable

__all__ = ["Instances"]


class Instances(PlainInstances):
    """Compile operations on instances."""

    def note_class(self, kind: type) -> InstanceClass | None:
        """Remember that the program has instances of a class; None if it cannot have any."""
        found = self.classes.get(kind) or instance_class(kind)
        if found is not None and kind not in self.classes:
            # What has been compiled may have instances of it, too.
            self.classes[kind] = found
            raise StartAgain(self.changes)
        if found is not None:
            self.code.classes[kind] = self._number_of(found)
        return found

    def note_constant(self, value: Any) -> None:
        if isinstance(value, dict | list | tuple | set | frozenset) or _is_dataclass(value):
            for kind in known_classes(value):
                self.note_class(kind)

    # Making instances.

    def make_instance(
        self,
        node: ast.Call,
        kind: type,
        arguments: Sequence[Argument],
        keywords: Mapping[str, Argument],
        to: int,
    ) -> bool:
        """Emit the call of a class; return whether programs can make instances of it."""
        found = self.note_class(kind)
        if found is None:
            return False
        if found.is_plain:
            self.make_plain(node, found, arguments, keywords, to)
            return True
        if len(arguments) > found.positional:
            raise Unsupported(node, f"a call of {kind.__name__} with so many arguments")
        given: dict[str, Argument] = dict(zip(found.parameters, arguments, strict=False))
        for name, value in keywords.items():
            if name in given or name not in found.parameters:
                raise Unsupported(node, f"a call of {kind.__name__} with {name}=")
            given[name] = value
        names = found.description[1:]
        missing = [name for name in names if name not in given]
        for name in missing:
            default = found.defaults[name]
            if default is MISSING:
                raise Unsupported(node, f"a call of {kind.__name__} without {name}")
            if not isinstance(default, type) and not is_immutable(default):
                raise Unsupported(node, f"the default of {name!r} of {kind.__name__}")
        with self.temporaries():
            first, result = self.code.temporary(len(names)), self.code.temporary()
            for name, value in given.items():
                if isinstance(value, int):
                    self.code.emit("MOVE", first + names.index(name), value)
                else:
                    self.into(value, first + names.index(name))
            for name in missing:
                self.field_default(found.defaults[name], first + names.index(name))
            self.code.emit("TUPLE", result, first, len(names))
            self.code.emit("INSTANCE", result, result, self.code.classes[kind])
            if found.post_init is not None:
                function = plain_function(found.post_init)
                if function is None:
                    raise Unsupported(node, f"the __post_init__ of {kind.__name__}")
                made = self.global_function(node, function)
                self.inline(node, made, [result], {}, self.code.temporary())
            self.code.emit("MOVE", to, result)
        return True

    def field_default(self, default: Any, to: int) -> None:
        """Emit the default of a field: a constant, or an empty container."""
        if isinstance(default, type):
            self.code.emit(default.__name__.upper(), to, to, 0)
        else:
            self.constant(default, to)

    def replace_fields(self, node: ast.Call, owner: ast.expr, to: int, *, of_tuples: bool) -> bool:
        """Emit a copy with other values of some fields; return whether programs have instances.

        Args:
            node: the call.
            owner: the instance.
            to: register of the copy.
            of_tuples: whether it is the method of named tuples, instead of `dataclasses.replace`.
        """
        names = [str(each.arg) for each in node.keywords]
        self._look_for_classes(owner)
        found = [
            each
            for each in self.classes.values()
            if each.is_tuple == of_tuples
            and not each.is_plain
            and set(names) <= set(each.parameters)
        ]
        if not found:
            return False
        if any(each.post_init is not None for each in found):
            raise Unsupported(node, "a changed copy of an instance with __post_init__")
        with self.temporaries():
            copy, end = self.code.temporary(), Label()
            self.into(owner, copy)
            values = [self.code.temporary() for _ in names]
            for each, register in zip(node.keywords, values, strict=True):
                self.into(each.value, register)
            for kind in found:

                def emit(kind: InstanceClass = kind) -> None:
                    self._copy_with(kind, copy, dict(zip(names, values, strict=True)))

                self._if_instance(copy, kind, emit, end)
            self.code.emit("GIVE_BACK")
            self.code.place(end)
            self.code.emit("MOVE", to, copy)
        return True

    def _copy_with(self, kind: InstanceClass, copy: int, values: dict[str, int]) -> None:
        """Emit the replacement of an instance in a register by a copy with other values."""
        if not values and not kind.is_tuple:
            # The first assignment makes the copy, also of what the field has.
            if not kind.parameters:
                self.code.emit("GIVE_BACK")
                return
            name, value = kind.parameters[0], self.code.temporary()
            self.code.emit("FIELD", value, copy, self.code.constant(name))
            values = {name: value}
        for name, register in values.items():
            self.code.emit("REPLACE_FIELD", copy, self.code.constant(name), register)

    # Fields, properties and methods.

    def _into_Attribute(self, node: ast.Attribute, to: int) -> None:
        native = f"@{node.attr}"
        if self._is_declared(node.value):
            super()._into_Attribute(node, to)
            return
        found = self._having(node.attr)
        if not found:
            if native not in FUNCTIONS:
                self._look_for_classes(node.value)
            super()._into_Attribute(node, to)
            return
        with self.temporaries():
            owner, result, end = self.code.temporary(), self.code.temporary(), Label()
            self.into(node.value, owner)
            several = len(found) > 1
            for each in found:
                if node.attr in each.parameters:
                    continue
                attribute = each.attribute(node.attr)

                def emit(kind: InstanceClass = each, attribute: Any = attribute) -> None:
                    if isinstance(attribute, property):
                        self._call_getter(node, kind, attribute, owner, result)
                    else:
                        check_class_attribute(self.source, node, kind.kind, attribute)
                        self.constant(attribute, result)

                self._if_instance(owner, each, emit, end, several=several)
            if any(node.attr in each.parameters for each in found):
                others = Label()
                if native in FUNCTIONS:
                    self._jump_unless_any(owner, found, others)
                self.code.emit("FIELD", result, owner, self.code.constant(node.attr))
                self.code.emit("JUMP", end)
                self.code.place(others)
            if native in FUNCTIONS:
                self.call_native(node, native, [node.value], {}, result, first=owner)
            else:
                self.code.emit("GIVE_BACK")
            self.code.place(end)
            self.code.emit("MOVE", to, result)

    def _look_for_classes(self, node: ast.expr) -> None:
        """Compile an expression only to know the classes of which it makes instances."""
        mark = self.code.mark()
        try:
            self.value(node)
        except Unsupported:
            return
        finally:
            self.code.undo(mark)

    def _call_getter(
        self, node: ast.Attribute, kind: InstanceClass, found: property, owner: int, to: int
    ) -> None:
        function = None if found.fget is None else plain_function(found.fget)
        if function is None:
            raise Unsupported(node, f"the property {node.attr} of {kind.kind.__name__}")
        self.inline(node, self.global_function(node, function), [owner], {}, to)

    def call_method_of_instance(
        self, node: ast.Call, keywords: dict[str, ast.expr], to: int
    ) -> bool:
        """Emit the call of a method of instances; return whether it is one."""
        method = node.func
        if not isinstance(method, ast.Attribute):
            return False
        if isinstance(method.value, ast.Call) and self.static(method.value.func) is super:
            self._call_super(node, method, method.value, keywords, to)
            return True
        is_declared = self._is_declared(method.value)
        if method.attr == "_replace" and not (node.args or is_declared):
            return self.replace_fields(node, method.value, to, of_tuples=True)
        found = [each for each in self._having(method.attr) if method.attr not in each.parameters]
        if not found and f".{method.attr}" not in FUNCTIONS:
            self._look_for_classes(method.value)
        if not found or method.attr == "_asdict" or is_declared:
            return False
        native = f".{method.attr}"
        with self.temporaries():
            owner, result, end = self.code.temporary(), self.code.temporary(), Label()
            self.into(method.value, owner)
            for each in found:

                def emit(kind: InstanceClass = each) -> None:
                    if native in FUNCTIONS and not _accepts(kind, node, method.attr):
                        # Most likely another object has the method that is called.
                        self.code.emit("GIVE_BACK")
                    else:
                        self._call_method_of(node, method.attr, kind, owner, keywords, result)

                self._if_instance(owner, each, emit, end, several=len(found) > 1)
            self._call_method_of_others(node, method, keywords, owner, result)
            self.code.place(end)
            self.code.emit("MOVE", to, result)
        return True

    def _call_super(
        self,
        node: ast.Call,
        method: ast.Attribute,
        call: ast.Call,
        keywords: dict[str, ast.expr],
        to: int,
    ) -> None:
        """Emit the call of a method of super(), for the classes of which there are instances."""
        inside = inspect.getclosurevars(self.source.function).nonlocals.get("__class__")
        parameters = self.source.node.args
        names = [each.arg for each in (*parameters.posonlyargs, *parameters.args)]
        owner_of = self.scope.owner(names[0]) if names else None
        is_first = owner_of is self.scope and owner_of is not None and names[0] in owner_of.once
        if inside is None or call.args or call.keywords or not is_first:
            raise Unsupported(node, "super()", "name the class and pass the instance")
        with self.temporaries():
            owner, result, end = self.code.temporary(), self.code.temporary(), Label()
            first = ast.copy_location(ast.Name(names[0], ast.Load()), call)
            self.code.emit("MOVE", owner, self.variable(first))
            for each in self.classes.values():
                if not issubclass(each.kind, inside):
                    continue
                attribute = _behind(each.kind, inside, method.attr)

                def emit(attribute: Any = attribute) -> None:
                    function = None
                    if attribute is object.__init__ and not node.args and not keywords:
                        self.constant(None, result)
                        return
                    if isinstance(attribute, types.FunctionType):
                        function = plain_function(attribute)
                    if function is None:
                        raise Unsupported(node, f"a call of super().{method.attr}")
                    made = self.global_function(node, function)
                    self.inline(node, made, [owner, *node.args], keywords, result)

                self._if_instance(owner, each, emit, end)
            self.code.emit("GIVE_BACK")
            self.code.place(end)
            self.code.emit("MOVE", to, result)

    def _call_method_of_others(
        self,
        node: ast.Call,
        method: ast.Attribute,
        keywords: dict[str, ast.expr],
        owner: int,
        to: int,
    ) -> None:
        """Emit the call of a method for values that are no instances."""
        native = f".{method.attr}"
        mark = self.code.mark()
        try:
            if native in FUNCTIONS:
                arguments = [method.value, *node.args]
                if any(map(may_raise, [*node.args, *keywords.values()])):
                    self.require_method(method.attr, owner)
                self.call_native(node, native, arguments, keywords, to, first=owner)
                return
        except Unsupported:
            # Other arguments than those of the built-in type's method: they are for instances.
            self.code.undo(mark)
        self.code.emit("GIVE_BACK")

    def _call_method_of(
        self,
        node: ast.Call,
        name: str,
        kind: InstanceClass,
        owner: int,
        keywords: dict[str, ast.expr],
        to: int,
    ) -> None:
        attribute = kind.attribute(name)
        shown = f"{kind.kind.__name__}.{name}"
        if isinstance(attribute, types.FunctionType):
            arguments: list[ast.expr | int] = [owner, *node.args]
        elif isinstance(attribute, staticmethod):
            attribute, arguments = attribute.__func__, [*node.args]
        else:
            raise Unsupported(node, f"a call of {shown}")
        function = plain_function(attribute)
        if function is None:
            raise Unsupported(node, f"a call of {shown}")
        self.inline(node, self.global_function(node, function), arguments, keywords, to)

    def _if_instance(
        self,
        owner: int,
        kind: InstanceClass,
        emit: Callable[[], None],
        end: Label,
        *,
        several: bool = False,
    ) -> None:
        """Emit code for instances of a class, which goes on at `end`.

        Args:
            owner: register of the instance.
            kind: the class.
            emit: emits the code.
            end: where to go on.
            several: whether there are instances of others; then code that is not supported only
                gives back records with those of this class.
        """
        others = Label()
        bound = set(self.scope.bound)
        with self.temporaries():
            test = self.code.temporary()
            self.code.emit("IS_INSTANCE", test, owner, self._number_of(kind))
            self.code.emit("JUMP_UNLESS", test, others)
        self.branches += 1
        mark = self.code.mark()
        try:
            emit()
        except Unsupported as error:
            if error.fatal or not several:
                raise
            self.code.undo(mark)
            self.give_back(error)
        finally:
            self.branches -= 1
        self.code.emit("JUMP", end)
        self.code.place(others)
        self.scope.bound &= bound

    def _jump_unless_any(self, owner: int, found: list[InstanceClass], to: Label) -> None:
        """Emit a jump for what is no instance of these classes."""
        is_one = Label()
        with self.temporaries():
            test = self.code.temporary()
            for each in found:
                self.code.emit("IS_INSTANCE", test, owner, self._number_of(each))
                self.code.emit("JUMP_IF", test, is_one)
        self.code.emit("JUMP", to)
        self.code.place(is_one)

    def assign_field(self, target: ast.Attribute, register: int) -> bool:
        """Emit the assignment of a field of an instance; return whether it may be one."""
        having = self._having(target.attr)
        found = [each for each in having if target.attr in each.parameters]
        setters = [(each, _setter_of(each.attribute(target.attr))) for each in having]
        setters = [(each, function) for each, function in setters if function is not None]
        if not (found or setters) or self._is_declared(target.value):
            return False
        with self.temporaries():
            owner, end = self.value(target.value), Label()
            for each, function in setters:

                def emit(function: types.FunctionType | None = function) -> None:
                    assert function is not None
                    made = self.global_function(target, function)
                    self.inline(target, made, [owner, register], {}, self.code.temporary())

                self._if_instance(owner, each, emit, end)
            self.code.emit("SET_FIELD", owner, self.code.constant(target.attr), register)
            self.code.place(end)
        return True

    def is_instance(self, value: int, kind: type, to: int) -> bool:
        """Emit whether a value is an instance of a class; return whether programs have such."""
        found = [each for each in self.classes.values() if issubclass(each.kind, kind)]
        if instance_class(kind) is None:
            return False
        self.note_class(kind)
        end = Label()
        self.constant(False, to)
        for each in found:
            self.code.emit("IS_INSTANCE", to, value, self._number_of(each))
            self.code.emit("JUMP_IF", to, end)
        self.code.place(end)
        return True

    def _number_of(self, kind: InstanceClass) -> int:
        """Return the number of the constant that describes a class."""
        return self.code.constant(kind.description)

    def is_own_call(self, method: ast.Attribute) -> bool:
        """Whether the call of an attribute may run a function of the user, or make an instance."""
        callee = self.static(method)
        if callee is MISSING:
            return any(method.attr not in each.parameters for each in self._having(method.attr))
        is_class = isinstance(callee, type) and callee.__module__ != "builtins"
        return is_class or plain_function(getattr(callee, "__func__", callee)) is not None

    def _having(self, name: str) -> list[InstanceClass]:
        """Return the known classes that have a field, a method or a property with a name."""
        return [
            each
            for each in self.classes.values()
            if name in each.parameters or each.attribute(name) is not None
        ]

    def _is_declared(self, node: ast.expr) -> bool:
        """Whether a value belongs to a record with a declared type."""
        return self.types is not None and (
            self.class_of(node) is not None
            or self.path_of(node) is not None
            or self.typed_value(node) is not None
        )


def _accepts(kind: InstanceClass, node: ast.Call, name: str) -> bool:
    """Return whether a method of a class has parameters for the arguments of a call."""
    attribute = kind.attribute(name)
    if not isinstance(attribute, types.FunctionType | staticmethod):
        return True
    itself = [node] if isinstance(attribute, types.FunctionType) else []
    try:
        inspect.signature(attribute).bind(
            *itself, *node.args, **{each.arg: each for each in node.keywords if each.arg}
        )
    except TypeError:
        return False
    return True


def _behind(kind: type, inside: type, name: str) -> Any:
    """Return an attribute of a class as super() within one of its bases finds it."""
    following = kind.__mro__[kind.__mro__.index(inside) + 1 :]
    found = (vars(each)[name] for each in following if name in vars(each))
    return next(found, None)


def _setter_of(attribute: Any) -> types.FunctionType | None:
    """Return the function that assigns a property; None if it is none that programs can run."""
    setter = attribute.fset if isinstance(attribute, property) else None
    return None if setter is None else plain_function(setter)


def _is_dataclass(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)
