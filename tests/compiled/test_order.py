"""The order in which a function evaluates, which shows where several things may fail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compiled.oracle import same

XS: list[Any] = ["text", 1, None, [1], {"k": 1}, {}]
YS: list[Any] = ["k", 1, None, [], {"a": 1}]
RECORDS: list[Any] = [{"x": x, "y": y} for x in XS for y in YS]
RECORDS += [{"x": "text"}, {"x": 1}, {"x": []}, {"y": 1}, {}]


def method(r: dict[str, Any]) -> Any:
    try:
        return {"n": r["x"].count(r["y"])}
    except KeyError:
        return {"key": True}
    except AttributeError:
        return {"attribute": True}


def default(r: dict[str, Any]) -> Any:
    try:
        return {"n": r["x"].get("k", r["y"] + 1)}
    except TypeError:
        return {"type": True}
    except (KeyError, AttributeError):
        return {"other": True}


def changes(r: dict[str, Any]) -> Any:
    made: Any = [1] if "x" in r else {"k": 1}
    try:
        made.append(r["y"]["a"])
    except KeyError:
        return {"key": True}
    except TypeError:
        return {"type": True}
    return {"made": made}


def nested(r: dict[str, Any]) -> Any:
    try:
        return {"n": r["x"].count("a".join(r["y"])), "m": r["x"].index(len(r["y"]))}
    except TypeError:
        return {"type": True}


def item(r: dict[str, Any]) -> Any:
    made: dict[str, Any] = {}
    try:
        made[r["x"]["k"]] = r["y"] + 1
    except KeyError:
        return {"key": True}
    except TypeError:
        return {"type": True}
    return made


def format_of(r: dict[str, Any]) -> Any:
    try:
        return {"text": "{a:<4}|{b}".format(a=r, b=r["y"])}
    except TypeError:
        return {"type": True}


def generator(r: dict[str, Any]) -> Any:
    try:
        return {"n": max((r["x"]["k"] for _ in "a"), default=r["y"])}
    except TypeError:
        return {"type": True}


def total(r: dict[str, Any]) -> Any:
    try:
        return {"n": sum((each + 1 for each in r["x"]), r["y"])}
    except TypeError:
        return {"type": True}


def alternating(r: dict[str, Any]) -> Any:
    try:
        return {"n": sum(r[name] for name in ("y", "x", "z"))}
    except KeyError:
        return {"key": True}


def first_key(value: Any) -> Any:
    return value["k"]


def mapped(r: dict[str, Any]) -> Any:
    try:
        return {"n": sum(map(first_key, [{"k": r["y"]}, {"k": 1}, r["x"]]))}
    except KeyError:
        return {"key": True}


def best(r: dict[str, Any]) -> Any:
    try:
        return {"n": max(r["x"], key=lambda each: each["k"], default=r["y"] + 1)}
    except TypeError:
        return {"type": True}
    except KeyError:
        return {"key": True}


@pytest.mark.parametrize(
    "function",
    [
        method,
        default,
        changes,
        nested,
        item,
        format_of,
        generator,
        total,
        alternating,
        mapped,
        best,
    ],
)
def test_order_of_evaluation(function: Any) -> None:
    same(function, RECORDS)
