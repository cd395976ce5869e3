"""Columns from the return annotation of a processor."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict

import msgspec
import pytest

from forstcore.formats.columns import Column
from forstcore.formats.result_types import column_of, columns_of_results

Number = NewType("Number", int)


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Inner(TypedDict):
    n: int
    more: NotRequired[dict[str, Any]]


@dataclasses.dataclass
class Point:
    x: float
    tags: list[str] | None


class Renamed(msgspec.Struct, rename="camel"):
    first_name: str
    age: int | None = None


class Tree(TypedDict):
    left: Tree
    value: int


class Row(TypedDict):
    text: str
    when: datetime.datetime
    level: Level
    mode: Literal["a", "b", None]
    size: int | float
    inner: Inner
    points: tuple[Point, ...]
    anything: Any
    either: int | list[int]
    noted: Annotated[Number, "note"]


def shown(column: Column | None) -> Any:
    """Show a column as JSON; types that are not fixed have a question mark."""
    if column is None:
        return None
    if not column.is_fixed:
        return "?"
    if column.kind == "object":
        return {name: shown(each) for name, each in column.members.items()}
    return [shown(column.item)] if column.kind == "array" else column.kind


ROW = {
    "text": "string",
    "when": "string",
    "level": "string",
    "mode": "string",
    "size": "number",
    "inner": {"n": "integer", "more": "?"},
    "points": [{"x": "number", "tags": ["string"]}],
    "anything": "?",
    "either": "?",
    "noted": "integer",
}


@pytest.mark.parametrize(
    "hint",
    [Row, Row | None, list[Row], Iterator[Row | None], Generator[Row, None, None],
     AsyncIterator[Row], list[Row] | None, tuple[Row, ...]],
)  # fmt: skip
def test_the_type_of_a_result(hint: Any) -> None:
    assert shown(columns_of_results(hint)) == ROW


@pytest.mark.parametrize(
    "hint", [None, dict, dict[str, int], Any, int, list[dict[str, Any]], Row | Inner, "Row"]
)
def test_types_that_name_no_members(hint: Any) -> None:
    assert columns_of_results(hint) is None


def test_names_as_they_are_written() -> None:
    assert shown(column_of(Renamed)) == {"firstName": "string", "age": "integer"}


def test_a_type_within_itself() -> None:
    assert shown(column_of(Tree)) == {"left": "?", "value": "integer"}
