"""Compiled processors: lists and dicts of objects with declared types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NotRequired, TypedDict

import msgspec
import pytest

from forstcore.compiled import NotCompiled
from tests.compiled.oracle import compile_any, same


class Part(TypedDict):
    sku: str
    price: float
    tags: NotRequired[list[str]]


class Box(TypedDict):
    part: Part
    parts: list[Part]


class Order(TypedDict):
    items: list[Part]
    by_name: dict[str, Part]
    boxes: NotRequired[list[Box]]
    best: NotRequired[Part | None]


@dataclass
class Row:
    sku: str
    price: float = 1
    count: int = 2


@dataclass
class Table:
    rows: list[Row] = field(default_factory=list)
    by_name: dict[str, Row] | None = None


def totals(order: Order) -> Any:
    total = sum(part["price"] for part in order["items"])
    tags = [part["tags"] for part in order["items"] if part["price"] > 2]
    return {"total": total, "count": len(order["items"]), "tags": tags, "any": not order["items"]}


def of_dict(order: Order) -> Any:
    prices = {name: part["price"] for name, part in order["by_name"].items()}
    return [prices, sorted(part["sku"] for part in order["by_name"].values())]


def nested(order: Order) -> Iterator[Any]:
    for i, box in enumerate(order.get("boxes") or []):
        yield {"i": i, "sku": box["part"]["sku"], "price": box["part"]["price"]}
        for part in box["parts"][1:]:
            yield part["price"]


def by_key(order: Order) -> Any:
    best = max(order["items"], key=lambda part: part["price"], default=None)
    if best is None:
        return None
    worst = min(order["items"], key=price_of)["sku"]
    ordered = [part["sku"] for part in sorted(order["items"], key=price_of, reverse=True)]
    return {"best": best["sku"], "price": best["price"], "worst": worst, "ordered": ordered}


def price_of(part: Part) -> float:
    return part["price"]


def mapped(order: Order) -> Any:
    return {"prices": list(map(lambda part: part["price"], order["items"]))}  # noqa: C417


def first_of(order: Order) -> Any:
    if not order["items"]:
        return {"none": True}
    first = order["items"][0]
    last = order["items"][-1]
    return [first["sku"], last["price"], "x" in order["by_name"]]


def rows_of(table: Table) -> Any:
    if table.by_name is None:
        return {"rows": len(table.rows)}
    best = max(table.rows, key=lambda row: row.price * row.count)
    return [best.sku, best.count, [row.price for row in table.by_name.values()]]


ORDER: dict[str, Any] = {
    "items": [
        {"sku": "a", "price": 1, "tags": ["x"], "more": 1},
        {"price": 2.5, "sku": "b", "tags": []},
        {"price": 4, "sku": "c", "other": [1], "tags": ["y"]},
    ],
    "by_name": {"x": {"sku": "d", "price": 3, "z": 0}},
    "boxes": [{"part": {"sku": "e", "price": 7}, "parts": [{"sku": "f", "price": 1, "q": 1}] * 2}],
}
TABLE: dict[str, Any] = {
    "rows": [{"sku": "a"}, {"price": 3, "sku": "b", "more": 1}],
    "by_name": {"x": {"price": 2, "sku": "c"}},
}
ORDERS: list[Any] = [
    ORDER,
    {**ORDER, "items": []},
    {**ORDER, "by_name": {}, "boxes": []},
    {key: value for key, value in ORDER.items() if key != "boxes"},
]
TABLES: list[Any] = [TABLE, {}, {"rows": [{"sku": "a"}]}, {**TABLE, "by_name": {}}]
ODD: list[Any] = [
    {},
    {"items": None, "by_name": {}},
    {**ORDER, "items": [{"sku": "a"}]},
    {**ORDER, "items": [{"sku": "a", "price": "1"}]},
    {**ORDER, "items": {"sku": "a", "price": 1}},
    {**ORDER, "boxes": None},
    {**TABLE, "rows": [None]},
    {**TABLE, "rows": []},
    {**TABLE, "by_name": {"x": None}},
]


@pytest.mark.parametrize(
    ("function", "records", "given_back"),
    [
        (totals, ORDERS, 0),
        (of_dict, ORDERS, 0),
        (nested, ORDERS, 0),
        (by_key, ORDERS, 0),
        (mapped, ORDERS, 0),
        (first_of, ORDERS, 0),
        (rows_of, TABLES, 0),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_items_are_read_member_by_member(
    function: Any, records: list[Any], given_back: int
) -> None:
    assert same(function, records) == given_back
    same(function, records + ODD)


def whole_list(order: Order) -> Any:
    return {"items": order["items"]}


def whole_dict(order: Order) -> Any:
    return order.get("by_name")


def part_by_get(order: Order) -> Any:
    return order.get("best")


def item_by_get(order: Order) -> Any:
    return order["by_name"].get("x")


def item_as_path(order: Order) -> Any:
    part = order["by_name"]["x"]
    return part


def slice_of_list(order: Order) -> Any:
    return order["items"][1:]


def sum_of_lists(order: Order) -> Any:
    return order["items"] + []


def text_of_list(order: Order) -> Any:
    return json.dumps(order["items"])


def compared(order: Order) -> Any:
    return order["items"] == [{"sku": "a", "price": 1}]


def key_that_needs_all(order: Order) -> Any:
    return [part["sku"] for part in sorted(order["items"], key=len)]


def best_as_a_whole(order: Order) -> Any:
    return max(order["items"], key=lambda part: part["price"])


def pairs(order: Order) -> Any:
    return list(order["by_name"].items())


def unpacked(table: Table) -> Any:
    first, *rest = table.rows
    return [first, rest]


def rows_as_a_whole(table: Table) -> Any:
    return table.rows


@pytest.mark.parametrize(
    "function",
    [
        whole_list,
        whole_dict,
        part_by_get,
        item_by_get,
        item_as_path,
        slice_of_list,
        sum_of_lists,
        text_of_list,
        compared,
        key_that_needs_all,
        best_as_a_whole,
        pairs,
        unpacked,
        rows_as_a_whole,
    ],
)
def test_what_has_undeclared_members_is_no_value(function: Any) -> None:
    result = compile_any(function)
    assert isinstance(result, NotCompiled)
    assert "declared types" in str(result)


class Place(msgspec.Struct, rename="camel"):
    post_code: str
    lat: float = 0


@dataclass
class Visit:
    id: int
    score: float
    place: Place
    tags: list[str] = field(default_factory=list)
    note: str | None = None
    extra: Any = None
    other: Place | None = None

    @property
    def half(self) -> float:
        return self.score / 2


@dataclass
class Hidden:
    id: int
    _secret: str = "x"


def written(visit: Visit) -> Any:
    return visit.place


def in_a_result(visit: Visit) -> Any:
    if visit.id % 2:
        return [{"place": visit.place}, visit.place]
    return {"place": visit.place, "half": visit.half}


def replaced(visit: Visit) -> Any:
    yield msgspec.structs.replace(visit.place, lat=visit.score)
    place = visit.place
    yield {"was": place, "is": msgspec.structs.replace(place, post_code=f"{visit.id}")}


@dataclass
class Flat:
    id: int
    score: float = 2
    tags: list[str] = field(default_factory=list)
    extra: Any = None


def flat(record: Flat) -> Any:
    return record


def flat_as_dict(record: Flat) -> Any:
    return {"record": asdict(record), "n": record.id}


def flat_replaced(record: Flat) -> Any:
    if record.id < 0:
        return None
    return replace(record, score=record.score * 2, extra=[record.extra])


VISIT: dict[str, Any] = {
    "id": 1,
    "score": 3,
    "place": {"lat": 4, "postCode": "a", "unknown": 1},
    "unknown": [1],
    "tags": ["x"],
}
VISITS: list[Any] = [
    VISIT,
    {**VISIT, "id": 2, "place": {"postCode": "é\n"}, "note": "n"},
    {**VISIT, "other": VISIT["place"]},
    {**VISIT, "place": {}},
    {**VISIT, "place": None},
    {**VISIT, "place": {"postCode": 1}},
]
FLATS: list[Any] = [
    {"id": 1},
    {"extra": {"b": [1, 2.0], "a": "é"}, "tags": ["x", "y"], "id": 2, "score": 1, "more": {}},
    {"id": 3, "extra": [1e300, None]},
    {"id": -1},
]


@pytest.mark.parametrize(
    ("function", "records", "given_back"),
    [
        (written, VISITS, 3),
        (in_a_result, VISITS, 3),
        (replaced, VISITS, 3),
        (flat, FLATS, 0),
        (flat_as_dict, FLATS, 0),
        (flat_replaced, FLATS, 0),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_objects_are_written_field_by_field(
    function: Any, records: list[Any], given_back: int
) -> None:
    assert same(function, records) == given_back
    same(function, records + ODD)


def maybe_none(visit: Visit) -> Any:
    return {"other": visit.other}


def with_private_fields(record: Hidden) -> Any:
    return record


def with_typed_list(table: Table) -> Any:
    return table


def unknown_field(record: Flat) -> Any:
    return replace(record, unknown=1)  # type: ignore[call-arg]


def of_another_kind(visit: Visit) -> Any:
    return replace(visit.place, lat=1)


@pytest.mark.parametrize(
    "function",
    [maybe_none, with_private_fields, with_typed_list, unknown_field, of_another_kind],
)
def test_other_objects_stand_in_the_way(function: Any) -> None:
    assert isinstance(compile_any(function), NotCompiled)
