"""Compiled processors: members of enumerations in variables, arguments and tables."""

from __future__ import annotations

from enum import Enum, IntEnum, IntFlag, StrEnum, auto
from typing import Any

import pytest

from forstcore.compiled import NotCompiled, compile_processor
from tests.compiled.oracle import same

Record = dict[str, Any]


class Level(Enum):
    LOW = "low"
    MID = "mid"
    HIGH = "high"
    TOP = "high"  # An alias.


class Priority(IntEnum):
    LATER = 0
    NOW = 1
    SOON = 2


class Color(StrEnum):
    RED = auto()
    BLUE = auto()


class Mixed(Enum):
    ONE = 1
    HALF = 0.5
    NOTHING = None
    PAIR = (1, 2)


class Lenient(Enum):
    A = "a"
    B = "b"

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls.B


class Equal(Enum):
    A = 1
    B = 2

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


class Shown(Enum):
    A = 1

    @property
    def value(self) -> str:  # type: ignore[override]
        return "shown"


class Bits(IntFlag):
    A = 1
    B = 2


BY_KIND = {"a": Level.LOW, "b": Level.HIGH, 3: Level.MID}
CHANGING = {"a": Level.LOW}


def change() -> None:
    CHANGING["a"] = Level.HIGH


def level_of(record: Record) -> Level | None:
    if record["n"] > 5:
        return Level.HIGH
    if record["n"] == 0:
        return None
    return Level(record["level"]) if record["n"] != 1 else Level["MID"]


def weight(level: Level, factor: int) -> Any:
    return factor if level is Level.LOW else 10 * factor


def mixed_up(record: Record) -> Any:
    if record["n"] > 5:
        return Level.HIGH
    return record["level"]


def chosen(record: Record) -> Any:
    level = Level.HIGH if record["n"] > 3 else Level.LOW
    is_same = [level is Level.TOP, level == Level.MID, level != Level.LOW, level is not Level.LOW]
    return {"value": level.value, "name": level.name, "same": is_same}


def looked_up(record: Record) -> Any:
    try:
        level = Level(record["level"])
    except ValueError:
        return {"bad": record["level"]}
    return {"name": level.name, "in": [level in (Level.LOW, Level.MID), level not in {Level.LOW}]}


def uncaught(record: Record) -> Any:
    level = Level(record["level"])
    return level.name


def by_name(record: Record) -> Any:
    try:
        return Color[record["color"]].value
    except KeyError:
        color = Color[record["color"].upper()]
        return color.name


def numbers(record: Record) -> Any:
    priority = Priority(record["n"])
    return {"value": priority.value, "now": priority is Priority.NOW, "name": priority.name}


def of_any_value(record: Record) -> Any:
    mixed = Mixed(record["v"])
    return {"name": mixed.name, "value": mixed.value, "none": mixed is Mixed.NOTHING}


def from_helper(record: Record) -> Any:
    level = level_of(record)
    if level is None:
        return None
    match level:
        case Level.LOW | Level.MID:
            kind = "below"
        case Level.TOP:
            kind = "top"
    return {"kind": kind, "value": level.value}


def matches_none(record: Record) -> Any:
    match level_of(record):
        case None:
            return "none"
        case Level.MID if record["n"] == 1:
            return "mid"
        case _:
            return "any"


def none_has_no_value(record: Record) -> Any:
    level = level_of(record)
    return level.value  # type: ignore[union-attr]


def from_table(record: Record) -> Any:
    level = BY_KIND.get(record["kind"], Level.MID)
    other = BY_KIND.get(record["kind"])
    first = BY_KIND["a"]
    weights = [weight(level, 2), weight(first, 3), weight(factor=4, level=Level.MID)]
    return [level.value, first.name, weights, other is None, other is level]


def picked(record: Record) -> Any:
    level = BY_KIND[record["kind"]]
    return level.name


def best_of(record: Record) -> Any:
    best = None
    for each in record["levels"]:
        level = Level(each)
        if best is None or level == Level.HIGH:
            best = level
    return {"best": best.name if best is not None else None}


def in_comprehension(record: Record) -> Any:
    limit = Level.MID
    return [each for each in record["levels"] if Level(each) is not limit]


def assigned_in_branches(record: Record) -> Any:
    level = Level.LOW
    if record["n"] > 2:
        level = Level.MID
    if record["n"] > 6:
        level = level_of(record) or Level.LOW
    return level.value


def a_member_or_text(record: Record) -> Any:
    level: Any = Level.LOW
    if record["n"] > 4:
        level = record["level"]
        return {"text": level}
    return level.name


def a_helper_that_returns_both(record: Record) -> Any:
    level = mixed_up(record)
    return {"level": level}


def read_before(record: Record) -> Any:
    seen = []
    last: Any
    for i, each in enumerate(record["levels"]):
        if i:
            seen.append(last)  # noqa: F821 - it has been assigned in the turn before
        last = Level(each)
    return {"seen": len(seen)} if len(seen) < 2 else {"seen": seen}


def function_read_before(record: Record) -> Any:
    seen = []
    convert: Any
    for i, each in enumerate(record["levels"]):
        if i:
            seen.append(convert)  # noqa: F821 - it has been assigned in the turn before
        convert = CONVERSIONS[each]
        convert("x")
    return {"seen": seen}


CONVERSIONS: dict[str, Any] = {"low": str.upper, "mid": str.lower, "high": str.title}

