"""The oracle detects every kind of difference."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from forstcore import RecordStream
from tests.oracle import Account, Due, account, due, make_lines, number_of

COUNT = 3000
SOURCE = make_lines(random.Random(1), 0, COUNT)
LINES = SOURCE.splitlines(keepends=True)
RESULTS = [due(line, number) for number, line in enumerate(LINES)]
MIDDLE = 1000
AN_ERROR = next(at for at, each in enumerate(RESULTS) if b'"error"' in each and at > MIDDLE)


def kinds(found: Account) -> set[tuple[str, int]]:
    return {(each.kind, each.line) for each in found.violations}


def test_what_is_due_is_what_the_core_makes() -> None:
    stream = RecordStream(on_error="emit")
    assert stream.feed(SOURCE) + stream.finish() == b"".join(RESULTS)
    assert [number_of(each) for each in RESULTS] == list(range(COUNT))
    assert 20 < stream.errors < 200


def test_a_good_log() -> None:
    found = account(LINES, RESULTS)
    assert found.good
    assert (found.sent, found.received, found.count) == (COUNT, COUNT, 0)
    assert found.digest == found.digest_due


@pytest.mark.parametrize("place", [0, MIDDLE, AN_ERROR, COUNT - 1])
def test_one_is_lost(place: int) -> None:
    found = account(LINES, RESULTS[:place] + RESULTS[place + 1 :])
    assert not found.good
    assert kinds(found) == {("lost", place)}


@pytest.mark.parametrize("place", [0, MIDDLE, AN_ERROR, COUNT - 1])
@pytest.mark.parametrize("later", [0, 1, 500])
def test_one_is_doubled(place: int, later: int) -> None:
    results = RESULTS.copy()
    results.insert(place + later, RESULTS[place])
    found = account(LINES, results)
    assert not found.good
    assert kinds(found) == {("doubled", place)}


@pytest.mark.parametrize("distance", [1, 2, 15])
def test_two_are_swapped(distance: int) -> None:
    results = RESULTS.copy()
    one, other = MIDDLE, MIDDLE + distance
    results[one], results[other] = results[other], results[one]
    found = account(LINES, results)
    assert not found.good
    assert ("swapped", one) in kinds(found)


@pytest.mark.parametrize(
    "alter",
    [
        lambda line: line.replace(b"processed_", b"processed-"),
        lambda line: line.replace(b"success", b"Success"),
        lambda line: line.replace(b'",', b'" ,', 1),
        lambda line: b"x" + line,
        lambda line: b"\n",
        lambda line: line[:20] + bytes([line[20] ^ 1]) + line[21:],
    ],
)
@pytest.mark.parametrize("place", [0, MIDDLE, COUNT - 1])
def test_one_is_altered(place: int, alter: Callable[[bytes], bytes]) -> None:
    results = RESULTS.copy()
    results[place] = alter(RESULTS[place])
    assert results[place] != RESULTS[place]
    found = account(LINES, results)
    assert not found.good
    assert found.count
    assert ("altered", place) in kinds(found)


def test_an_error_line_with_another_number() -> None:
    """The log of a stream that resumed, but numbered its lines from 1 again."""
    results = RESULTS.copy()
    results[AN_ERROR] = due(LINES[AN_ERROR], AN_ERROR - MIDDLE)
    assert kinds(account(LINES, results)) >= {("lost", AN_ERROR)}


def test_the_rest_is_missing_or_torn() -> None:
    found = account(LINES, RESULTS[:MIDDLE])
    assert found.count == COUNT - MIDDLE
    found = account(LINES, [*RESULTS[:-1], RESULTS[-1][:-1]])
    assert kinds(found) == {("torn", COUNT - 1), ("lost", COUNT - 1)}
    assert account(LINES, []).count == COUNT


def test_one_that_nobody_asked_for() -> None:
    extra = RESULTS[MIDDLE].replace(b'"1000"', b'"99999"')
    assert extra != RESULTS[MIDDLE]
    assert kinds(account(LINES, [*RESULTS, extra])) == {("invented", 99_999)}


@pytest.mark.parametrize(
    ("came", "reason"),
    [(b"ab", "2 bytes of results came, 3 were due"), (b"axc", "3 bytes came, but wrong ones")],
)
def test_results_that_are_not_those_due_are_seen(came: bytes, reason: str) -> None:
    due = Due(b"abc")
    due.come(came)
    with pytest.raises(AssertionError, match=reason):
        due.check()
