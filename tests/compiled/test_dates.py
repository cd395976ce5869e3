"""Compiled processors: dates, times and durations."""

from __future__ import annotations

import datetime as dt
import random
import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.compiled.date_texts import aware_texts, broken_texts, date_texts
from tests.compiled.number_records import floats
from tests.compiled.oracle import same
from tests.compiled.snippets import function_of

COUNT = 60
NAMES = {"dt": dt, "datetime": datetime, "date": date, "timedelta": timedelta, "timezone": timezone}
EASTERN = timezone(timedelta(hours=-5))
EPOCH = datetime(2020, 2, 29, 12, tzinfo=timezone.utc)  # noqa: UP017
LIMIT = timedelta(minutes=90)


def check(expression: str, records: list[Any]) -> int:
    """Compare an expression with variables a, b and c in Python and compiled."""
    letters = "".join(each for each in "abc" if each in records[0])
    return same(
        function_of(expression, letters, **NAMES, EASTERN=EASTERN, EPOCH=EPOCH, LIMIT=LIMIT),
        records,
    )


@pytest.mark.parametrize("kind", ["datetime", "date"])
def test_reading(kind: str) -> None:
    texts: list[Any] = [*broken_texts(random.Random(kind), COUNT), None, 5, [], "2024-05-06"]
    check(f"{kind}.fromisoformat(a).isoformat()", [{"a": each} for each in texts])
    check(f"{kind}.fromisoformat(a)", [{"a": each} for each in texts])
    check(f"str({kind}.fromisoformat(a))", [{"a": each} for each in texts])


def test_usual_texts_are_not_given_back() -> None:
    texts = [each for each in aware_texts(random.Random(1), COUNT) if "1000" <= each < "9999"]
    records = [{"a": each} for each in texts]
    for expression in (
        "datetime.fromisoformat(a)",
        "datetime.fromisoformat(a).timestamp()",
        "datetime.fromisoformat(a).astimezone(timezone.utc).isoformat()",
        "datetime.fromisoformat(a).astimezone(EASTERN).date()",
        "(datetime.fromisoformat(a) - EPOCH).total_seconds()",
        "datetime.fromisoformat(a.replace('Z', '+00:00')).strftime('%Y%m%dT%H%M%S.%f')",
        "f'{datetime.fromisoformat(a):%Y-%m-%d} {datetime.fromisoformat(a)}'",
        "datetime.fromisoformat(a) > EPOCH or datetime.fromisoformat(a) - EPOCH < -LIMIT",
    ):
        assert check(expression, records) == 0, expression
    dates = [{"a": each} for each in date_texts(random.Random(2), COUNT) if each >= "1000"]
    for expression in (
        "date.fromisoformat(a).weekday()",
        "date.fromisoformat(a).replace(day=1)",
        "(date.fromisoformat(a) - date(2000, 1, 1)).days",
        "date.fromisoformat(a).strftime('%d/%m/%y %j %U %W %u %w %F %% %b %A')",
    ):
        assert check(expression, dates) == 0, expression


