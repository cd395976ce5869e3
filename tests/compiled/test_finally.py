"""Compiled processors: finally that leaves the statement, and so forgets exceptions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compiled.oracle import same
from tests.compiled.snippets import function_with

pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")

RECORDS: list[Any] = [
    {"x": 1, "y": 2, "xs": [1, 0, 3]},
    {"x": 1, "y": 0, "xs": []},
    {"x": "a", "y": 2, "xs": ["b", 1, None]},
    {"x": None, "y": 2, "xs": [0, 2**70, 5]},
    {"x": 2, "xs": [1, 1]},
    {"xs": None},
    {},
]
RETURNS = [
    "try:\n    a = r['x'] / r['y']\nfinally:\n    return {'x': r.get('x')}",
    "a = 0\ntry:\n    a = r['x'] / r['y']\n    return {'early': a}\nfinally:\n    return {'a': a}",
    "try:\n    return {'x': r['x'] + 1}\nexcept KeyError:\n    return {'missing': 1}\n"
    "finally:\n    if r.get('y') == 2:\n        return {'y': 2}",
    "try:\n    raise ValueError(r['x'])\nexcept KeyError:\n    raise TypeError\nfinally:\n"
    "    return {'done': True}",
    "try:\n    try:\n        a = r['x'] / r['y']\n    finally:\n        if 'y' in r:\n"
    "            return {'inner': r['xs'][0]}\n    return {'a': a}\nexcept Exception:\n"
    "    return {'outer': 1}\nfinally:\n    r.get('x')",
    "def part():\n    try:\n        return r['x'] / r['y']\n    finally:\n"
    "        return r.get('y', 7)\nreturn {'part': part()}",
]
LOOPS = [
    "n = 0\nfor x in r['xs']:\n    try:\n        n += 10 // x\n    finally:\n        continue\n"
    "return {'n': n}",
    "n = 0\nfor x in r['xs']:\n    try:\n        n += 10 // x\n    finally:\n        n += 1\n"
    "        if x == 3:\n            break\nelse:\n    n += 100\nreturn {'n': n}",
    "n = 0\nfor x in [1, 2]:\n    try:\n        for y in r['xs']:\n            if y == 3:\n"
    "                return {'y': y}\n            if y == 1:\n                continue\n"
    "            n += 1 / y\n    finally:\n        n += 100\n        break\nreturn {'n': n}",
    "for x in r['xs']:\n    try:\n        yield {'x': 1 / x}\n    finally:\n        continue",
    "while True:\n    try:\n        return {'x': r['x'] + 1}\n    finally:\n        break\n"
    "return {'after': 1}",
]


@pytest.mark.parametrize("body", [*RETURNS, *LOOPS])
def test_same(body: str) -> None:
    given_back = same(function_with(body), RECORDS)
    assert given_back < len(RECORDS)


def test_forgotten_exceptions_give_nothing_back() -> None:
    records = [each for each in RECORDS if each.get("x") != "a"]
    assert same(function_with(RETURNS[0]), records) == 0
    assert same(function_with(LOOPS[0]), [{"xs": [1, 0, 3]}, {"xs": []}, {"xs": ["b"]}]) == 0
