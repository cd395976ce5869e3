"""The classes of the user whose instances programs can make."""

from __future__ import annotations

import dataclasses
import functools
import types
from dataclasses import dataclass, field
from typing import Any

from forstcore.compiled.plain_classes import plain_class
from forstcore.compiled.source import MISSING

__all__ = [
    "InstanceClass",
    "fields_of",
    "instance_class",
    "is_constant_instance",
    "known_classes",
]

# Flags of a class; the same as in vm/instances.h.
_TUPLE, _FIXED, _WRITTEN, _PLAIN, _HAS_TRUTH, _EQUAL, _ORDERED = 1, 2, 4, 8, 16, 32, 64

# Methods that would change what the instances of a class do by themselves.
_SPECIAL = frozenset(
    f"__{name}__"
    for name in (
        *("bool", "len", "getattribute", "getattr", "new", "class_getitem"),
        *("set_name", "init_subclass", "instancecheck", "get", "set", "delete"),
    )
)
_SPECIAL_OF_TUPLES = frozenset(
    f"__{name}__"
    for name in (
        *("eq", "ne", "lt", "le", "gt", "ge", "hash", "iter", "getitem", "contains", "add"),
        *("mul", "rmul", "radd", "reversed", "init"),
    )
)
_FACTORIES = (list, dict, set)


@dataclass(frozen=True)
class InstanceClass:
    """A class whose instances programs can make.

    Attributes:
        kind: the class.
        parameters: the names of its fields, in the order of the parameters of its constructor.
        positional: how many of them may be given by position.
        defaults: constants, or MISSING, for each field; a type for an empty one of it. Of a plain
            class, what the class itself has under that name.
        description: its flags and the names, as the constant that describes it.
        post_init: what its constructor calls at the end.
        init: the constructor of a plain class, which assigns the fields.
    """

    kind: type
    parameters: tuple[str, ...]
    positional: int
    defaults: dict[str, Any]
    description: tuple[Any, ...] = field(compare=False)
    post_init: types.FunctionType | None = None
    init: types.FunctionType | None = None

    @property
    def is_tuple(self) -> bool:
        return bool(self.description[0] & _TUPLE)

    @property
    def is_plain(self) -> bool:
        """Whether it is neither a dataclass nor a NamedTuple."""
        return bool(self.description[0] & _PLAIN)

    @property
    def has_truth(self) -> bool:
        """Whether its methods decide about the truth of an instance."""
        return bool(self.description[0] & _HAS_TRUTH)

    def attribute(self, name: str) -> Any:
        """Return what the class defines under a name that is no field; None if nothing."""
        if name in self.parameters:
            return None
        for each in self.kind.__mro__:
            if name in vars(each) and each not in (object, tuple):
                return vars(each)[name]
        return None


@functools.lru_cache(maxsize=256)
def instance_class(kind: type) -> InstanceClass | None:
    """Return how to make instances of a class; None if programs cannot."""
    plain = plain_class(kind)
    if plain is not None:
        flags = _PLAIN | (_HAS_TRUTH if plain.has_truth else 0)
        names = tuple(plain.fields)
        return InstanceClass(kind, names, 0, plain.fields, (flags, *names), init=plain.init)
    if type(kind) is not type:
        return None
    own = [each for each in kind.__mro__ if each not in (object, tuple)]
    if not own or any(_SPECIAL & vars(each).keys() - {"__new__"} for each in own):
        return None
    if issubclass(kind, tuple):
        return _named_tuple(kind, own)
    return _dataclass(kind, own)


def _named_tuple(kind: type, own: list[type]) -> InstanceClass | None:
    names = getattr(kind, "_fields", None)
    # The class that has the fields is made by `collections.namedtuple`.
    made = [each for each in own if "_fields" in vars(each)]
    if not names or len(made) != 1 or "__new__" not in vars(made[0]):
        return None
    for each in own:
        changed = vars(each).keys() & (_SPECIAL_OF_TUPLES | {"__new__", "__slots__"})
        if each is not made[0] and changed - {"__slots__"}:
            return None
        if changed & _SPECIAL_OF_TUPLES:
            return None
    if any(not isinstance(each, type) or each.__module__ in ("typing",) for each in own):
        return None
    given = made[0]._field_defaults  # type: ignore[attr-defined]
    defaults = {name: given.get(name, MISSING) for name in names}
    return InstanceClass(kind, tuple(names), len(names), defaults, (_TUPLE | _FIXED, *names))


def _dataclass(kind: type, own: list[type]) -> InstanceClass | None:
    if not all(dataclasses.is_dataclass(each) and "__init__" in vars(each) for each in own):
        return None
    if any("__new__" in vars(each) or not _is_made(each, "__init__") for each in own):
        return None
    params = kind.__dataclass_params__  # type: ignore[attr-defined]
    if any("__setattr__" in vars(each) for each in own) and not params.frozen:
        return None
    fields = dataclasses.fields(kind)
    if not fields or any(not each.init for each in fields):
        return None
    every = kind.__dataclass_fields__.values()  # type: ignore[attr-defined]
    if any("InitVar" in repr(each.type) for each in every):
        return None
    in_order = [*(f for f in fields if not f.kw_only), *(f for f in fields if f.kw_only)]
    defaults: dict[str, Any] = {}
    for each in in_order:
        default = MISSING if each.default is dataclasses.MISSING else each.default
        if each.default_factory is not dataclasses.MISSING:
            if each.default_factory not in _FACTORIES:
                return None
            default = each.default_factory
        defaults[each.name] = default
    names = tuple(each.name for each in fields)
    flags = _FIXED if params.frozen else 0
    if all(each.compare for each in fields):
        flags |= _EQUAL if _is_made(kind, "__eq__") else 0
        flags |= _ORDERED if params.order else 0
    if not any(each.name.startswith("_") or each.kw_only for each in fields):
        flags |= _WRITTEN
    count = sum(not each.kw_only for each in fields)
    post_init = getattr(kind, "__post_init__", None)
    if post_init is not None and not isinstance(post_init, types.FunctionType):
        return None
    return InstanceClass(kind, tuple(defaults), count, defaults, (flags, *names), post_init)


def _is_made(kind: type, name: str) -> bool:
    """Whether a class has a method that the decorator of dataclasses has made."""
    code = getattr(vars(kind).get(name), "__code__", None)
    return code is not None and bool(code.co_filename == "<string>")


def is_constant_instance(value: Any) -> bool:
    """Whether a value is an instance whose fields cannot be assigned."""
    kind: Any = type(value)
    found = instance_class(kind)
    return found is not None and bool(found.description[0] & _FIXED)


def fields_of(instance: Any) -> list[Any]:
    """Return the values of the fields of an instance of a known class."""
    kind: Any = type(instance)
    found = instance_class(kind)
    return [] if found is None else [getattr(instance, name) for name in found.description[1:]]


def known_classes(value: Any) -> set[type]:
    """Return the classes of the instances in a constant."""
    found: set[type] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.values()
            waiting += (key for key in each if isinstance(key, tuple))
        elif isinstance(each, list | tuple | set | frozenset):
            waiting += each
        kind = type(each)
        if kind.__module__ == "builtins" or not is_constant_instance(each):
            continue
        found.add(kind)
        if not isinstance(each, tuple):
            waiting += fields_of(each)
    return found
