"""Texts of dates and times: valid ones, and those in which something is wrong."""

from __future__ import annotations

import datetime as dt
import random

__all__ = ["aware_texts", "broken_texts", "date_texts"]

_ZONES = ["Z", "+00:00", "-00:00", "+05:30", "-08:00", "+0530", "+14", "-23:59", "+01:02:03"]
_NASTY = [
    "0001-01-01", "9999-12-31", "2000-02-29", "1900-02-28", "2024-02-29", "2024-12-31",
    "1969-12-31", "1970-01-01", "2023-01-01", "2100-03-01", "0999-06-15",
]  # fmt: skip
_BROKEN = [
    "", "x", "2024", "2024-01", "2024-13-01", "2024-00-01", "2024-02-30", "1900-02-29", "2024-1-1",
    "0000-01-01", "20240101", "2024-W01-1", "2024-001", "not a date at all", "2024-01-01T",
    "2024-01-01T24:00:00", "2024-01-01T25:00:00", "2024-01-01T12:60:00", "2024-01-01T12:00:60",
    "2024-01-01T12", "2024-01-01 12:30", "2024-01-01t12:30:00", "2024-01-01T12:30:00z",
    "2024-01-01T12:30:00,5", "2024-01-01T12:30:00.", "2024-01-01T12:30:00.1",
    "2024-01-01T12:30:00.1234567", "2024-01-01T12:30:00+24:00", "2024-01-01T12:30:00+23:60",
    "2024-01-01T12:30:00+5", "2024-01-01T12:30:00+05:3", "2024-01-01T12:30:00 +05:30",
    "2024-01-01T12:30:00.5Z", "2024-01-01T12:30Z", "2024-01-01T12+01", "2024-01-01T1230",
    "2024-01-01T12:30:00+01:00:00.5", "2024-01-01\u00a012:30:00", "２０２４-01-01", " 2024-01-01",
    "2024-01-01 ", "2024-01-01\n", "2024-01-01T12:30:00Z ", "2024-01-01T12:30:00ZZ", "-2024-01-01",
    "2024-01-01T12:30:00+00:00:01", "2024-01-01TT12:30:00", "2024/01/01", "01-01-2024",
]  # fmt: skip


def date_texts(random_: random.Random, count: int) -> list[str]:
    """Return dates, the nasty ones first."""
    days = [random_.randint(1, dt.date.max.toordinal()) for _ in range(count)]
    recent = [random_.randint(700_000, 760_000) for _ in range(count)]
    return _NASTY + [dt.date.fromordinal(each).isoformat() for each in days + recent]


def _with_time(random_: random.Random, date: str) -> str:
    hour, minute, second = (random_.choice((0, n, random_.randint(0, n))) for n in (23, 59, 59))
    fraction = random_.choice(("", ".5", ".250", ".000001", ".999999", ".123456789", ".120000"))
    time = random_.choice(
        (f"{hour:02}:{minute:02}:{second:02}{fraction}", f"{hour:02}:{minute:02}")
    )
    return f"{date}{random_.choice('T ')}{time}"


def aware_texts(random_: random.Random, count: int) -> list[str]:
    """Return times with a zone."""
    dates = date_texts(random_, count)
    return [_with_time(random_, each) + random_.choice(_ZONES) for each in dates]


def broken_texts(random_: random.Random, count: int) -> list[str]:
    """Return texts that are no dates, or maybe, or in a rarer format; and times without a zone."""
    texts = [_with_time(random_, each) for each in date_texts(random_, count)]
    texts += aware_texts(random_, count)
    for each in list(texts):
        place = random_.randrange(len(each))
        texts.append(each[:place] + random_.choice("0123456789-+:.TZ x") + each[place + 1 :])
        texts.append(each[:place] + each[place + 1 :])
    return _BROKEN + texts
