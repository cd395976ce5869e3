"""Compiled processors: collections, itertools and statistics."""

from __future__ import annotations

import collections
import itertools
import json
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.compiled.oracle import same
from tests.compiled.random_values import random_number, random_value
from tests.compiled.snippets import function_of

NAMES = {
    **{each.__name__: each for each in (collections, itertools, json, math, statistics)},
    **{"Counter": Counter, "defaultdict": defaultdict},
}
WRONG: list[Any] = [None, True, 7, 1.5, "", "abca", {}, {"a": 1}, {"a": [1], "b": "x"}, [[]], [{}]]


def check(expression: str, inputs: list[Any], given_back: int | None = None) -> None:
    """Compare an expression of `a` with Python's; say how many may be given back."""
    found = same(function_of(expression, "a", **NAMES), [{"a": each} for each in inputs])
    if given_back is not None:
        assert found <= given_back


def lists(seed: int, count: int = 40) -> list[Any]:
    """Return lists of words, of numbers, and of anything."""
    rng = Random(seed)
    words = [rng.choices("abcd", k=rng.randrange(30)) for _ in range(count)]
    numbers = [[rng.randrange(5) for _ in range(rng.randrange(9))] for _ in range(count)]
    mixed = [[random_value(rng, 3) for _ in range(rng.randrange(6))] for _ in range(count)]
    return [*words, *numbers, *mixed, [1, True, 1.0, 0, False], [None, "", 0], []]


# Counters and dicts with defaults.


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "Counter(a)",
            "dict(Counter(a))",
            "Counter(a).most_common()",
            "Counter(a).most_common(2)",
        ),
        *("Counter(a).most_common(-1)", "Counter(a).most_common(1)[0]", "Counter(a)['a']"),
        *(
            "len(Counter(a))",
            "list(Counter(a).items())",
            "Counter(x for x in a if x)",
            "str(Counter(a))",
        ),
        *("Counter(a) == Counter(a)", "Counter(a) + Counter(a)", "Counter(a) | Counter(a)"),
        *("Counter(a) < Counter('ab')", "Counter(a) == {'a': 1}", "Counter(a).copy()['nothing']"),
        *("sum(Counter(a).values())", "max(Counter(a).values(), default=0)", "Counter(a).get('z')"),
        *(
            "{**Counter(a)}",
            "isinstance(Counter(a), dict)",
            "'a' in Counter(a)",
            "bool(Counter(a))",
        ),
        *("json.dumps(Counter(a))", "f'{Counter(a)}'", "-Counter(a)", "Counter(a).pop('a')"),
        *("sorted(Counter(a))", "Counter(Counter(a)).most_common(3)", "'%(x)s' % Counter(a)"),
        *("defaultdict(int, a)", "defaultdict(list, a)['new']", "defaultdict(str, a) == a"),
        *(
            "str(defaultdict(int, a))",
            "defaultdict(dict, a) | {'x': 1}",
            "'%(x)s' % defaultdict(int)",
        ),
        *(
            "'abc'.translate(defaultdict(str))",
            "defaultdict(lambda: 0)[a]",
            "defaultdict(int).get(a, 5)",
        ),
        *("dict(defaultdict(int, a))['new']", "defaultdict(int, a).copy()['new']"),
    ],
)
def test_expressions(expression: str) -> None:
    check(expression, [*lists(1), *WRONG])


def counted(r: dict[str, Any]) -> dict[str, Any]:
    counts: Counter[Any] = Counter()
    for each in r["a"]:
        counts[each] += 1
    counts.update(r["b"])
    counts.update({"z": 2, "a": 1})
    del counts["absent"]
    seen = counts["nobody"], "nobody" in counts
    return {"counts": counts, "top": counts.most_common(2), "seen": seen}


def grouped(r: dict[str, Any]) -> dict[str, Any]:
    groups: defaultdict[Any, list[int]] = defaultdict(list)
    lengths: defaultdict[Any, Any] = defaultdict(lambda: defaultdict(int))
    kinds: defaultdict[Any, Counter[Any]] = defaultdict(Counter)
    distinct: defaultdict[int, set[Any]] = defaultdict(set)
    total: defaultdict[Any, float] = defaultdict(float)
    text: defaultdict[Any, str] = defaultdict(str)
    for i, each in enumerate(r["a"]):
        groups[each].append(i)
        lengths[len(r["a"]) % 3][each] += i
        kinds["x"][each] += 1
        distinct[i % 2].add(each)
        total[each] += 0.5
        text[each] += "-"
    try:
        known = dict(groups)["nothing"]
    except KeyError:
        known = groups["nothing"]
    return {
        "groups": groups,
        "lengths": {str(k): v for k, v in lengths.items()},
        "kinds": kinds["x"].most_common(1),
        "distinct": {str(k): len(v) for k, v in distinct.items()},
        "total": total,
        "text": text,
        "known": known,
    }


