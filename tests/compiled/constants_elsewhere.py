"""Constants of another module than the processors'."""

from __future__ import annotations

from typing import Any, Final

LIMIT = 5
TABLE = {"a": 1, "b": 2}
NAMES: Final = {"a", "c"}
CHANGED: dict[str, int] = {}


def count(name: str) -> None:
    CHANGED[name] = CHANGED.get(name, 0) + 1


def first(record: dict[str, Any]) -> Any:
    return {"first": record["id"]}


def second(record: dict[str, Any]) -> Any:
    return {"second": record["id"]}


HANDLERS = {"created": first, "deleted": second}
