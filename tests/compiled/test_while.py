"""Compiled processors: itertools.takewhile and itertools.dropwhile, map and filter."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from itertools import dropwhile, takewhile
from typing import Any

import pytest

from forstcore.compiled import NotCompiled, compile_processor
from tests.compiled.oracle import same
from tests.compiled.snippets import function_of

USUAL: list[Any] = [
    {"a": [1, 2, 5, 1, 7], "b": 3},
    {"a": [], "b": 3},
    {"a": [9, 1], "b": 3},
    {"a": [1, 2], "b": 3},
]
ODD: list[Any] = [
    {"a": [1, "a", 5], "b": 3},
    {"a": [5, "a", 1], "b": 3},
    {"a": "hello", "b": "i"},
    {"a": {"x": 1, "y": 2}, "b": "y"},
    {"a": None, "b": 3},
    {"a": [1, 2**70], "b": None},
    {"a": [[1], [2]], "b": [1, 5]},
]
CASES = [
    "list(takewhile(lambda each: each < b, a))",
    "list(itertools.dropwhile(lambda each: each < b, a))",
    "sum(takewhile(lambda each: each < b, a))",
    "[each * 2 for each in dropwhile(lambda each: each < b, a)]",
    "''.join(itertools.takewhile(str.isdigit, (str(each) for each in a)))",
    "[list(takewhile(lambda each: each < b, a)), list(dropwhile(lambda each: each < b, a))]",
    "any(each > b for each in takewhile(lambda each: each, a))",
]
NAMES = {"itertools": itertools, "takewhile": takewhile, "dropwhile": dropwhile}


@pytest.mark.parametrize("expression", CASES)
def test_same(expression: str) -> None:
    function = function_of(expression, "ab", **NAMES)
    assert same(function, USUAL) == 0
    same(function, ODD)


def head_and_body(r: dict[str, Any]) -> dict[str, Any]:
    lines = r["text"].split("|")
    head = dict(line.split(": ", 1) for line in takewhile(lambda each: each != "", lines))
    body = [line for line in dropwhile(lambda each: each != "", lines) if line]
    return {"head": head, "body": body}


def until_the_end(r: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in takewhile(lambda each: each.get("k") != "end", r["items"]):
        if item["k"] == 3:
            return
        yield {"k": item["k"]}


def test_as_people_write_it() -> None:
    texts = ["a: 1|b: 2||x|y", "", "|x", "a: 1"]
    assert same(head_and_body, [{"text": each} for each in texts]) == 0
    same(head_and_body, [{"text": each} for each in ("a", "a: 1|b", None, 5)])
    usual = [[{"k": 1}, {"k": "end"}, {"k": 2}], [], [{"k": 3}, {"k": 1}]]
    assert same(until_the_end, [{"items": each} for each in usual]) == 0
    odd = [[{"k": 1}, {}], [{"k": 3}, 5], [{}], None, [{"k": "end"}, 5], {"k": 1}]
    same(until_the_end, [{"items": each} for each in odd])


def shared_iterator(r: dict[str, Any]) -> dict[str, Any]:
    rest = iter(r["a"])
    small = list(takewhile(lambda each: each < r["b"], rest))
    return {"small": small, "rest": list(rest)}


def side_effects(r: dict[str, Any]) -> dict[str, Any]:
    seen: list[Any] = []

    def is_small(each: Any) -> bool:
        seen.append(each)
        return bool(each < r["b"])

    for each in takewhile(is_small, r["a"]):
        seen.append(-each)
    return {"seen": seen}


def calls_one_with_effects(r: dict[str, Any]) -> dict[str, Any]:
    seen: list[Any] = []

    def is_small(each: Any) -> bool:
        seen.append(each)
        return bool(each < r["b"])

    for each in dropwhile(lambda one: is_small(one), r["a"]):
        seen.append(-each)
    return {"seen": seen}


def appends(r: dict[str, Any]) -> dict[str, Any]:
    seen: list[Any] = []
    for each in takewhile(lambda one: seen.extend([one]) or True, r["a"]):  # type: ignore[func-returns-value]
        seen.append(-each)
    return {"seen": seen}


def mapped(r: dict[str, Any]) -> dict[str, Any]:
    seen: list[Any] = []

    def note(each: Any) -> Any:
        seen.append(each)
        return each

    for each in map(note, r["a"]):
        seen.append(-each)
    return {"seen": seen}


def filtered(r: dict[str, Any]) -> dict[str, Any]:
    seen: dict[Any, int] = {}
    for each in filter(lambda one: seen.setdefault(one, len(seen)) >= 0, r["a"]):
        seen[-each] = len(seen)
    return {"seen": list(seen)}


@pytest.mark.parametrize(
    "function", [mapped, filtered, shared_iterator, side_effects, calls_one_with_effects, appends]
)
def test_functions_with_effects_do_not_compile(function: Any) -> None:
    assert isinstance(compile_processor(function), NotCompiled)
