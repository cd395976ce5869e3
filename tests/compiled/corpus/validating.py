"""Validation with many messages, schema migrations, and clean-up of untidy rows."""

import re
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

import msgspec

from tests.compiled.making import (
    boolean,
    email,
    integer,
    maybe,
    name,
    number,
    one_of,
    several,
    text,
    unique,
    word,
)

EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$", re.I)
PHONE = re.compile(r"^\+?[0-9 ()-]{7,20}$")
ZIP_CODES = {"DE": re.compile(r"\d{5}"), "NL": re.compile(r"\d{4} ?[A-Z]{2}")}
REQUIRED = ("id", "email", "country")
TRUE_WORDS = {"yes", "y", "true", "1", "on"}
RENAMED = {"fname": "first_name", "lname": "last_name", "e_mail": "email", "tel": "phone"}
NULLS = {"", "n/a", "null", "none", "-", "nan"}
MAX_LENGTH = 64


class InvalidRecord(ValueError):
    pass


def signup(form: dict) -> dict:
    errors = []
    for field in REQUIRED:
        if not form.get(field):
            errors.append(f"{field} is required")
    mail = form.get("email")
    if mail and not EMAIL.match(mail):
        errors.append(f"email {mail!r} is not valid")
    age = form.get("age")
    if age is not None:
        if not isinstance(age, int) or isinstance(age, bool):
            errors.append("age must be an integer")
        elif not 16 <= age <= 120:
            errors.append(f"age must be between 16 and 120, not {age}")
    if len(form.get("name", "")) > MAX_LENGTH:
        errors.append("name is too long")
    if errors:
        return {"id": form.get("id"), "valid": False, "errors": errors}
    return {"id": form["id"], "valid": True}


def strict_order(order: dict) -> dict:
    if order["quantity"] <= 0:
        raise InvalidRecord("quantity must be positive")
    if order["price"] < 0:
        raise InvalidRecord(f"negative price: {order['price']}")
    if order["status"] not in ("new", "paid", "shipped"):
        raise InvalidRecord(f"unknown status {order['status']!r}")
    return order


def first_error(row: dict) -> dict:
    def problem():
        if "id" not in row:
            return "no id"
        if not str(row["id"]).isdigit():
            return "id is not a number"
        if row.get("phone") and not PHONE.match(row["phone"]):
            return "bad phone"
        return None

    row["problem"] = problem()
    return row


def address_check(customer: dict) -> dict:
    address = customer["address"]
    pattern = ZIP_CODES.get(address["country"])
    ok = pattern is None or pattern.fullmatch(address["zip"]) is not None
    return {"id": customer["id"], "zip_ok": ok, "city": address["city"].strip().title()}


def zip_code(customer: dict) -> dict:
    country, code = customer["country"], customer["zip"].strip().upper()
    if country == "DE":
        ok = len(code) == 5 and code.isdigit()
    elif country == "NL":
        code = code.replace(" ", "")
        ok = len(code) == 6 and code[:4].isdigit() and code[4:].isalpha()
    else:
        ok = True
    return {"id": customer["id"], "zip": code, "ok": ok}


def rename_fields(row: dict) -> dict:
    return {RENAMED.get(key, key): value for key, value in row.items()}


def migrate_v1_to_v3(doc: dict) -> dict:
    version = doc.get("version", 1)
    if version == 1:
        first, _, last = doc.pop("name").partition(" ")
        doc["name"] = {"first": first, "last": last}
        version = 2
    if version == 2:
        doc["emails"] = [doc.pop("email")] if doc.get("email") else []
        doc.setdefault("settings", {})["newsletter"] = bool(doc.pop("newsletter", False))
        version = 3
    doc["version"] = version
    return doc


def camel_to_snake(row: dict) -> dict:
    out = {}
    for key, value in row.items():
        new = ""
        for i, char in enumerate(key):
            if char.isupper() and i > 0:
                new += "_"
            new += char.lower()
        out[new] = value
    return out


def snake_case_regex(row: dict) -> dict:
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower(): value for key, value in row.items()}


def clean_row(row: dict) -> dict:
    cleaned = {}
    for key, value in row.items():
        key = key.strip().lower().replace(" ", "_").replace("-", "_")
        if isinstance(value, str):
            value = " ".join(value.split())
            if value.lower() in NULLS:
                value = None
        cleaned[key] = value
    return cleaned


def to_number(value):
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    value = value.strip().replace(",", ".")
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        return None


def coerce_types(row: dict) -> dict:
    return {
        "id": int(row["id"]),
        "price": to_number(row.get("price")),
        "stock": to_number(row.get("stock")) or 0,
        "active": str(row.get("active", "")).strip().lower() in TRUE_WORDS,
        "tags": [t.strip() for t in row.get("tags", "").split(";") if t.strip()],
    }


def drop_empty(record: dict) -> dict:
    return {k: v for k, v in record.items() if v not in (None, "", [], {})}


def fill_defaults(record: dict) -> dict:
    defaults = {"status": "new", "priority": 3, "tags": [], "owner": None}
    return {**defaults, **record}


def schema_drift(record: dict) -> dict:
    expected = {"id": int, "name": str, "price": float, "active": bool}
    problems = []
    for field, kind in expected.items():
        if field not in record:
            problems.append(f"missing {field}")
        elif not isinstance(record[field], kind):
            problems.append(
                f"{field}: expected {kind.__name__}, got {type(record[field]).__name__}"
            )
    extra = sorted(set(record) - set(expected))
    return {"id": record.get("id"), "problems": problems, "extra": extra}


