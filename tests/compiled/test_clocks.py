"""Compiled processors: times of day, and the calendar of weeks."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from tests.compiled.date_texts import aware_texts, date_texts
from tests.compiled.oracle import same
from tests.compiled.snippets import function_of

OPENS = time(9)
CLOSES = time(17, 30, 15, 250)
HOURS: Final = {"shop": (time(8), time(20)), "bank": (OPENS, CLOSES)}
ODD_CLOCKS: Final = {"zone": time(9, tzinfo=UTC)}
NAMES: dict[str, Any] = {
    **{"date": date, "datetime": datetime, "time": time, "timedelta": timedelta, "UTC": UTC},
    **{"timezone": timezone, "BERLIN": ZoneInfo("Europe/Berlin"), "OPENS": OPENS, "CLOSES": CLOSES},
}


def moments(seed: int, count: int = 150) -> list[dict[str, Any]]:
    texts = [*aware_texts(random.Random(seed), count), "2026-03-02T09:00:00", "2026-03-02 17:30"]
    return [{"a": each} for each in texts]


def opening(r: dict[str, Any]) -> dict[str, Any]:
    moment = datetime.fromisoformat(r["a"])
    opens, closes = HOURS.get(r.get("kind", ""), (OPENS, CLOSES))
    noon = datetime.combine(moment.date(), time(12))
    week = moment.isocalendar()
    return {
        "is_open": opens <= moment.time() < closes,
        "noon": noon.isoformat(),
        "midnight": datetime.combine(moment, time.min, tzinfo=UTC),
        "week": f"{week.year}-W{week.week:02}-{week[2]}",
        "clock": f"{moment.time():%H:%M}",
    }


def test_usual_records_are_not_given_back() -> None:
    records = [each for each in moments(1) if "1000" <= each["a"] < "9998"]
    assert same(opening, records) == 0
    same(opening, [{**each, "kind": "bank"} for each in moments(2)])


@pytest.mark.parametrize(
    "expression",
    [
        "m.time() < OPENS", "m.time() == m.time()", "OPENS < CLOSES <= m.time()", "m.time() == m",
        "m.time() < m", "m.time() == '09:00:00'", "m.time() in (OPENS, CLOSES)",
        "max(m.time(), OPENS)",
        "str(m.time())", "f'{m.time()}'", "f'{m.time():%H%M%S.%f|%Y-%m-%d|%a %j}'",
        "repr(m.time())",
        "m.time().isoformat()", "m.time().isoformat(timespec='minutes')",
        "m.time().isoformat('hours')",
        "m.time().strftime('%I:%M %p')", "m.time().hour", "m.time().minute + m.time().second",
        "m.time().microsecond", "m.time().fold", "m.time().year", "m.time().tzinfo", "m.time()",
        "m.timetz()", "m.time().replace(hour=1)", "bool(m.time())", "m.time() - OPENS",
        "[m.time()]",
        "m.time() + timedelta(1)", "m.time() or 1", "{m.time(): 1}", "sorted([m.time(), OPENS])",
        "isinstance(m.time(), time)", "isinstance(m, time)", "m.date().time()", "OPENS.time()",
        "datetime.combine(m, OPENS).isoformat()", "datetime.combine(m.date(), m.time())",
        "datetime.combine(m.date(), CLOSES, tzinfo=m.tzinfo)", "datetime.combine(OPENS, m)",
        "datetime.combine(m.date(), OPENS, BERLIN).isoformat()", "datetime.combine(m.date(), m)",
        "datetime.combine(m.date(), OPENS, None)", "datetime.combine(m.date(), OPENS, 5)",
        "(datetime.combine(m, CLOSES) - datetime.combine(m, OPENS)).seconds", "OPENS.isoformat()",
        "m.isocalendar()[1]", "m.isocalendar().week", "m.isocalendar().weekday",
        "m.isocalendar().year",
        "list(m.date().isocalendar())", "tuple(m.isocalendar()[:2])", "m.isocalendar()",
        "m.weekday",
        "str(m.isocalendar())", "m.isocalendar().path", "m.isocalendar().hostname", "m.year",
        "m.isocalendar() == m.date().isocalendar()", "m.isocalendar() < (2020, 5, 1)", "a.week",
        "a.time()", "a.isocalendar()", "m.isocalendar().day", "m.replace(fold=1).time().fold",
        "m.astimezone(BERLIN).time().isoformat()", "m.astimezone(UTC).isocalendar().week",
        "datetime.min.time() <= m.time() <= time.max", "time.min == OPENS.replace(hour=0)",
    ],
)  # fmt: skip
def test_expressions(expression: str) -> None:
    text = f"[{expression} for m in [datetime.fromisoformat(a)]][0]"
    same(function_of(text, "a", **NAMES), moments(3))


@pytest.mark.parametrize("call", ["time(a)", "time(1, a)", "time(0, 0, a)", "time(microsecond=a)"])
def test_making(call: str) -> None:
    odd = [0, 23, 24, 59, 60, -1, 999999, 1000000, 2**40, 2**64, True, 1.0, "1", None, []]
    same(function_of(f"str({call})", "a", **NAMES), [{"a": each} for each in odd])
    same(function_of(f"datetime.combine(date(2026, 1, 2), {call})", "a", **NAMES), [{"a": 1}])


def test_weeks_of_all_years() -> None:
    days = [
        date(year, month, day) for year in range(1, 10000, 7) for month, day in ((1, 1), (12, 31))
    ]
    days += [date(year, 1, day) for year in range(1970, 2060) for day in range(1, 8)]
    days += [date(year, 12, day) for year in range(1970, 2060) for day in range(25, 32)]
    days += [date(1, 1, 3), date(9999, 12, 30), date(2, 1, 1), date(9998, 12, 31)]
    records = [{"a": str(each)} for each in days]
    records += [{"a": each} for each in date_texts(random.Random(4), 100)]
    same(function_of("list(date.fromisoformat(a).isocalendar())", "a", **NAMES), records)


def test_constants_with_a_zone_are_left_to_python() -> None:
    function = function_of("str(ODD['zone'])", "a", ODD=ODD_CLOCKS)
    assert same(function, [{"a": 1}]) == 1
