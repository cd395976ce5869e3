"""Compiled processors: times in zones whose offset changes."""

from __future__ import annotations

import datetime as dt
import random
from datetime import datetime, timedelta, timezone
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest

from forstcore._zones import zone_changes
from forstcore.compiled import NotCompiled, compile_processor
from tests.compiled.oracle import same
from tests.compiled.snippets import function_of

ZONES = {
    "BERLIN": ZoneInfo("Europe/Berlin"),
    "NEW_YORK": ZoneInfo("America/New_York"),
    "LORD_HOWE": ZoneInfo("Australia/Lord_Howe"),  # half an hour
    "UTC": ZoneInfo("UTC"),
    "DUBLIN": ZoneInfo("Europe/Dublin"),  # whose summer is the standard
    "CASABLANCA": ZoneInfo("Africa/Casablanca"),
}
ZONE = " else ".join(f"{name} if {{0}} == '{name}'" for name in ZONES) + " else None"
NAMES: dict[str, Any] = {
    **ZONES,
    "ZoneInfo": ZoneInfo,
    "datetime": datetime,
    "timedelta": timedelta,
    "timezone": timezone,
}
YEARS = range(1988, 2062)


def records(seed: str, count: int = 400) -> list[dict[str, Any]]:
    """Make records with times around the changes of clocks: b is without a zone, c a timestamp."""
    random_ = random.Random(seed)
    made = []
    for _ in range(count):
        day = datetime(random_.choice(YEARS), random_.choice((3, 3, 4, 10, 10, 11)), 1)
        day += timedelta(days=random_.randrange(31))
        if random_.random() < 0.8:
            day += timedelta(days=6 - day.weekday())
        hour = random_.choice((0, 1, 1, 2, 2, 3, 12, 23))
        time = day + timedelta(hours=hour, minutes=random_.choice((0, 29, 30, 59)))
        utc = time.replace(tzinfo=dt.UTC).timestamp()
        made.append(
            {
                "a": time.isoformat() + random_.choice(("Z", "+00:00", "+02:00", "-05:00")),
                "b": time.isoformat(),
                "c": random_.choice((utc, int(utc), utc + 0.25)),
                "d": random_.choice([*ZONES]),
                "e": random_.choice([*ZONES]),
            }
        )
    return made


IN_ZONE = f"datetime.fromisoformat(a).astimezone({ZONE.format('d')})"
LOCAL = f"datetime.fromisoformat(b).replace(tzinfo={ZONE.format('d')})"
FROM_TIMESTAMP = f"datetime.fromtimestamp(c, {ZONE.format('d')})"
USES = [
    "{}.isoformat()", "{}.isoformat(' ', 'minutes')", "str({})", "{}.strftime('%H:%M %z %Z %a')",
    "'{{:%H:%M}}'.format({})", "{}.fold", "{}.hour", "{}.weekday()", "{}.toordinal()", "{}.date()",
    "{}", "{}.timestamp()", "{}.utcoffset().total_seconds()", "{}.replace(tzinfo=None)",
    "{}.astimezone(timezone.utc)", f"{{}}.astimezone({ZONE.format('e')}).isoformat()",
    "{}.replace(hour=0, minute=0, second=0, microsecond=0).isoformat()",
    "({}.replace(hour=2) + timedelta(days=1)).isoformat()", "({} - timedelta(hours=1)).timestamp()",
    "{}.replace(tzinfo=timezone(timedelta(hours=3))).isoformat()", "{}.replace(fold=1).isoformat()",
    f"{{}}.replace(hour=2).astimezone({ZONE.format('d')}).isoformat()",
    "{}.replace(hour=2).astimezone(ZoneInfo('Europe/Berlin')).isoformat()",
]  # fmt: skip
ODD_USES = [
    "{} == datetime.fromisoformat(a)", "{} < datetime.fromisoformat(a)", "{} in (1, None)",
    "str({} - datetime.fromisoformat(a))", "str(datetime.fromisoformat(a) - {})", "repr({})",
    "str({} - {})", "{} == {}", "len({{{}, 1}})", "str({}.tzinfo)", "bool({})", "{} is None",
    "max({}, datetime.fromisoformat(a)).isoformat()", "timedelta(hours=1) + {}", "{} + 1", "-{}",
    "isinstance({}, int)", "[{}]", "'%s' % {}", "{}.tzinfo is None", "sorted([{}, {}])[0].hour",
]  # fmt: skip


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("time", [IN_ZONE, LOCAL, FROM_TIMESTAMP])
def test_times_in_zones(time: str, use: str) -> None:
    same(function_of(use.format(time), "abcde", **NAMES), records(time + use))


