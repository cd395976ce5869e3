"""Functions of new users: experiments, appointments, devices, payments, games and places."""

import hashlib
import math
from collections import Counter
from dataclasses import astuple, dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.compiled.making import (
    hexadecimal,
    integer,
    maybe,
    moment,
    number,
    one_of,
    several,
    word,
)

STORES = {"berlin": ZoneInfo("Europe/Berlin"), "austin": ZoneInfo("America/Chicago")}
FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d %B %Y", "%m-%d-%y")
SHARE = 0.25


class Variant(NamedTuple):
    name: str
    weight: int


VARIANTS = (Variant("control", 50), Variant("blue", 30), Variant("green", 20))


def stable_hash(*parts: str) -> int:
    return int(hashlib.md5(":".join(parts).encode()).hexdigest(), 16)


def assign_variant(user: dict) -> dict:
    """Experiments: the variant of a user, always the same."""
    bucket = stable_hash("checkout", user["id"]) % 100
    for variant in VARIANTS:
        if bucket < variant.weight:
            return {"user": user["id"], "variant": variant}
        bucket -= variant.weight
    return {"user": user["id"], "variant": None}


def sample_sessions(session: dict) -> dict | None:
    """Ads: a quarter of all sessions, by a hash of their id."""
    digest = hashlib.sha256(session["id"].encode("utf-8")).digest()
    if int.from_bytes(digest[:8], "big") / 2**64 >= SHARE:
        return None
    return session


def shard_of_order(order: dict) -> dict:
    order["shard"] = int(hashlib.sha1(order["id"].encode()).hexdigest(), 16) % 16
    return order


def ramp(request: dict) -> dict:
    """Feature flags: users beyond the share keep the old feature."""
    share = int(hashlib.md5(request["user"].encode()).hexdigest(), 16) / 16**32
    return {"user": request["user"], "enabled": share < request["percent"] / 100}


def store_hours(sale: dict) -> dict:
    """Shops: the hour of a sale on the clock of the store."""
    local = datetime.fromisoformat(sale["at"]).astimezone(STORES[sale["store"]])
    return {
        "store": sale["store"],
        "local": local.isoformat(timespec="minutes"),
        "hour": local.hour,
        "weekday": local.strftime("%A"),
        "zone": local.strftime("%Z"),
    }


def business_day(event: dict) -> dict:
    """Payments: days begin at midnight in New York."""
    local = datetime.fromtimestamp(event["ts"], tz=ZoneInfo("America/New_York"))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return {"day": local.date().isoformat(), "since_midnight": event["ts"] - midnight.timestamp()}


def appointment(visit: dict) -> dict:
    """Healthcare: local times without a zone become times in UTC."""
    start = datetime.strptime(visit["start"], "%m/%d/%Y %I:%M %p")
    start = start.replace(tzinfo=STORES[visit["site"]])
    end = start + timedelta(minutes=visit["minutes"])
    return {"start": start.timestamp(), "end": end.timestamp(), "at": start.strftime("%I:%M %p")}


def parse_date(text: str) -> date | None:
    for each in FORMATS:
        try:
            return datetime.strptime(text, each).date()
        except ValueError:
            pass
    return None


def normalise_birthday(patient: dict) -> dict:
    """Healthcare: dates in several formats."""
    born = parse_date(patient["born"].strip())
    patient["born"] = born.isoformat() if born is not None else None
    return patient


def mail_line(record: dict) -> dict:
    """Logs: the times of a mail server."""
    at = datetime.strptime(record["date"], "%a, %d %b %Y %H:%M:%S %z")
    return {"at": at.isoformat(), "host": record["host"].lower()}


class Status(Enum):
    ACTIVE = "active"
    PAUSED = "paused"
    GONE = "gone"


@dataclass
class Device:
    id: str
    seen: datetime
    status: Status
    installed: date | None = None
    volts: list[float] = field(default_factory=list)


def device_health(device: Device) -> dict | None:
    """IoT: typed records with times, dates and members of an enumeration."""
    if device.status is Status.GONE:
        return None
    age = (device.seen.date() - device.installed).days if device.installed else None
    return {
        "id": device.id,
        "status": device.status,
        "seen": device.seen,
        "age": age,
        "low": any(volt < 3.3 for volt in device.volts),
        "rank": 2 if device.status == Status.ACTIVE else 1,
    }


@dataclass
class Fee:
    amount: float

    def total(self) -> float:
        return self.amount

    def label(self) -> str:
        return "fee"


@dataclass
class CardFee(Fee):
    rate: float = 0.029

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError("a refund")

    def total(self) -> float:
        return round(super().total() * (1 + self.rate) + 0.3, 2)

    def label(self) -> str:
        return f"card {super().label()}"


