"""Handlers that use their exception: the same texts as Python's, without giving the record back."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import pytest

from tests.compiled.oracle import same

TABLE = {"a": 1, "b": 2}


class Rejected(Exception):
    pass


class Shown(Exception):
    def __str__(self) -> str:
        return "shown"


class Level(Enum):
    LOW = "low"
    HIGH = "high"


def member(r: dict[str, Any]) -> Any:
    try:
        return {"n": r["a"]["b"]["c"]}
    except KeyError as error:
        return {"text": str(error), "name": error.args[0], "shown": f"{error!r}"}


def number(r: dict[str, Any]) -> Any:
    try:
        return {"n": int(r["t"]) + float(r["u"])}
    except (KeyError, ValueError) as error:
        return {"text": f"{type(error).__name__}: {error}", "wide": f"{error!s:>50}"}


def raised(r: dict[str, Any]) -> Any:
    try:
        if r["n"] < 0:
            raise ValueError(f"{r['n']} is negative")
        if r["n"] == 0:
            raise Rejected(r["n"])
        if r["n"] == 1:
            raise KeyError("one", "two")
        if r["n"] == 2:
            raise Shown("two")
        if r["n"] == 3:
            raise TypeError
        return {"n": TABLE[r["key"]]}
    except (ValueError, TypeError) as error:
        return {"value": repr(error), "text": str(error)}
    except KeyError as error:
        return {"key": str(error)}
    except Exception as error:
        return {"kind": error.__class__.__name__, "text": str(error)}


def divided(r: dict[str, Any]) -> Any:
    try:
        return [r["x"] / r["y"], r["x"] // r["y"], r["x"] % r["y"]]
    except ZeroDivisionError as error:
        return {"text": str(error)}


def quotient(r: dict[str, Any]) -> Any:
    try:
        return r["x"] // r["y"]
    except ZeroDivisionError as error:
        return {"text": str(error)}


def unpacked(r: dict[str, Any]) -> Any:
    try:
        first, second, third = r["t"].split("-")
        return [first, second, third]
    except ValueError as error:
        return {"text": str(error)}


def enumeration(r: dict[str, Any]) -> Any:
    try:
        level = Level(r["t"])
    except ValueError as error:
        return {"text": str(error)}
    return {"level": level.name}


def in_a_loop(r: dict[str, Any]) -> Any:
    errors: list[Any] = []
    for each in r["each"]:
        try:
            try:
                errors.append(str(int(each)))
            except TypeError:
                errors.append("type")
            errors.append(TABLE[each])
        except (ValueError, LookupError) as error:
            errors.append(str(error))
    return errors


def raised_again(r: dict[str, Any]) -> Any:
    try:
        try:
            return {"n": int(r["t"])}
        except ValueError as error:
            raise Rejected(f"bad number: {error}") from error
    except Rejected as error:
        return {"error": str(error)}


def helper(value: Any) -> int:
    if not isinstance(value, str):
        raise Rejected(f"{value!r} is no text")
    return len(value)


def from_a_helper(r: dict[str, Any]) -> Any:
    try:
        return {"n": helper(r["t"])}
    except Rejected as error:
        return {"error": str(error)}


def bound_before(r: dict[str, Any]) -> Any:
    error: Any = 1
    try:  # noqa: SIM105
        int(r["t"])
    except ValueError as error:  # noqa: F841
        pass
    return [error]


def of_an_inner_handler(r: dict[str, Any]) -> Any:
    try:
        return int(r["t"])
    except ValueError as error:
        try:
            float(r["t"] + "1")
        except ValueError as error:
            text = str(error)
        return [text, str(error)]  # type: ignore[misc]


def of_a_lambda(r: dict[str, Any]) -> Any:
    try:
        return int(r["t"])
    except ValueError as error:
        show = lambda error: str(error)  # noqa: E731
        return [show(r["t"]), str(error)]  # type: ignore[no-untyped-call]


RECORDS: dict[Callable[[dict[str, Any]], Any], list[Any]] = {
    member: [{"a": {"b": {"c": 1}}}, {"a": {"b": {}}}, {"a": {}}, {}],
    number: [
        *({"t": text, "u": "1.5"} for text in ("1", "x", "", '"', "\n", "a" * 190)),
        *({"t": "1", "u": text} for text in ("x", "", "it's", "a" * 500)),
        *({"t": "1"}, {"u": "1"}),
    ],
    raised: [*({"n": n, "key": "a"} for n in (-1, 0, 4)), {"n": 4, "key": "no"}, {"n": 4}, {}],
    divided: [{"x": x, "y": y} for x in (1, 2.5) for y in (2, 0, 0.0)],
    quotient: [{"x": x, "y": y} for x in (1, 2.5) for y in (2, 0, 0.0)],
    unpacked: [{"t": text} for text in ("a-b-c", "a-b", "")],
    enumeration: [{"t": text} for text in ("low", "lost", "it's", 7, None)],
    in_a_loop: [{"each": ["1", "x", "a", 1, None, "a"]}, {"each": []}],
    raised_again: [{"t": "1"}, {"t": "x"}],
    from_a_helper: [{"t": "ab"}, {"t": 1}, {"t": None}, {"t": 2.5}],
}
UNCERTAIN: dict[Callable[[dict[str, Any]], Any], list[Any]] = {
    member: [{"a": 1}, {"a": {"b": None}}],
    number: [
        {"t": None, "u": 1},
        {"t": [], "u": ""},
        {"t": "a" * 300, "u": "1"},
        {"t": "é", "u": "1"},
        {"t": "1", "u": "é'\""},
        {"t": "1", "u": {}},
    ],
    raised: [{"n": 1}, {"n": 2}, {"n": 3}, {"n": None}, {"n": "x"}, {"n": []}],
    divided: [{"x": True, "y": False}, {"x": "a", "y": 0}],
    unpacked: [{"t": "a-b-c-d"}, {"t": None}],
    from_a_helper: [{"t": [1]}],
    bound_before: [{"t": "1"}, {"t": "x"}],
    of_an_inner_handler: [{"t": "1"}, {"t": "x"}, {"t": ""}],
    of_a_lambda: [{"t": "1"}, {"t": "x"}],
}


@pytest.mark.parametrize("function", RECORDS, ids=lambda each: each.__name__)
def test_the_text_of_an_exception(function: Callable[[dict[str, Any]], Any]) -> None:
    assert same(function, RECORDS[function]) == 0


@pytest.mark.parametrize("function", UNCERTAIN, ids=lambda each: each.__name__)
def test_other_exceptions_are_given_back(function: Callable[[dict[str, Any]], Any]) -> None:
    same(function, UNCERTAIN[function] + RECORDS.get(function, []) + UNCERTAIN[function])
