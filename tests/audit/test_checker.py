"""A checker that cannot fail is worth nothing: it finds whatever is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from forstcore import RecordStream
from tests.audit.checker import Verdict, check
from tests.audit.lines import due, make_lines, number_of

COUNT = 3000
SOURCE = make_lines(random.Random(1), 0, COUNT)
LINES = SOURCE.splitlines(keepends=True)
RESULTS = [due(line, number) for number, line in enumerate(LINES)]
MIDDLE = 1000
AN_ERROR = next(at for at, each in enumerate(RESULTS) if b'"error"' in each and at > MIDDLE)


def verdict(tmp_path: Path, results: list[bytes]) -> Verdict:
    source, log = tmp_path / "source", tmp_path / "results"
    source.write_bytes(SOURCE)
    log.write_bytes(b"".join(results))
    return check(source, log)


def kinds(found: Verdict) -> set[tuple[str, int]]:
    return {(each.kind, each.line) for each in found.violations}


def test_what_is_due_is_what_the_core_makes() -> None:
    stream = RecordStream(on_error="emit")
    assert stream.feed(SOURCE) + stream.finish() == b"".join(RESULTS)
    assert [number_of(each) for each in RESULTS] == list(range(COUNT))
    assert 20 < stream.errors < 200


def test_a_good_log(tmp_path: Path) -> None:
    found = verdict(tmp_path, RESULTS)
    assert found.good
    assert (found.sent, found.received, found.count) == (COUNT, COUNT, 0)
    assert found.digest == found.digest_due


@pytest.mark.parametrize("place", [0, MIDDLE, AN_ERROR, COUNT - 1])
def test_one_is_lost(tmp_path: Path, place: int) -> None:
    found = verdict(tmp_path, RESULTS[:place] + RESULTS[place + 1 :])
    assert not found.good
    assert kinds(found) == {("lost", place)}


@pytest.mark.parametrize("place", [0, MIDDLE, AN_ERROR, COUNT - 1])
@pytest.mark.parametrize("later", [0, 1, 500])
def test_one_is_doubled(tmp_path: Path, place: int, later: int) -> None:
    results = RESULTS.copy()
    results.insert(place + later, RESULTS[place])
    found = verdict(tmp_path, results)
    assert not found.good
    assert kinds(found) == {("doubled", place)}


@pytest.mark.parametrize("distance", [1, 2, 15])
def test_two_are_swapped(tmp_path: Path, distance: int) -> None:
    results = RESULTS.copy()
    one, other = MIDDLE, MIDDLE + distance
    results[one], results[other] = results[other], results[one]
    found = verdict(tmp_path, results)
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
def test_one_is_altered(tmp_path: Path, place: int, alter: Callable[[bytes], bytes]) -> None:
    results = RESULTS.copy()
    results[place] = alter(RESULTS[place])
    assert results[place] != RESULTS[place]
    found = verdict(tmp_path, results)
    assert not found.good
    assert found.count
    assert ("altered", place) in kinds(found)


def test_an_error_line_with_another_number(tmp_path: Path) -> None:
    """As of a stream that went on, but numbered its lines anew."""
    results = RESULTS.copy()
    results[AN_ERROR] = due(LINES[AN_ERROR], AN_ERROR - MIDDLE)
    assert kinds(verdict(tmp_path, results)) >= {("lost", AN_ERROR)}


def test_the_rest_is_missing_or_torn(tmp_path: Path) -> None:
    found = verdict(tmp_path, RESULTS[:MIDDLE])
    assert found.count == COUNT - MIDDLE
    found = verdict(tmp_path, [*RESULTS[:-1], RESULTS[-1][:-1]])
    assert kinds(found) == {("torn", COUNT - 1), ("lost", COUNT - 1)}
    assert verdict(tmp_path, []).count == COUNT


def test_one_that_nobody_asked_for(tmp_path: Path) -> None:
    extra = RESULTS[MIDDLE].replace(b'"1000"', b'"99999"')
    assert extra != RESULTS[MIDDLE]
    assert kinds(verdict(tmp_path, [*RESULTS, extra])) == {("invented", 99_999)}
