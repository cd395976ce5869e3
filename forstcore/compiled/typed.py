"""Records with declared types: the checks before the function runs, and reading values.

msgspec validates the records of typed processors. A program makes the same checks, but gives back
records that do not pass; Python then reports msgspec's error. Declared types are known at compile
time, so an attribute of the record is a path, as a subscript is.

Python has instances where a program has only the text of the record, which may also have undeclared
members. So an object with declared members is not a value, and neither is a list or dict of such
objects: their members and items are read one by one.
"""

from __future__ import annotations

import ast
import enum
from typing import Any

from forstcore._core.program import FUNCTIONS
from forstcore.compiled.assembler import Label
from forstcore.compiled.exception_texts import ExceptionTexts
from forstcore.compiled.record_types import RecordTypes
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Path
from forstcore.compiled.type_bits import ABSENT, ANY, DICT, LIST, STR

__all__ = ["Typed", "is_none"]

_WRAPPERS = (sorted, list, tuple, reversed)
"""Functions whose result has the items of their first argument."""


class Typed(ExceptionTexts):
    """Compile operations on values with declared types."""

    types: RecordTypes | None = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._opened: set[ast.expr] = set()  # containers of which only the items are used
        self.item_types: dict[int, RecordTypes] = {}  # of registers that functions are applied to

    def check_types(self) -> None:
        """Emit the checks of the record."""
        if self.types is None:
            return
        for path, bits in self.types.checks.items():
            if bits & ANY != ANY or not bits & ABSENT:
                self.code.emit("EXPECT", self.code.path(path), bits)
            if path in self.types.literals:
                self._check_literal(path, self.types.literals[path])
            if path in self.types.dates or path in self.types.enums:
                with self.temporaries():
                    value = self.code.temporary()
                    self.code.emit("LOAD_ANY", value, self.code.path(path), self.constant(None))
                    self._check_made(value, self.types, path)
            if path in self.types.items:
                self._check_items(path, self.types)

    def _check_literal(self, path: Path, values: tuple[Any, ...]) -> None:
        with self.temporaries():
            # If the value is missing, another check has found that it may be.
            absent = self.constant(values[0])
            value = self.code.temporary()
            self.code.emit("LOAD_ANY", value, self.code.path(path), absent)
            self._expect_one_of(value, values)

    def _check_made(self, value: int, types: RecordTypes, path: Path) -> None:
        """Emit the check of the value that a date or a member of an enumeration is made of.

        It may also be None: another check decides about that.
        """
        if path in types.dates:
            self._make_date(types, path, value)
        if path in types.enums:
            values = (each.value for each in types.enums[path])
            self._expect_one_of(value, (None, *values))

    def _make_date(self, types: RecordTypes, path: Path, register: int) -> None:
        with self.temporaries():
            text = self.code.temporary()
            self.code.emit("MOVE", text, register)
            self.code.emit("CALL", register, FUNCTIONS[types.dates[path]][0], text)

    def _expect_one_of(self, value: int, values: tuple[Any, ...]) -> None:
        fine, test = Label(), self.code.temporary()
        self.code.emit("IN", test, value, self.constant(values))
        self.code.emit("JUMP_IF", test, fine)
        self.code.emit("GIVE_BACK")
        self.code.place(fine)

    def _check_items(self, path: Path, types: RecordTypes) -> None:
        with self.temporaries():
            items = self.code.temporary()
            self.code.emit("LOAD_ANY", items, self.code.path(path), self.constant(None))
            self._check_each(items, types.items[path], types.elements.get(path))

    def _check_each(self, items: int, bits: int, element: RecordTypes | None) -> None:
        """Emit the check of each item of a list, or each value of a dict, if it is one."""
        end, is_list, test = Label(), Label(), self.code.temporary()
        self.code.emit("IS_A", test, items, LIST | DICT)
        self.code.emit("JUMP_UNLESS", test, end)
        self.code.emit("IS_A", test, items, DICT)
        self.code.emit("JUMP_UNLESS", test, is_list)
        self.code.emit("VALUES", items, items)
        self.code.place(is_list)

        def check(item: int) -> None:
            self.code.emit("EXPECT_VALUE", item, bits)
            if element is not None:
                self._check_members(item, element, ())

        self.code.each(items, check)
        self.code.place(end)

    def _check_members(self, value: int, types: RecordTypes, path: Path) -> None:
        """Emit the checks of the members of an object, unless the value is none."""
        end, test = Label(), self.code.temporary()
        self.code.emit("IS_A", test, value, DICT)
        self.code.emit("JUMP_UNLESS", test, end)
        for below in types.members[path].values():
            member = self.code.temporary()
            self.code.emit("MEMBER", member, value, self.constant(below[-1]))
            self.code.emit("EXPECT_VALUE", member, types.checks[below])
            present = Label()
            self.code.emit("IS_A", test, member, ABSENT)
            self.code.emit("JUMP_IF", test, present)
            if below in types.members:
                self._check_members(member, types, below)
            if below in types.literals:
                self._expect_one_of(member, types.literals[below])
            self._check_made(member, types, below)
            if below in types.items:
                self._check_each(member, types.items[below], types.elements.get(below))
            self.code.place(present)
        self.code.place(end)

    # Values without a path: items of lists.

    def typed_value(self, node: ast.expr) -> tuple[RecordTypes, Path] | None:
        """Return the types that a value of a list, or a part of one, has in a typed record."""
        match node:
            case ast.Name(id=name):
                owner = self.scope.owner(name)
                types = None if owner is None else owner.types.get(name)
                return None if types is None else (types, ())
            case ast.Attribute(value=value, attr=attr):
                above = self.typed_value(value)
                if above is not None and above[1] in above[0].has_attributes:
                    path = above[0].members[above[1]].get(attr)
                    return None if path is None else (above[0], path)
            case ast.Subscript(value=value, slice=key) if not isinstance(key, ast.Slice):
                types = self.element_types(value)
                if types is not None:
                    return types, ()
                above = self.typed_value(value)
                if above is None or above[1] in above[0].has_attributes:
                    return None
                members = above[0].members.get(above[1], {})
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    path = members.get(key.value)
                    return None if path is None else (above[0], path)
            case ast.Call(func=ast.Name() as function, args=[value]) if (
                self.static(function) in (min, max)
                and any(each.arg == "key" for each in node.keywords)
                and all(each.arg == "key" or is_none(each.value) for each in node.keywords)
            ):
                types = self.element_types(value)
                return None if types is None else (types, ())
        return None

    def class_of(self, node: ast.expr) -> type | None:
        """Return the class of a typed record, or of an object in one; None if it is none."""
        types, path = self.types, self.path_of(node)
        if path is None:
            typed = self.typed_value(node)
            types, path = (None, None) if typed is None else typed
        return None if types is None or path is None else types.has_attributes.get(path)

    def object_or_none(self, node: ast.expr) -> int:
        """Return the register of an object that is declared to be one, or None, at a path."""
        path = self.path_of(node)
        assert path is not None
        register = self.code.temporary()
        if path:
            self.code.emit("LOAD_ANY", register, self.code.path(path), self.constant(None))
        else:
            self.code.emit("RECORD", register)
        return register

    def element_types(self, node: ast.expr) -> RecordTypes | None:
        """Return the types of the items of a container with objects of declared types."""
        match node:
            case ast.Subscript(value=value, slice=ast.Slice()):
                return self.element_types(value)
            case ast.BoolOp(op=ast.Or(), values=[value, other]) if _is_empty(other):
                return self.element_types(value)
            case ast.Call(func=ast.Name() as function, args=[value, *_]) if (
                self.static(function) in _WRAPPERS
            ):
                return self.element_types(value)
            case ast.Call(func=ast.Attribute(value=value, attr="values"), args=[], keywords=[]):
                return self.element_types(value)
        inner = self.typed_value(node)
        if inner is not None:
            return inner[0].elements.get(inner[1])
        path = self._path_got(node)
        return None if path is None or self.types is None else self.types.elements.get(path)

    def _path_got(self, node: ast.expr) -> Path | None:
        """As `path_of`, also for the method `get` of a TypedDict, whose default is empty."""
        match node:
            case ast.Call(
                func=ast.Attribute(value=owner, attr="get"), args=[ast.Constant(value=key), *rest]
            ) if not node.keywords and len(rest) < 2:
                above = self.path_of(owner)
                is_known = above is not None and self.types is not None
                if is_known and isinstance(key, str) and all(map(_is_empty, rest)):
                    assert above is not None
                    return (*above, key)
                return None
        return self.path_of(node)

    def open(self, node: ast.expr) -> None:
        """Record that only the items of a container are used here, or whether it has any."""
        self._opened.add(node)
        match node:
            case ast.Subscript(value=value, slice=ast.Slice()):
                self.open(value)
            case ast.BoolOp(op=ast.Or(), values=[value, other]) if _is_empty(other):
                self.open(value)
            case ast.Call(func=ast.Name() as function, args=[value, *_]) if self.static(
                function
            ) in (*_WRAPPERS, enumerate):
                self.open(value)
            case ast.Call(func=ast.Attribute(value=value, attr="values" | "items"), args=[]):
                self.open(value)

    def _refuse_container(self, node: ast.AST | None, path: Path, types: RecordTypes) -> None:
        if path in types.elements and node not in self._opened:
            kind = "a dict" if types.checks.get(path, LIST) & DICT else "a list"
            raise Unsupported(node, f"{kind} of objects with declared types as a whole")

    def note_types(self, target: ast.expr, iterable: ast.expr) -> None:
        """Remember the types of the variables that a loop assigns."""
        match iterable, target:
            case ast.Call(func=ast.Name() as function, args=[inner, *_]), ast.Tuple(elts=[_, item]):
                if self.static(function) is enumerate:
                    self.note_types(item, inner)
                    return
            case (
                ast.Call(func=ast.Attribute(value=inner, attr="items"), args=[], keywords=[]),
                ast.Tuple(elts=[_, item]),
            ):
                self.note_types(item, inner)
                return
        types = self._items_of(iterable)
        if types is None:
            return
        owner = self.scope.owner(target.id) if isinstance(target, ast.Name) else None
        if owner is None or not isinstance(target, ast.Name):
            raise Unsupported(target, "an object with declared types as a whole")
        owner.types[target.id] = types

    def _items_of(self, node: ast.expr) -> RecordTypes | None:
        """Return the types of the items of an iterable, also as parts of tuples."""
        match node:
            case ast.Call(func=ast.Name() as function, args=[inner, *_]) if (
                self.static(function) is enumerate
            ):
                return self._items_of(inner)
            case ast.Call(func=ast.Attribute(value=inner, attr="items"), args=[], keywords=[]):
                return self.element_types(inner)
        return self.element_types(node)

    def refuse_whole(self, node: ast.expr) -> None:
        """Refuse an object with declared members that is used as a value."""
        found = self.typed_value(node)
        if found is not None and found[1] in found[0].members:
            raise Unsupported(node, "an object with declared types as a whole")

    def typed_object(self, node: ast.expr) -> int:
        """Return the register of an object with declared members, to read one of them."""
        register = self.code.temporary()
        match node:
            case ast.Name():
                return self.variable(node)
            case ast.Attribute():
                self.load_member(node, register)
                return register
            case ast.Subscript() if self.element_types(node.value) is None:
                self.load_member(node, register)
                return register
            case ast.Subscript():
                self.open(node.value)
                items = self.value(node.value)
                self.code.emit("GET_ITEM", register, items, self.value(node.slice))
                return register
            case ast.Call():
                self.open(node.args[0])
                self.best_item(node, register)
                return register
        raise Unsupported(node, "this object with declared types")

    def best_item(self, node: ast.Call, to: int) -> None:
        """Emit a call of min or max; see comprehensions.py."""
        raise NotImplementedError

    def declared_kind(self, node: ast.expr) -> type[enum.Enum] | None:
        """Return the enumeration that a value of the record is declared to be a member of."""
        if self.types is None:
            return None
        path = self.path_of(node)
        if path is not None:
            return self.types.enums.get(path)
        found = self.typed_value(node)
        return None if found is None else found[0].enums.get(found[1])

    def load_value_of_member(self, node: ast.expr, to: int) -> None:
        """Emit code that loads the value of a declared member of an enumeration."""
        path = self.path_of(node)
        if path is not None:
            self._load(path, to)
        else:
            assert isinstance(node, ast.Attribute | ast.Subscript)
            self._load_member(node, to)

    def load_member(self, node: ast.Attribute | ast.Subscript, to: int) -> bool:
        """Emit what reads a member of an item; return whether it is one with a type."""
        if self.declared_kind(node) is not None:
            raise _member_as_value(node)
        return self._load_member(node, to)

    def _load_member(self, node: ast.Attribute | ast.Subscript, to: int) -> bool:
        found = self.typed_value(node)
        above = self.typed_value(node.value)
        has_attributes = above is not None and above[1] in above[0].has_attributes
        if isinstance(node, ast.Attribute) and has_attributes and found is None:
            raise Unsupported(node, f"the attribute {node.attr}")
        if found is None or above is None:
            return False
        types, path = found
        self._refuse_container(node, path, types)
        with self.temporaries():
            owner = self.typed_object(node.value)
            self.code.emit("MEMBER", to, owner, self.constant(path[-1]))
            end = Label()
            if path in types.defaults:
                present, test = Label(), self.code.temporary()
                self.code.emit("IS_A", test, to, ABSENT)
                self.code.emit("JUMP_UNLESS", test, present)
                # A default is unchanged, even an integer where a float is declared.
                self.constant(types.defaults[path], to)
                self.code.emit("JUMP", end)
                self.code.place(present)
            else:
                self.code.emit("CHECK", to)
            self._to_declared(types, path, to)
            self.code.place(end)
        return True

    def _to_declared(self, types: RecordTypes, path: Path, register: int) -> None:
        """Emit what makes floats of integers, and dates of text, where they are declared."""
        if path in types.floats:
            self.code.emit("TO_FLOAT", register)
        elif path in types.float_items:
            self.code.emit("ITEMS_TO_FLOAT", register)
        elif path in types.dates:
            self._make_date(types, path, register)

    def path_of(self, node: ast.expr) -> Path | None:
        types = self.types
        if types is None:
            return super().path_of(node)
        if isinstance(node, ast.Attribute):
            above = self.path_of(node.value)
            if above is None or above not in types.has_attributes:
                return None
            return types.members[above].get(node.attr)
        path = super().path_of(node)
        if path is None or not isinstance(node, ast.Subscript):
            return path
        above = path[:-1]
        if not types.has_plain_parts(above) or above in types.elements:
            return None
        if above in types.has_attributes:
            raise Unsupported(node, "a subscript of an object")
        if above in types.members and path[-1] not in types.members[above]:
            raise Unsupported(node, f"the undeclared member {path[-1]!r}")
        return path

    def has_plain_parts(self, path: Path) -> bool:
        """Whether the parts of the value at a path are where it is, and as they came."""
        return self.types is None or self.types.has_plain_parts(path)

    def get_declared(self, node: ast.Call, path: Path, to: int) -> None:
        """Emit the method `get` of an object with declared members."""
        assert self.types is not None
        is_made = path in self.types.floats or path in self.types.dates or path in self.types.enums
        if path[-1] not in self.types.members[path[:-1]] or is_made:
            raise Unsupported(node, f"get of {path[-1]!r}", "use a subscript")
        if path in self.types.members:
            raise Unsupported(node, "an object with declared types as a whole")
        self._refuse_container(node, path, self.types)
        if path in self.types.defaults:
            self.load(node, path, to)
            return
        with self.temporaries():
            otherwise = self.value(node.args[1]) if len(node.args) == 2 else self.constant(None)
            self.code.emit("LOAD_OR", to, self.code.path(path), otherwise)

    def load(self, node: ast.AST | None, path: Path, to: int) -> None:
        """Emit code that loads the value at a path."""
        types = self.types
        if types is not None and path in types.members:
            raise Unsupported(node, "an object with declared types as a whole")
        if types is not None:
            self._refuse_container(node, path, types)
            if path in types.enums:
                raise _member_as_value(node)
        self._load(path, to)

    def _load(self, path: Path, to: int) -> None:
        types = self.types
        if types is not None and path in types.defaults:
            default = types.defaults[path]
            with self.temporaries():
                if path in types.floats and type(default) is int:
                    self._load_float_or(path, default, to)
                    return
                self.code.emit("LOAD_OR", to, self.code.path(path), self.constant(default))
        elif path:
            self.load_path(path, to)
        else:
            self.code.emit("RECORD", to)
            self.keeps_record |= self.keeps_values
        if types is not None:
            self._to_declared(types, path, to)

    def _load_float_or(self, path: Path, default: int, to: int) -> None:
        """Emit code that loads a float, or its default, which may remain an integer."""
        test, is_absent, end = self.code.temporary(), Label(), Label()
        # A float that is there has been checked to be no string.
        self.code.emit("LOAD_OR", to, self.code.path(path), self.constant(""))
        self.code.emit("IS_A", test, to, STR)
        self.code.emit("JUMP_IF", test, is_absent)
        self.code.emit("TO_FLOAT", to)
        self.code.emit("JUMP", end)
        self.code.place(is_absent)
        self.constant(default, to)
        self.code.place(end)

    def constant(self, value: Any, to: int | None = None) -> int:
        """Return the register of a constant, or emit code that puts it into another one."""
        self.note_constant(value)
        if to is None:
            return self.code.constant_register(value)
        self.code.emit("CONSTANT", to, self.code.constant(value))
        return to


def _member_as_value(node: ast.AST | None) -> Unsupported:
    shown = "a value" if node is None else ast.unparse(node)
    construct = f"{shown!r} is a member of an enumeration"
    return Unsupported(node, construct, f"use its value: {shown}.value")


def _is_empty(node: ast.expr) -> bool:
    """Whether an expression is a display without items."""
    return ast.unparse(node) in ("[]", "()", "{}")


def is_none(node: ast.expr) -> bool:
    """Whether an expression is None."""
    return isinstance(node, ast.Constant) and node.value is None
