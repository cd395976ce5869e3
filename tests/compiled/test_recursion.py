"""Compiled processors: functions that call themselves, and generators that are called."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from forstcore.compiled import NotCompiled, compile_processor
from tests.compiled.oracle import same


def nested(depth: int, width: int = 2) -> Any:
    """Return objects and lists inside each other."""
    if not depth:
        return width
    inner = nested(depth - 1, width)
    return {"k": inner, "list": [inner] * width, "n": None} if depth % 2 else [inner, depth]


RECORDS: list[Any] = [
    {
        "n": i,
        "o": nested(i % 5),
        "xs": [i, [2, [7, i % 3], []]][: i % 4],
        "s": "ab" * (i % 3),
        "password": "x",
        "tree": {"id": i, "children": [{"id": 1, "children": [{"id": 2}]}, {"id": 3}][: i % 3]},
    }
    for i in range(16)
]
ODD: list[Any] = [
    {},
    {"n": 3.5, "o": 3, "xs": {"a": 1}, "tree": None},
    {"n": True, "o": [None, {"a": []}], "xs": "text", "s": None, "tree": {"children": {}}},
    {"n": None, "xs": [[[[None]]]], "tree": {"id": [], "children": [{"children": [1]}]}},
    {"n": 10**20, "o": {"n": 10**20}, "xs": [10**20]},
    '{"o":{"a":1,"a":{"b":2}},"xs":[{"a":1,"a":2}],"n":1}',
]


def flatten(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(inner, dict):
            flat.update(flatten(inner, name))
        elif isinstance(inner, list):
            flat.update(flatten({str(i): x for i, x in enumerate(inner)}, name))
        else:
            flat[name] = inner
    return flat


def flattens(record: dict[str, Any]) -> Any:
    return flatten(record)


def clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: clean(v) for k, v in value.items() if v is not None and k != "password"}
    if isinstance(value, list):
        return [clean(x) for x in value]
    return value.strip() if isinstance(value, str) else value


def cleans(record: dict[str, Any]) -> Any:
    return {"clean": clean(record), "twice": clean([clean(record["o"])])}


def calls_itself(record: Any) -> Any:
    if isinstance(record, list):
        return {"list": [calls_itself(x) for x in record]}
    if isinstance(record, dict):
        return {k: calls_itself(v) for k, v in record.items()}
    return record


def collects(record: dict[str, Any]) -> Any:
    found: dict[str, Any] = {}
    count = 0

    def walk(value: Any, path: list[str]) -> None:
        nonlocal count
        count += 1
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, [*path, key])
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                walk(inner, [*path, str(i)])
        else:
            found["/".join(path)] = value

    walk(record, [])
    return {"found": found, "count": count}


def redact(value: Any, secrets: tuple[str, ...] = ("password", "s")) -> None:
    if isinstance(value, dict):
        for key in list(value):
            if key in secrets:
                value[key] = "***"
            else:
                redact(value[key])
    elif isinstance(value, list):
        for item in value:
            redact(item)


def redacts_in_place(record: dict[str, Any]) -> Any:
    redact(record)
    return record


def factorial(n: int) -> int:
    return 1 if n < 2 else n * factorial(n - 1)


def is_even(n: int) -> bool:
    return True if n == 0 else is_odd(n - 1)


def is_odd(n: int) -> bool:
    return False if n == 0 else is_even(n - 1)


def fibonacci(n: int) -> int:
    if n < 2:
        return n
    return fibonacci(n - 1) + fibonacci(n - 2)


def numbers(record: dict[str, Any]) -> Any:
    n = record["n"]
    return {"even": is_even(n), "factorial": factorial(n), "fibonacci": fibonacci(n)}


def depth_of(tree: dict[str, Any]) -> int:
    depths = [depth_of(child) for child in tree.get("children", [])]
    return 1 + max(depths, default=0)


def total(tree: dict[str, Any]) -> Any:
    """Return early, late, and not at all, with variables that a call must not change."""
    number = tree["id"]
    for child in tree.get("children", ()):
        if child["id"] == 3:
            return number
        number += total(child)
    return number


def walks_trees(record: dict[str, Any]) -> Any:
    tree = record["tree"]
    return {"depth": depth_of(tree), "total": total(tree)}


def nothing_at_the_end(value: Any) -> Any:
    if isinstance(value, dict):
        for inner in value.values():
            if nothing_at_the_end(inner) == 2:
                return "two"
        return
    if isinstance(value, int):
        return value


def returns_nothing(record: dict[str, Any]) -> Any:
    return {"found": [nothing_at_the_end(record["o"]), nothing_at_the_end(record["tree"])]}


def first_number(value: Any) -> int:
    if isinstance(value, list):
        for inner in value:
            try:
                return first_number(inner)
            except ValueError:
                continue
        raise ValueError("none")
    return int(value)


def last_path(value: Any, log: list[int]) -> str:
    try:
        if isinstance(value, list) and value:
            return "l" + last_path(value[-1], log)
        return "x"
    finally:
        log.append(len(last_path(None, []) if value else ""))


def finally_calls_itself(record: dict[str, Any]) -> Any:
    log: list[int] = []
    return {"path": last_path(record["xs"], log), "log": log}


def catches_in_calls(record: dict[str, Any]) -> Any:
    try:
        return {"first": first_number(record["xs"])}
    except ValueError:
        return {"first": None}
    except TypeError:
        return {"type": True}


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def yields_leaves(record: dict[str, Any]) -> Any:
    numbers = [x for x in leaves(record["o"]) if x is not None]
    count = 0
    for x in leaves(record["xs"]):
        count += x
        if count > 20:
            break
    return {"sum": sum(numbers), "count": count, "text": ",".join(map(str, numbers))}


def all_leaves(record: dict[str, Any]) -> Iterator[Any]:
    yield {"n": record["n"]}
    yield from leaves(record["o"])


def returns_leaves(record: dict[str, Any]) -> Any:
    return leaves(record["xs"])


def chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def changes_of(items: list[Any]) -> Iterator[tuple[int, Any]]:
    seen: list[Any] = []
    place = 0
    for item in items:
        if item not in seen:
            seen.append(item)
            yield place, item
        place += 2


def small_generators(record: dict[str, Any]) -> Any:
    xs = record["xs"]
    return {
        "chunks": [{"at": i, "chunk": c} for i, c in enumerate(chunks(xs, 2))],
        "changes": list(changes_of(list(record["s"]))),
    }


def checked(items: list[Any]) -> Iterator[int]:
    for item in items:
        yield 10 // item


def catches_around_generators(record: dict[str, Any]) -> Any:
    seen = []
    try:
        for x in checked(record["xs"]):
            seen.append(x)
    except (ZeroDivisionError, TypeError):
        seen.append(-1)
    return {"seen": seen}


def chained(record: dict[str, Any]) -> Any:
    xs = [x for x in record["xs"] if isinstance(x, int)]
    pairs = [[x, x + 1] for x in xs]
    seen = []
    for x in itertools.chain(xs, [7], record["s"]):
        if x == "b":
            break
        seen.append(x)
    return {
        "chain": seen,
        "flat": list(itertools.chain.from_iterable(pairs)),
        "pairs": [b - a for a, b in itertools.pairwise([3, *xs, 9])],
        "sums": list(itertools.accumulate([1, 2, *xs])),
        "some": [k for k in itertools.islice(record.items(), 2)],  # noqa: C416
        "middle": list(itertools.islice(record["s"], 1, 3)),
        "both": [a + b for a, b in itertools.combinations(record["s"], 2)],
    }


def reduced(record: dict[str, Any]) -> Any:
    def longer(a: str, b: str) -> str:
        return b if len(b) > len(a) else a

    xs = [x for x in record["xs"] if isinstance(x, int)]
    try:
        total = functools.reduce(operator.add, xs)
    except TypeError:
        total = None
    return {
        "total": total,
        "shifted": functools.reduce(lambda a, b: a * 10 + b, xs, 1),
        "longest": functools.reduce(longer, [record["s"], "x", "yyy"]),
    }


def best_key(record: dict[str, Any]) -> Any:
    counts: dict[str, int] = {}
    for letter in record["s"]:
        counts[letter] = counts.get(letter, 0) + 1
    return {"best": max(counts, key=counts.get, default=None)}  # type: ignore[arg-type]


CASES: list[tuple[Callable[[dict[str, Any]], Any], int]] = [
    (flattens, 0),
    (cleans, 0),
    (calls_itself, 0),
    (collects, 0),
    (redacts_in_place, 0),
    (numbers, 0),
    (walks_trees, 0),
    (returns_nothing, 0),
    (finally_calls_itself, 0),
    (catches_in_calls, 0),
    (yields_leaves, 0),
    (all_leaves, 0),
    (returns_leaves, 0),
    (small_generators, 0),
    (catches_around_generators, 8),
    (chained, 0),
    (reduced, 0),
    (best_key, 0),
]


@pytest.mark.parametrize(
    ("function", "given_back"), CASES, ids=lambda each: getattr(each, "__name__", None)
)
def test_functions_that_call_themselves(function: Any, given_back: int) -> None:
    assert same(function, RECORDS) == given_back
    same(function, RECORDS + ODD)


def test_calls_that_are_too_deep_are_given_back() -> None:
    records = [nested_lists(depth) for depth in (1, 40, 200)]
    assert same(cleans, records) == 1


def nested_lists(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return {"o": value}


def test_calls_that_take_too_many_steps_are_given_back() -> None:
    assert same(numbers, [{"n": 20}, {"n": 21}, {"n": 22}]) in range(4)


def shows_what_grows(items: list[Any]) -> Iterator[list[Any]]:
    seen: list[Any] = []
    for item in items:
        seen.append(item)
        yield seen


def sees_changes(record: dict[str, Any]) -> Any:
    return {"sizes": [len(seen) for seen in shows_what_grows(record["xs"])]}


def later(record: dict[str, Any]) -> Any:
    stack = [1, 2]
    seen = []
    for x in changes_of(stack):
        seen.append(x)
        if len(stack) < 5:
            stack.append(x[1] + 5)
    return {"seen": seen}


def push(stack: list[int], item: int) -> None:
    stack.append(item)


def pushes(stack: list[int], items: list[Any]) -> Iterator[int]:
    for item in items:
        push(stack, item)
        yield len(stack)


def sees_pushes(record: dict[str, Any]) -> Any:
    stack: list[int] = []
    return {"sizes": [size - len(stack) for size in pushes(stack, record["xs"])]}


def changes_in_a_local_function(record: dict[str, Any]) -> Any:
    stack = [1, 2]

    def more() -> None:
        if len(stack) < 5:
            stack.append(len(stack))

    seen = []
    for x in changes_of(stack):
        seen.append(x)
        more()
    return {"seen": seen}


def shares_an_iterator(record: dict[str, Any]) -> Any:
    items = iter(record["xs"])
    return {"first": list(itertools.islice(items, 2)), "rest": list(items)}


def keeps(record: dict[str, Any]) -> Any:
    found = leaves(record)
    return {"first": next(found)}


@pytest.mark.parametrize(
    ("function", "construct"),
    [
        (sees_changes, "something changes meanwhile"),
        (later, "something changes meanwhile"),
        (sees_pushes, "something changes meanwhile"),
        (changes_in_a_local_function, "something changes meanwhile"),
        (shares_an_iterator, "islice, for something changes"),
        (keeps, "the generator leaves that is kept"),
    ],
)
def test_generators_that_matter_as_such_do_not_compile(function: Any, construct: str) -> None:
    result = compile_processor(function)
    assert isinstance(result, NotCompiled)
    assert construct in str(result)
