"""Compiled processors: statements, local functions and loops."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any

import pytest

from forstcore.compiled import NotCompiled, compile_processor
from tests.compiled.oracle import same

RECORDS: list[Any] = [
    {"n": i, "kind": ("a", "b", "c", None)[i % 4], "xs": [i, 2, 7, i % 3], "o": {"k": i}}
    for i in range(20)
]
LIMITS = {"a": 3, "b": 7}
NAMES = ["zero", "one", "two"]


def branches(record: dict[str, Any]) -> Any:
    n = record["n"]
    if n < 2:
        label = "few"
    elif n < 10 and record["kind"] == "a":
        label = "some"
    else:
        if not record["kind"]:
            return None
        label = "many"
    return {"n": n, "label": label, "limit": LIMITS.get(record["kind"], 0)}


def loops(record: dict[str, Any]) -> Any:
    seen = []
    for x in record["xs"]:
        if x == 7:
            continue
        if x == 19:
            break
        seen.append(x)
    else:
        seen.append(-1)
    n = 0
    while n < record["n"]:
        n += 4
    return {"seen": seen, "n": n}


def unpacking(record: dict[str, Any]) -> Any:
    first, *middle, last = record["xs"]
    a, b = last, first
    a, b = b, a
    (c, d), e = (a, b), middle
    return {"a": a, "b": b, "c": c, "d": d, "e": e}


def unpacking_fails(record: dict[str, Any]) -> Any:
    a, b, _c, _d, _e, *_ = record["xs"]
    return {"a": a, "b": b}


def comprehensions(record: dict[str, Any]) -> Any:
    pairs = [(x, y) for x in record["xs"] for y in (1, 2) if x > y]
    return {
        "pairs": pairs,
        "squares": {f: x * x for f, x in zip(("p", "q"), record["xs"], strict=False)},
        "any": any(x > 15 for x in record["xs"]),
        "all": all(x > 1 for x in record["xs"]),
        "first": next((x for x in record["xs"] if x > 5), None),
        "count": len(set(record["xs"])),
    }


def keys(record: dict[str, Any]) -> Any:
    rows = [{"v": x, "w": -x} for x in record["xs"]]
    rows.sort(key=operator.itemgetter("v"), reverse=True)
    return {
        "rows": rows,
        "sorted": sorted(record["xs"], key=lambda x: (x % 3, -x)),
        "max": max(rows, key=lambda row: row["w"]),
        "min": min(record["xs"], key=abs, default=0),
        "none": max([], key=abs, default="none"),
        "mapped": [x + 1 for x in record["xs"]],
        "filtered": list(filter(None, record["xs"])),
    }


def half(x: int, by: int = 2) -> int:
    if x < 0:
        return 0
    return x // by


@lru_cache(maxsize=100)
def name_of(x: int) -> str:
    return NAMES[x] if x < len(NAMES) else "more"


def shouting(function: Callable[[str], str]) -> Callable[[str], str]:
    @wraps(function)
    def shout(text: str) -> str:
        return function(text) + "!"

    return shout


@lru_cache
@shouting
def loud(text: str) -> str:
    return text.upper()


def calls_a_decorated_function(record: dict[str, Any]) -> Any:
    return {"loud": loud(record["kind"])}


def helpers(record: dict[str, Any]) -> Any:
    def double(x: int) -> int:
        return x * 2 + int(record["n"])

    triple = record["n"] * 3
    return {
        "half": half(record["n"]),
        "by": half(record["n"], by=3),
        "double": double(triple),
        "name": name_of(record["n"] % 5),
    }


def catches(record: dict[str, Any]) -> Any:
    try:
        value = record["o"]["missing"]
    except KeyError:
        value = "none"
    try:
        item = record["xs"][record["n"]]
    except (IndexError, TypeError):
        item = -1
    else:
        item += 100
    try:
        share = 12 // record["n"]
    except ZeroDivisionError:
        share = 0
    return {"value": value, "item": item, "share": share}


def raises(record: dict[str, Any]) -> Any:
    if record["n"] % 5 == 0:
        raise ValueError(f"{record['n']} is a multiple")
    assert record["n"] != 7, "seven"
    try:
        if record["n"] == 3:
            raise KeyError("three")
    except LookupError:
        return {"three": True}
    return record


def matches(record: dict[str, Any]) -> Any:
    match record["kind"]:
        case "a" | "b":
            name = "early"
        case None:
            name = "none"
        case str() as other:
            name = other
    match record:
        case {"xs": [0, _, _, _]}:
            shape = "zero"
        case {"o": {"k": k}} if k > 10:
            shape = k
        case _:
            shape = "other"
    return {"name": name, "shape": shape}


def yields(record: dict[str, Any]) -> Iterator[Any]:
    if not record["kind"]:
        return
    for i, x in enumerate(record["xs"]):
        yield {"i": i, "x": x}
    yield from record["xs"][:2]
    yield record["o"]


def returns_several(record: dict[str, Any]) -> Any:
    if record["n"] % 2:
        return [{"x": x} for x in record["xs"]]
    return [record["o"], {"n": record["n"]}]


def changes(record: dict[str, Any]) -> Any:
    if record["n"] < 3:
        return None
    record["o"]["twice"] = record["o"]["k"] * 2
    record["n"] += 1
    del record["kind"]
    record["xs"].append(record.pop("n"))
    for x in record["xs"]:
        record.setdefault("sum", 0)
        record["sum"] += x
    return record


def changes_parts(record: dict[str, Any]) -> Any:
    alias = record["o"]
    rows = [{"v": x} for x in record["xs"]]
    for row in rows:
        row["v"] += 1
    alias["rows"] = rows
    return {**record, "extra": alias["k"]}


def shadows(record: dict[str, Any]) -> Any:
    x = record["n"]
    xs = list(record["xs"])
    x += 1
    record = {"x": x, "xs": xs}
    return record


def walrus(record: dict[str, Any]) -> Any:
    if (n := record["n"]) > 4 and (m := n * 2) < 30:
        return {"n": n, "m": m}
    return {"n": n}


def may_be_unbound(record: dict[str, Any]) -> Any:
    if record["n"] > 4:
        late = record["n"]
    return {"late": late}


def may_be_unbound_behind_a_loop(record: dict[str, Any]) -> Any:
    for x in record["xs"]:
        if x == 19:
            break
    else:
        none = None
    return {"none": none is None}


def may_be_unbound_in_an_expression(record: dict[str, Any]) -> Any:
    if record["n"] > 4 and (late := record["kind"]) == "c":
        return None
    return {"late": late is None}


def logs_rare_records(record: dict[str, Any]) -> Any:
    if record["n"] == 9:
        print(end="")
    return {"n": record["n"]}


FUNCTIONS = [
    (branches, 0),
    (loops, 0),
    (unpacking, 0),
    (unpacking_fails, 20),
    (comprehensions, 0),
    (keys, 0),
    (helpers, 0),
    (catches, 0),
    (raises, 5),
    (matches, 0),
    (yields, 0),
    (returns_several, 0),
    (changes, 0),
    (changes_parts, 0),
    (shadows, 0),
    (walrus, 0),
    (may_be_unbound, 5),
    (may_be_unbound_behind_a_loop, 1),
    (may_be_unbound_in_an_expression, 5),
    (logs_rare_records, 1),
]


@pytest.mark.parametrize(("function", "given_back"), FUNCTIONS)
def test_statements_do_what_python_does(function: Any, given_back: int) -> None:
    assert same(function, RECORDS) == given_back
    odd: list[Any] = [{}, {"n": None}, {"n": 1.5, "kind": 3, "xs": {}, "o": []}, {"n": True}, "[]"]
    same(function, RECORDS + odd)


def endless(record: dict[str, Any]) -> Any:
    n = record["n"]
    while n > -1:
        n += 1
        if n > 5_000_000:
            break
    return {"n": n}


def test_a_record_that_takes_too_many_steps_is_given_back() -> None:
    assert same(endless, RECORDS[:1]) == 1


def searches(record: dict[str, Any]) -> Any:
    return {"found": sum("ab" in record["text"] for _ in range(record["n"]))}


def searches_backwards(record: dict[str, Any]) -> Any:
    return {"found": sum(record["text"].rfind("ab") for _ in range(record["n"]))}


def looks_at_all(record: dict[str, Any]) -> Any:
    return {"found": sum(record["text"].isdigit() for _ in range(record["n"]))}


def compares(record: dict[str, Any]) -> Any:
    return {"found": sum(record["text"] == record["same"] for _ in range(4 * record["n"]))}


@pytest.mark.one_in(4)
@pytest.mark.parametrize("function", [searches, searches_backwards, looks_at_all, compares])
def test_steps_are_charged_for_long_texts(function: Callable[..., Any]) -> None:
    text = "1" * 200_000
    assert same(function, [{"text": text, "same": text, "n": n} for n in (10, 2000)]) == 1


def repeats(record: dict[str, Any]) -> Iterator[Any]:
    for _ in range(record["n"]):
        yield record["text"]


def test_results_that_take_too_much_memory_are_given_back() -> None:
    assert same(repeats, [{"text": "x" * 1_000_000, "n": n} for n in (10, 70)]) == 1


TABLE = {"a": [1]}
COUNTS: dict[str, int] = {}
limit = 5


def changes_a_global(record: dict[str, Any]) -> Any:
    COUNTS[record["kind"]] = 1
    return record


def may_change(record: dict[str, Any]) -> Any:
    return {"count": COUNTS.get(record["kind"])}


def set_limit(value: int) -> None:
    global limit
    limit = value


def reads_limit(record: dict[str, Any]) -> Any:
    return {"over": record["n"] > limit}


async def waits(record: dict[str, Any]) -> Any:
    return record


@pytest.mark.parametrize(
    ("function", "construct"),
    [
        (changes_a_global, "COUNTS"),
        (may_change, "'COUNTS' may change"),
        (reads_limit, "'limit' is assigned in a function"),
        (waits, "async"),
        (calls_a_decorated_function, "a call of"),
    ],
)
def test_what_stands_in_the_way_is_said(function: Any, construct: str) -> None:
    result = compile_processor(function)
    assert isinstance(result, NotCompiled)
    assert construct in str(result)
    assert result.file == __file__
    assert result.line >= function.__code__.co_firstlineno
