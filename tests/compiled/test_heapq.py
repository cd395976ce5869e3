"""Compiled processors: heapq.nlargest and heapq.nsmallest."""

from __future__ import annotations

import heapq
from heapq import nlargest
from typing import Any

import pytest

from tests.compiled.oracle import same
from tests.compiled.snippets import function_of

USUAL: list[Any] = [
    {"a": [3, 1.5, 2, 3, -1, 2.0], "b": [{"k": 1, "n": "x"}, {"k": 5, "n": "y"}, {"k": 1}]},
    {"a": ["b", "a", "é"], "b": [{"k": "z"}, {"k": "a"}]},
    {"a": [], "b": []},
    {"a": [[2, 1], [1, 9], [2, 0]], "b": [{"k": [1]}]},
]
ODD: list[Any] = [
    {"a": [1, "a"], "b": [{"k": 1}, {}]},
    {"a": [[2, 1], [1, "a"], [1, 2]], "b": [{"k": None}, {"k": 1}]},
    {"a": None, "b": 5},
    {"a": {"x": 1, "y": 2}, "b": {"k": 1}},
    {"a": "hello", "b": [1]},
    {"a": [1e999, 2**70, True, 1], "b": [{"k": 2**70}, {"k": 1}]},
    {"a": [None], "b": [{"k": {}}]},
    {"a": [{}, {}], "b": [{"k": {}}, {"k": {}}]},
]
CASES = [
    "heapq.nlargest(2, a)",
    "heapq.nsmallest(1, a)",
    "nlargest(9, a)",
    "heapq.nlargest(2, b, key=lambda each: each['k'])",
    "heapq.nsmallest(2, b, lambda each: each['k'])",
    "[each['k'] for each in heapq.nsmallest(n=1, iterable=b, key=lambda each: each['k'])]",
    "heapq.nlargest(3, (str(each) for each in a))",
    "heapq.nsmallest(2, a, key=None)",
    "[list(each) for each in heapq.nlargest(2, enumerate(a), key=lambda pair: pair[1])]",
]
NAMES = {"heapq": heapq, "nlargest": nlargest}


@pytest.mark.parametrize("expression", CASES)
def test_same(expression: str) -> None:
    function = function_of(expression, "ab", **NAMES)
    assert same(function, USUAL) == 0
    same(function, ODD)


def most_used(r: dict[str, Any]) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for word in r["words"].split():
        counts[word] = counts.get(word, 0) + 1
    best = heapq.nlargest(2, counts.items(), key=lambda pair: pair[1])
    return {"best": [word for word, _ in best], "least": heapq.nsmallest(1, counts.values())}


def test_items_of_a_dict() -> None:
    assert same(most_used, [{"words": "a b a c c c b d"}, {"words": ""}, {"words": "x"}]) == 0


def changed_items(r: dict[str, Any]) -> dict[str, Any]:
    for item in heapq.nlargest(1, r["b"], key=lambda each: each["k"]):
        item["best"] = True
    return r


def test_changes_of_items_change_the_record() -> None:
    same(changed_items, [*USUAL, *ODD])


@pytest.mark.parametrize("count", ["0", "-1", "True", "c", "1.5"])
def test_other_counts(count: str) -> None:
    function = function_of(f"a and heapq.nlargest({count}, a)", "abc", **NAMES)
    same(function, [each | {"c": 1} for each in (*USUAL, *ODD)])
