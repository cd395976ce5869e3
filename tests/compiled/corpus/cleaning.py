"""Cleaning of tables, texts, readings and features."""

import contextlib
import math
import re
import unicodedata
from collections import Counter
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.compiled.making import (
    email,
    integer,
    joined,
    maybe,
    moment,
    name,
    number,
    one_of,
    seconds,
    several,
    text,
    unique,
    word,
)

TRUE = {"true", "yes", "y", "1", "on"}
FALSE = {"false", "no", "n", "0", "off"}
UNITS = {"psi": 6894.757, "bar": 1e5, "kpa": 1e3, "pa": 1.0}
LINE = re.compile(
    r'(?P<ip>\S+) \S+ (?P<user>\S+) \[(?P<at>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+)[^"]*" '
    r"(?P<status>\d{3}) (?P<size>\d+|-)"
)
PHONE = re.compile(r"[^\d+]")
TOKEN = re.compile(r"[a-z0-9']+")
STOP_WORDS = frozenset(["the", "a", "of", "and", "to", "for"])
BERLIN = ZoneInfo("Europe/Berlin")


class Point(NamedTuple):
    lat: float
    lon: float


class Reading(NamedTuple):
    sensor: str
    value: float
    unit: str = "pa"


def typed_row(row: dict) -> dict:
    """Convert the texts of a row, and list what is wrong with it."""
    errors = []
    clean = {"id": row["id"].strip()}
    try:
        clean["quantity"] = int(row["quantity"])
    except ValueError as error:
        errors.append(f"quantity: {error}")
    try:
        clean["price"] = float(row["price"].replace(",", "."))
    except (ValueError, AttributeError) as error:
        errors.append(f"price: {error}")
    try:
        clean["active"] = as_bool(row["active"])
    except ValueError as error:
        errors.append(str(error))
    if errors:
        return {"id": clean["id"], "errors": errors}
    return clean


def as_bool(value: str) -> bool:
    key = value.strip().lower()
    if key in TRUE:
        return True
    if key in FALSE:
        return False
    raise ValueError(f"{value!r} is not a boolean")


def required_fields(record: dict) -> dict:
    try:
        return {
            "key": f"{record['customer']['id']}:{record['sku']}",
            "amount": round(record["price"] * record["count"], 2),
        }
    except KeyError as error:
        return {"invalid": True, "missing": str(error), "field": error.args[0]}
    except TypeError:
        return {"invalid": True, "missing": None}


def csv_line(event: dict) -> dict | None:
    fields = [field.strip().strip('"') for field in event["line"].split(";")]
    if len(fields) < 3 or fields[0].startswith("#"):
        return None
    sensor, value, unit, *_ = *fields, ""
    reading = Reading(sensor, float(value), unit or "pa")
    return {"sensor": reading.sensor, "pa": reading.value * UNITS[reading.unit.lower()]}


