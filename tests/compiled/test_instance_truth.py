"""Compiled processors: the truth of instances, calls of them, and the order of dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

import pytest

from tests.compiled.oracle import same

VALUES: list[Any] = [[], [1], [3, 1, 2], [0], ["b", "a"], [1, "a"], [None, 1], [2.5, 2], [[1], [2]]]
RECORDS = [{"a": each, "n": i - 2} for i, each in enumerate(VALUES)] + [{"a": None, "n": 1}, {}]


class Basket:
    def __init__(self, items: list[Any]) -> None:
        self.items = [*items]

    def __len__(self) -> int:
        return len(self.items)


class Switch:
    def __init__(self, state: Any) -> None:
        self.state = state

    def __bool__(self) -> bool:
        return self.state  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return 0

    def __call__(self, by: int = 1, *, times: int = 2) -> Any:
        self.state = by * times
        return self


class Plain:
    def __init__(self, value: Any) -> None:
        self.value = value


def in_conditions(r: dict[str, Any]) -> dict[str, Any]:
    basket, switch, plain = Basket(r["a"]), Switch(r["n"] > 0), Plain(r["a"])
    found = []
    if basket:
        found.append("basket")
    if not switch:
        found.append("off")
    if (basket and not switch) or plain:
        found.append("mixed")
    while switch:
        switch.state = False
        found.append("once")
    shown = "full" if basket else "empty"
    return {
        "found": found,
        "shown": shown,
        "not": not basket,
        "bool": bool(switch),
        "plain": bool(plain),
        "in": [bool(each) for each in (basket, plain, r["a"])],
        "some": [each for each in ([], [1]) if each and basket],
    }


def odd_truth(r: dict[str, Any]) -> dict[str, Any]:
    switch = Switch(r["n"])  # No bool: Python raises TypeError.
    return {"on": 1 if switch else 0}


def values(r: dict[str, Any]) -> dict[str, Any]:
    basket = Basket(r["a"])
    return {
        "n": len(basket or "none"),
        "any": any([basket]),
        "filtered": len([*filter(None, [basket])]),
    }


def calls(r: dict[str, Any]) -> dict[str, Any]:
    switch = Switch(True)
    again = switch(r["n"])
    switch(3, times=r["n"])
    return {"state": switch.state, "same": again.state, "on": bool(switch(1, times=1).state)}


@dataclass(order=True)
class Version:
    major: Any
    minor: Any = 0


@dataclass
class Point:
    x: Any
    y: int = 0


@dataclass
class Tagged:
    name: Any
    note: str = field(default="", compare=False)


@dataclass(eq=False)
class Alone:
    name: Any


@dataclass(order=True)
class Other:
    major: Any
    minor: Any = 0


@dataclass(frozen=True, order=True)
class Limit:
    value: Any


LEAST: Final = Limit(2)


def versions(r: dict[str, Any]) -> dict[str, Any]:
    found = [Version(each, i) for i, each in enumerate(r["a"])]
    low = Version(1)
    return {
        "sorted": [each.minor for each in sorted(found)],
        "most": max(found).major if found else None,
        "above": [each >= low for each in found],
        "equal": [each == low for each in found],
        "has": low in found,
        "limit": [Limit(each) > LEAST for each in r["a"]],
        "same": Limit(2) == LEAST,
    }


def points(r: dict[str, Any]) -> dict[str, Any]:
    found = [Point(each) for each in r["a"]]
    return {
        "equal": [each == Point(1) for each in found],
        "different": [each != Point(1, 0) for each in found],
        "none": [each == r["n"] for each in found],
        "index": found.index(Point(1)) if Point(1) in found else -1,
        "lists": [found] == [[Point(each) for each in r["a"]]],
        "count": found.count(Point(2)),
        "nested": Point(Point(1)) == Point(Point(r["n"])),
    }


def unordered(r: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"less": Point(1) < Point(r["n"])}  # type: ignore[operator]
    except TypeError:
        return {"error": "type"}


def mixed(r: dict[str, Any]) -> dict[str, Any]:
    try:
        other: Any = Other(r["n"])
        return {"equal": Version(1) == other, "less": Version(1) < other}
    except TypeError:
        return {"error": "type"}


def by_name(r: dict[str, Any]) -> dict[str, Any]:
    tagged = Tagged(r["n"], "x")
    return {"tagged": tagged == Tagged(r["n"], "y"), "alone": Alone(1) == Alone(r["n"])}


def by_attributes(r: dict[str, Any]) -> dict[str, Any]:
    found = [Version(each, len(r["a"]) - i) for i, each in enumerate(r["a"])]
    by_one = sorted(found, key=attrgetter("minor"))
    by_two = sorted(found, key=attrgetter("major", "minor"), reverse=True)
    return {"one": [each.major for each in by_one], "two": [each.minor for each in by_two]}


@pytest.mark.parametrize(
    "function",
    [
        *(in_conditions, odd_truth, values, calls, versions, points, unordered, mixed, by_name),
        *(by_attributes,),
    ],
)
def test_the_same_as_in_python(function: Any) -> None:
    same(function, RECORDS)


def test_usual_records_are_not_given_back() -> None:
    records = [{"a": each, "n": n} for each in ([], [1], [3, 1, 2], [1, 1]) for n in (0, 1)]
    for function in (in_conditions, calls, versions, points, by_attributes):
        assert same(function, records) == 0