def runs(r: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key, group in itertools.groupby(r["a"]):
        yield {"key": key, "count": len(list(group))}
    rows = sorted(r["b"], key=str)
    for size, group in itertools.groupby(rows, key=lambda each: len(str(each))):
        yield {"size": size, "first": next(group), "rest": list(group), "again": list(group)}  # noqa: B031
    late = [(key, group) for key, group in itertools.groupby(r["a"])]
    yield {"late": [(key, list(group)) for key, group in late]}


def changed_meanwhile(r: dict[str, Any]) -> list[Any]:
    rows = list(r["a"])
    found = []
    for key, group in itertools.groupby(rows):
        found.append([key, *group])
        if len(rows) < 20:
            rows.append(key)
    return [{"found": found}]


def neighbours(r: dict[str, Any]) -> dict[str, Any]:
    pairs = itertools.pairwise(r["a"])
    first = next(pairs, None)
    chained = itertools.chain(r["a"], r["b"], "xy")
    head = next(chained, None)
    return {
        "first": first,
        "others": list(pairs),
        "none": list(pairs),
        "head": head,
        "tail": list(chained),
        "flat": list(itertools.chain.from_iterable([r["a"], r["b"]])),
        "both": list(itertools.combinations(r["a"][:9], 2)),
        "columns": [list(column) for column in zip(*[r["a"], r["b"]], strict=False)],
    }


@pytest.mark.parametrize("function", [counted, grouped, neighbours])
def test_functions(function: Any) -> None:
    usual = [{"a": list("abcab"), "b": list("cax")}, {"a": [], "b": []}, {"a": ["é"], "b": ["b"]}]
    assert same(function, usual) == 0
    found = lists(2)
    records = [{"a": a, "b": b} for a, b in itertools.pairwise(found)]
    same(function, [*records, *({"a": each, "b": []} for each in WRONG)])


def updated(r: dict[str, Any]) -> dict[str, Any]:
    counts = Counter(r["a"])
    counts.update(r["b"])
    return {"counts": counts}


def test_an_update_adds_to_counts_but_copies_values_into_an_empty_counter() -> None:
    values: list[Any] = [3, -1, True, 0.5, -0.0, 2**40, 2**70, None, "", "x", [], {}]
    names: tuple[list[str], ...] = ([], ["x"], ["y"])
    assert same(updated, [{"a": a, "b": {"x": n}} for a in names for n in (3, -1)]) == 0
    same(updated, [{"a": a, "b": {"x": value}} for a in names for value in values])
    same(updated, [{"a": a, "b": b} for a in names for b in WRONG])


@pytest.mark.parametrize("function", [runs, changed_meanwhile])
def test_groups(function: Any) -> None:
    if function is runs:
        assert same(function, [{"a": list("aabbba"), "b": ["x", "yy", "zz", "w"]}]) == 0
    found = lists(3)
    records = [{"a": a, "b": b} for a, b in itertools.pairwise(found)]
    same(function, [*records, *({"a": each, "b": []} for each in WRONG)])


@pytest.mark.parametrize(
    "expression",
    [
        *("list(zip(*a))", "[list(x) for x in zip(*a)]", "list(itertools.chain(*a))"),
        *("list(itertools.chain.from_iterable(a))", "list(itertools.combinations(a, 2))"),
        *(
            "list(itertools.combinations(a, 3))",
            "list(itertools.pairwise(a))",
            "list(itertools.chain())",
        ),
        *(
            "[k for k, _ in itertools.groupby(a)]",
            "{k: list(g) for k, g in itertools.groupby(a, type)}",
        ),
        *("[k for k, _ in itertools.groupby(a, key=None)]", "dict(zip(*a))", "max(zip(*a))"),
        *("list(itertools.zip_longest(a, [1, 2]))", "dict(itertools.zip_longest('ab', a))"),
        *("list(itertools.zip_longest(*a[:0]))", "list(itertools.zip_longest(a))"),
        "[x for x, y in itertools.zip_longest([], a, fillvalue='-') if y]",
        "[next(z, 0) for z in [itertools.zip_longest(iter(a), a, fillvalue=a)] for _ in range(4)]",
    ],
)
def test_iterators(expression: str) -> None:
    nested = [
        [[1, 2], [3, 4], [5, 6]],
        [["a", 1], ["b"]],
        [[]],
        [{"x": 1}, "ab"],
        [[1], 2],
        [[], [1]],
    ]
    check(expression, [*nested, *lists(4), *WRONG])


# Statistics.


def numbers(seed: int, count: int = 300) -> list[Any]:
    rng = Random(seed)
    found: list[Any] = []
    for _ in range(count):
        size = rng.choice((1, 2, 3, 7, 30))
        kind = rng.randrange(5)
        if kind == 0:
            found.append([rng.randrange(-1000, 1000) for _ in range(size)])
        elif kind == 1:
            found.append([round(rng.uniform(-100, 1000), rng.randrange(4)) for _ in range(size)])
        elif kind == 2:
            found.append([rng.uniform(-1, 1) * 10.0 ** rng.randrange(-9, 9) for _ in range(size)])
        elif kind == 3:
            found.append([rng.choice((1, 2.5, 0, -0.0, 3, 1e-3)) for _ in range(size)])
        else:
            found.append([random_number(rng) for _ in range(size)])
    return found


SPREADS = ["statistics.stdev", "statistics.pstdev", "statistics.variance", "statistics.pvariance"]


@pytest.mark.parametrize("name", SPREADS)
def test_spreads(name: str) -> None:
    """Variances and deviations, which Python computes exactly and rounds once."""
    check(f"{name}(a)", [*numbers(8), *WRONG, [], [5], [True, 2], ["a", "b"], [None], [0.0, -0.0]])
    check(f"{name}(x * 0.1 for x in a)", numbers(9))
    usual = [each for each in numbers(10) if all(abs(x) < 2000 and round(x, 3) == x for x in each)]
    check(f"{name}(a)", [each for each in usual if len(each) > 1], 0)
    hard: list[list[float]] = [[0, 2**27], [1e-5, 1e5], [2**53, 1 - 2**53, 5], [0.1] * 9, [3, 3, 3]]
    hard += [
        [1, 2, 2, 3],
        [1, 3],
        [0, 2**26 + 1],
        [0, 2 * (2**26 + 1)],
        [2**53 + 1, 1],
        [2**53 + 1, 1000.0],
        [-(2**53) - 1, 1000.0, 2.5],
        [5e-324, 0],
    ]
    hard += [
        [1e300, 1],
        [1e-200, 2e-200],
        [94906265.62425156, 0],
        [1.5, 2.5, 2.5, 2.75, 3.25, 4.75],
    ]
    rng = Random(11)
    # Roots that are, or nearly are, in the middle of two doubles.
    for _ in range(300):
        middle = rng.getrandbits(53) * 2 + 1
        hard.append([0, middle * 2.0**-20, 0][: rng.randrange(2, 4)])
        hard.append([rng.getrandbits(26) + 0.5 for _ in range(rng.randrange(2, 9))])
    check(f"{name}(a)", hard)


@pytest.mark.parametrize(
    "name", ["statistics.mean", "statistics.fmean", "statistics.median", "math.fsum"]
)
def test_averages(name: str) -> None:
    check(f"{name}(a)", [*numbers(5), *WRONG, [], [True, 2], ["a"], [None], [0.0], [-0.0], [0]])
    check(f"{name}(x * 0.1 for x in a)", numbers(6))
    usual = [each for each in numbers(7) if all(abs(x) < 2000 and round(x, 3) == x for x in each)]
    check(f"{name}(a)", usual, 0)
    # Halfway between two doubles.
    hard = [[1.0, 2.0**-53], [1.0, 2.0**-53, 2.0**-78], [1.0, 2.0**-52 * 1.5, 2.0**-60], [2**53, 1]]
    hard += [[2.0**53, 1.0, 1.0], [1e15 + 0.5, 0.25], [0.1] * 10, [0.1] * 11, [1e16, 1.0, -1e16]]
    hard += [
        [2**53 + 1],
        [-(2**53) - 1, 1],
        [2**53 + 1, 2.5],
        [2**62 + 1, 2**62 + 3],
        [2**53 + 1] * 3,
    ]
    check(f"{name}(a)", hard)