@dataclass
class Address:
    street: str
    city: str
    zip: str = ""


@dataclass
class Customer:
    id: int
    name: str
    addresses: list[Address]
    vip: bool = False


def mailing_label(customer: Customer) -> dict | None:
    if not customer.addresses:
        return None
    first = customer.addresses[0]
    lines = [customer.name.upper(), first.street, f"{first.zip} {first.city}".strip()]
    return {"id": customer.id, "label": "\n".join(lines), "priority": 1 if customer.vip else 5}


class Ticket(TypedDict):
    id: str
    severity: Literal["low", "high", "critical"]
    title: str
    assignee: NotRequired[str]


def triage(ticket: Ticket) -> dict:
    page = ticket["severity"] == "critical"
    return {
        "id": ticket["id"],
        "queue": "oncall" if page else ticket.get("assignee", "backlog"),
        "title": ticket["title"].strip().capitalize(),
        "page": page,
    }


class Point(msgspec.Struct):
    lat: float
    lon: float


class Ride(msgspec.Struct, rename="camel"):
    ride_id: str
    points: list[Point]
    surge_factor: float = 1.0


def ride_box(ride: Ride) -> dict:
    lats = [p.lat for p in ride.points]
    lons = [p.lon for p in ride.points]
    if not lats:
        return {"ride": ride.ride_id, "box": None}
    return {
        "ride": ride.ride_id,
        "box": [min(lats), min(lons), max(lats), max(lons)],
        "surge": ride.surge_factor > 1,
    }


RECORDS = [
    (
        signup,
        {
            "id": maybe(integer(1, 999), 0.9),
            "email": maybe(one_of(email, "nope", "a@b"), 0.9),
            "country": maybe("DE", 0.9),
            "age": maybe(one_of(integer(10, 130), "old", 17.5)),
            "name": maybe(name),
        },
    ),
    (
        strict_order,
        {
            "id": unique,
            "quantity": integer(1, 9),
            "price": number(0, 9),
            "status": one_of("new", "paid"),
        },
    ),
    (
        first_error,
        {
            "id": maybe(one_of(integer(1, 99), "x7"), 0.9),
            "phone": maybe(one_of("+49 30 123456", "call me")),
        },
    ),
    (
        address_check,
        {
            "id": integer(1, 999),
            "address": {
                "country": one_of("DE", "NL", "US"),
                "zip": one_of("10115", "1011 AB", "x"),
                "city": one_of("berlin ", "den haag"),
            },
        },
    ),
    (
        zip_code,
        {
            "id": integer(1, 99),
            "country": one_of("DE", "NL", "FR"),
            "zip": one_of("10115", "1011 ab ", ""),
        },
    ),
    (
        rename_fields,
        {
            "id": integer(1, 99),
            "fname": name,
            "lname": maybe(name),
            "e_mail": email,
            "tel": maybe("1"),
        },
    ),
    (
        migrate_v1_to_v3,
        one_of(
            {
                "id": 1,
                "name": one_of("Anna Lee", "Cher"),
                "email": maybe(email),
                "newsletter": maybe(1),
            },
            {
                "id": 2,
                "version": 2,
                "name": {"first": "A", "last": ""},
                "settings": maybe({"x": 1}),
            },
            {"id": 3, "version": 3, "emails": []},
        ),
    ),
    (
        camel_to_snake,
        {"userId": integer(1, 9), "firstName": name, "isVIPCustomer": boolean, "x": None},
    ),
    (
        snake_case_regex,
        {"orderId": integer(1, 9), "lineItems": [1, 2], "totalAmountEUR": 3.5, "note": word},
    ),
    (
        clean_row,
        {
            " Customer Name ": one_of("  Anna   Lee ", "N/A", name),
            "Zip-Code": one_of("10115", " - ", ""),
            "amount": maybe(number(0, 9)),
        },
    ),
    (
        coerce_types,
        {
            "id": one_of("17", 18),
            "price": maybe(one_of("12,50", "3", 4.5, "abc", None)),
            "stock": maybe(one_of("7", "", 3, 0)),
            "active": maybe(one_of("Yes", "no", 1, True)),
            "tags": maybe(one_of("a; b;;c", "")),
        },
    ),
    (
        drop_empty,
        {"id": 1, "a": one_of("", word), "b": one_of(None, 0), "c": one_of([], [1]), "d": {}},
    ),
    (
        fill_defaults,
        {"id": integer(1, 9), "status": maybe("open"), "tags": maybe(["x"]), "note": text(0, 2)},
    ),
    (
        schema_drift,
        {
            "id": maybe(one_of(1, "1"), 0.9),
            "name": maybe(name, 0.9),
            "price": one_of(1.5, 2, "3"),
            "active": maybe(boolean, 0.8),
            "colour": maybe(word),
        },
    ),
    (
        mailing_label,
        {
            "id": integer(1, 99),
            "name": name,
            "addresses": several({"street": word, "city": word, "zip": maybe("10115")}, 0, 2),
            "vip": maybe(boolean),
        },
    ),
    (
        triage,
        {
            "id": unique,
            "severity": one_of("low", "high", "critical"),
            "title": text(1, 4),
            "assignee": maybe(word),
        },
    ),
    (
        ride_box,
        {
            "rideId": unique,
            "points": several({"lat": number(-90, 90, 5), "lon": number(-180, 180, 5)}, 0, 5),
            "surgeFactor": maybe(one_of(1.0, 1.4, 2)),
        },
    ),
]

INTERPRETED = (schema_drift,)
