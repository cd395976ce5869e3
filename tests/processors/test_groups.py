"""Lines that are read in groups have the same results as each line alone."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import random
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, TypedDict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forstcore.engine.line_options import LineOptions
from forstcore.engine.runners import PythonRunner
from forstcore.engine.sequencer import Outcome
from forstcore.processors import as_processor
from forstcore.wire import OnError

MOST = 500  # Bytes of the longest line.


def runner(function: Callable[..., Any], on_error: OnError = "emit") -> PythonRunner:
    return PythonRunner(as_processor(function), LineOptions(on_error, MOST, keep_rejected=True))


def run(runner: PythonRunner, lines: bytes, number: int = 1, most: int = 1 << 30) -> list[Outcome]:
    """Process lines, in as many parts as the outcome has."""
    parts = []
    while lines:
        parts.append(runner.run(lines, number, lambda: False, most))
        lines, number = parts[-1].rest, number + parts[-1].lines
    return parts


def together(parts: list[Outcome]) -> tuple[bytes, int, int, list[Any]]:
    """Add up the outcomes of parts."""
    rejected = [line for part in parts for line in part.rejected or ()]
    return (
        b"".join(part.output for part in parts),
        sum(part.records for part in parts),
        sum(part.results for part in parts),
        rejected,
    )


def check(function: Callable[..., Any], lines: list[bytes]) -> None:
    """Process lines together and each alone, which does not read groups."""
    alone = [
        part
        for number, line in enumerate(lines, 1)
        for part in run(runner(function), line + b"\n", number)
    ]
    batch = b"".join(line + b"\n" for line in lines)
    assert together(run(runner(function), batch)) == together(alone)
    assert together(run(runner(function), batch, most=400)) == together(alone)


def same(record: dict[str, Any]) -> dict[str, Any]:
    if "refuse" in record:
        raise ValueError(record["refuse"])
    return record


@dataclasses.dataclass
class Item:
    name: str
    price: float = 0


class Unit(enum.Enum):
    GRAM = "g"
    PIECE = "p"


class Row(TypedDict, total=False):
    count: int
    unit: Unit


class Order(msgspec.Struct):
    """A Struct with fields of all types that are decoded at once."""

    id: int | str = 0
    any: Any = None
    price: float | None = None
    items: list[Item] = []
    rows: dict[str, Row] = {}
    pair: tuple[int, str] | None = None
    kind: Literal["a", "b", 3] | None = None
    at: datetime.datetime | None = None
    day: datetime.date | None = None
    key: uuid.UUID | None = None
    names: set[str] = set()
    next: Order | None = None


def typed(record: Order) -> Any:
    return {"r": repr(record)}


def item(record: Item) -> Item:
    return record


def row(record: Row) -> Row:
    return record


FUNCTIONS = [same, typed, item, row]

# Lines that make a valid array of as many objects as lines when they are joined with commas.
SPLIT = [b'{"a":[{}', b'{"b":1}]}', b"{},{}"]
SPLIT_STRING = [b'{"a":"', b'"}']
UNUSUAL = [
    b"",
    b" \t\r",
    b"\xef\xbb\xbf{}",
    b'{"id":12345678901234567890123}',
    b'{"any":-9223372036854775809}',
    b'{"n":"12345678901234567890123"}',
    b'{"n":%b%b}' % (b"[" * 240, b"]" * 240),
    b'{"n":"%b"}' % (b"x" * MOST),
    b'{"n":"%b"}' % (b"x" * (MOST - 8)),
    b'{"n":"\xff"}',
    b'{"zz":"\xff","id":1}',
    b'{"zz":"\\ud800"}',
    b'{"zz":01}',
    b'{"zz":"\x01"}',
    b'{"zz":1e999}',
    b'{"zz":NaN}',
    b"[]",
    b"1",
    b'{"a":1}}',
    b'{"a":1}{}',
    b'{"a":1,}',
    b'{"id":"a","id":2}',
    b'{"price":"a","price":2}',
    b'{"price":1,"price":"a"}',
    b'{"name":1,"name":"x"}',
    b'{"refuse":"no"}',
    *SPLIT,
    *SPLIT_STRING,
]
USUAL = [
    b"{}",
    b'{"name":"x","price":1,"count":3,"unit":"g"}',
    b' {"id" : 1 , "name":"\\u00e9\xc3\xa9", "zz":{"a":[1,2.5,null]}} \r',
    b'{"id":"x","price":-0,"items":[{"name":"a"},{"name":"b","price":1e2}]}',
    b'{"rows":{"a":{"count":1},"b":{"unit":"p"}},"pair":[1,"x"],"kind":3,"next":{"id":2}}',
    b'{"at":"2024-01-02T03:04:05.678Z","day":"2024-01-02","names":["a","b","a"]}',
    b'{"key":"00000000-0000-0000-0000-000000000005","\\u0069d":7}',
]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("unusual", [*UNUSUAL, b'{"n":1}'], ids=lambda line: repr(line[:30]))
def test_one_unusual_line_among_usual_ones(function: Callable[..., Any], unusual: bytes) -> None:
    for at in (0, 1, 47, 48, 60):
        lines = (USUAL * 15)[:61]
        lines.insert(at, unusual)
        check(function, lines)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_lines_that_complete_each_other(function: Callable[..., Any]) -> None:
    for lines in (SPLIT, SPLIT_STRING, [b"{}", *SPLIT, b"{}"], [b'{"a":1', b'"b":2}', b"{},{}"]):
        check(function, lines)
        check(function, lines * 20)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_lines_of_any_kind(function: Callable[..., Any]) -> None:
    chance = random.Random(7)
    for share in (0.01, 0.05, 0.3, 0.9):
        lines = [
            chance.choice(UNUSUAL if chance.random() < share else USUAL)
            for _ in range(chance.randrange(1, 300))
        ]
        check(function, lines)


NUMBERS = st.one_of(
    st.integers(-(2**63), 2**64 - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?\Z"),
)


@settings(max_examples=settings().max_examples * 3)
@given(st.lists(st.tuples(st.sampled_from(["id", "price", "any"]), NUMBERS), min_size=2))
def test_numbers_of_types(members: list[tuple[str, str]]) -> None:
    check(typed, [f'{{"{name}":{number}}}'.encode() for name, number in members])


class Exact(msgspec.Struct):
    price: Decimal


class Counted(msgspec.Struct):
    id: int

    def __post_init__(self) -> None:
        CALLS.append(f"made {self.id}")


CALLS: list[str] = []


def exact(record: Exact) -> Any:
    return {"price": str(record.price)}


def counted(record: Counted) -> None:
    CALLS.append(f"processed {record.id}")


def test_types_that_are_read_one_by_one() -> None:
    """A Decimal would keep the digits of the line, where it has those of a double."""
    check(exact, [b'{"price":1.10}', b'{"price":1e2}', b'{"price":"1.10"}'])
    CALLS.clear()
    run(runner(counted), b'{"id":1}\n{"id":2}\n')
    assert CALLS == ["made 1", "processed 1", "made 2", "processed 2"]


def test_results_are_written_before_the_next_record() -> None:
    """A processor may return the same object each time."""
    kept: dict[str, Any] = {"rows": []}

    def reuse(record: dict[str, Any]) -> dict[str, Any]:
        kept["rows"].append(record["id"])
        return kept

    lines = b"".join(b'{"id":%d}\n' % number for number in range(3))
    (outcome,) = run(runner(reuse), lines)
    assert outcome.output == b'{"rows":[0]}\n{"rows":[0,1]}\n{"rows":[0,1,2]}\n'


def test_a_stopped_batch_ends_before_the_next_record() -> None:
    seen: list[int] = []

    def see(record: dict[str, Any]) -> None:
        seen.append(record["id"])

    batch = b"".join(b'{"id":%d}\n' % number for number in range(200))
    runner(see).run(batch, 1, lambda: len(seen) == 70, 1 << 18)
    assert seen == list(range(70))


def test_a_failure_ends_the_batch() -> None:
    batch = b'{"id":1}\n{"refuse":"no"}\n{"id":2}\n' * 2
    (outcome,) = run(runner(same, "fail"), batch)
    assert outcome.failure is not None
    assert (outcome.failure.line, outcome.records, outcome.results) == (2, 1, 1)
    assert [json.loads(line).get("line") for line in outcome.output.splitlines()] == [None, 2]