@pytest.mark.parametrize("use", ODD_USES)
def test_what_depends_on_more_than_the_time(use: str) -> None:
    same(function_of(use.replace("{}", IN_ZONE), "abcde", **NAMES), records(use, 60))


def test_usual_times_are_not_given_back() -> None:
    usual = [each for each in records("usual") if "1991" < each["a"] < "2059"]
    for time in (IN_ZONE, LOCAL, FROM_TIMESTAMP):
        for use in USES[:4]:
            assert same(function_of(use.format(time), "abcde", **NAMES), usual) == 0


def test_zones_in_calls() -> None:
    for expression in (
        "datetime.fromisoformat(a).astimezone(ZoneInfo('America/Los_Angeles')).hour",
        "datetime.fromtimestamp(c, tz=BERLIN).strftime('%Y-%m-%d %H')",
        "datetime(2024, 3, 31, 2, 30, tzinfo=ZoneInfo('Europe/Berlin')).isoformat()",
        "datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1).timestamp()",
    ):
        usual = [each for each in records(expression) if "1991" < each["a"] < "2059"]
        assert same(function_of(expression, "abcde", **NAMES), usual) == 0


def in_a_table(r: dict[str, Any]) -> dict[str, Any]:
    time = datetime.fromisoformat(r["a"]).astimezone(ZONES[r["d"]])
    return {"time": time, "day": time.strftime("%A"), "midnight": time.replace(hour=0, minute=0)}


def test_zones_in_a_table() -> None:
    usual = [each for each in records("table") if "1991" < each["a"] < "2059"]
    assert same(in_a_table, usual) == 0


@pytest.mark.parametrize(
    ("zone", "reason"),
    [
        ("ZoneInfo(d)", "a zone whose name is no constant"),
        ("ZoneInfo('Mars/Base')", "the zone 'Mars/Base', which is not known here"),
        ("ZoneInfo('../etc')", "the zone '../etc', which is not known here"),
        ("ZoneInfo('Europe')", "the zone 'Europe', which is not known here"),
    ],
)
def test_unknown_zones(zone: str, reason: str) -> None:
    found = compile_processor(function_of(f"datetime.fromtimestamp(c, {zone})", "cd", **NAMES))
    assert not isinstance(found, NotCompiled)
    assert [each.construct for each in found.gives_back] == [reason]


def test_changes_of_a_zone_without_its_file() -> None:
    """Its key says nothing about a zone that was read from any file."""
    for key in ("Europe/Berlin", "Africa/Casablanca", "Asia/Tokyo", "Asia/Gaza"):
        with (resources.files("tzdata") / "zoneinfo" / key).open("rb") as file:
            zone = ZoneInfo.from_file(file, key="America/New_York")
        changes = zone_changes(zone)
        assert changes != zone_changes(ZoneInfo("America/New_York"))
        for at, offset, name in changes[:-1]:
            local = datetime.fromtimestamp(at, zone)
            before = datetime.fromtimestamp(at - 1, zone)
            assert (local.utcoffset(), local.tzname()) == (timedelta(seconds=offset), name)
            if at > changes[0][0]:
                assert (before.utcoffset(), before.tzname()) != (local.utcoffset(), name)
        assert (changes[-1][0], len(changes) > 9) == (2_840_140_800, key != "Asia/Tokyo")


@pytest.mark.long
def test_changes_of_all_zones() -> None:
    """No zone is in another state for less time than is between two looks at it."""
    from zoneinfo._zoneinfo import ZoneInfo as Readable  # type: ignore[import-not-found]

    for key in sorted(available_timezones()):
        changes = zone_changes(ZoneInfo(key))
        known = {at for at, _, _ in changes}
        zone = Readable(key)
        states = [(each.utcoff, each.tzname) for each in (zone._tti_before, *zone._ttinfos)]
        for i, at in enumerate(zone._trans_utc):
            if changes[0][0] < at < changes[-1][0] and states[i] != states[i + 1]:
                assert at in known, (key, at)
