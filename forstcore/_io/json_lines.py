"""Converting JSON lines to and from Python values.

Lines are read with orjson if it is installed, and with `json` otherwise and where the two differ.
The core writes them, or `json` for unusual values. Values, bytes and errors are always the same.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import io
import json
import sys
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from forstcore._core.orjson_parity import depth_of, group_reader, reader, reads_alike
from forstcore._core.result_writer import ResultWriter
from forstcore._proc import check_object
from forstcore.errors import RecordError

try:
    import orjson
except ImportError:  # It has no wheels for free-threaded Python.
    orjson = None  # type: ignore[assignment]

__all__ = [
    "MOST_DEPTH",
    "dump_line",
    "dump_lines",
    "line_writer",
    "load_lines",
    "loads",
    "object_of",
    "objects_of",
]

MOST_DEPTH = 500
"""Maximum nesting of containers in values that Python functions receive or return."""

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def loads(text: bytes) -> Any:
    """Parse a JSON value: integers exactly, other numbers as doubles.

    Raises:
        ValueError: the text is not valid JSON.
    """
    if orjson is not None and reads_alike(text):
        return orjson.loads(text)
    try:
        # The standard library accepts invalid JSON such as NaN; the core does not.
        check_object(b'{"":%b}' % text.replace(b"\n", b" "))
        return _loads(text)
    except RecordError as error:
        raise ValueError(error.message) from None


def _loads(text: bytes) -> Any:
    """Parse valid JSON; raise RecordError if it is nested too deeply."""
    if depth_of(text) > MOST_DEPTH:
        raise RecordError("too_deep", f"more than {MOST_DEPTH} containers inside each other", 1, 0)
    return json.loads(text)


def _object_of(line: bytes) -> dict[str, Any]:
    check_object(line)
    value: dict[str, Any] = _loads(line)
    return value


object_of = reader(_object_of if orjson is None else orjson.loads, _object_of)
# Needed for pickling: processors refer to this function by its qualified name.
object_of.__module__, object_of.__qualname__ = __name__, "object_of"

objects_of: Callable[[bytes, int], list[dict[str, Any]] | None] | None = None
"""Reads many lines as objects, or returns None if one has to be read on its own.

The second argument is the maximum length of a line. None without orjson, which alone is faster
with many lines.
"""
if orjson is not None:
    objects_of = group_reader(orjson.loads)


def line_writer(most: int = sys.maxsize) -> ResultWriter:
    """Return a writer of results as lines, which is full after `most` bytes."""
    return ResultWriter(_dump_any, _fields_of, most)


def dump_line(value: object) -> bytes:
    """Write a value as a line of JSON, with LF.

    Raises:
        TypeError, ValueError: a value in it cannot be written as JSON.
    """
    writer = line_writer()
    writer.write(value)
    return writer.take()


def dump_lines(values: Iterable[object], file: io.BytesIO) -> None:
    """Append each value to a file as a JSON line; after an error, the preceding lines remain.

    Raises:
        TypeError, ValueError: as `dump_line`.
    """
    writer = line_writer()
    try:
        for value in values:
            writer.write(value)
    finally:
        file.write(writer.take())


def load_lines(lines: bytes) -> list[Any]:
    """Parse JSON lines, each terminated by LF and none of them blank.

    Raises:
        ValueError: a line is not JSON; the message shows it.
    """
    try:
        if orjson is None or lines == b"\n" or not reads_alike(lines):
            return [loads(line) for line in lines[:-1].split(b"\n")]
        # A string cannot hold a bare LF, so this is an array. One call for many lines takes
        # two thirds of the time.
        values: list[Any] = orjson.loads(b"[%b]" % lines[:-1].replace(b"\n", b","))
    except ValueError:
        for line in lines.splitlines():
            try:
                loads(line)
            except ValueError as error:
                raise ValueError(f"not a line of JSON: {line[:200]!r}: {error}") from None
        raise
    return values


def _dump_any(value: object) -> bytes:
    return _encode(_builtins(value, 0)).encode() + b"\n"


def _fields_of(kind: type) -> tuple[tuple[str, ...], bool] | None:
    """Return the fields of a type whose values are objects of just these fields.

    Returns:
        Their names, and whether the type is a Struct; None for any other type.
    """
    if issubclass(kind, str | int | float | dict | list | tuple):
        return None
    if dataclasses.is_dataclass(kind):
        return tuple(each.name for each in dataclasses.fields(kind)), False
    msgspec = sys.modules.get("msgspec")
    if msgspec and issubclass(kind, msgspec.Struct):
        config = kind.__struct_config__  # type: ignore[attr-defined]
        names: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]
        is_plain = config.tag is None and not config.array_like and not config.omit_defaults
        if is_plain and names == kind.__struct_encode_fields__:  # type: ignore[attr-defined]
            return names, True
    return None


def _builtins(value: object, depth: int) -> object:
    """Convert a value to types that the standard library's encoder supports."""
    if value is None or isinstance(value, str | int | float):
        return value
    if depth == MOST_DEPTH:
        raise ValueError(f"more than {MOST_DEPTH} containers inside each other")
    # Loops, because before Python 3.12 a comprehension adds a stack frame for each level.
    if isinstance(value, dict):
        members = {}
        for name, member in value.items():
            if not isinstance(name, str):
                raise TypeError(f"a member's name must be a string, not {type(name).__name__}")
            members[name] = _builtins(member, depth + 1)
        return members
    if isinstance(value, list | tuple):
        elements = []
        for element in value:
            elements.append(_builtins(element, depth + 1))
        return elements
    return _builtins(_plain(value), depth + 1)


def _plain(value: object) -> object:
    """Convert a dataclass, enum, date, UUID or Struct to a JSON type."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # Read with getattr: fields may exist only as class attributes, which neither orjson nor
        # msgspec finds.
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    # A Struct can exist only if msgspec has been imported.
    msgspec = sys.modules.get("msgspec")
    if msgspec and isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    raise TypeError(f"a result of type {type(value).__name__} cannot be written as JSON")