@pytest.mark.parametrize(
    "attribute",
    [
        "year", "month", "day", "hour", "minute", "second", "microsecond", "fold", "weekday()",
        "isoweekday()", "toordinal()", "utcoffset().total_seconds()", "date().isoformat()",
        "tzinfo is None", "isoformat(' ')", "isoformat(timespec='milliseconds')",
        "isoformat('T', 'minutes')", "isoformat(timespec='hours')", "isoformat(timespec='x')",
        "isoformat(sep='ab')", "timestamp()", "astimezone(timezone(timedelta(hours=2)))",
        "replace(tzinfo=None)", "replace(year=2023)", "replace(hour=0, minute=0, second=0)",
        "replace(microsecond=0).isoformat()", "replace(month=13)", "replace(tzinfo=timezone.utc)",
        "strftime('%Y-%m-%d %H:%M:%S.%f %z %Z %j %I %y %U %W %u %w %T %R %F 100%%')",
        "strftime('%a %A %b %B')", "strftime('%c %x')", "strftime('ü')", "strftime('')",
        "strftime('%')",
    ],
)  # fmt: skip
def test_attributes(attribute: str) -> None:
    random_ = random.Random(attribute)
    texts = [
        *aware_texts(random_, COUNT // 3),
        *date_texts(random_, COUNT // 3),
        "2024-05-06T07:08",
    ]
    records = [{"a": each} for each in texts]
    check(f"datetime.fromisoformat(a).{attribute}", records)
    check(f"date.fromisoformat(a[:10]).{attribute}", records)


@pytest.mark.parametrize(
    "expression",
    [
        "a - b", "(a - b).total_seconds()", "str(a - b)", "(a - b).days", "(a - b).seconds",
        "(a - b).microseconds", "a < b", "a <= b", "a == b", "a != b", "max(a, b)", "a + b",
        "str(a + (a - b))", "str(a - timedelta(days=1, seconds=-5))", "timedelta(hours=1) + b",
        "a - b > LIMIT", "(a - b) / LIMIT", "(a - b) // LIMIT", "str((a - b) % LIMIT)",
        "abs(a - b) < timedelta(days=900)", "str(-(a - b))", "str((a - b) * 2)", "(a - b) / 2",
        "str((a - b) // 7)", "str(LIMIT - (a - b))", "(a - b) * 0.5 < LIMIT", "bool(a - b)",
        "a.date() == b.date()", "a.date() == b", "a.date() < b", "str(a.date() - (a - b))",
        "a.replace(tzinfo=None) == b", "a.replace(tzinfo=None) < b", "a - b.replace(tzinfo=None)",
        "(a.date() - b.date()).days", "a.date() + LIMIT", "sorted([a, b])[0] == a", "a in (b,)",
    ],
)  # fmt: skip
def test_arithmetic(expression: str) -> None:
    random_ = random.Random(expression)
    texts = aware_texts(random_, COUNT)
    records = [{"a": each, "b": random_.choice(texts)} for each in texts]
    records += [{"a": each, "b": each} for each in texts[:9]]
    read = re.sub(r"\b([ab])\b", r"datetime.fromisoformat(\1)", expression)
    same(function_of(read, "ab", **NAMES, LIMIT=LIMIT), records)


def test_making() -> None:
    random_ = random.Random(3)
    records = [
        {"a": random_.choice((2024, 1, 9999, 0, 10000)), "b": random_.randint(0, 13), "c": day}
        for day in (0, 1, 28, 29, 30, 31, 32, 1.5, "1", None, True)
        for _ in range(9)
    ]
    for expression in (
        "date(a, b, c)",
        "datetime(a, b, c)",
        "datetime(2024, 1, 1, a, b, c)",
        "datetime(year=a, month=b, day=c, tzinfo=timezone.utc)",
        "datetime(a, 2, 3, 4, 5, 6, 7, timezone(timedelta(hours=c)))",
    ):
        check(expression, records)


def test_durations() -> None:
    random_ = random.Random(4)
    numbers = [*floats(random_, 200), *(random_.uniform(-1e6, 1e6) for _ in range(200)), 0.5, 7]
    numbers += [n + 0.5e-6 * random_.randint(-9, 9) for n in range(100)]
    records = [{"a": each, "b": random_.choice(numbers)} for each in numbers]
    for unit in ("days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"):
        check(f"str(timedelta({unit}=a))", records)
    check("timedelta(a, seconds=b, milliseconds=b).total_seconds()", records)
    check("str(timedelta(microseconds=0.5 * int(a) % 1000, milliseconds=0.0005))", records)


def test_timestamps() -> None:
    random_ = random.Random(5)
    numbers: list[Any] = [random_.uniform(0, 4e9) for _ in range(500)]
    numbers += [n + m / 2e6 for n in (0, 1, 1_700_000_000) for m in range(50)]
    numbers += [0, 1_700_000_000, True, 253402300799, 253402300800, -1, -0.5, 1e300, "1", None]
    records = [{"a": each} for each in numbers]
    given_back = check("datetime.fromtimestamp(a, tz=timezone.utc)", records)
    assert given_back < 10
    check("datetime.fromtimestamp(a, EASTERN).isoformat(' ')", records)
    check("datetime.fromtimestamp(a, timezone.utc).timestamp() == a", records)


FORMATS = [
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%d/%b/%Y:%H:%M:%S %z", "%H:%M",
    "%Y%m%d%H%M%S", "%d.%m.%Y", "%Y-%m-%dT%H:%M:%S%z", "%m/%d/%y", "%d %B %Y", "100%% %Y",
    "%m/%d/%Y %I:%M %p", "%b %d %H:%M:%S", "%a, %d %b %Y %H:%M:%S %Z", "%y%m%d", "%Y-%j", "%y%j",
    "%a %b %d %H:%M:%S %Y", "%A, %B %d, %Y", "%I%p", "%H%M%S.%f", "%p %I %Y", "%Z %y", "%Y%m%d%f",
    "%H:%M %p", "%m  %d", "%Y-%m-%d %j", "%G-W%V-%u", "%c", "%Y %y", "%d %d", "%H %I", "%", "é%Y",
]  # fmt: skip


@pytest.mark.parametrize("format_", FORMATS)
def test_strptime(format_: str) -> None:
    random_ = random.Random(format_)
    times = [datetime.fromisoformat(each) for each in aware_texts(random_, COUNT)]
    texts = [each.strftime(format_) for each in times]
    texts += [each[:-1] for each in texts] + [each + "0" for each in texts[:9]]
    texts += [each.replace("0", "", 1) for each in texts[:20]] + [
        each.lower() for each in texts[:9]
    ]
    check(f"datetime.strptime(a, {format_!r})", [{"a": each} for each in texts])


@pytest.mark.parametrize("format_", FORMATS)
def test_texts_in_no_format(format_: str) -> None:
    """A function that tries one format after the other finds out that a text is in none."""
    random_ = random.Random(format_)
    texts = [datetime.fromisoformat(each).strftime(format_) for each in aware_texts(random_, 20)]
    for each in list(texts):
        place = random_.randrange(len(each) + 1)
        character = random_.choice("0123456789 :-+/ZzaAmMpPé\t\n")
        texts.append(each[:place] + character + each[place:])
        texts.append(each[:place] + character + each[place + 1 :])
        texts.append(each[:place] + each[place + 1 :].upper().replace(" ", "  "))
        texts.append(each.replace("UTC", random_.choice(("GMT", "CET", "utc"))) + character)
    check(f"datetime.strptime(a, {format_!r})", [{"a": each} for each in texts])


def test_a_text_in_the_second_format_is_read() -> None:
    def tried(record: dict[str, Any]) -> dict[str, Any] | None:
        for each in ("%Y-%m-%d", "%d/%m/%Y", "%m-%d-%y", "%d %B %Y"):
            try:
                return {"day": datetime.strptime(record["a"], each).date().isoformat()}
            except ValueError:
                continue
        return None

    texts = ["01/02/2024", "2024-01-02", "1 May 2024", "31/02/2024", "x", "12-31-99", "2024-13-01"]
    assert same(tried, [{"a": each} for each in texts]) == 0


def test_usual_formats_are_read() -> None:
    for text, format_ in (
        ("03/04/2024 05:06 PM", "%m/%d/%Y %I:%M %p"),
        ("Tue, 02 Jan 2024 03:04:05 GMT", "%a, %d %b %Y %H:%M:%S %Z"),
        ("Tue Jan  2 03:04:05 2024", "%a %b %d %H:%M:%S %Y"),
        ("2 January 2024", "%d %B %Y"),
        ("240102", "%y%m%d"),
        ("2024-033", "%Y-%j"),
    ):
        assert check(f"datetime.strptime(a, {format_!r})", [{"a": text}] * 2) == 0, text
    records = [{"a": "10/Oct/2000:13:55:36 -0700"}, {"a": "01/may/2024:00:00:00 +0000"}]
    assert check("datetime.strptime(a, '%d/%b/%Y:%H:%M:%S %z')", records) == 0
    assert check("datetime.strptime(a, '%Y-%m-%d %H:%M')", [{"a": "2024-05-06 07:08"}]) == 0
