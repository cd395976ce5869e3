"""Chaos in short; `python -m tests.chaos` has longer runs of each pair."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.ledger import check_dead_letters, check_results
from tests.chaos.plan import PROCESS, Event, draw
from tests.chaos.records import broken, part_of
from tests.chaos.run import PAIRS, SHARED_PAIRS, most_doubles, run

if not Path("/proc/self").exists():
    pytest.skip("needs /proc", allow_module_level=True)

_QUICK = ["file-zst", "redis-group-http"]
# Each kind of source and sink.
_LONG = [
    "file-redis",
    "kafka-file",
    "kafka-group-kafka",
    "kafka-group-nats",
    "mqtt-parquet",
    "nats-redis",
    "nats-durable-mqtt",
    "redis-kafka",
]


@pytest.mark.parametrize(
    "pair",
    [*_QUICK, *(pytest.param(each, marks=pytest.mark.long) for each in _LONG)],
)
def test_nothing_is_lost_whatever_happens(tmp_path: Path, pair: str) -> None:
    records, events = (2000, 2) if pair in _QUICK else (20_000, 5)
    report = run(pair, records, events, seed=PAIRS.index(pair), directory=tmp_path)
    assert not report.wrong, report
    assert report.ledger.found - report.ledger.doubles == records - len(broken(records))


@pytest.mark.long
@pytest.mark.parametrize("pair", ["kafka-group-kafka", "nats-durable-redis", "redis-group-redis"])
def test_nothing_is_lost_by_processes_that_share_a_group(tmp_path: Path, pair: str) -> None:
    records, seed = 40_000, SHARED_PAIRS.index(pair)
    report = run(pair, records, 6, seed, tmp_path, members=3)
    assert not report.wrong, report
    assert report.ledger.found - report.ledger.doubles == records - len(broken(records))


def test_events_follow_from_the_seed() -> None:
    peers = {"redis": ("kill", "cut"), "http": ("stop",)}
    drawn = [draw(seed, 1000, 20, peers) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert {event.target for event in drawn[0]} == {"process", "redis", "http"}
    assert list(drawn[0]) == sorted(drawn[0], key=lambda event: event.at)


def test_a_process_that_ends_in_good_order_doubles_nothing() -> None:
    ends = [Event(1, 0.0, PROCESS, "end", 0.0)]
    kills = [Event(1, 0.0, PROCESS, "kill", 0.0), Event(2, 0.0, "kafka", "cut", 0.0)]
    assert most_doubles(ends) == 0
    assert 0 < most_doubles(kills) == most_doubles(kills + ends) < 60_000


def _results(numbers: list[int]) -> list[bytes]:
    return [
        b'{"id":"%d","part":%d,"n":%d,"twice":%d}' % (number, part_of(number), number, 2 * number)
        for number in numbers
    ]


def test_the_ledger_sees_what_is_wrong() -> None:
    good = [number for number in range(300) if number not in broken(300)]
    assert not check_results(_results(good), 300).wrong
    ledger = check_results(_results([*good[:100], *good[90:]]), 300)
    assert (ledger.doubles, ledger.disordered, ledger.wrong) == (10, 0, [])
    ledger = check_results(_results([*good[:20], *good[21:40], good[20], *good[40:]]), 300)
    assert (ledger.doubles, ledger.disordered, ledger.wrong) == (0, 1, [])
    ledger = check_results(_results(good[:-1]), 300)
    assert ledger.wrong == ["1 records are lost: [299] …"]
    for bad in (b"{", b"{}", *_results([300, 5])):
        assert check_results([*_results(good), bad], 300).wrong


def test_dead_letters_have_a_place_and_a_reason() -> None:
    letter = (
        b'{"pipeline":"chaos","file":"file:x","line":%d,"code":"%s","message":"%s","raw":"%d"}\n'
    )
    good = letter % (6, b"invalid_json", b"why", 5) + letter % (8, b"processor_failed", b"why", 7)
    assert check_dead_letters(good, 300, ["file:x"], 1) == []
    assert check_dead_letters(good + good, 300, ["file:x"], 2) == []
    for bad in (
        good + good,
        good.splitlines(keepends=True)[0],
        good.replace(b"invalid_json", b"processor_failed"),
        good.replace(b"why", b""),
        good.replace(b"file:x", b"file:y"),
    ):
        assert check_dead_letters(bad, 300, ["file:x"], 1)
