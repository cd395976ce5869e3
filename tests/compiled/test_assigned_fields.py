"""Compiled processors that assign fields of their typed records."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from forstcore.compiled import NotCompiled
from tests.compiled.oracle import compile_any, same
from tests.compiled.random_values import line_of, random_value


@dataclass
class Order:
    id: int
    price: float
    count: int = 1
    total: float | None = None
    tags: list[str] = field(default_factory=list)
    note: Any = None

    @property
    def half(self) -> float:
        return self.price / 2


class Reading(msgspec.Struct, rename="camel"):
    sensor_id: int
    value: float = 2
    unit: Any = None


@dataclass(frozen=True)
class Frozen:
    id: int


class Checked(msgspec.Struct):
    id: int

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value + 1)


ORDERS: list[Any] = [
    {"id": 1, "price": 2},
    {"id": 0, "price": 2.50, "count": 7, "tags": ["é", "x"], "note": [1, {"b": 1.0}], "more": 1},
    {"id": -1, "price": 1e3, "count": 0, "total": 1, "note": "a\n"},
    {"price": -1, "id": 2, "total": None, "tags": []},
]
READINGS: list[Any] = [
    {"sensorId": 1},
    {"sensorId": 0, "value": 3, "unit": {"a": [1]}},
    {"unit": "C", "value": 1e300, "sensorId": -1, "sensor_id": 3},
]


def total(order: Order) -> Any:
    order.total = order.price * order.count
    if order.total > 10:
        order.note = "large"
        order.price += 1
    return order


def each_as_it_is(reading: Reading) -> Iterator[Any]:
    reading.unit = [reading.sensor_id]
    yield reading
    reading.sensor_id, reading.value = reading.sensor_id + 1, "x"  # type: ignore[assignment]
    yield {"reading": reading, "id": reading.sensor_id}
    try:
        reading.unit = 1 // reading.sensor_id
        reading.value = 3
    except ZeroDivisionError:
        reading.unit = None
    yield [reading, reading.value]


def lists(order: Order) -> Any:
    order.tags = [*order.tags, "x"]
    tags = order.tags
    tags.append("y")
    order.tags[:1] = []
    for order.count in range(3):
        order.tags += [f"{order.count}"]
    return [order, {"order": order, "tags": tags}] if order.id else None


def in_comprehensions(order: Order) -> Any:
    order.note = [order.price * n for n in range(order.count)]
    order.total = sum(each for each in order.note if each < order.price * 3)
    return order


def on_some_ways(order: Order) -> Any:
    if order.id < 0:
        return None
    while order.count > 3:
        order.count -= 2
        order.note = {"was": order.note}
    return order


@pytest.mark.parametrize(
    ("function", "records"),
    [
        (total, ORDERS),
        (each_as_it_is, READINGS),
        (lists, ORDERS),
        (in_comprehensions, ORDERS),
        (on_some_ways, ORDERS),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_assigned_fields_are_written(function: Any, records: list[Any]) -> None:
    assert same(function, records) == 0
    rng = random.Random(function.__name__)
    odd = []
    for _ in range(150):
        record = dict(rng.choice(records))
        record[rng.choice([*record])] = random_value(rng)
        odd.append(line_of(rng, record))
    same(function, odd)


def of_frozen(record: Frozen) -> Any:
    record.id = 3  # type: ignore[misc]
    return record


def of_another_way_to_assign(record: Checked) -> Any:
    record.id = 3
    return record


def of_undeclared_field(order: Order) -> Any:
    order.other = 3  # type: ignore[attr-defined]
    return order


def helper(order: Order) -> Any:
    return order.total


def given_to_a_helper(order: Order) -> Any:
    order.total = 3
    return helper(order)


def under_another_name(order: Order) -> Any:
    same = order
    same.total = 3
    order.total = 4
    return same


def with_property(order: Order) -> Any:
    order.price = 4
    return order.half


def in_an_inner_function(order: Order) -> Any:
    def get() -> Any:
        return order.total

    order.total = 3
    return {"total": get()}


def deleted(order: Order) -> Any:
    order.total = 3
    del order.total
    return order


def kept_for_later(order: Order) -> Any:
    results = []
    for order.count in range(2):
        results.append(order)
    return results


@pytest.mark.parametrize(
    "function",
    [
        of_frozen,
        of_another_way_to_assign,
        of_undeclared_field,
        given_to_a_helper,
        under_another_name,
        with_property,
        in_an_inner_function,
        deleted,
        kept_for_later,
    ],
)
def test_other_uses_of_the_record_stand_in_the_way(function: Any) -> None:
    assert isinstance(compile_any(function), NotCompiled)
