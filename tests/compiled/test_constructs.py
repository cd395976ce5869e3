"""Compiled processors: less usual statements and expressions."""

from __future__ import annotations

import contextlib
import numbers
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, IntEnum, StrEnum
from operator import itemgetter
from typing import Any

import pytest

from forstcore.compiled import NotCompiled, compile_processor
from tests.compiled import constants_elsewhere as elsewhere
from tests.compiled.oracle import same

VALUES: list[Any] = ["text", 3, [1, 2], {"type": "t", "v": 4}, None, 2.5, True, [1, 2, 3, 4], []]
RECORDS: list[Any] = [
    {
        "n": i,
        "s": ("12", "x", "-3", "")[i % 4],
        "kind": ("a", "b", "c", None)[i % 4],
        "xs": [i, 2, 7, i % 3][: i % 5],
        "o": {"k": i, "list": [{"k": 1}, i]},
        "v": VALUES[i % len(VALUES)],
    }
    for i in range(20)
]
ODD: list[Any] = [
    {},
    {"n": None, "s": None, "xs": None, "o": None},
    {"n": 1.5, "kind": 3, "xs": {}, "o": [], "s": 4, "v": {}},
    {"n": True, "xs": "abc", "s": [], "v": {"type": "t", "v": "4"}},
    {"n": 2, "xs": [None, "a", 1.5], "o": {"list": {}}, "s": " 7 ", "v": [[]]},
    {"n": 10**25, "xs": [10**25], "s": "9" * 30, "v": 10**25},
    "[]",
    '{"n":1,"n":2,"xs":[1],"xs":[2]}',
]

NUMBERS = (int, float)


BY_KIND = {"a": 1, "b": 2}
STEPS = ((11, "high"), (3, "low"))


class Kind(StrEnum):
    A = "a"
    B = "b"


class Old(str, Enum):  # noqa: UP042 - that is how many people write it
    B = "b"


class Level(IntEnum):
    LOW = 1
    HIGH = 9


class Color(Enum):
    RED = "red"


class Odd(IntEnum):
    ONE = 1

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


class TooMany(Exception):
    pass


class TooFew(ValueError):
    def shown(self) -> str:
        return "few"


class Counted(Exception):
    def __init__(self, count: int) -> None:
        super().__init__(count)


def finally_always_runs(record: dict[str, Any]) -> Any:
    seen = []
    for x in record["xs"]:
        try:
            if x == 7:
                continue
            if x == 11:
                break
            y = 10 // x
        except ZeroDivisionError:
            y = -1
        finally:
            seen.append(x)
        seen.append(y)
    try:
        return {"seen": seen, "n": int(record["s"])}
    except ValueError:
        return {"seen": seen}
    finally:
        seen.append("never shown" if record["n"] < 0 else "end")


def finally_in_helpers(record: dict[str, Any]) -> Any:
    log: list[Any] = []

    def convert(text: str) -> int:
        try:
            return int(text)
        finally:
            log.append(text)

    try:
        value = convert(record["s"])
    except ValueError:
        value = -1
    return {"value": value, "log": log}


def finally_raises(record: dict[str, Any]) -> Any:
    try:
        try:
            return {"n": record["n"]}
        except KeyError:
            return {"inner": True}
        finally:
            record["kind"].upper()
    except AttributeError:
        return {"outer": True}


def suppresses(record: dict[str, Any]) -> Any:
    number = position = None
    with contextlib.suppress(ValueError, TypeError):
        number = int(record["s"])
    with contextlib.suppress(IndexError):
        position = record["xs"][2]
    return {"number": number, "position": position}


def raises_own_exceptions(record: dict[str, Any]) -> Any:
    try:
        if len(record["xs"]) > 3:
            raise TooMany
        if not record["xs"]:
            raise TooFew(f"only {record['n'] + 0}")
        if record["n"] == 11:
            raise Counted(11)
        return {"xs": record["xs"]}
    except TooMany:
        return {"error": "many"}
    except ValueError:
        return {"error": "few"}
    except Exception:
        return {"error": "other"}


