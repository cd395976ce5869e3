"""Classes of the user with an `__init__` of their own, and the attributes that they assign."""

from __future__ import annotations

import abc
import ast
import dataclasses
import sys
import types
from collections.abc import Iterator
from typing import Any

from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import MISSING, FunctionSource

__all__ = ["PlainClass", "plain_class"]

_ROOTS = (object, abc.ABC)

# Methods that change what attributes of the instances are, or run at times of their own.
_HOOKS = frozenset(
    f"__{name}__"
    for name in (
        *("getattribute", "getattr", "setattr", "delattr", "new", "del", "class"),
        *("dataclass_fields", "match_args"),
    )
)


@dataclasses.dataclass(frozen=True)
class PlainClass:
    """A class whose instances are their attributes.

    Attributes:
        fields: the attributes that its methods assign, each with the value that the class has for
            it, or MISSING.
        init: its constructor, None if it has none.
        has_truth: whether the truth of an instance is what a method of it returns.
    """

    fields: dict[str, Any]
    init: types.FunctionType | None
    has_truth: bool


def plain_class(kind: type) -> PlainClass | None:
    """Return the attributes of a class; None if its instances are more than these."""
    own = [each for each in kind.__mro__ if each not in _ROOTS]
    if type(kind) not in (type, abc.ABCMeta) or not own or not all(map(_is_plain, own)):
        return None
    if getattr(kind, "__abstractmethods__", None) or dataclasses.is_dataclass(kind):
        return None
    init: Any = _inherited(own, "__init__")
    if init is MISSING:
        init = None
    elif not isinstance(init, types.FunctionType):
        return None
    fields: dict[str, Any] = {}
    for name in _assigned(own):
        default = _inherited(own, name)
        if isinstance(default, property):
            continue
        if isinstance(default, types.MemberDescriptorType):
            default = MISSING
        if hasattr(type(default), "__set__") or hasattr(type(default), "__delete__"):
            return None  # It decides what an assignment does.
        fields[name] = default
    slots = _slots_of(own)
    if _has_slots(kind, own) and not fields.keys() <= slots:
        return None
    fields |= dict.fromkeys(sorted(slots - fields.keys()), MISSING)
    has_truth = any(_inherited(own, name) is not MISSING for name in ("__bool__", "__len__"))
    return PlainClass(fields, init, has_truth)


def _is_plain(kind: type) -> bool:
    names = vars(kind).keys()
    is_of_python = "__module__" in names  # Classes in C mostly have none of their own.
    is_of_user = kind.__module__.partition(".")[0] not in sys.stdlib_module_names
    return is_of_python and is_of_user and kind.__module__ != "builtins" and not names & _HOOKS


def _inherited(own: list[type], name: str) -> Any:
    return next((vars(each)[name] for each in own if name in vars(each)), MISSING)


def _has_slots(kind: type, own: list[type]) -> bool:
    """Whether an instance has no attributes but those that the class names."""
    return kind.__dictoffset__ == 0 and all("__slots__" in vars(each) for each in own)


def _slots_of(own: list[type]) -> set[str]:
    return {
        name
        for each in own
        for name, value in vars(each).items()
        if isinstance(value, types.MemberDescriptorType)
    }


def _assigned(own: list[type]) -> list[str]:
    """Return the attributes that methods assign to their first parameter."""
    names: dict[str, None] = {}
    for kind in reversed(own):
        for function in _functions_of(kind):
            try:
                definition = FunctionSource(function).node
            except Unsupported:
                continue  # Programs cannot run it.
            parameters = definition.args
            first = next(iter((*parameters.posonlyargs, *parameters.args)), None)
            for node in ast.walk(definition):
                match node:
                    case ast.Attribute(ast.Name(id=owner), name, ast.Store()):
                        if first is not None and owner == first.arg:
                            names[name] = None
    return list(names)


def _functions_of(kind: type) -> Iterator[types.FunctionType]:
    for value in vars(kind).values():
        parts = (value.fget, value.fset) if isinstance(value, property) else (value,)
        yield from (each for each in parts if isinstance(each, types.FunctionType))