def payment_fee(payment: dict) -> dict:
    """Payments: classes with bases."""
    amount = payment["cents"] / 100
    try:
        fee = CardFee(amount) if payment["method"] == "card" else Fee(amount)
    except ValueError as error:
        return {"id": payment["id"], "error": str(error)}
    return {"id": payment["id"], "total": fee.total(), "label": fee.label()}


@dataclass(frozen=True)
class Place:
    lat: float
    lon: float

    def distance(self, other: "Place") -> float:
        a, b = math.radians(self.lat), math.radians(other.lat)
        half = math.sin((b - a) / 2) ** 2
        half += math.cos(a) * math.cos(b) * math.sin(math.radians(other.lon - self.lon) / 2) ** 2
        return 12742 * math.asin(math.sqrt(half))


DEPOTS = {"north": Place(53.55, 9.99), "south": Place(48.14, 11.58)}


def nearest_depot(parcel: dict) -> dict:
    """Places: the nearest of several."""
    here = Place(**parcel["to"])
    name = min(DEPOTS, key=lambda each: DEPOTS[each].distance(here))
    return {"id": parcel["id"], "depot": name, "from": astuple(DEPOTS[name])}


def leaderboard(game: dict) -> list[dict]:
    """Games: ranks with ties."""
    scores = Counter()
    for play in game["plays"]:
        scores[play["player"]] += play["points"]
    found, rank, before = [], 0, None
    for place, (player, points) in enumerate(scores.most_common(), 1):
        if points != before:
            rank, before = place, points
        found.append({"player": player, "points": points, "rank": rank})
    return found


def meter_payload(uplink: dict) -> dict:
    """IoT: a few bytes of a radio."""
    raw = bytes.fromhex(uplink["payload"])
    return {
        "device": uplink["device"],
        "temperature": int.from_bytes(raw[0:2], "big", signed=True) / 100,
        "humidity": raw[2] / 2,
        "battery": 2.0 + (raw[3] & 15) / 10,
        "alarm": bool(raw[3] & 128),
    }


def basket(cart: dict) -> dict[str, Any]:
    """Shops: totals by category and the best item."""
    totals: dict[str, float] = {}
    for item in cart["items"]:
        totals[item["category"]] = totals.get(item["category"], 0) + item["price"] * item["count"]
    best = max(cart["items"], key=lambda item: item["price"], default=None)
    return {
        "cart": cart["id"],
        "totals": {name: round(total, 2) for name, total in sorted(totals.items())},
        "best": best["category"] if best else None,
    }


_AT = moment("%Y-%m-%dT%H:%M:%S+00:00")
RECORDS = [
    (assign_variant, {"id": hexadecimal(12)}),
    (sample_sessions, {"id": hexadecimal(16), "pages": integer(1, 40)}),
    (shard_of_order, {"id": hexadecimal(10), "total": number(1, 500)}),
    (ramp, {"user": hexadecimal(8), "percent": integer(0, 100)}),
    (store_hours, {"at": _AT, "store": one_of("berlin", "austin")}),
    (business_day, {"ts": integer(1_600_000_000, 1_800_000_000)}),
    (
        appointment,
        {
            "start": moment("%m/%d/%Y %I:%M %p"),
            "site": one_of("berlin", "austin"),
            "minutes": one_of(15, 30, 60),
        },
    ),
    (
        normalise_birthday,
        {
            "id": hexadecimal(6),
            "born": one_of("1980-02-29", "31/12/1999", "1 May 1975", "12-31-88", "unknown", " "),
        },
    ),
    (mail_line, {"date": moment("%a, %d %b %Y %H:%M:%S +0200"), "host": word}),
    (
        device_health,
        {
            "id": hexadecimal(8),
            "seen": moment("%Y-%m-%dT%H:%M:%SZ"),
            "status": one_of("active", "paused", "gone"),
            "installed": maybe(moment("%Y-%m-%d"), 0.8),
            "volts": several(number(3, 4, 2), 0, 4),
        },
    ),
    (
        payment_fee,
        {"id": hexadecimal(8), "cents": integer(-500, 90_000), "method": one_of("card", "debit")},
    ),
    (nearest_depot, {"id": hexadecimal(8), "to": {"lat": number(45, 56), "lon": number(5, 15)}}),
    (leaderboard, {"plays": several({"player": word, "points": integer(0, 9)}, 0, 6)}),
    (meter_payload, {"device": hexadecimal(6), "payload": hexadecimal(8)}),
    (
        basket,
        {
            "id": hexadecimal(8),
            "items": several(
                {"category": word, "price": number(1, 90, 2), "count": integer(1, 4)}, 0, 5
            ),
        },
    ),
]
