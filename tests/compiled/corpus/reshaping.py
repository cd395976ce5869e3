"""Flattening, renaming, defaults, coercion, templates."""

import re

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

RENAMED = {"fname": "first_name", "lname": "last_name", "dob": "born", "tel": "phone"}
KEPT = ["id", "name", "email", "plan"]
DEFAULTS = {"theme": "light", "language": "en", "page_size": 25, "beta": False}
CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")
TRUE = {"1", "true", "yes", "y", "on"}
GREETING = "Hello {name}, your {plan} plan has {left} days left"
TYPES = {"age": int, "height": float, "zip": str}


def flatten(record: dict) -> dict:
    flat = {}
    for key, value in record.items():
        if isinstance(value, dict):
            for inner, leaf in value.items():
                flat[f"{key}_{inner}"] = leaf
        elif isinstance(value, list):
            flat[key] = ",".join(str(each) for each in value)
        else:
            flat[key] = value
    return flat


def rename_columns(row: dict) -> dict:
    return {RENAMED.get(key, key): value for key, value in row.items()}


def project(row: dict) -> dict:
    return {key: row[key] for key in KEPT if key in row}


def drop_nulls(row: dict) -> dict | None:
    kept = {key: value for key, value in row.items() if value not in (None, "", [])}
    return kept or None


def with_defaults(settings: dict) -> dict:
    merged = DEFAULTS | settings
    merged["page_size"] = max(5, min(merged["page_size"], 100))
    return merged


def snake_case_keys(row: dict) -> dict:
    return {CAMEL.sub(r"_\1", key).lower(): value for key, value in row.items()}


def coerce(row: dict) -> dict:
    age = row.get("age")
    row["age"] = int(age) if age not in (None, "") else None
    try:
        row["height"] = float(row["height"].replace(",", "."))
    except (KeyError, ValueError, AttributeError):
        row["height"] = None
    row["active"] = str(row.get("active", "")).strip().lower() in TRUE
    return row


def greeting(user: dict) -> dict:
    left = user.get("days_left", 0)
    return {
        "to": user["email"],
        "subject": f"{user['name']!s:>10}|{left:<5}|{user['balance']:+.2f}",
        "body": GREETING.format(name=user["name"], plan=user["plan"].title(), left=left),
        "footer": "-" * 10 + f" {user['balance']:,.2f} EUR",
    }


def nested_get(record: dict) -> dict:
    owner = record.get("meta", {}).get("owner") or {}
    address = owner.get("address") if isinstance(owner, dict) else None
    return {
        "id": record["id"],
        "owner": owner.get("name", "nobody"),
        "city": address["city"] if address and "city" in address else None,
        "first": (record.get("items") or [None])[0],
    }


def table_row(record):
    cells = [str(record[key]) for key in sorted(record)]
    widths = [len(cell) for cell in cells]
    return {"row": " | ".join(cells), "width": sum(widths), "widest": max(widths, default=0)}


def group_by_kind(record: dict) -> dict:
    groups = {}
    for item in record["items"]:
        groups.setdefault(item["kind"], []).append(item["value"])
    return {
        "id": record["id"],
        "groups": {
            kind: {
                "count": len(values),
                "sum": sum(values),
                "top": sorted(values, reverse=True)[:2],
            }
            for kind, values in groups.items()
        },
    }


def unique_in_order(record: dict) -> dict:
    seen = set()
    kept = []
    for item in record["items"]:
        if item not in seen:
            seen.add(item)
            kept.append(item)
    record["items"] = kept
    record["duplicates"] = len(record["items"]) != len(seen)
    record["reversed"] = list(reversed(kept))
    return record


RECORDS = [
    (
        flatten,
        {
            "id": integer(1, 9),
            "name": name,
            "address": {"city": "Köln", "zip": "50667", "geo": maybe(number(0, 9))},
            "tags": several(one_of(word, integer(0, 9)), 0, 3),
        },
    ),
    (rename_columns, {"id": 1, "fname": name, "lname": name, "tel": maybe("1"), "x": number(0, 9)}),
    (
        project,
        {"id": integer(1, 9), "name": name, "email": maybe(email), "plan": maybe("pro"), "junk": 1},
    ),
    (
        drop_nulls,
        {"a": one_of(None, 1), "b": one_of("", "x"), "c": one_of([], [1], 0), "d": maybe(False)},
    ),
    (
        with_defaults,
        {
            "user": name,
            "theme": maybe("dark"),
            "page_size": maybe(integer(1, 200)),
            "beta": maybe(1),
        },
    ),
    (
        snake_case_keys,
        {
            "userId": integer(1, 9),
            "firstName": name,
            "HTTPStatus": 200,
            "already_snake": maybe(None),
        },
    ),
    (
        coerce,
        {
            "age": maybe(one_of("41", 41, "", None)),
            "height": maybe(one_of("1,82", "1.7", "tall", 1.8)),
            "active": maybe(one_of("Yes", True, 1, "0")),
        },
    ),
    (
        greeting,
        {
            "name": name,
            "email": email,
            "plan": one_of("pro", "basic plus"),
            "days_left": maybe(integer(0, 60)),
            "balance": number(-500, 99999),
        },
    ),
    (
        nested_get,
        {
            "id": hexadecimal(4),
            "meta": maybe(
                {
                    "owner": maybe(
                        one_of(None, {"name": name, "address": maybe({"city": maybe("Oslo")})})
                    )
                },
                0.8,
            ),
            "items": maybe(several(integer(0, 9), 0, 2)),
        },
    ),
    (table_row, {"b": integer(1, 99), "a": text(1, 3), "c": boolean, "d": maybe(number(0, 1))}),
    (
        group_by_kind,
        {
            "id": 1,
            "items": several({"kind": one_of("a", "b", "ü"), "value": integer(-9, 99)}, 0, 6),
        },
    ),
    (unique_in_order, {"items": several(one_of("a", "b", "é", 1, 2), 0, 6)}),
]
