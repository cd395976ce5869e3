"""The declared types of a record, and of classes that results are instances of."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Path
from forstcore.compiled.tables import is_scalar, is_usual_enumeration
from forstcore.compiled.type_bits import ABSENT, ANY, BOOL, DICT, FLOAT, INT, LIST, NONE, STR

__all__ = ["RecordTypes", "field_names", "written_names"]

_MOST_DEPTH = 16
_DATES = {"DateTimeType": "<declared time>", "DateType": "<declared date>"}
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
        dates: paths to values that become dates or times, with the function that makes them.
        enums: paths to values that become members of an enumeration.
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
    dates: dict[Path, str] = field(default_factory=dict)
    enums: dict[Path, type[enum.Enum]] = field(default_factory=dict)
    defaults: dict[Path, Any] = field(default_factory=dict)

    def is_plain(self, path: Path) -> bool:
        """Whether the value at a path is written as it came."""
        changes = path in self.floats or path in self.members or path in self.elements
        return not changes and self.has_plain_parts(path)

    def has_plain_parts(self, path: Path) -> bool:
        """Whether the parts of the value at a path are where it is, and as they came."""
        changes = path in self.float_items or path in self.dates or path in self.enums
        return not changes and path not in self.defaults

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
            case "DateTimeType" | "DateType":
                if getattr(info, "tz", None) is not None:
                    raise Unsupported(None, f"the constraint tz {_at(path)}")
                self.dates[path] = _DATES[name]
                return STR
            case "EnumType":
                self.enums[path] = info.cls
                return _bits_of_members(info.cls, path)
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
        is_made = path in self.dates or path in self.enums
        if is_made and sum(type(each).__name__ != "NoneType" for each in types) > 1:
            raise Unsupported(None, f"a union with dates or enumerations {_at(path)}")
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
        elif element.items or element.literals or element.dates or element.enums:
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


def _bits_of_members(kind: type[enum.Enum], path: Path) -> int:
    """Return the type that the values of the members of an enumeration have."""
    kinds = {type(each.value) for each in kind}
    if kinds not in ({str}, {int}) or not is_usual_enumeration(kind):
        raise Unsupported(None, f"the enumeration {kind.__name__} {_at(path)}")
    return STR if kinds == {str} else INT


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
    if isinstance(value, enum.Enum):
        return value.value
    if not (is_scalar(value) or value in ([], {})):
        raise Unsupported(None, f"the default {_at(path)}")
    return value


def _at(path: Path) -> str:
    return f"of {'.'.join(path)}" if path else "of the record"


def field_names(kind: type) -> dict[str, tuple[str, Any]] | None:
    """Return how an instance of a class is written as JSON.

    Returns:
        For each parameter its name in the JSON and its default, which is MISSING if there is none;
        None if it is no class that programs can make instances of.
    """
    import dataclasses

    from forstcore.compiled.source import MISSING

    if written_names(kind) is None:
        return None
    names: dict[str, tuple[str, Any]] = {}
    if dataclasses.is_dataclass(kind):
        if "__init__" not in kind.__dict__:
            return None
        for each in dataclasses.fields(kind):
            if not each.init or each.kw_only:
                return None
            if each.default_factory is not dataclasses.MISSING:
                return None
            default = MISSING if each.default is dataclasses.MISSING else each.default
            names[each.name] = (each.name, default)
        return names
    import msgspec

    for member in msgspec.structs.fields(kind):
        if member.default_factory is not msgspec.NODEFAULT:
            return None
        default = MISSING if member.default is msgspec.NODEFAULT else member.default
        names[member.name] = (member.encode_name, default)
    return names


def written_names(kind: type) -> dict[str, str] | None:
    """Return the name in the JSON of each field of a class; None if programs cannot write it."""
    import dataclasses

    if hasattr(kind, "__post_init__"):
        return None
    if dataclasses.is_dataclass(kind):
        names = [each.name for each in dataclasses.fields(kind)]
        return None if any(name.startswith("_") for name in names) else {n: n for n in names}
    config = getattr(kind, "__struct_config__", None)
    if config is None or config.tag is not None or config.array_like or config.omit_defaults:
        return None
    import msgspec

    return {each.name: each.encode_name for each in msgspec.structs.fields(kind)}