def raises_through_helpers(record: dict[str, Any]) -> Any:
    def check(xs: list[Any]) -> Any:
        try:
            if len(xs) > 3:
                raise TooMany("many")
            return xs[1]
        except IndexError as error:
            raise TooFew from error

    try:
        return {"second": check(record["xs"])}
    except TooMany:
        return {"many": True}


def sequences_with_a_rest(record: dict[str, Any]) -> Any:
    match record["xs"]:
        case []:
            return {"none": True}
        case [x]:
            return {"one": x}
        case [0, *_]:
            return {"zero": True}
        case [first, *_, 7 as last]:
            return {"first": first, "last": last}
        case [first, *rest]:
            return {"first": first, "rest": rest}
        case _:
            return {"other": True}


def mappings_with_a_rest(record: dict[str, Any]) -> Any:
    match record:
        case {"kind": "a" | "b" as kind, "n": n, **rest} if n > 3:
            return {"kind": kind, "rest": rest}
        case {"o": {"list": [{"k": k}, *more], **others}}:
            return {"k": k, "more": more, "others": others}
        case {"kind": (None | "c") as kind}:
            return {"kind": kind}


def alternatives(record: dict[str, Any]) -> Any:
    match record["v"]:
        case str(text):
            return {"text": text}
        case bool():
            return {"bool": True}
        case int(number) | float(number):
            return {"number": number}
        case [x, y] | {"type": x, "v": int(y)}:
            return {"x": x, "y": y}
        case [x, *rest] | {"type": x, **rest}:
            return {"x": x, "rest": rest}
        case None | []:
            return {"nothing": True}


def functions_in_variables(record: dict[str, Any]) -> Any:
    base = record["n"]
    add: Callable[..., int] = lambda x, by=base: x + by  # noqa: E731

    def scaled(x: int, *, by: int = base + 1) -> int:
        return x * by

    base = 100
    return {"add": add(1), "by": add(1, by=2), "scaled": [scaled(x) for x in record["xs"]]}


def nonlocal_names(record: dict[str, Any]) -> Any:
    total, count = 0, 0

    def add(x: int) -> None:
        nonlocal total, count
        total += x
        count += 1

    for x in record["xs"]:
        add(x)
    return {"total": total, "count": count}


def imports(record: dict[str, Any]) -> Any:
    import math
    from math import floor, pi

    return {"floor": floor(record["n"] / 3), "pi": pi, "root": math.sqrt(record["n"])}


def deletes_names(record: dict[str, Any]) -> Any:
    x = record["n"]
    kind = record["kind"]
    del kind
    if x == 4:
        del x
    return {"x": x}


def starred_displays(record: dict[str, Any]) -> Any:
    pair = (*record["xs"], 1)
    return {
        "pair": pair,
        "list": [0, *pair, *record["xs"]],
        "set": sorted({*record["xs"], 5, *(6, 7)}),
    }


def instances(record: dict[str, Any]) -> Any:
    value = record["v"]
    return {
        "union": isinstance(value, int | str | None),
        "constant": isinstance(value, NUMBERS),
        "mapping": isinstance(value, Mapping),
        "number": isinstance(value, numbers.Number),
        "tuple": isinstance(value, (list, NUMBERS)),
    }


def exact_types(record: dict[str, Any]) -> Any:
    value = record["v"]
    return {
        "int": type(value) is int,
        "not": type(value) is not bool,
        "str": type(value) == str,  # noqa: E721
        "other": type(value) != list,  # noqa: E721
        "in": type(value) in (int, float),
        "out": type(value) not in {bool, str, int},
    }


def dicts_with_names(record: dict[str, Any]) -> Any:
    made = dict(n=record["n"], kind=record["kind"])  # noqa: C408
    more = dict(made, n=2, extra=True)
    pairs = dict([("a", 1), ("b", 2)], b=3)
    made.update(more, kind="new")
    record.update(made=made, n=0)
    return {"record": record, "more": more, "pairs": pairs}


def constants_of_modules(record: dict[str, Any]) -> Any:
    return {
        "limit": elsewhere.LIMIT + record["n"],
        "table": elsewhere.TABLE.get(record["kind"], 0),
        "in": record["kind"] in elsewhere.NAMES,
    }


