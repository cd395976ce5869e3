"""What daily work is made of: shards, windows, queues, addresses, opening hours, versions."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import itertools
import json
import statistics
import unicodedata
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import datetime, time
from operator import attrgetter
from typing import Any

from tests.compiled.making import (
    address,
    hexadecimal,
    integer,
    maybe,
    moment,
    number,
    one_of,
    several,
    unique,
    word,
)

FNV_PRIME = 0x100000001B3
FNV_BASIS = 0xCBF29CE484222325
MASK = (1 << 64) - 1
OFFICES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("203.0.113.0/24")]
OPENS, CLOSES = time(9), time(17, 30)
SECRET = b"webhook-secret"


def fnv_of(text: str) -> int:
    number = FNV_BASIS
    for byte in text.encode():
        number ^= byte
        number = (number * FNV_PRIME) & MASK
    return number


def shard_by_fnv(event: dict) -> dict:
    number = fnv_of(event["key"])
    return {"key": event["key"], "hash": f"{number:016x}", "shard": number % 16}


def sample_by_mix(event: dict) -> dict | None:
    number = (event["id"] + 0x9E3779B97F4A7C15) & MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK
    return event if (number ^ (number >> 31)) % 100 < 40 else None


def public_id(event: dict) -> dict:
    number = int(event["id"])  # Products of a str or a list would be gigabytes.
    return {"public": number * 1580030173 & 0x7FFFFFFF, "slot": number * 2654435761 >> 24}


def window_means(event: dict) -> dict:
    window: deque[float] = deque(maxlen=3)
    means = []
    for value in event["values"]:
        window.append(value)
        means.append(round(sum(window) / len(window), 3))
    return {"sensor": event["sensor"], "means": means}


def category_tree(event: dict) -> dict:
    queue = deque([(event["root"], 0)])
    names = []
    while queue:
        node, depth = queue.popleft()
        names.append(f"{'-' * depth}{node['name']}")
        queue.extend((child, depth + 1) for child in node.get("children", []))
    return {"names": names}


def outlier_rows(event: dict) -> Any:
    values = event["values"]
    if len(values) < 2:
        return None
    mean, spread = statistics.fmean(values), statistics.stdev(values)
    for value in values:
        yield {"value": value, "is_outlier": abs(value - mean) > 2 * spread}


def spread_summary(event: dict) -> dict | None:
    values = event["values"]
    if not values:
        return None
    return {"variance": statistics.pvariance(values), "deviation": statistics.pstdev(values)}


def header_pairs(event: dict) -> list[Any]:
    pairs = itertools.zip_longest(event["names"], event["values"], fillvalue="?")
    return [{"name": name, "value": value} for name, value in pairs]


def address_zone(event: dict) -> dict:
    address = ipaddress.ip_address(event["ip"])
    if any(address in network for network in OFFICES):
        return {"ip": str(address), "zone": "office"}
    return {"ip": str(address), "zone": "private" if address.is_private else "internet"}


def opening_hours(event: dict) -> dict:
    at = datetime.fromisoformat(event["at"])
    year, week, day = at.isocalendar()
    start = datetime.combine(at.date(), OPENS, tzinfo=at.tzinfo)
    return {
        "is_open": day <= 5 and OPENS <= at.time() < CLOSES,
        "minutes": (at - start).total_seconds() // 60,
        "week": f"{year}-W{week:02d}",
    }


def signed_webhook(event: dict) -> dict:
    body = json.dumps(event["body"], separators=(",", ":"), sort_keys=True)
    due = hmac.new(SECRET, body.encode(), hashlib.sha256).hexdigest()
    return {"id": event["id"], "is_valid": hmac.compare_digest(due, event.get("signature", ""))}


def canonical_uuid(event: dict) -> dict:
    try:
        return {"id": str(uuid.UUID(event["key"]))}
    except ValueError:
        return {"id": uuid.uuid5(uuid.NAMESPACE_URL, event["key"]).hex}


def ascii_slug(event: dict) -> dict:
    plain = unicodedata.normalize("NFKD", event["key"]).encode("ascii", "ignore").decode()
    return {"slug": "-".join(plain.lower().split())}


@dataclass(order=True)
class Release:
    major: int
    minor: int = 0

    @classmethod
    def parse(cls, text: str) -> Release:
        major, _, minor = text.partition(".")
        return cls(int(major), int(minor or 0))


def latest_release(event: dict) -> dict | None:
    releases = [Release.parse(each) for each in event["releases"]]
    if not releases:
        return None
    latest = max(releases)
    oldest = sorted(releases, key=attrgetter("major", "minor"))[0]
    return {"latest": f"{latest.major}.{latest.minor}", "is_new": oldest >= Release(1, 2)}


class Cart:
    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __call__(self, rate: float) -> float:
        return sum(item["price"] for item in self.items) * rate


def cart_total(event: dict) -> dict | None:
    cart = Cart(event["items"])
    if not cart:
        return None
    return {"items": len(cart), "total": round(cart(1.19), 2)}


VALUES = several(one_of(1, 2.5, 0.1, 17, -3, 20.25), 0, 7)
NODE = {"name": word, "children": several({"name": word}, 0, 2)}

RECORDS = [
    (shard_by_fnv, {"key": one_of("user-1", "", "über", "order/99", "a" * 40)}),
    (sample_by_mix, {"id": integer(0, 2**40), "name": word}),
    (public_id, {"id": integer(0, 2**40)}),
    (window_means, {"sensor": word, "values": VALUES}),
    (category_tree, {"root": {"name": word, "children": several(NODE, 0, 3)}}),
    (outlier_rows, {"values": several(number(0, 100), 0, 9)}),
    (spread_summary, {"values": VALUES}),
    (header_pairs, {"names": several(word, 0, 4), "values": several(integer(0, 9), 0, 4)}),
    (address_zone, {"ip": address}),
    (opening_hours, {"at": moment("%Y-%m-%dT%H:%M:%S+02:00")}),
    (signed_webhook, {"id": unique, "body": {"n": integer(0, 9)}, "signature": hexadecimal(64)}),
    (canonical_uuid, {"key": one_of("x", "{" + "0a" * 16 + "}", "0A" * 16, "order-17")}),
    (ascii_slug, {"key": one_of("Green  Tea", "a-b", "")}),
    (latest_release, {"releases": several(one_of("1.2", "2", "1.10"), 0, 4)}),
    (cart_total, {"items": several({"price": number(1, 90), "note": maybe(word)}, 0, 4)}),
]
