"""A reference implementation of filters in plain Python."""

from __future__ import annotations

from typing import Any

__all__ = ["holds"]

ABSENT = object()


def kind(value: object) -> object:
    if isinstance(value, bool) or value is None or value is ABSENT:
        return value
    return "number" if isinstance(value, int | float) else type(value)


def comparable(value: Any) -> Any:
    """Give text in the order of code points; Python compares numbers by value."""
    return value.encode(errors="surrogatepass") if isinstance(value, str) else value


def compares(operator: str, value: Any, constant: Any) -> bool:
    if operator == "exists":
        return (value is not ABSENT) is constant
    if operator == "ne":
        return not compares("eq", value, constant)
    if kind(value) != kind(constant):
        return False
    value, constant = comparable(value), comparable(constant)
    if operator == "prefix":
        return isinstance(value, bytes) and value.startswith(constant)
    if operator == "eq":
        return bool(value == constant)
    return bool(
        {
            "gt": lambda: value > constant,
            "gte": lambda: value >= constant,
            "lt": lambda: value < constant,
            "lte": lambda: value <= constant,
        }[operator]()
    )


def holds(wanted: dict[str, Any], record: object) -> bool:
    for path, want in wanted.items():
        value = record
        for name in path.split("."):
            value = value.get(name, ABSENT) if isinstance(value, dict) else ABSENT
        if isinstance(want, dict):
            if not all(compares(operator, value, want[operator]) for operator in want):
                return False
        elif isinstance(want, list):
            if not any(compares("eq", value, constant) for constant in want):
                return False
        elif not compares("eq", value, want):
            return False
    return True
