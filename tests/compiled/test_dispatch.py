"""Compiled processors: functions in tables, and those that take any number of arguments."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from typing import Any, Final

import pytest

from forstcore.compiled import NotCompiled, compile_processor
from tests.compiled import constants_elsewhere as elsewhere
from tests.compiled.oracle import same

Record = dict[str, Any]
Table = dict[str, Callable[..., Any]]


class Kind(StrEnum):
    CREATED = "created"
    DELETED = "deleted"


def created(record: Record) -> Any:
    return {"id": record["id"], "by": record.get("user")}


def deleted(record: Record, *, force: bool = False) -> Any:
    if record["n"] > 6:
        return None
    return {"id": record["id"], "force": force}


def unknown(record: Record) -> Any:
    return {"unknown": record["kind"]}


def marked(record: Record) -> Any:
    record["marked"] = True
    return record


def without_n(record: Record) -> Any:
    record.pop("n", None)
    return record


def slower(record: Record) -> Any:
    print(record)


def literal(node: Record) -> Any:
    return node["value"]


def added(node: Record) -> Any:
    return evaluated(node["left"]) + evaluated(node["right"])


OPERATORS: Table = {"value": literal, "add": added}


def evaluated(node: Record) -> Any:
    return OPERATORS[node["op"]](node)


def each_item(record: Record) -> Iterator[Any]:
    for item in record["xs"]:
        yield {"item": item}


HANDLERS: Table = {
    "created": created,
    "deleted": deleted,
    "odd": lambda record: {"odd": record["v"]},
}
BY_KIND: Table = {Kind.CREATED: marked, Kind.DELETED: without_n}
WITH_PRINT: Table = {"created": created, "deleted": slower}
GENERATORS: Table = {"created": each_item, "deleted": each_item}
CONVERSIONS: Final[Table] = {"created": int, "deleted": str.upper, "odd": partial(round, ndigits=1)}
STEPS: list[Callable[..., Any]] = [marked, without_n]
REGISTERED: Table = {}
CHECKS: Table = {"v": lambda value: value is not None, "n": lambda value: value > 3}
RULES = (("text", "v", lambda value: isinstance(value, str)), ("low", "n", lambda value: value < 2))


def register(function: Callable[[Record], Any]) -> Callable[[Record], Any]:
    REGISTERED[function.__name__] = function
    return function


register(created)


def tagged(name: str, *parts: Any, level: str = "info", **fields: Any) -> Record:
    fields["count"] = len(parts)
    return {"name": name, "parts": parts, "level": level, **fields}


def picks(record: Record) -> Any:
    return HANDLERS[record["kind"]](record)


def picks_with_default(record: Record) -> Any:
    return HANDLERS.get(record["kind"], unknown)(record)  # type: ignore[no-untyped-call]


def keeps_what_it_picks(record: Record) -> Any:
    handler = HANDLERS.get(record["kind"])
    if handler is None:
        return {"none": True}
    result = handler(record)
    return result and {**result, "seen": True}


def picks_in_try(record: Record) -> Any:
    try:
        handler = HANDLERS[record["kind"]]
    except KeyError:
        return unknown(record)
    return handler(record)


def picks_with_arguments(record: Record) -> Any:
    try:
        return {"value": CONVERSIONS[record["kind"]](record["v"])}
    except (ValueError, KeyError):
        return {"error": "value"}
    except TypeError:
        return {"error": "type"}
    except AttributeError:
        return {"error": "attribute"}


def picks_what_changes(record: Record) -> Any:
    before = record["n"]
    result = BY_KIND[record["kind"]](record)
    return {"result": result, "record": record, "before": before}


def picks_in_comprehension(record: Record) -> Any:
    return {"all": [handler(record) for handler in HANDLERS.values()]}


def picks_generators(record: Record) -> Any:
    return GENERATORS[record["kind"]](record)


def picks_elsewhere(record: Record) -> Any:
    return elsewhere.HANDLERS[record["kind"]](record)


def picks_recursively(record: Record) -> Any:
    return {"sum": evaluated(record["tree"])}


def prints_in_one(record: Record) -> Any:
    return WITH_PRINT[record["kind"]](record)


def runs_steps(record: Record) -> Any:
    for step in STEPS:
        record = step(record)
    return record


def runs_checks(record: Record) -> Any:
    failed = [name for name, check in CHECKS.items() if not check(record[name])]
    for label, member, rule in RULES:
        if rule(record[member]):
            failed.append(label)
    return {"failed": failed, "all": all(check(4) for check in CHECKS.values())}


def reassigns_the_record(record: Record) -> Any:
    if record["n"] == 5:
        return None
    record = marked(record)
    old = record
    record = without_n(record)
    record["again"] = old
    return {"same": [old["id"], record["id"]], "marked": old["marked"]}


def reassigns_a_part(record: Record) -> Any:
    whole = record
    record = record["tree"]
    record["op"] = record["op"].upper()
    return [whole, record]


def any_arguments(record: Record) -> Any:
    few = tagged("few")
    many = tagged("many", record["id"], record["v"], level="warn", v=record["v"], record=record)
    return [few, many, tagged(name="named", kind=record["kind"])]


def partial_calls(record: Record) -> Any:
    return {"tagged": tagged_a(record["id"], x=1), "other": tagged_a(level=record["kind"], by="b")}


tagged_a = partial(tagged, "a", by="a")


def methods_of_classes(record: Record) -> Any:
    try:
        return {"upper": str.upper(record["v"]), "sorted": sorted(record["xs"], key=str.lower)}
    except AttributeError:
        return {"error": "attribute"}
    except TypeError:
        return {"error": "type"}


VALUES: list[Any] = ["a", "12", 2.55, None, 7, [1], "x"]
RECORDS: list[Any] = [
    {
        "id": i,
        "n": i % 9,
        "kind": ("created", "deleted", "odd", "other")[i % 4],
        "v": VALUES[i % len(VALUES)],
        "xs": [["b", "A"], [], ["c"], [1, "a"]][i % 4],
        "tree": {
            "op": "add",
            "left": {"op": "value", "value": i},
            "right": {"op": ("value", "add")[i % 5 == 4], "value": 2},
        },
    }
    for i in range(36)
]
ODD: list[Any] = [
    {},
    {"kind": None, "n": None, "v": {}},
    {"kind": ["created"], "n": 1, "v": "x", "xs": []},
    {"kind": {}, "n": 10**30, "v": 10**30, "xs": {}, "tree": {}},
    {"kind": 1.0, "n": "4", "v": True, "xs": [None], "tree": {"op": "value", "value": None}},
    "[]",
    '{"kind":"created","kind":"deleted","id":1,"n":1}',
]


@pytest.mark.parametrize(
    ("function", "given_back"),
    [
        (picks, 9),
        (picks_with_default, 0),
        (keeps_what_it_picks, 0),
        (picks_in_try, 0),
        (picks_with_arguments, 11),
        (picks_what_changes, 18),
        (picks_in_comprehension, 0),
        (picks_generators, 18),
        (picks_elsewhere, 18),
        (picks_recursively, 7),
        (prints_in_one, 27),
        (runs_steps, 0),
        (runs_checks, 0),
        (reassigns_the_record, 0),
        (reassigns_a_part, 36),
        (any_arguments, 0),
        (partial_calls, 0),
        (methods_of_classes, 24),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_functions_in_tables_do_what_python_does(function: Any, given_back: int) -> None:
    results = same(function, RECORDS)
    same(function, RECORDS + ODD)
    assert results == given_back


def picks_what_is_registered(record: Record) -> Any:
    return REGISTERED[record["kind"]](record)


def returns_a_function(record: Record) -> Any:
    handler = HANDLERS[record["kind"]]
    return {"handler": handler}


def assigns_twice(record: Record) -> Any:
    handler = HANDLERS["created"]
    handler = HANDLERS["deleted"]
    return handler(record)


def later_parameters(record: Record) -> Any:
    return tagged("a", other=record["v"], level=record["kind"])


def gives_twice(record: Record) -> Any:
    return tagged("a", name=record["v"])  # type: ignore[misc]


@pytest.mark.parametrize(
    ("function", "construct"),
    [
        (picks_what_is_registered, "'REGISTERED' may change; declare it Final"),
        (returns_a_function, "a function as a value; call it"),
        (assigns_twice, "'handler', which is a function and something else"),
        (later_parameters, "a call of tagged with ** before its parameters"),
        (gives_twice, "a call of tagged with other arguments"),
    ],
)
def test_what_stands_in_the_way_is_said(function: Any, construct: str) -> None:
    result = compile_processor(function)
    assert isinstance(result, NotCompiled)
    assert construct in str(result)


COMPARISONS: Final = {">": operator.gt, "<=": operator.le, "+": operator.add, "/": operator.truediv}


def operates(r: dict[str, Any]) -> dict[str, Any]:
    return {"value": COMPARISONS[r["op"]](r["a"], r["b"])}


def test_operators_in_a_table() -> None:
    records = [
        {"op": op, "a": a, "b": 2} for op in (*COMPARISONS, "?") for a in (1, 2.5, "x", None)
    ]
    assert same(operates, records) < 16
