"""Compiled processors that take typed records."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

import msgspec
import pytest

from forstcore.compiled import NotCompiled
from forstcore.records import StreamingRecord
from tests.compiled.oracle import compile_any, same


class Request(msgspec.Struct):
    method: Literal["GET", "POST"]
    path: str
    start: float
    size: int = 0


class Log(msgspec.Struct, rename="camel"):
    trace_id: str
    request: Request
    note: str | None = None
    tags: list[str] = []
    extra: Any = None
    score: float | None = 1.5


class Out(msgspec.Struct):
    trace: str
    path: str
    start: float
    size: int
    kind: str = "log"


@dataclass
class Item:
    sku: str
    count: int = 1
    labels: dict[str, str] = field(default_factory=dict)


@dataclass
class Line:
    sku: str
    count: int
    first: str | None = None


class Row(msgspec.Struct):
    sku: str
    price: float
    count: int = 1
    origin: Item | None = None


class Order(msgspec.Struct):
    id: int
    rows: list[Row]
    by_name: dict[str, Row] = {}


class Event(TypedDict):
    id: int
    name: NotRequired[str]
    ratio: float


LOG = {
    "traceId": "a1",
    "request": {"method": "GET", "path": "/x?y", "start": 3, "size": 7, "more": True},
    "tags": ["a", "b"],
    "extra": {"deep": [1, 2.0]},
}


def struct(record: Log) -> Out:
    request = record.request
    return Out(record.trace_id, request.path, request.start, size=request.size)


def struct_members(record: Log) -> Any:
    if record.note is not None:
        return None
    return {
        "tags": record.tags,
        "first": record.tags[0] if record.tags else None,
        "deep": record.extra["deep"] if record.extra else None,
        "score": record.score,
        "get": record.request.method == "GET",
    }


def dataclasses(record: Item) -> Any:
    return [Line(record.sku, record.count), Line(record.sku, record.count, record.labels.get("k"))]


ORDER = {
    "id": 1,
    "rows": [
        {"sku": "a", "price": 3, "origin": {"sku": "o", "labels": {"a": "b"}, "more": 1}},
        {"sku": "b", "price": 1.25, "count": 4, "unknown": [1]},
    ],
    "by_name": {"x": {"sku": "c", "price": 1}},
}


def rows_of(record: Order) -> Any:
    total = sum(row.price * row.count for row in record.rows)
    for i, row in enumerate(record.rows):
        if row.origin is None:
            yield {"i": i, "sku": row.sku, "total": total}
        else:
            yield {"i": i, "sku": row.sku, "from": row.origin.sku, "count": row.origin.count}
    yield [record.rows[0].price, [each.sku for each in record.rows[1:]]]


def typed_dict(record: Event) -> Any:
    return {"id": record["id"], "name": record.get("name", "?"), "ratio": record["ratio"]}


def streaming(record: StreamingRecord) -> Any:
    return {"id": record["id"], "twice": [record["data"], record["data"]]}


class Sample(msgspec.Struct):
    at: float
    values: list[float] = []


class Series(msgspec.Struct):
    name: str
    values: list[float]
    rates: dict[str, float] = {}
    maybe: list[float | None] | None = None
    samples: list[Sample] = []
    weights: dict[str, float] | None = None


SERIES = {
    "name": "t",
    "values": [1, 2.5, -3],
    "rates": {"a": 2, "b": 0.5},
    "maybe": [None, 4, 1.5],
    "samples": [{"at": 1, "values": [2, 0.25]}, {"at": 2.5}],
    "weights": {"x": 7},
}


def floats(record: Series) -> Any:
    first = record.samples[0]
    rates = record.rates
    return {
        "values": record.values,
        "sum": sum(record.values),
        "item": [record.values[0], record.values[-1]],
        "texts": [str(value) for value in record.values],
        "rate": [record.rates.get("a", 0), rates["b"], "c" in record.rates, rates],
        "maybe": record.maybe,
        "samples": [[sample.at, sample.values] for sample in record.samples],
        "first": [first.at, first.values],
        "weights": record.weights,
    }


def float_defaults(record: Series) -> Any:
    try:
        rate = record.rates["a"]
    except KeyError:
        rate = -1
    return {"rate": rate, "x": "x" in record.rates, "get": record.rates.get("x", 1)}


ODD: list[Any] = [None, 5, -1.25, True, "x", [], [1], {}, 10**20]


def varied(record: dict[str, Any]) -> list[Any]:
    """Return a record, and others in which each member is missing or has another type."""
    found: list[Any] = [record]
    for name, value in record.items():
        found.append({k: v for k, v in record.items() if k != name})
        found.extend({**record, name: odd} for odd in ODD)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            found.extend({**record, name: [value[-1], inner]} for inner in varied(value[0]))
        if isinstance(value, dict):
            found.extend({**record, name: inner} for inner in varied(value))
    return found


@pytest.mark.parametrize(
    ("function", "record"),
    [
        (struct, LOG),
        (struct_members, LOG),
        (struct_members, {**LOG, "note": "n"}),
        (dataclasses, {"sku": "s", "count": 2, "labels": {"k": "v"}}),
        (rows_of, ORDER),
        (typed_dict, {"id": 1, "name": "n", "ratio": 2, "other": 3}),
        (streaming, {"id": "1", "data": "d"}),
        (floats, SERIES),
        (float_defaults, SERIES),
        (float_defaults, {"name": "n", "values": []}),
    ],
)
def test_typed_records_are_checked_as_msgspec_checks_them(
    function: Any, record: dict[str, Any]
) -> None:
    assert same(function, [record] * 5) == 0
    same(function, [*varied(record), b'{"id":"1","id":"2","data":"x"}'])


@pytest.mark.parametrize("zero", [b"-0", b"-0.0", b"-0e0", b"-0E-1"])
def test_an_integer_in_the_place_of_a_float_has_no_negative_zero(zero: bytes) -> None:
    line = json.dumps(SERIES).encode()
    assert same(floats, [line.replace(each, zero) for each in (b"2.5", b"0.5", b"1.5", b"7")]) == 0


class Checked(msgspec.Struct):
    n: int

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError("negative")


class Nested(msgspec.Struct):
    rows: list[list[float]]


def checked(record: Checked) -> Any:
    return {"n": record.n}


def nested(record: Nested) -> Any:
    return {"n": len(record.rows)}


def whole_item(record: Order) -> Any:
    return {"items": [row for row in record.rows if row.count > 1]}


def assigned(record: Log) -> Any:
    if not record.tags:
        record = 1  # type: ignore[assignment]
    return record


def assigned_dict(record: Event) -> Any:
    record["ratio"]
    record = {"id": record["id"], "ratio": record["ratio"]}
    return record


def changed(record: Event) -> Any:
    record.pop("name", None)
    return record


@pytest.mark.parametrize(
    ("function", "construct"),
    [
        (checked, "checks of its own"),
        (nested, "a container of List of rows"),
        (whole_item, "as a whole"),
        (assigned, "another value of 'record', which has a declared type; use another name"),
        (assigned_dict, "another value of 'record'"),
        (changed, "a change of a record of a declared type"),
    ],
)
def test_types_that_programs_cannot_check_are_named(function: Any, construct: str) -> None:
    result = compile_any(function)
    assert isinstance(result, NotCompiled)
    assert construct in str(result)
