"""Compiled processors: collections.deque."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from tests.compiled.oracle import same
from tests.compiled.snippets import function_of, function_with

LISTS: list[Any] = [[], [1], [3, 1, 2], ["a", "b", "a"], [[1], {"x": 2}], list(range(40)), "abc"]
WRONG: list[Any] = [None, True, 7, 1.5, {"a": 1, "b": 2}]


def moving(r: dict[str, Any]) -> dict[str, Any]:
    window: deque[float] = deque(maxlen=3)
    means = []
    for value in r["a"]:
        window.append(value)
        means.append(sum(window) / len(window))
    return {"means": means, "high": max(window, default=None), "last": list(window)}


def breadth_first(r: dict[str, Any]) -> dict[str, Any]:
    queue = deque([(r["root"], 0)])
    found = []
    while queue:
        node, depth = queue.popleft()
        found.append(f"{depth}:{node['name']}")
        queue.extend((each, depth + 1) for each in node.get("children", []))
    return {"found": found}


def marked(r: dict[str, Any]) -> dict[str, Any]:
    queue: deque[dict[str, Any]] = deque()
    queue.append(r["root"])
    node = queue.popleft()
    node["seen"] = True
    return r


def test_usual_records_are_not_given_back() -> None:
    assert same(moving, [{"a": each} for each in ([], [1], [1, 2.5, 4], list(range(100)))]) == 0
    tree = {"name": "a", "children": [{"name": "b", "children": [{"name": "c"}]}, {"name": "d"}]}
    assert same(breadth_first, [{"root": tree}, {"root": {"name": "x"}}]) == 0
    same(moving, [{"a": each} for each in [*LISTS, *WRONG]])
    same(breadth_first, [{"root": {"name": 1, "children": None}}, {"root": None}, {}])
    same(marked, [{"root": tree}, {"root": 5}])


@pytest.mark.parametrize(
    "expression",
    [
        "list(deque(a))", "list(deque(a, 2))", "list(deque(a, maxlen=0))",
        "len(deque(a, maxlen=None))",
        "deque(a)[0]", "deque(a)[-1]", "deque(a)[b]", "deque(a)[0:1]", "deque(a).pop()",
        "deque(a).popleft()", "deque(a).pop(0)", "bool(deque(a))", "1 in deque(a)", "sum(deque(a))",
        "sorted(deque(a))", "max(deque(a))", "','.join(deque(a))", "deque(a)", "{'a': deque(a)}",
        "deque(a) == deque(a)", "deque(a) == a", "isinstance(deque(a), list)", "str(deque(a))",
        "deque(a) + deque(a)", "deque(a) + a", "[*deque(a)]", "dict(enumerate(deque(a)))",
        "list(zip(deque(a), a))", "list(reversed(deque(a)))", "tuple(deque(a))", "set(deque(a))",
        "deque(a, b)", "deque(maxlen=b)", "json.dumps(deque(a))", "[x for x in deque(a) if x]",
        "deque(a).index(1)", "deque(a).count(1)", "deque(a).copy()", "{deque(a): 1}", "a.popleft()",
        "a.appendleft(1)", "any(deque(a))", "list(map(str, deque(a)))", "deque(deque(a), 1)[0]",
    ],
)  # fmt: skip
def test_expressions(expression: str) -> None:
    import json

    function = function_of(expression, "ab", deque=deque, json=json)
    records = [{"a": a, "b": b} for a in [*LISTS, *WRONG] for b in (0, 2, -1, "x", None)]
    same(function, records)


@pytest.mark.parametrize(
    "body",
    [
        "d = deque(r['a'], 3)\nd.appendleft(9)\nd.append(8)\nreturn {'d': list(d)}",
        "d = deque(r['a'], maxlen=0)\nd.appendleft(9)\nd.append(8)\nreturn {'d': len(d)}",
        "d = deque(r['a'])\nfor i in range(50):\n    d.appendleft(i)"
        "\n    d.append(d.popleft() + d.pop())"
        "\nreturn {'d': list(d)}",
        "d = deque(r['a'])\nd.extendleft([1, 2])\nd.extend(r['a'])\nreturn {'d': [*d]}",
        "d = deque(r['a'])\nd.extend(d)\nreturn {'d': [*d]}",
        "d = deque(r['a'])\nd.clear()\nd.append(1)\nreturn {'d': [*d]}",
        "d = deque(r['a'])\nfor x in d:\n    d.append(x)\nreturn {'d': [*d]}",
        "d = deque(r['a'])\nfor x in d:\n    d.pop()\n    break\nreturn {'d': [*d]}",
        "d = deque(r['a'])\nfor x in d:\n    if len(d) < 3:\n        d.append(x)"
        "\nreturn {'d': [*d]}",
        "d = deque(r['a'])\nd[0] = 5\nreturn {'d': [*d]}",
        "d = deque(r['a'])\nd += [1]\nreturn {'d': [*d]}",
        "d = deque(r['a'])\ndel d[0]\nreturn {'d': [*d]}",
        "a, *b = deque(r['a'])\nreturn {'a': a, 'b': b}",
        "d = deque(r['a'])\ne = d\ne.append(1)\nreturn {'d': len(d)}",
        "d = deque()\ntry:\n    d.popleft()\nexcept IndexError:\n    return {'d': r['a']}",
        "d = deque(r['a'])\nm = []\nwhile d and (x := d.popleft()) != 2:"
        "\n    m.append(x)\nreturn {'m': m}",
    ],
)  # fmt: skip
def test_statements(body: str) -> None:
    same(function_with(body, deque=deque), [{"a": each} for each in [*LISTS, *WRONG]])
