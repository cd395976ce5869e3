"""Compiled processors: copy.copy and copy.deepcopy."""

from __future__ import annotations

import copy
from copy import deepcopy
from typing import Any

import pytest

from forstcore.compiled import NotCompiled, compile_processor
from tests.compiled.oracle import same

Record = dict[str, Any]


def deep_copy_changed(record: Record) -> Any:
    result = copy.deepcopy(record)
    result["o"]["k"] = "changed"
    result["xs"].append(result["n"])
    return {"result": result, "record": record}


def deep_copy_assigned(record: Record) -> Any:
    record = deepcopy(record)
    record["o"]["k"] = "changed"
    record.pop("n", None)
    return record


def deep_copy_of_part(record: Record) -> Any:
    part = deepcopy(record["o"])
    part["new"] = [record["o"], part.get("k")]
    return {"part": part, "n": deepcopy(record["n"]), "record": record}


def deep_copy_of_name(record: Record) -> Any:
    xs = record["xs"]
    mine = deepcopy(xs)
    mine.extend(xs)
    mine[0] = {"in": xs}
    return [mine, xs]


def deep_copy_before_a_change(record: Record) -> Any:
    before = deepcopy(record)
    record["o"]["k"] = "changed"
    return {"before": before, "after": record}


def shallow_copy(record: Record) -> Any:
    result = copy.copy(record)
    result["n"] = [copy.copy(record["xs"]), 1]
    return [result, record]


def shallow_copy_shares_parts(record: Record) -> Any:
    result = copy.copy(record)
    record["o"]["k"] = "changed"
    record["n"] = 0
    return [result, record]


def copy_in_helper(record: Record) -> Any:
    def changed(what: Record) -> Record:
        mine = deepcopy(what)
        mine["helped"] = True
        return mine

    return [changed(record), changed(record["o"]), record]


RECORDS: list[Any] = [
    {"n": i, "o": {"k": i, "l": [{"m": i}, 1e2]}, "xs": [i, {"y": 1.50}, "é"]} for i in range(6)
]
ODD: list[Any] = [
    {},
    {"n": None, "o": None, "xs": None},
    {"n": 1, "o": [], "xs": {}},
    {"n": "x", "o": "text", "xs": "text"},
    {"n": 10**30, "o": {}, "xs": []},
    '{"n":1,"n":2,"o":{"k":1,"k":2},"xs":[1]}',
    '{"n":1.0e2,"o":{"l":' + "[" * 120 + "]" * 120 + '},"xs":[1]}',
    "[]",
]


@pytest.mark.parametrize(
    ("function", "given_back"),
    [
        (deep_copy_changed, 0),
        (deep_copy_assigned, 0),
        (deep_copy_of_part, 0),
        (deep_copy_of_name, 0),
        (deep_copy_before_a_change, 0),
        (shallow_copy, 0),
        (shallow_copy_shares_parts, 0),
        (copy_in_helper, 0),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_copies_are_those_of_python(function: Any, given_back: int) -> None:
    assert same(function, RECORDS) == given_back
    same(function, RECORDS + ODD)


def copies_what_it_has_made(record: Record) -> Any:
    part = [record["n"]]
    twice = {"a": part, "b": part}
    mine = copy.deepcopy(twice)
    mine["a"].append(1)
    return mine


def copies_what_has_changed(record: Record) -> Any:
    record["o"] = record["xs"]
    mine = copy.deepcopy(record)
    mine["o"].append(1)
    return mine


def copies_what_was_assigned(record: Record) -> Any:
    record = {"a": record["xs"], "b": record["xs"]}
    mine = copy.deepcopy(record)
    mine["a"].append(1)
    return mine


@pytest.mark.parametrize(
    "function", [copies_what_it_has_made, copies_what_has_changed, copies_what_was_assigned]
)
def test_objects_of_its_own_are_copied_by_python(function: Any) -> None:
    result = compile_processor(function)
    assert isinstance(result, NotCompiled)
    assert "a deep copy of anything but the record" in str(result)
