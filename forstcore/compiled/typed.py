"""Records with declared types: what is checked before the function runs, and how values are read.

msgspec validates the records of typed processors. A program makes the same checks, but gives back
what does not pass; the function then gets msgspec's error. Declared types are known beforehand, so
an attribute of the record is a path, as a subscript is.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from forstcore.compiled.assembler import Label
from forstcore.compiled.base import Base
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Path
from forstcore.compiled.tables import is_scalar
from forstcore.compiled.type_bits import ABSENT, ANY, BOOL, DICT, FLOAT, INT, LIST, NONE, STR

__all__ = ["RecordTypes", "Typed", "field_names"]

_MOST_DEPTH = 16
_SCALARS = {"NoneType": NONE, "BoolType": BOOL, "IntType": INT, "StrType": STR}


@dataclass
class RecordTypes:
    """The types of the values at paths in a record.

    Attributes:
        members: for each path to an object with declared members the path of each of these, by
            the name of its attribute or key.
        has_attributes: paths to objects whose members are attributes, with their classes.
        checks: the types that the value at a path may have, in bits.
        items: the types that the items of a list or the values of a dict may have.
        elements: the types of the items of a list, or the values of a dict, that are objects.
        literals: the values that the value at a path may have.
        floats: paths to values that become floats.
        float_items: paths to lists whose items, or dicts whose values, become floats.
        defaults: of values that may be absent.
    """

    members: dict[Path, dict[str, Path]] = field(default_factory=dict)
    has_attributes: dict[Path, type] = field(default_factory=dict)
    checks: dict[Path, int] = field(default_factory=dict)
    items: dict[Path, int] = field(default_factory=dict)
    elements: dict[Path, RecordTypes] = field(default_factory=dict)
    literals: dict[Path, tuple[Any, ...]] = field(default_factory=dict)
    floats: set[Path] = field(default_factory=set)
    float_items: set[Path] = field(default_factory=set)
    defaults: dict[Path, Any] = field(default_factory=dict)

    def is_plain(self, path: Path) -> bool:
        """Whether the value at a path is written as it came."""
        return not (path in self.floats or path in self.members) and self.has_plain_parts(path)

    def has_plain_parts(self, path: Path) -> bool:
        """Whether the parts of the value at a path are where it is, and as they came."""
        return path not in self.defaults and path not in self.float_items

    @classmethod
    def of(cls, takes: Any) -> RecordTypes:
        """Return the types of a record that an annotation declares.

        Raises:
            Unsupported: programs cannot check them.
        """
        import msgspec

        types = cls()
        types._add((), msgspec.inspect.type_info(takes))
        return types

    @classmethod
    def of_streaming_record(cls) -> RecordTypes:
        """Return the types of a `StreamingRecord`, whose members are empty where there are none."""
        types = cls()
        types.members[()] = {"id": ("id",), "data": ("data",)}
        types.checks = {("id",): STR | ABSENT, ("data",): STR | ABSENT}
        types.defaults = {("id",): "", ("data",): ""}
        return types

    def _add(self, path: Path, info: Any) -> int:
        """Add the value at a path; return the bits of the types that it may have."""
        name = type(info).__name__
        if len(path) > _MOST_DEPTH:
            raise Unsupported(None, "a type that is nested too deeply")
        _refuse_constraints(info, path)
        match name:
            case "AnyType":
                return ANY
            case "FloatType":
                self.floats.add(path)
                return FLOAT | INT
            case "UnionType":
                return self._add_union(path, info.types)
            case "ListType" | "DictType":
                return self._add_items(path, info)
            case "LiteralType":
                if not all(isinstance(each, str) for each in info.values):
                    raise Unsupported(None, f"a Literal of anything but str {_at(path)}")
                self.literals[path] = tuple(info.values)
                return ANY
            case "StructType" | "DataclassType" | "TypedDictType":
                self._add_members(path, info)
                return DICT
        if name in _SCALARS:
            return _SCALARS[name]
        raise Unsupported(None, f"the type {name.removesuffix('Type')} {_at(path)}")

    def _add_union(self, path: Path, types: tuple[Any, ...]) -> int:
        bits = 0
        for each in types:
            bits |= self._add(path, each)
        if path in self.floats and any(type(each).__name__ == "IntType" for each in types):
            self.floats.discard(path)
        if path in self.literals and len(types) > 1:
            self.literals[path] += (None,) if bits & NONE else ()
            if any(type(each).__name__ not in ("LiteralType", "NoneType") for each in types):
                raise Unsupported(None, f"a union with Literal {_at(path)}")
        return bits

    def _add_items(self, path: Path, info: Any) -> int:
        is_list = type(info).__name__ == "ListType"
        item = info.item_type if is_list else info.value_type
        if not is_list and type(info.key_type).__name__ not in ("StrType", "AnyType"):
            raise Unsupported(None, f"a dict whose keys are no str {_at(path)}")
        element = RecordTypes()
        bits = element._add((), item)
        if element.members:
            self.elements[path] = element
        elif element.floats and not element.items:
            self.float_items.add(path)
        elif element.items or element.literals:
            kind = type(item).__name__.removesuffix("Type")
            raise Unsupported(None, f"a container of {kind} {_at(path)}")
        if bits != ANY:
            self.items[path] = bits
        return LIST if is_list else DICT

    def _add_members(self, path: Path, info: Any) -> None:
        if path in self.members:
            raise Unsupported(None, f"a union of objects {_at(path)}")
        if getattr(info, "tag", None) is not None or getattr(info, "array_like", False):
            raise Unsupported(None, f"a Struct with tag or array_like {_at(path)}")
        if getattr(info, "forbid_unknown_fields", False) or hasattr(info.cls, "__post_init__"):
            raise Unsupported(None, f"a type with checks of its own {_at(path)}")
        if type(info).__name__ != "TypedDictType":
            self.has_attributes[path] = info.cls
        self.members[path] = {}
        for each in info.fields:
            below = (*path, each.encode_name)
            self.members[path][each.name] = below
            bits = self._add(below, each.type)
            if not each.required:
                bits |= ABSENT
                if path in self.has_attributes:
                    self.defaults[below] = _default_of(each, below)
            self.checks[below] = bits


def _refuse_constraints(info: Any, path: Path) -> None:
    for name in ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern"):
        if getattr(info, name, None) is not None:
            raise Unsupported(None, f"the constraint {name} {_at(path)}")


def _default_of(declared: Any, path: Path) -> Any:
    import msgspec

    value = declared.default
    if declared.default_factory is not msgspec.NODEFAULT:
        if declared.default_factory not in (list, dict):
            raise Unsupported(None, f"the default {_at(path)}")
        value = declared.default_factory()
    if not (is_scalar(value) or value in ([], {})):
        raise Unsupported(None, f"the default {_at(path)}")
    return value


def _at(path: Path) -> str:
    return f"of {'.'.join(path)}" if path else "of the record"


def field_names(kind: type) -> dict[str, tuple[str, Any]] | None:
    """Return how an instance of a class is written as JSON.

    Returns:
        For each parameter its name in the JSON and its default, which is MISSING if there is none;
        None if it is no class that programs can write.
    """
    import dataclasses

    from forstcore.compiled.source import MISSING

    if dataclasses.is_dataclass(kind):
        names: dict[str, tuple[str, Any]] = {}
        if hasattr(kind, "__post_init__") or "__init__" not in kind.__dict__:
            return None
        for each in dataclasses.fields(kind):
            if not each.init or each.kw_only or each.name.startswith("_"):
                return None
            if each.default_factory is not dataclasses.MISSING:
                return None
            default = MISSING if each.default is dataclasses.MISSING else each.default
            names[each.name] = (each.name, default)
        return names
    if not hasattr(kind, "__struct_fields__"):
        return None
    import msgspec

    config = kind.__struct_config__  # type: ignore[attr-defined]
    if config.tag is not None or config.array_like or config.omit_defaults:
        return None
    if hasattr(kind, "__post_init__"):
        return None
    names = {}
    for member in msgspec.structs.fields(kind):
        if member.default_factory is not msgspec.NODEFAULT:
            return None
        default = MISSING if member.default is msgspec.NODEFAULT else member.default
        names[member.name] = (member.encode_name, default)
    return names


class Typed(Base):
    """Compile what concerns declared types."""

    types: RecordTypes | None = None

    def check_types(self) -> None:
        """Emit the checks of the record."""
        if self.types is None:
            return
        for path, bits in self.types.checks.items():
            if bits & ANY != ANY or not bits & ABSENT:
                self.code.emit("EXPECT", self.code.path(path), bits)
            if path in self.types.literals:
                self._check_literal(path, self.types.literals[path])
            if path in self.types.items:
                self._check_items(path, self.types)

    def _check_literal(self, path: Path, values: tuple[Any, ...]) -> None:
        with self.temporaries():
            # Where there is none, another check has decided that there need not be.
            absent = self.constant(values[0])
            value = self.code.temporary()
            self.code.emit("LOAD_ANY", value, self.code.path(path), absent)
            self._expect_one_of(value, values)

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
            if below in types.items:
                self._check_each(member, types.items[below], types.elements.get(below))
            self.code.place(present)
        self.code.place(end)

    # Values that are not at a path: items of lists.

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
            case ast.Subscript(value=value) if not isinstance(node.slice, ast.Slice):
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
        """Return the types of the items of an iterable."""
        match node:
            case ast.Subscript(value=value, slice=ast.Slice()):
                return self.element_types(value)
            case ast.Call(func=ast.Name(id="sorted" | "list" | "reversed"), args=[value, *_]):
                return self.element_types(value)
        inner = self.typed_value(node)
        if inner is not None:
            return inner[0].elements.get(inner[1])
        path = self.path_of(node)
        return None if path is None or self.types is None else self.types.elements.get(path)

    def note_types(self, target: ast.expr, iterable: ast.expr) -> None:
        """Remember the types of the variables that a loop assigns."""
        match iterable:
            case ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]):
                if isinstance(target, ast.Tuple) and len(target.elts) == 2:
                    self.note_types(target.elts[1], inner)
                return
        types = self.element_types(iterable)
        if types is not None and isinstance(target, ast.Name):
            owner = self.scope.owner(target.id)
            if owner is not None:
                owner.types[target.id] = types

    def refuse_whole(self, node: ast.expr) -> None:
        """Refuse an object with declared members that is used as a value.

        Python has an instance of a class there, and the program only the text of the record.
        """
        found = self.typed_value(node)
        if found is not None and found[1] in found[0].members:
            raise Unsupported(node, "an object with declared types as a whole")

    def typed_object(self, node: ast.expr) -> int:
        """Return the register of an object with declared members, to read one of them."""
        match node:
            case ast.Name():
                return self.variable(node)
            case ast.Attribute():
                register = self.code.temporary()
                self.load_member(node, register)
                return register
            case ast.Subscript():
                register = self.code.temporary()
                items = self.value(node.value)
                self.code.emit("GET_ITEM", register, items, self.value(node.slice))
                return register
        raise Unsupported(node, "this object with declared types")

    def load_member(self, node: ast.Attribute, to: int) -> bool:
        """Emit what reads an attribute of an item; return whether it is one with a type."""
        found = self.typed_value(node)
        above = self.typed_value(node.value)
        if above is not None and above[1] in above[0].has_attributes and found is None:
            raise Unsupported(node, f"the attribute {node.attr}")
        if found is None:
            return False
        types, path = found
        with self.temporaries():
            owner = self.typed_object(node.value)
            self.code.emit("MEMBER", to, owner, self.constant(path[-1]))
            if path in types.defaults:
                present, test = Label(), self.code.temporary()
                self.code.emit("IS_A", test, to, ABSENT)
                self.code.emit("JUMP_UNLESS", test, present)
                self.constant(types.defaults[path], to)
                self.code.place(present)
            else:
                self.code.emit("CHECK", to)
            self._to_floats(types, path, to)
        return True

    def _to_floats(self, types: RecordTypes, path: Path, register: int) -> None:
        """Emit what makes floats of the integers of a value that is declared so."""
        if path in types.floats:
            self.code.emit("TO_FLOAT", register)
        elif path in types.float_items:
            self.code.emit("ITEMS_TO_FLOAT", register)

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
        if not types.has_plain_parts(above):
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
        if path[-1] not in self.types.members[path[:-1]] or path in self.types.floats:
            raise Unsupported(node, f"get of {path[-1]!r}", "use a subscript")
        if path in self.types.defaults:
            self.load(node, path, to)
            return
        with self.temporaries():
            otherwise = self.value(node.args[1]) if len(node.args) == 2 else self.constant(None)
            self.code.emit("LOAD_OR", to, self.code.path(path), otherwise)

    def load(self, node: ast.AST | None, path: Path, to: int) -> None:
        """Emit what loads the value at a path."""
        types = self.types
        if types is not None and path in types.members:
            raise Unsupported(node, "an object with declared types as a whole")
        if types is not None and path in types.defaults:
            with self.temporaries():
                default = self.constant(types.defaults[path])
                self.code.emit("LOAD_OR", to, self.code.path(path), default)
        elif path:
            self.code.emit("LOAD", to, self.code.path(path))
        else:
            self.code.emit("RECORD", to)
            self.keeps_record |= self.keeps_values
        if types is not None:
            self._to_floats(types, path, to)

    def constant(self, value: Any, to: int | None = None) -> int:
        """Return the register of a constant, or emit what puts it into another one."""
        if to is None:
            return self.code.constant_register(value)
        self.code.emit("CONSTANT", to, self.code.constant(value))
        return to