LEVELS: list[Any] = ["low", "mid", "high", "none", None, 1, ["low"], {"a": 1}, "HIGH"]
RECORDS: list[Any] = [
    {
        "n": i % 9,
        "level": LEVELS[i % 3 if i % 5 else i % len(LEVELS)],
        "levels": [LEVELS[(i + k) % 3] for k in range(i % 4)],
        "color": ("RED", "BLUE", "red", "green", 5)[i % 5],
        "kind": ("a", "b", 3, 3.0, "other", None)[i % 6],
        "v": (1, 0.5, None, True, 1.0, [1, 2], "x")[i % 7],
    }
    for i in range(126)
]
ODD: list[Any] = [
    {},
    {"n": None, "level": 10**30, "levels": ["x"], "color": ["RED"], "kind": [], "v": {}},
    {"n": 10**30, "level": -0.0, "levels": [None], "color": {}, "kind": {}, "v": 10**30},
    {"n": "1", "level": True, "levels": "low", "color": None, "kind": 10**30, "v": "1"},
    "[]",
]


@pytest.mark.parametrize(
    ("function", "given_back"),
    [
        (chosen, 0),
        (looked_up, 6),
        (uncaught, 17),
        (by_name, 50),
        (numbers, 84),
        (of_any_value, 36),
        (from_helper, 8),
        (matches_none, 8),
        (none_has_no_value, 22),
        (from_table, 0),
        (picked, 42),
        (best_of, 0),
        (in_comprehension, 0),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_members_are_what_python_has(function: Any, given_back: int) -> None:
    results = same(function, RECORDS)
    same(function, RECORDS + ODD)
    assert results == given_back


@pytest.mark.parametrize(
    "function",
    [
        a_member_or_text,
        assigned_in_branches,
        read_before,
        function_read_before,
        a_helper_that_returns_both,
    ],
)
def test_what_may_be_a_member_or_something_else_is_given_back(function: Any) -> None:
    assert same(function, RECORDS + ODD) > 0


def a_member_in_a_list(record: Record) -> Any:
    level = Level(record["level"])
    return {"levels": [level] * 2}


def the_repr_of_a_member(record: Record) -> Any:
    color = Color(record["color"])
    return {"color": f"{color!r}"}


def a_member_as_a_condition(record: Record) -> Any:
    priority = Priority(record["n"])
    return 1 if priority else 2


def another_after_it(record: Record) -> Any:
    level: Any = Level.LOW
    level = record["level"]
    return {"level": level}


def finds_another(record: Record) -> Any:
    return Lenient(record["level"]).name


def compares_its_own_way(record: Record) -> Any:
    equal = Equal.A if record["n"] else Equal.B
    return equal == Equal.A


def shows_another_value(record: Record) -> Any:
    shown = Shown(record["n"])
    return shown.value


def combines(record: Record) -> Any:
    bits = Bits(record["n"])
    return bits.value


def reads_what_changes(record: Record) -> Any:
    level = CHANGING[record["kind"]]
    return level.value


@pytest.mark.parametrize(
    ("function", "construct"),
    [
        (a_member_in_a_list, "'level' is a member of an enumeration; use its value: level.value"),
        (the_repr_of_a_member, "'color' is a member of an enumeration; use its value: color.value"),
        (a_member_as_a_condition, "'priority' is a member of an enumeration"),
        (another_after_it, "something else than a member of Level"),
        (finds_another, "the attribute name"),
        (compares_its_own_way, "is a member of an enumeration"),
        (shows_another_value, "a call of"),
        (combines, "a call of"),
        (reads_what_changes, "'CHANGING' may change"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_other_members_stand_in_the_way(function: Any, construct: str) -> None:
    result = compile_processor(function)
    assert isinstance(result, NotCompiled)
    assert construct in str(result)


class Shape(StrEnum):
    ROUND = auto()
    FLAT = auto()

    @classmethod
    def parse(cls, text: str) -> Shape:
        try:
            return cls[text.upper()]
        except KeyError:
            return cls.FLAT


class Loud(StrEnum):
    A = "a"

    def __str__(self) -> str:
        return "LOUD"


def shape_of(text: str) -> Shape | None:
    if text == "none":
        return None
    return Shape.ROUND if text.startswith("r") else Shape.FLAT


def as_value(r: Record) -> Record:
    shape = shape_of(r["text"])
    priority = Priority[r["name"]]
    return {
        "shape": shape,
        "text": f"{shape}/{shape!s:>6}/{priority:03d}",
        "early": priority < Priority.SOON,
        "more": priority + 1,
        "level": Level(r["level"]),
        "of_table": {"round": 1, "flat": 2}[shape] if shape is not None else 0,
        "direct": shape_of(r["text"]),
    }


def of_class_method(r: Record) -> Record:
    shape = Shape.parse(r["text"])
    return {"shape": shape.value, "is": shape is Shape.ROUND, "name": Shape.parse(r["name"]).name}


def test_members_as_values() -> None:
    records = [
        {"text": "round", "name": "NOW", "level": "low"},
        {"text": "none", "name": "SOON", "level": "high"},
        {"text": "", "name": "LATER", "level": "mid"},
        {"text": "flat", "name": "x", "level": "mid"},
        {"text": 1, "name": "NOW", "level": "mid"},
        {"text": "flat", "name": "NOW", "level": None},
        {},
    ]
    assert same(as_value, records) < len(records) - 2
    assert same(of_class_method, records) < len(records) - 2


def shows(r: Record) -> Record:
    loud = Loud(r["text"])
    return {"text": f"{loud}"}


def test_members_that_show_something_else() -> None:
    result = compile_processor(shows)
    assert isinstance(result, NotCompiled)
    assert result.construct == "'loud' is a member of an enumeration"
