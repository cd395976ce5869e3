"""The columns of results, from the return annotation of a processor."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import types
import typing
import uuid
from collections.abc import Iterable
from typing import Any, Final

from forstcore.formats.columns import Column, Kind

__all__ = ["column_of", "columns_of_results"]

_SCALARS: Final[dict[Any, Kind]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    datetime.datetime: "string",
    datetime.date: "string",
    datetime.time: "string",
    uuid.UUID: "string",
}
_ARRAYS: Final = (list, set, frozenset, collections.abc.Sequence, collections.abc.Set)
_SEVERAL: Final = (
    *_ARRAYS,
    tuple,
    collections.abc.Iterable,
    collections.abc.Iterator,
    collections.abc.Generator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncIterator,
    collections.abc.AsyncGenerator,
    collections.abc.Collection,
)
_WRAPPERS: Final = (typing.Annotated, typing.Required, typing.NotRequired)


def columns_of_results(hint: Any) -> Column | None:
    """Return the columns of results.

    Args:
        hint: the return annotation of a processor: the type of a result, of several, or
            None for none.

    Returns:
        A column of objects; None if the annotation does not name the members of a result.
    """
    hint = _plain(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in _SEVERAL and (origin is not tuple or set(arguments) <= {arguments[0], ...}):
        hint = _plain(arguments[0])
    found = column_of(hint)
    return found if found.kind == "object" else None


def column_of(hint: Any, around: tuple[Any, ...] = ()) -> Column:
    """Return the column for values of a type; what the type leaves open is not fixed.

    Args:
        hint: the type.
        around: the types that contain it.
    """
    hint = _plain(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SCALARS:
        return Column(_SCALARS[hint], is_fixed=True)
    if origin in (typing.Union, types.UnionType):
        return _of_alternatives(map(_plain, arguments))
    if origin is typing.Literal:
        return _of_alternatives(map(type, arguments))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _of_alternatives(type(each.value) for each in hint)
    if origin in _ARRAYS or (origin is tuple and len(arguments) == 2 and arguments[1] is ...):
        found = Column("array", is_fixed=True)
        found.item = column_of(arguments[0], around)
        return found
    if (members := _members_of(hint)) is None or hint in around:
        return Column()
    found = Column("object", is_fixed=True)
    found.members = {name: column_of(member, (*around, hint)) for name, member in members.items()}
    return found


def _plain(hint: Any) -> Any:
    """Strip aliases, annotations and None from a type: they do not matter to a column."""
    while True:
        origin = typing.get_origin(hint)
        if origin in _WRAPPERS:
            hint = typing.get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        elif origin in (typing.Union, types.UnionType):
            some = [each for each in typing.get_args(hint) if each is not type(None)]
            if len(some) != 1:
                return hint
            hint = some[0]
        else:
            return hint


def _of_alternatives(hints: Iterable[Any]) -> Column:
    kinds = {_SCALARS.get(hint) for hint in hints if hint is not type(None)}
    if kinds == {"integer", "number"}:
        return Column("number", is_fixed=True)
    if len(kinds) == 1 and (kind := kinds.pop()) is not None:
        return Column(kind, is_fixed=True)
    return Column()


def _members_of(hint: Any) -> dict[str, Any] | None:
    """Return the members of a type of objects, None for any other."""
    if not isinstance(hint, type):
        return None
    names: dict[str, str] = {}
    if dataclasses.is_dataclass(hint):
        names = {each.name: each.name for each in dataclasses.fields(hint)}
    elif hasattr(hint, "__struct_config__"):
        if hint.__struct_config__.array_like or hint.__struct_config__.tag is not None:
            return None
        names = dict(zip(hint.__struct_fields__, hint.__struct_encode_fields__, strict=True))  # type: ignore[attr-defined]
    elif not typing.is_typeddict(hint):
        return None
    try:
        hints = typing.get_type_hints(hint)
    except Exception:
        # Names that exist only for type checkers.
        return None
    if typing.is_typeddict(hint):
        return hints
    return {encoded: hints.get(name) for name, encoded in names.items()}