def distance(trip: dict) -> dict:
    start = Point(trip["from"]["lat"], trip["from"]["lon"])
    end = Point(*trip["to"])
    lat1, lat2 = math.radians(start.lat), math.radians(end.lat)
    dlat, dlon = lat2 - lat1, math.radians(end.lon - start.lon)
    a = math.sin(dlat / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(dlon / 2) ** 2
    km = 2 * 6371 * math.asin(math.sqrt(a))
    return {"trip": trip["id"], "km": round(km, 1), "start": start, "end": list(end)}


def access_line(entry: dict) -> dict:
    match = LINE.match(entry["message"])
    if match is None:
        raise ValueError("no access log line: " + entry["message"][:20])
    fields = match.groupdict()
    fields["status"] = int(fields["status"])
    fields["size"] = 0 if fields["size"] == "-" else int(fields["size"])
    at = datetime.strptime(fields.pop("at"), "%d/%b/%Y:%H:%M:%S %z")
    return {"at": at.astimezone(UTC).isoformat(), **fields}


def hour_in_berlin(event: dict) -> dict:
    at = datetime.fromtimestamp(event["ts"], BERLIN)
    return {"id": event["id"], "hour": at.hour, "weekday": at.strftime("%a"), "at": at.isoformat()}


def normalized_name(person: dict) -> dict:
    text = unicodedata.normalize("NFKD", person["name"])
    plain = "".join(each for each in text if not unicodedata.combining(each))
    return {"id": person["id"], "key": re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")}


def features(document: dict) -> dict:
    tokens = [each for each in TOKEN.findall(document["text"].lower()) if each not in STOP_WORDS]
    counts = Counter(tokens)
    total = sum(counts.values()) or 1
    entropy = -sum(n / total * math.log2(n / total) for n in counts.values())
    return {
        "id": document["id"],
        "tokens": len(tokens),
        "unique": len(counts),
        "top": [token for token, _ in counts.most_common(3)],
        "entropy": round(entropy, 4),
        "bigrams": sorted({f"{a}_{b}" for a, b in zip(tokens, tokens[1:], strict=False)})[:5],
        "upper": round(sum(map(str.isupper, document["text"])) / (len(document["text"]) or 1), 3),
    }


def session_key(hit: dict) -> dict:
    minutes = hit["ts"] // 60
    bucket = minutes - minutes % 30
    client = hit.get("user") or f"{hit['ip']}|{hit['agent'][:20]}"
    return {**hit, "session": f"{client}@{bucket:08x}", "new": hit.get("seq", 0) == 0}


def masked(person: dict) -> dict:
    local, _, domain = person["email"].rpartition("@")
    phone = PHONE.sub("", person.get("phone") or "")
    born = None
    with contextlib.suppress(ValueError, KeyError):
        born = datetime.fromisoformat(person["born"]).year // 10 * 10
    return {
        "id": person["id"],
        "email": f"{local[:1]}{'*' * max(len(local) - 1, 0)}@{domain}",
        "phone": f"{phone[:3]}…{phone[-2:]}" if len(phone) > 6 else None,
        "decade": born,
        "zip": person.get("zip", "")[:2].ljust(5, "x"),
    }


def invoice_total(invoice: dict) -> dict:
    net = sum(Decimal(line["price"]) * line["count"] for line in invoice["lines"])
    tax = (net * Decimal("0.19")).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return {"id": invoice["id"], "net": str(net), "tax": str(tax), "gross": str(net + tax)}


INTERPRETED = (normalized_name,)

RECORDS = [
    (
        typed_row,
        {
            "id": word,
            "quantity": one_of("1", " 12", "x", ""),
            "price": one_of("1,50", "2.75", "free"),
            "active": one_of("yes", "No", "1", "maybe"),
        },
    ),
    (
        required_fields,
        {
            "customer": one_of({"id": 7}, {"id": 12}, {}),
            "sku": maybe(word, 0.9),
            "price": one_of(2.5, 10, None),
            "count": integer(1, 9),
        },
    ),
    (csv_line, {"line": one_of("t1; 1.5; psi", '"t2";3', "# comment;;", "t3;2e3;kPa;x")}),
    (
        distance,
        {
            "id": integer(1, 999),
            "from": {"lat": number(-80, 80, 4), "lon": number(-180, 180, 4)},
            "to": [52.52, 13.405],
        },
    ),
    (
        access_line,
        {
            "message": one_of(
                '10.0.0.7 - ann [02/Mar/2026:10:11:12 +0100] "GET /cart?x=1 HTTP/1.1" 200 512',
                '10.0.0.8 - - [02/Mar/2026:23:59:59 -0500] "POST /login HTTP/2" 302 -',
            )
        },
    ),
    (hour_in_berlin, {"id": unique, "ts": seconds}),
    (normalized_name, {"id": integer(1, 99), "name": name}),
    (features, {"id": integer(1, 99), "text": text(3, 20)}),
    (
        session_key,
        {
            "ts": seconds,
            "ip": "10.1.2.3",
            "agent": joined(" ", word, 2, 6),
            "user": maybe(word),
            "seq": maybe(integer(0, 3)),
        },
    ),
    (
        masked,
        {
            "id": integer(1, 99),
            "email": email,
            "phone": maybe(one_of("+49 (30) 1234-567", "030/1", None)),
            "born": maybe(one_of("1984-05-06", "unknown", moment("%Y-%m-%d"))),
            "zip": maybe(one_of("10115", "9")),
        },
    ),
    (
        invoice_total,
        {
            "id": integer(1, 99),
            "lines": several({"price": one_of("1.99", "10"), "count": integer(1, 5)}, 1, 3),
        },
    ),
]
