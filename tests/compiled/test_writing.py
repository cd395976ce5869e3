"""Results of compiled processors as JSON: the bytes that a processor in Python writes."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.compiled.oracle import same
from tests.compiled.random_values import line_of, random_value

Record = dict[str, Any]


def whole(r: Record) -> Any:
    return r


def wrapped(r: Record) -> Any:
    return {"wrapped": [r["value"], (r["value"],), {"again": r["value"]}], "é": {}, "n": []}


def rebuilt(r: Record) -> Any:
    if isinstance(r["value"], dict):
        return {"object": {name + "": member for name, member in r["value"].items()}}
    if isinstance(r["value"], list):
        return {"array": [element for element in r["value"]]}  # noqa: C416
    if isinstance(r["value"], str):
        return {"string": r["value"] + "", "letters": list(r["value"])}
    return {"other": r["value"]}


def changed(r: Record) -> Any:
    r["added"] = r["value"]
    r["value"] = [r["value"], 1.0, None, True, False, '\x7f\u2028\x00\b\t\n\v\f\r\x1f/"\\é😀']
    return r


FUNCTIONS = [whole, wrapped, rebuilt, changed]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_random_values(function: Any) -> None:
    rng = random.Random(function.__name__)
    records = [line_of(rng, {"value": random_value(rng)}) for _ in range(1500)]
    assert same(function, records) == 0


def test_every_character() -> None:
    def letters(r: Record) -> Any:
        return {"text": r["text"], "doubled": [each + each for each in r["text"]]}

    texts = ["".join(map(chr, range(start, start + 16))) for start in range(0, 0x180, 16)]
    texts += ["\ud7ff\ue000\uffff", "\U00010000\U0010ffff", "\u2028\u2029\x85"]
    same(letters, [line_of(random.Random(i), {"text": text}) for i, text in enumerate(texts)])


def test_escapes_at_every_place() -> None:
    def joined(r: Record) -> Any:
        return {"text": r["a"] + r["b"] + r["a"]}

    records = [
        {"a": "x" * before + escaped, "b": "y" * behind}
        for before in range(20)
        for behind in (0, 1, 7, 8, 30)
        for escaped in ('"', "\\", "\n", "\x01", "é", '""\\')
    ]
    same(joined, records)


def test_long_strings() -> None:
    def joined(r: Record) -> Any:
        return {"text": [r["a"] + r["b"], r["b"] + r["a"]]}

    same(joined, [{"a": "\n" * n, "b": "b" * n} for n in (100, 5000, 70_000)])


def test_every_kind_of_number() -> None:
    def numbers(r: Record) -> Any:
        return {"n": [r["n"], (r["n"], 1, -1, 0.5, 1e16, 1e-7, -0.0, 1e300, 2**63 - 1, -(2**63))]}

    texts = ["0", "-0", "-0.0", "1E2", "1.50", "1e-400", "123456789012345678901234567890", "5e-324"]
    same(numbers, [f'{{"n":{text}}}' for text in texts])


def test_what_json_has_no_value_for_is_an_error() -> None:
    def infinite(r: Record) -> Any:
        return {"n": float(r["text"])}

    def named(r: Record) -> Any:
        return {r["key"]: 1}

    def grouped(r: Record) -> Any:
        return {"set": {r["text"]}}

    same(infinite, [{"text": "inf"}, {"text": "nan"}, {"text": "1"}])
    assert same(named, [{"key": "a"}, {"key": 1}, {"key": None}, {"key": "é"}]) == 2
    assert same(grouped, [{"text": "a"}]) == 1


def test_depth_beyond_what_python_functions_accept() -> None:
    def inside(r: Record) -> Any:
        return {"a": [r["value"]]}

    def deep(depth: int) -> str:
        return '{"value":' + "[" * depth + "]" * depth + "}"

    assert same(inside, [deep(n) for n in (1, 100)]) == 0
    same(inside, [deep(n) for n in (200, 400, 497, 498, 499, 500, 600)])
    many = '{"value":[' + ",".join(["[[]]"] * 400) + "]}"
    assert same(inside, [many] * 3) <= 1


def test_containers_made_by_the_function() -> None:
    def nested(r: Record) -> Any:
        value: Any = r["value"]
        for _ in range(r["depth"]):
            value = [value, {"deeper": value}] if r["wide"] else [value]
        return {"value": value}

    records: list[Record] = [{"value": "é", "depth": n, "wide": False} for n in (0, 1, 30, 62)]
    records += [{"value": [1], "depth": n, "wide": True} for n in (0, 1, 5, 10)]
    assert same(nested, records) == 0
    same(nested, [{"value": "é", "depth": n, "wide": False} for n in (63, 64, 100, 499, 600)])


def test_several_results() -> None:
    def several(r: Record) -> Any:
        return [{"n": i, "value": r["value"]} for i in range(r["n"])]

    def yielded(r: Record) -> Any:
        for i in range(r["n"]):
            yield {"n": i, "value": r["value"]}

    records = [{"n": n, "value": "x"} for n in (0, 1, 2, 10)]
    assert same(several, records) == 0
    assert same(yielded, records) == 0
