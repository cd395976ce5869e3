"""Compiled processors: iterators over several iterables, products, and running totals."""

from __future__ import annotations

import itertools
import math
import operator
import random
from collections import defaultdict
from decimal import Decimal
from itertools import accumulate, product, starmap
from typing import Any

import pytest

from forstcore.compiled import Compiled, NotCompiled
from tests.compiled.oracle import compile_any, same
from tests.compiled.snippets import function_of, function_with

NAMES: dict[str, Any] = {
    **{"itertools": itertools, "math": math, "operator": operator, "accumulate": accumulate},
    **{"product": product, "starmap": starmap, "defaultdict": defaultdict, "Decimal": Decimal},
}
# Products of these are neither long texts nor large integers.
LISTS: list[Any] = [
    *([], [1], [1, 2, 3], [3, 1, 2, 5], [0.5, 2, -1.5], [2**13, 4, 7], [-5, 2**12, 9]),
    *(["a", "b"], ["x"], [[1, 2], [3, 4]], [["a", 1]], [[1], [2, 3]], [None], [True, 2]),
    *([1, "a"], [1e308, 1e10], "abc", "", 7, None, {"k": 1, "l": 2}, [0, 0], [1, 0]),
]


def pairs() -> list[dict[str, Any]]:
    chance = random.Random(2)
    found = [{"a": a, "b": b} for a in LISTS[:8] for b in LISTS[:8]]
    return found + [{"a": chance.choice(LISTS), "b": chance.choice(LISTS)} for _ in range(150)]


@pytest.mark.parametrize(
    "expression",
    [
        "math.prod(a)", "math.prod(x * 2 for x in a)",
        "math.prod(a, start=1.5)",
        "math.prod([])", "str(math.prod([Decimal('1.5'), 2]))", "[math.prod(a), math.prod(b)]",
        "sum(map(operator.mul, a, b))", "list(map(lambda x, y: x + y, a, b))",
        "list(map(max, a, b))",
        "[x for x in map(operator.floordiv, a, b)]", "all(map(operator.le, a, a[1:]))",
        "list(map(min, a, b, a))",
        "dict(map(lambda x, y: (x, y), a, b))", "any(map(operator.eq, a, b))",
        "list(map(' '.join, a))",
        "list(map(lambda x, y, z: [x, y, z], a, b, range(10)))", "list(map(', '.join, zip(a, a)))",
        "list(map('{} €'.format, a))", "tuple(map(divmod, a, b))",
        "sorted(map(operator.sub, a, b))",
        "list(map(operator.truediv, a, b))", "list(map(round, a, b))",
        "list(map(isinstance, a, b))",
        "list(starmap(operator.add, a))", "list(starmap(lambda x, y: f'{x}{y}', a))",
        "[x for x in itertools.starmap(operator.sub, a)]", "list(starmap(max, a))",
        "sum(starmap(operator.mul, zip(a, b)))",
        "list(starmap(lambda x: x, a))", "list(starmap(lambda *x: x, a))",
        "list(product(a, b))", "[x + y for x, y in product(a, b) if x != y]", "list(product(a))",
        "list(itertools.product(a, repeat=2))", "list(product(a, b, repeat=2))[:9]",
        "len(list(product('ab', repeat=3)))",
        "list(product(a, [], b))", "list(product((x for x in a), b))", "list(product())",
        "list(product(a, repeat=0))",
        "list(accumulate(a))", "list(accumulate(a, operator.mul))",
        "list(accumulate(a, initial=10))",
        "list(accumulate(a, max))", "list(accumulate(a, lambda x, y: x - y, initial=b))",
        "list(accumulate(a, initial=None))",
        "list(accumulate(a, func=min))", "list(accumulate(a, None))",
        "[x for x in accumulate(a, initial='')]",
        "dict(zip(a, accumulate(b)))", "list(accumulate(iterable=a))",
        "list(accumulate(a, operator.lt))",
    ],
)  # fmt: skip
def test_expressions(expression: str) -> None:
    function = function_of(expression, "ab", **NAMES)
    if isinstance(compile_any(function), Compiled):
        same(function, pairs())


def test_usual_records_are_not_given_back() -> None:
    body = (
        "a, b = r['a'], r['b']\n"
        "return {'dot': sum(map(operator.mul, a, b)), 'volume': math.prod(a),\n"
        "        'grid': [x * y for x, y in product(a, b)], 'sums': [*accumulate(a, initial=1)],\n"
        "        'highest': list(accumulate(b, max)), 'pairs': list(starmap(pow, zip(a, b))),\n"
        "        'up': all(map(operator.lt, a, a[1:])), 'text': [*map('/'.join, zip('ab', 'cd'))]}"
    )
    records = [{"a": a, "b": b} for a in ([], [1, 2], [3, 0.5]) for b in ([], [1, 2, 3])]
    assert same(function_with(body, **NAMES), records) == 0


def test_products_of_large_integers() -> None:
    records = [{"a": a} for a in ([2**62, 4, 7], [-(2**40), 2**40], [2**63, 2], [1e300, 1e10])]
    assert same(function_of("str(math.prod(a) % 1000)", "a", **NAMES), records) == 1


def test_an_iterator_that_is_kept_is_not_compiled() -> None:
    for expression in ("starmap(pow, r['a'])", "product(r['a'], r['a'])"):
        function = function_with(f"kept = {expression}\nreturn {{'n': [*kept][:1]}}", **NAMES)
        assert isinstance(compile_any(function), NotCompiled)


ROLL_UPS = [
    "{'n': 0, 'sum': 0.0}", "{'n': 0, 'names': []}", "{'seen': set(), 'by': {}}", "[0, 0.0, None]",
    "[]", "{}", "(0, 0)", "1", "None", "'x'", "-1.5", "{'low': None, 'parts': [[], {}]}", "[[]]",
]  # fmt: skip


@pytest.mark.parametrize("value", ROLL_UPS)
def test_defaultdict_of_copies_of_a_constant(value: str) -> None:
    body = (
        f"found = defaultdict(lambda: {value})\n"
        "for key, item in r['items']:\n"
        "    part = found[key]\n"
        "    if isinstance(part, dict) and 'n' in part:\n"
        "        part['n'] += 1\n"
        "        if 'sum' in part:\n            part['sum'] += item\n"
        "        else:\n            part['names'].append(item)\n"
        "    elif isinstance(part, dict) and 'seen' in part:\n"
        "        part['seen'].add(item)\n        part['by'][item] = key\n"
        "    elif isinstance(part, dict) and 'parts' in part:\n"
        "        part['parts'][0].append(item)\n        part['parts'][1][key] = item\n"
        "    elif isinstance(part, list):\n"
        "        part.append(item)\n"
        "return {key: sorted(part['seen']) if isinstance(part, dict) and 'seen' in part else part\n"
        "        for key, part in found.items()}"
    )
    items = [["a", 1], ["b", 2], ["a", 3.5], ["a", 1]]
    records = [{"items": items}, {"items": []}, {"items": items[:1]}, {"items": items}]
    assert same(function_with(body, **NAMES), records) == 0
    same(function_with(body, **NAMES), [{"items": [[[], 1]]}, {"items": 5}, {}])
