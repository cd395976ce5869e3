"""Reading lines as values of a type: a dataclass, a TypedDict or a msgspec Struct.

The core decides which lines are valid, msgspec which objects match the type.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import inspect

from forstcore._core.orjson_parity import reads_alike
from forstcore._io.json_lines import object_of
from forstcore._io.line_reader import bounded
from forstcore._proc import PASS_ON, RecordStream
from forstcore.errors import RecordError

__all__ = ["TypedRecords"]


class TypedRecords:
    """Read lines as values of a type.

    Args:
        takes: the type.

    Raises:
        TypeError: msgspec does not support the type.

    Thread-safety: may be used from many threads at once.
    """

    def __init__(self, takes: Any) -> None:
        self._takes = takes
        _ = self._decoder

    def __getstate__(self) -> Any:
        return self._takes

    def __setstate__(self, takes: Any) -> None:
        self._takes = takes

    def read(self, line: bytes) -> Any:
        """Return the value of a line.

        Raises:
            RecordError: the line is not an object, or does not match the type.
        """
        value = object_of(line)
        try:
            return msgspec.convert(value, self._takes)
        except msgspec.ValidationError as error:
            raise RecordError("wrong_type", bounded(str(error)), 1, 0) from None

    def group_reader(self, longest: int) -> Callable[[bytes], list[Any] | None] | None:
        """Return a function that reads many lines, for the lines of one batch.

        The function returns None if one of them has to be read on its own.

        Args:
            longest: maximum length of a line in bytes.
        """
        if not self._is_decoded_alike:
            return None
        decode = self._decoder.decode_lines
        stream = RecordStream(processor=PASS_ON, max_line_size=longest)

        def read(lines: bytes) -> list[Any] | None:
            if not reads_alike(lines):
                return None
            unused = stream.lines - stream.records
            stream.feed(lines)
            if stream.lines - stream.records != unused:
                return None
            try:
                return decode(lines)
            except Exception:
                return None

        return read

    @functools.cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self._takes)

    @functools.cached_property
    def _is_decoded_alike(self) -> bool:
        return _is_decoded_alike(inspect.type_info(self._takes), set())


_SCALARS = (
    inspect.AnyType,
    inspect.NoneType,
    inspect.BoolType,
    inspect.IntType,
    inspect.FloatType,
    inspect.StrType,
    inspect.LiteralType,
    inspect.EnumType,
    inspect.DateTimeType,
    inspect.DateType,
    inspect.TimeType,
    inspect.UUIDType,
)
_ARRAYS = (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType)
_OBJECTS = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType)
_FACTORIES = (msgspec.NODEFAULT, list, dict, set)


def _is_decoded_alike(info: inspect.Type, seen: set[type]) -> bool:
    """Return whether a value decoded from JSON equals one that is converted from objects.

    A Decimal, for example, would keep the digits of the line. Types that run code of their own
    count as unlike, because the values of a group are made before the first is processed.

    Args:
        info: describes the type.
        seen: types that have been looked at, since types can be recursive.
    """
    if isinstance(info, inspect.Metadata):
        return _is_decoded_alike(info.type, seen)
    if isinstance(info, _SCALARS):
        return True
    if isinstance(info, _ARRAYS):
        return _is_decoded_alike(info.item_type, seen)
    if isinstance(info, inspect.TupleType):
        return all(_is_decoded_alike(item, seen) for item in info.item_types)
    if isinstance(info, inspect.DictType):
        return isinstance(info.key_type, inspect.StrType) and _is_decoded_alike(
            info.value_type, seen
        )
    if isinstance(info, inspect.UnionType):
        return all(_is_decoded_alike(item, seen) for item in info.types)
    if not isinstance(info, _OBJECTS):
        return False
    if info.cls in seen:
        return True
    seen.add(info.cls)
    if isinstance(info, inspect.StructType) and (info.tag is not None or info.array_like):
        return False
    return not hasattr(info.cls, "__post_init__") and all(
        field.default_factory in _FACTORIES and _is_decoded_alike(field.type, seen)
        for field in info.fields
    )
