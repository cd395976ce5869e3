"""Compiled processors: methods and properties of the classes of typed records."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import msgspec
import pytest

from forstcore.compiled import NotCompiled
from tests.compiled.oracle import compile_any, same


@dataclass
class Item:
    sku: str
    price: float
    count: int = 1

    @property
    def total(self) -> float:
        return self.price * self.count

    def discounted(self, rate: float = 0.1, *, digits: int = 2) -> float:
        return round(self.total * (1 - rate), digits)

    def label(self) -> str:
        return "item"


@dataclass
class Order:
    id: int
    items: list[Item] = field(default_factory=list)
    note: str | None = None
    VAT: ClassVar[float] = 0.19

    @property
    def is_empty(self) -> bool:
        return not self.items

    def net(self) -> float:
        return sum(item.total for item in self.items)

    def gross(self) -> float:
        return round(self.net() * (1 + self.VAT), 2)

    def best(self) -> str | None:
        best = None
        for item in self.items:
            if best is None or item.price > best:
                best = item.price
        return None if best is None else self.shown(best)

    @staticmethod
    def shown(value: float) -> str:
        return f"{value:.1f} €"


class Client(msgspec.Struct):
    name: str
    country: str = "-"

    def shown(self) -> str:
        return f"{self.name} ({self.country.upper()})"

    def constant(self) -> str:
        return "client"


class Hit(msgspec.Struct, rename="camel"):
    status_code: int
    client: Client
    other: Client | None = None

    @property
    def is_error(self) -> bool:
        return self.status_code >= 400

    def kind(self, prefix: str) -> str:
        return prefix + ("error" if self.is_error else "ok") + self.client.shown()


class Child(Hit):
    extra: int = 0

    def kind(self, prefix: str) -> str:
        return f"{prefix}{self.extra}"


def with_tax(item: Item, rate: float) -> float:
    return item.total * (1 + rate)


def order_totals(order: Order) -> Any:
    if order.is_empty:
        return {"id": order.id, "empty": True}
    return {"id": order.id, "gross": order.gross(), "best": order.best(), "vat": order.VAT}


def item_totals(order: Order) -> Any:
    return [
        {"sku": item.sku, "total": item.total, "less": item.discounted(), "label": item.label()}
        for item in order.items
        if item.discounted(0.5, digits=0) > 1
    ]


def items_in_helpers(order: Order) -> Any:
    first = order.items[0]
    return {"first": first.total, "taxes": [with_tax(item, 0.2) for item in order.items]}


def hits(hit: Hit) -> Any:
    return {"kind": hit.kind("x-"), "client": hit.client.shown(), "error": hit.is_error}


def optional_objects(hit: Hit) -> Any:
    other = hit.other.constant() if hit.other is not None else "none"
    return {"other": other, "none": hit is None, "status": hit.status_code}


def unchecked_objects(hit: Hit) -> Any:
    return {"other": hit.other.constant()}  # type: ignore[union-attr]


def inherited(child: Child) -> Any:
    return {"kind": child.kind("k"), "error": child.is_error}


ITEMS: list[Any] = [
    {"sku": "a", "price": 2.5, "count": 3},
    {"sku": "b", "price": 4},
    {"sku": "c", "price": 0.5, "count": -1, "more": None},
]
ORDERS: list[Any] = [
    {"id": 1, "items": ITEMS, "note": "n"},
    {"id": 2, "items": ITEMS[1:]},
    {"id": 3, "items": ITEMS[:1]},
    {"id": 4, "items": []},
    {"id": 5},
]
ODD_ORDERS: list[Any] = [
    {},
    {"id": "1"},
    {"id": 1, "items": [{}]},
    {"id": 1, "items": [None]},
    {"id": 1, "items": [{"sku": "a", "price": 10**400}]},
    {"id": 1, "items": [{"sku": "a", "price": "x"}]},
    "[]",
]
CLIENT = {"name": "ann", "country": "de"}
HITS: list[Any] = [
    {"statusCode": 200, "client": CLIENT, "other": CLIENT},
    {"statusCode": 500, "client": {"name": "bob"}, "extra": 7},
    {"statusCode": 404, "client": CLIENT, "other": None},
]
ODD_HITS: list[Any] = [
    {"statusCode": 200},
    {"statusCode": 200, "client": None},
    {"statusCode": 200, "client": CLIENT, "other": {}},
    {"status_code": 200, "client": CLIENT},
    "null",
]


@pytest.mark.parametrize(
    ("function", "records", "odd", "given_back"),
    [
        (order_totals, ORDERS, ODD_ORDERS, 0),
        (item_totals, ORDERS, ODD_ORDERS, 0),
        (items_in_helpers, ORDERS, ODD_ORDERS, 2),
        (hits, HITS, ODD_HITS, 0),
        (optional_objects, HITS, ODD_HITS, 0),
        (unchecked_objects, HITS, ODD_HITS, 2),
        (inherited, HITS, ODD_HITS, 0),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_methods_do_what_python_does(
    function: Any, records: list[Any], odd: list[Any], given_back: int
) -> None:
    assert same(function, records) == given_back
    same(function, [*records, *odd])


@dataclass
class Cached:
    n: int

    @cached_property
    def twice(self) -> list[int]:
        return [self.n, self.n]

    @classmethod
    def made(cls) -> int:
        return 1

    def set(self) -> None:
        self.n = 2


@dataclass
class Dynamic:
    n: int

    def __getattribute__(self, name: str) -> Any:
        return 5 if name == "twice" else super().__getattribute__(name)

    def twice(self) -> int:
        return self.n * 2


def cached(record: Cached) -> Any:
    return {"twice": record.twice}


def of_the_class(record: Cached) -> Any:
    return {"made": record.made()}


def sets(record: Cached) -> Any:
    record.set()
    return {"n": record.n}


def dynamic(record: Dynamic) -> Any:
    return {"twice": record.twice()}


@pytest.mark.parametrize("function", [cached, of_the_class, sets, dynamic])
def test_what_else_a_class_does_is_left_to_python(function: Any) -> None:
    assert isinstance(compile_any(function), NotCompiled)
