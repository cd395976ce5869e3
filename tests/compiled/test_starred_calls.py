"""Calls of `dict` and `format` with **: their keys have to be strings, and run once, in order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compiled.oracle import same

Record = dict[str, Any]

RECORDS: list[Record] = [
    {"k": key, "m": members}
    for key in ("a", "", 1, None, 2.5)
    for members in ({}, {"a": 3, "b": 4}, {"k": 1}, [["a", 1]], "ab", None)
]


def keys_that_are_no_strings(r: Record) -> Record:
    return {"made": str(dict(**{1: 1}))}


def keys_of_the_record(r: Record) -> Record:
    return {"made": str(dict(**{r["k"]: 1}))}


def result_unused(r: Record) -> Record:
    try:
        () = (dict(**{r["k"]: 1}), r["m"])  # type: ignore[misc]
    except LookupError:
        return {"caught": True}
    except ValueError:
        return {"length": 2}
    return {}


def keys_beside_others(r: Record) -> Record:
    return dict(r, **{"b": 1, r["k"]: 2})


def merged(r: Record) -> Record:
    return dict(r, **r["m"])


def merged_with_pairs(r: Record) -> Record:
    return dict([("a", 1), ("b", 2)], **r["m"])


def taken_once(r: Record) -> Record:
    left: list[Record] = [{"a": 1}, {"b": 2}, r["m"]]
    return {"one": dict(**left.pop()), "two": dict(left.pop(), **left.pop()), "left": left}


def copies(r: Record) -> Record:
    copy = dict(**r)
    copy["k"] = 0
    r["new"] = 1
    return {"r": r, "copy": copy}


def formatted(r: Record) -> Record:
    names = {"k": r["k"], r["k"]: 1}
    return {"text": "{k}".format(**names)}


FUNCTIONS = [
    keys_that_are_no_strings,
    keys_of_the_record,
    result_unused,
    keys_beside_others,
    merged,
    merged_with_pairs,
    taken_once,
    copies,
    formatted,
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_members_as_arguments(function: Any) -> None:
    given_back = same(function, RECORDS)
    if function is copies:
        assert given_back == 0
