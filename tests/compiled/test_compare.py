"""Comparison, truth and hashes of values, compared with those of Python."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

from tests.compiled.oracle import same
from tests.compiled.random_values import line_of, random_number, random_text, random_value

Record = dict[str, Any]


def equal(r: Record) -> Any:
    return {"eq": r["a"] == r["b"], "ne": r["a"] != r["b"]}


def ordered(r: Record) -> Any:
    return [r["a"] < r["b"], r["a"] <= r["b"], r["a"] > r["b"], r["a"] >= r["b"]]


def caught(r: Record) -> Any:
    try:
        return {"lt": r["a"] < r["b"]}
    except TypeError:
        return {"lt": "TypeError"}


def truths(r: Record) -> Any:
    return {
        "bool": bool(r["a"]),
        "not": not r["b"],
        "or": r["a"] or r["b"],
        "if": 1 if r["b"] else 0,
    }


def contained(r: Record) -> Any:
    if isinstance(r["b"], (list, dict)) or (isinstance(r["a"], str) and isinstance(r["b"], str)):
        try:
            return {"in": r["a"] in r["b"], "not in": r["a"] not in r["b"]}
        except TypeError:
            return {"in": "TypeError"}
    return {"length": len(r["b"]) if isinstance(r["b"], str) else None}


def keys(r: Record) -> Any:
    try:
        d = {r["a"]: 1}
        d[r["b"]] = 2
        s = {r["a"], r["b"]}
        t: dict[Any, int] = {(r["a"], 1): 3, (r["b"], True): 4}
        return {"d": len(d), "first": d[r["a"]], "s": len(s), "t": t[r["a"], 1.0]}
    except TypeError:
        return {"d": "TypeError"}


def constants(r: Record) -> Any:
    a = r["a"]
    return {
        "equal": [a == "", a == "ab", a == 1, a == 1.0, a is None, a == [], a == {}, a == "é\n"],
        "in": [a in ("", "a", "ab", "é"), a in (0, 1, 2.0, True), a in [None, "b", 1.5]],
        "nested": [a == [1, "a"], a == {"a": [1]}, [a] == [a], (a, 1) == (a, 1.0), [a] != [1]],
        "order": [[1, a] < [2, a], (1, "b") < (1, "c"), [a][:0] < [a], "a" < "é" <= "😀"],
    }


FUNCTIONS = [equal, ordered, caught, truths, contained, keys, constants]


def any_value(rng: random.Random) -> Any:
    makers: list[Callable[[random.Random], Any]] = [random_value, random_number, random_text]
    return rng.choice(makers)(rng)


def pair(rng: random.Random) -> tuple[Any, Any]:
    """Return two values that are often equal, or nearly."""
    a = any_value(rng)
    kind = rng.randrange(5)
    if kind == 0:
        return a, any_value(rng)
    b = copy.deepcopy(a)
    if kind == 1:
        return a, b
    if kind == 2 and isinstance(a, float) and a.is_integer() and abs(a) < 2**60:
        return a, int(a) + rng.choice([0, 1])
    if kind == 3 and isinstance(b, dict):
        return a, dict(reversed(b.items()))
    if isinstance(b, list):
        if b and rng.random() < 0.5:
            b[rng.randrange(len(b))] = random_value(rng)
        return a, [b, a] if rng.random() < 0.3 else b
    if isinstance(b, str):
        return a, rng.choice([b + "a", b[1:], [b], [1, b], {b: 1}, random_text(rng) + b])
    return a, [1, b, 2]


def test_random_pairs() -> None:
    rng = random.Random(1)
    records = []
    for _ in range(1500):
        a, b = pair(rng)
        records.append(line_of(rng, {"a": a, "b": b}))
    for function in FUNCTIONS:
        # Two values of NaN or of integers beyond 64 bits are not among them.
        assert same(function, records) <= given_back_at_most(function, records), function


def given_back_at_most(function: Any, records: list[str]) -> int:
    """Records for which Python raises what the function does not catch are given back."""
    return len(records) if function in (ordered,) else len(records) // 20


def test_numbers_are_compared_exactly() -> None:
    numbers = [0, -0.0, 1, 1.0, 2**53, 2.0**53, 2**53 + 1, 2**63 - 1, 2.0**63, -(2**63), -(2.0**63)]
    numbers += [9007199254740993, 0.1, 1e300, -1e300, 5e-324, 2**62, 2**62 + 1, 2.0**62]
    records = [{"a": a, "b": b} for a in numbers for b in numbers]
    for function in (equal, ordered, caught, truths, keys):
        assert same(function, records) == 0, function


def test_integers_beyond_64_bits_are_given_back() -> None:
    assert same(equal, ['{"a":18446744073709551616,"b":1}']) == 1


def test_what_has_no_order() -> None:
    values: list[Any] = [None, True, 1, 1.5, "a", [], [1], ["a"], [[1]], [None], {}, {"a": 1}]
    records = [{"a": a, "b": b} for a in values for b in values]
    assert same(caught, records) == 0


def test_nan_is_not_equal_to_itself() -> None:
    def compare(r: Record) -> Any:
        x = float(r["nan"]) if r["a"] else 1.0
        return {"eq": x == x, "ne": x != x, "lt": [x < x, x <= x, x > 1, x >= 1], "not": not x}

    same(compare, [{"a": 1, "nan": "nan"}, {"a": 0, "nan": "nan"}])


def test_nan_within_containers_is_given_back() -> None:
    def compare(r: Record) -> Any:
        x = float(r["nan"])
        return {"same": [x] == [x], "in": x in [x], "other": [x] == [1.0]}

    same(compare, [{"nan": "nan"}, {"nan": "1.0"}])


def test_containers_deep_inside_each_other() -> None:
    deep = "[" * 300 + "1" + "]" * 300
    other = "[" * 300 + "2" + "]" * 300
    same(equal, [f'{{"a":{deep},"b":{deep}}}', f'{{"a":{deep},"b":{other}}}'])


def test_lists_that_contain_each_other_end() -> None:
    def circle(r: Record) -> Any:
        x: list[Any] = [r["a"]]
        x.append(x)
        y = [r["a"], x]
        try:
            return {"eq": x == y}
        except RecursionError:
            return {"eq": "deep"}

    same(circle, [{"a": 1}])
