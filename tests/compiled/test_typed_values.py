"""Compiled processors: declared members that are dates, times and members of enumerations."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum, IntEnum, StrEnum
from typing import Any, TypedDict

import pytest

from forstcore.compiled import NotCompiled
from tests.compiled.date_texts import aware_texts, broken_texts
from tests.compiled.oracle import compile_any, same

pytest.importorskip("msgspec")
import msgspec


class Severity(Enum):
    LOW = "low"
    HIGH = "high"
    NONE = ""


class Code(IntEnum):
    OK = 200
    MISSING = 404


class Unit(StrEnum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


@dataclass
class Reading:
    at: datetime
    day: date | None = None
    severity: Severity = Severity.LOW
    code: Code | None = None


class Event(msgspec.Struct):
    at: datetime
    severity: Severity
    day: date | None = None
    unit: Unit = Unit.CELSIUS


class Alarm(TypedDict, total=False):
    at: datetime
    severity: Severity
    code: Code


@dataclass
class Step:
    at: datetime
    code: Code
    severity: Severity | None = None


@dataclass
class Trip:
    steps: list[Step] = field(default_factory=list)


def of_reading(r: Reading) -> dict[str, Any] | None:
    if r.code is Code.MISSING:
        return None
    return {
        "at": r.at,
        "hour": r.at.hour,
        "next": (r.at + timedelta(hours=1)).isoformat(),
        "day": r.day,
        "week": r.day.isoweekday() if r.day is not None else None,
        "severity": r.severity,
        "name": r.severity.name,
        "high": r.severity == Severity.HIGH,
        "code": r.code.value if r.code is not None else None,
    }


def of_event(r: Event) -> dict[str, Any]:
    severity = r.severity
    match severity:
        case Severity.HIGH:
            label = "!"
        case Severity.LOW | Severity.NONE:
            label = "."
    return {"label": label, "unit": f"{r.unit}", "is": r.unit == "C", "day": str(r.day or r.at)}


def of_alarm(r: Alarm) -> dict[str, Any]:
    return {
        "at": r["at"].strftime("%Y-%m-%d"),
        "rank": rank(r["severity"]),
        "code": r["code"] + 1,
        "in": r["severity"] in (Severity.LOW, Severity.NONE),
    }


def rank(severity: Severity) -> int:
    return 1 if severity is Severity.HIGH else 0


def of_trip(r: Trip) -> dict[str, Any]:
    steps = [step.at.isoformat() for step in r.steps if step.code == Code.OK]
    names = []
    for step in r.steps:
        names.append(step.severity.name if step.severity is not None else step.code.value)
    if not r.steps:
        return {}
    last = max(r.steps, key=lambda step: step.at.day)
    return {"steps": steps, "last": last.at.day, "names": names}


def whole(r: Reading) -> Reading:
    return r


FUNCTIONS: list[Any] = [of_reading, of_event, of_alarm]


def texts(seed: str) -> list[Any]:
    random_ = random.Random(seed)
    odd: list[Any] = [
        "2024-05-06T07:08:09",
        "2024-05-06T07:08:09.5Z",
        "2024-05-06t07:08:09z",
        "",
        None,
        5,
        {},
    ]
    odd += ["2024-05-06T07:08:60Z", "2024-05-06T24:00:00Z", "2024-05-06T07:08:09.1234567+01:00"]
    odd += ["2024-05-06T07:08:09+0100", "2024-05-06T07:08:09-00:00", "2024-05-06T07:08:09+24:00"]
    odd += ["0000-05-06T07:08:09Z", "2024-02-30T07:08:09Z", "2024-05-06", "1e3", True, 1715e6, "é"]
    return odd + aware_texts(random_, 40) + broken_texts(random_, 20)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.__name__)
def test_same(function: Any) -> None:
    random_ = random.Random(function.__name__)
    values: list[Any] = ["low", "high", "", "LOW", None, 1, "x", [], 200.0]
    records: list[Any] = [{"at": each, "severity": "high", "code": 200} for each in texts("at")]
    for _ in range(150):
        record: dict[str, Any] = {"at": "2024-05-06T07:08:09Z"}
        if random_.random() < 0.9:
            record["severity"] = random_.choice(values)
        if random_.random() < 0.7:
            record["code"] = random_.choice((200, 404, 200, 404, 500, None, "200", 200.0, True, -0))
        if random_.random() < 0.7:
            record["day"] = random_.choice(("2024-05-06", "2024-5-6", None, "", "2024-02-30", 1))
        record["unit"] = random_.choice(("C", "F", "F", "K", None))
        records.append(record)
    same(function, [*records, {}, "[]", '{"at":"2024-05-06T07:08:09Z","at":1}'])


def test_items() -> None:
    random_ = random.Random(1)
    steps: list[Any] = [
        {"at": each, "code": random_.choice((200, 200, 404))} for each in texts("steps")
    ]
    steps += [{"at": "2024-05-06T07:08:09Z", "code": each} for each in (200, 404, 1, None, "200")]
    steps += [{**steps[-5], "severity": each} for each in ("low", "high", None, "x", 1)]
    records: list[Any] = [{"steps": [each]} for each in steps]
    records += [{"steps": random_.choices(steps[-6:], k=3)} for _ in range(40)] + [
        {},
        {"steps": []},
    ]
    same(of_trip, records)


def test_usual_values_are_not_given_back() -> None:
    at = "2024-05-06T07:08:09.25+02:00"
    record = {"at": at, "severity": "low", "code": 200, "day": "2024-05-06", "unit": "F"}
    for function in FUNCTIONS:
        assert same(function, [record] * 3) == 0
    steps = [{"at": at, "code": 200}, {"at": at, "code": 404, "severity": "high"}]
    assert same(of_trip, [{"steps": steps}]) == 0


def test_whole_records() -> None:
    same(whole, [{"at": each, "severity": "high", "code": 200} for each in texts("whole")])


@dataclass
class Zoned:
    at: datetime | int


@dataclass
class Times:
    at: list[datetime]


def of_zoned(r: Zoned) -> Any:
    return {"at": r.at}


def of_times(r: Times) -> Any:
    return {"at": r.at}


def as_value(r: Reading) -> Any:
    severities = [r.severity]
    return {"count": len(severities)}


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (of_zoned, "a union with dates or enumerations of at"),
        (of_times, "a container of DateTime of at"),
        (as_value, "'r.severity' is a member of an enumeration"),
    ],
)
def test_not_compiled(function: Any, reason: str) -> None:
    result = compile_any(function)
    assert isinstance(result, NotCompiled)
    assert result.construct == reason
