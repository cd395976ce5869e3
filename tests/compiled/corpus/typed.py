"""Processors whose records have a type."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypedDict

import msgspec

from forstcore import StreamingRecord
from tests.compiled.making import (
    boolean,
    email,
    hexadecimal,
    integer,
    maybe,
    name,
    number,
    one_of,
    several,
    text,
    word,
)

WORD = re.compile(r"\w+")
STEPS = {"a": 1, "b": 2}


@dataclass
class Item:
    sku: str
    price: float
    count: int = 1


@dataclass
class Order:
    id: int
    items: list[Item] = field(default_factory=list)
    note: str | None = None


class Reading(TypedDict):
    sensor: str
    value: float
    tags: list[str]


class Client(msgspec.Struct):
    country: str
    city: str = "-"


class Hit(msgspec.Struct):
    id: str
    status: int
    client: Client
    path: str = "/"


def typed_order(order: Order) -> dict | None:
    if not order.items:
        return None
    total = sum(item.price * item.count for item in order.items)
    return {
        "id": order.id,
        "total": round(total, 2),
        "first": order.items[0].sku,
        "note": order.note or "",
    }


def typed_reading(reading: Reading) -> Reading:
    return {
        "sensor": reading["sensor"].upper(),
        "value": reading["value"] * 1.5,
        "tags": [*reading["tags"], "calibrated"],
    }


def typed_hit(hit: Hit) -> dict | None:
    if hit.status < 400:
        return None
    return {
        "id": hit.id,
        "route": hit.path.partition("?")[0],
        "server": hit.status >= 500,
        "country": hit.client.country.upper(),
        "city": hit.client.city,
    }


def typed_result(hit: Hit) -> Client:
    return Client(hit.client.country.lower(), hit.client.city.strip())


@dataclass
class Payment:
    id: str
    amount: float
    currency: str = "EUR"
    fee: float = 0.0
    status: str | None = None


def typed_payment(payment: Payment) -> Payment | None:
    if payment.amount <= 0:
        return None
    payment.currency = payment.currency.upper()
    payment.fee = round(payment.amount * 0.029 + 0.3, 2)
    if payment.currency != "EUR":
        payment.fee += 1
    payment.status = "review" if payment.amount > 500 else payment.status or "ok"
    return payment


def streaming_record(record: StreamingRecord) -> dict:
    words = WORD.findall(record["data"])
    return {"id": record["id"], "words": len(words), "longest": max(words, key=len, default="")}


RECORDS = [
    (
        typed_order,
        {
            "id": integer(1, 99),
            "items": maybe(
                several({"sku": word, "price": number(0, 9), "count": maybe(integer(1, 5))}, 0, 3)
            ),
            "note": maybe(one_of(None, text(1, 3))),
        },
    ),
    (
        typed_reading,
        {"sensor": word, "value": one_of(number(0, 9), integer(0, 9)), "tags": several(name, 0, 2)},
    ),
    (
        typed_hit,
        {
            "id": hexadecimal(8),
            "status": one_of(200, 404, 500),
            "client": {"country": one_of("de", "fr"), "city": maybe(name), "vip": maybe(boolean)},
            "path": maybe("/a?b"),
            "extra": maybe(email),
        },
    ),
    (typed_result, {"id": "1", "status": 200, "client": {"country": "DE", "city": maybe(" Ulm ")}}),
    (
        typed_payment,
        {
            "id": hexadecimal(8),
            "amount": one_of(number(-9, 999), integer(0, 999)),
            "currency": maybe(one_of("eur", "EUR", "usd")),
            "status": maybe(one_of(None, "open")),
        },
    ),
    (streaming_record, {"id": hexadecimal(4), "data": one_of(text(0, 6), "größer, été!", "")}),
]
