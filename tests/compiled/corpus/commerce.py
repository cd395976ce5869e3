"""Rules of shops, prices, fraud and advertising."""

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.compiled.making import (
    address,
    boolean,
    email,
    hexadecimal,
    integer,
    maybe,
    moment,
    name,
    number,
    one_of,
    seconds,
    several,
    unique,
    word,
)

RISKY_COUNTRIES: Final = {"XX", "YY"}
DISPOSABLE = ("mailinator.com", "trash.example")
LIMITS = {"card": 2500, "invoice": 500, "wallet": 1000}
TIERS: Final = [0, 50, 200, 1000]
DISCOUNTS: Final = [0.0, 0.02, 0.05, 0.1]
CURRENCIES = {"EUR": 1.0, "USD": 0.92, "GBP": 1.17, "JPY": 0.0061}
BUCKETS = 100


class Score(NamedTuple):
    points: int
    reason: str


class Rejected(Exception):
    pass


class Stage(Enum):
    CART = "cart"
    PAID = "paid"
    SENT = "sent"


@dataclass
class Bid:
    price: float
    floor: float
    size: str


def scores(payment: dict) -> list[Score]:
    found = []
    if payment["amount"] > LIMITS.get(payment["method"], 100):
        found.append(Score(40, "amount"))
    if payment["country"] in RISKY_COUNTRIES:
        found.append(Score(30, "country"))
    if payment["email"].lower().endswith(DISPOSABLE):
        found.append(Score(20, "email"))
    if payment.get("attempts", 1) > 3:
        found.append(Score(10 * payment["attempts"], "attempts"))
    return found


def fraud(payment: dict) -> dict:
    found = scores(payment)
    total = sum(each.points for each in found)
    return {
        "id": payment["id"],
        "score": min(total, 100),
        "reasons": [each.reason for each in found],
        "worst": max(found, key=lambda each: each.points).reason if found else None,
        "decision": "block" if total >= 70 else "review" if total >= 40 else "accept",
    }


def volume_price(item: dict) -> dict:
    tier = bisect_right(TIERS, item["quantity"]) - 1
    unit = round(item["price"] * (1 - DISCOUNTS[tier]), 4)
    return {"sku": item["sku"], "tier": tier, "total": round(unit * item["quantity"], 2)}


def checked_amount(order: dict) -> float:
    currency = order.get("currency", "EUR")
    if currency not in CURRENCIES:
        raise Rejected(f"unknown currency {currency}")
    amount = order["amount"]
    if not isinstance(amount, int | float) or amount <= 0:
        raise Rejected("amount must be positive")
    return amount * CURRENCIES[currency]


def converted(order: dict) -> dict:
    try:
        return {"id": order["id"], "eur": round(checked_amount(order), 2)}
    except Rejected as error:
        return {"id": order["id"], "rejected": str(error)}


def click_of_campaign(click: dict) -> dict | None:
    parts = urlsplit(click["url"])
    query = parse_qs(parts.query)
    if "utm_campaign" not in query:
        return None
    digest = hashlib.sha256(click["visitor"].encode()).hexdigest()
    return {
        "campaign": query["utm_campaign"][0].lower(),
        "medium": query.get("utm_medium", ["none"])[0],
        "host": parts.hostname,
        "bucket": int(digest[:8], 16) % BUCKETS,
    }


def auction(request: dict) -> dict:
    bids = [Bid(each["price"], request["floor"], each["size"]) for each in request["bids"]]
    valid = sorted((b for b in bids if b.price >= b.floor), key=lambda b: -b.price)
    if not valid:
        return {"id": request["id"], "winner": None}
    second = valid[1].price if len(valid) > 1 else request["floor"]
    return {"id": request["id"], "winner": valid[0].size, "pays": round(second + 0.01, 2)}


def delivery(order: dict) -> dict:
    try:
        stage = Stage(order["stage"])
    except ValueError as error:
        return {"id": order["id"], "error": str(error)}
    ordered = datetime.fromisoformat(order["ordered"])
    days = 1 if order["express"] else 3
    due = ordered + timedelta(days=days)
    while due.weekday() >= 5:
        due += timedelta(days=1)
    return {"id": order["id"], "stage": stage.name, "due": due.date().isoformat()}


def recommendation(view: dict) -> dict:
    seen = {each["sku"]: each for each in view["history"]}
    ranked = sorted(seen.values(), key=lambda each: (-each["views"], each["sku"]))
    best, *others = ranked or [{"sku": None, "views": 0}]
    return {"user": view["user"], "best": best["sku"], "others": [o["sku"] for o in others][:2]}


def stock(change: dict) -> dict:
    quantity = change["before"]
    log = []
    for step in change["steps"]:
        match step:
            case {"op": "in", "n": int(n)}:
                quantity += n
            case {"op": "out", "n": int(n)} if n <= quantity:
                quantity -= n
            case {"op": op}:
                log.append(f"{op}?")
            case _:
                log.append("bad step")
    return {"sku": change["sku"], "after": quantity, "log": log, "low": quantity < 5}


def subscription(event: dict) -> dict:
    try:
        plan, cycle = event["plan"].split("-")
        seats = int(event["seats"])
    except (ValueError, KeyError) as exc:
        return {"id": event["id"], "ok": False, "error": f"{type(exc).__name__}: {exc}"}
    price = {"basic": 5, "pro": 12}.get(plan, 0) * seats * (10 if cycle == "year" else 1)
    return {"id": event["id"], "ok": True, "mrr": price / 12 if cycle == "year" else price}


RECORDS = [
    (
        fraud,
        {
            "id": unique,
            "amount": number(1, 4000),
            "method": one_of("card", "invoice", "wallet", "cash"),
            "country": one_of("DE", "FR", "XX"),
            "email": one_of(email, "x@Mailinator.com"),
            "attempts": maybe(integer(1, 6)),
            "ip": address,
        },
    ),
    (volume_price, {"sku": word, "quantity": integer(1, 2000), "price": number(0, 99)}),
    (
        converted,
        {
            "id": integer(1, 999),
            "amount": one_of(number(1, 99), integer(1, 99), -1, "7"),
            "currency": maybe(one_of("EUR", "USD", "XXX")),
        },
    ),
    (
        click_of_campaign,
        {
            "url": one_of(
                "https://Shop.example/a?utm_campaign=Spring&utm_medium=mail",
                "https://shop.example/",
            ),
            "visitor": hexadecimal(16),
        },
    ),
    (
        auction,
        {
            "id": unique,
            "floor": number(0, 2),
            "bids": several({"price": number(0, 5), "size": one_of("300x250", "728x90")}, 0, 4),
        },
    ),
    (
        delivery,
        {
            "id": integer(1, 999),
            "stage": one_of("cart", "paid", "sent", "lost"),
            "ordered": moment("%Y-%m-%dT%H:%M:%S"),
            "express": boolean,
        },
    ),
    (
        recommendation,
        {"user": name, "history": several({"sku": word, "views": integer(1, 9)}, 0, 5)},
    ),
    (
        stock,
        {
            "sku": word,
            "at": seconds,
            "before": integer(0, 20),
            "steps": several(
                one_of({"op": "in", "n": 3}, {"op": "out", "n": 4}, {"op": "lost"}, {}), 0, 4
            ),
        },
    ),
    (
        subscription,
        {
            "id": integer(1, 99),
            "plan": one_of("basic-month", "pro-year", "free"),
            "seats": maybe(one_of("3", 7, "many")),
        },
    ),
]