def enumerations(record: dict[str, Any]) -> Any:
    kind, n = record["kind"], record["n"]
    return {
        "kind": Kind.A,
        "is": [kind != Old.B, kind in (Kind.A, Old.B, "c"), kind in {Kind.B}],
        "level": Level.HIGH,
        "over": n >= Level.HIGH,
        "sum": n + Level.LOW,
        "value": Color.RED.value,
        "name": Color.RED.name,
        "table": BY_KIND[Old.B],
    }


def matches_members(record: dict[str, Any]) -> Any:
    match record:
        case {"kind": Kind.A}:
            return {"a": Color.RED}
        case {"kind": Old.B, "n": Level.LOW | Level.HIGH}:
            return {"b": True}
        case {"n": Level.HIGH}:
            return {"high": Level.HIGH}


def first_that_fits(record: dict[str, Any]) -> Any:
    n = record["n"]
    return {"step": next(name for least, name in STEPS if n >= least)}


CONSTRUCTS: list[tuple[Callable[[dict[str, Any]], Any], int]] = [
    (finally_always_runs, 0),
    (finally_in_helpers, 10),
    (finally_raises, 5),
    (suppresses, 0),
    (raises_own_exceptions, 1),
    (raises_through_helpers, 8),
    (sequences_with_a_rest, 0),
    (mappings_with_a_rest, 0),
    (alternatives, 0),
    (functions_in_variables, 0),
    (nonlocal_names, 0),
    (imports, 0),
    (deletes_names, 1),
    (starred_displays, 0),
    (instances, 0),
    (exact_types, 0),
    (dicts_with_names, 0),
    (constants_of_modules, 0),
    (enumerations, 0),
    (matches_members, 0),
    (first_that_fits, 3),
]


@pytest.mark.parametrize(
    ("function", "given_back"), CONSTRUCTS, ids=lambda each: getattr(each, "__name__", None)
)
def test_constructs_do_what_python_does(function: Any, given_back: int) -> None:
    assert same(function, RECORDS) == given_back
    same(function, RECORDS + ODD)


def pairs_or_nothing(record: dict[str, Any]) -> Any:
    try:
        return dict(record["v"], a=1)
    except (TypeError, ValueError):
        return {"error": True}


def updates_what_is_no_dict(record: dict[str, Any]) -> Any:
    try:
        value = set(record["xs"])
        value.update(a=1)  # type: ignore[call-arg]
    except TypeError:
        return {"error": True}
    return {"n": len(value)}


@pytest.mark.parametrize("function", [pairs_or_nothing, updates_what_is_no_dict])
def test_errors_are_those_of_python(function: Any) -> None:
    pairs: list[Any] = [{"v": [["a", 2], ["b", 3]], "xs": []}, {"v": "ab", "xs": [1]}]
    same(function, RECORDS + ODD + pairs)


def reads_what_changes(record: dict[str, Any]) -> Any:
    return {"count": elsewhere.CHANGED.get(record["kind"])}


def compares_oddly(record: dict[str, Any]) -> Any:
    return {"equal": record["n"] == Odd.ONE}


def asks_for_a_dict(record: dict[str, Any]) -> Any:
    return {"dict": type(record["v"]) is dict}


def opens_a_file(record: dict[str, Any]) -> Any:
    with open(record["s"]) as file:  # noqa: PTH123
        return {"text": file.read()}


def generates(record: dict[str, Any]) -> Iterator[Any]:
    later = (x for x in record["xs"])
    record["xs"] = []
    yield from later


def takes_no_item(record: dict[str, Any]) -> Any:
    return {"items": list(map(itemgetter(), record["xs"]))}  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("function", "construct"),
    [
        (takes_no_item, "an itemgetter without arguments"),
        (reads_what_changes, "'elsewhere.CHANGED' may change"),
        (compares_oddly, "'Odd.ONE' is a member of an enumeration; use its value: Odd.ONE.value"),
        (asks_for_a_dict, "type(…) with dict; use isinstance"),
        (opens_a_file, "with open("),
        (generates, "a generator that is kept"),
    ],
)
def test_what_stands_in_the_way_is_said(function: Any, construct: str) -> None:
    result = compile_processor(function)
    assert isinstance(result, NotCompiled)
    assert construct in str(result)
