"""The functions of the corpus: the same bytes as in Python, however they are run."""

from __future__ import annotations

from random import Random

import pytest

import forstcore
from forstcore.compiled import Compiled
from tests.compiled.corpus import CASES, COMPILED, Case
from tests.compiled.corpus.records import odd_lines, usual_lines
from tests.compiled.oracle import Interpreted, compile_any, same

SOME = COMPILED[::15]


def cut(data: bytes, seed: str) -> list[bytes]:
    """Cut lines anywhere."""
    chance = Random(seed)
    pieces = []
    at = 0
    while at < len(data):
        size = chance.choice((1, 7, 100, 5000))
        pieces.append(data[at : at + size])
        at += size
    return pieces


def cut_anywhere(case: Case, count: int, workers: int) -> None:
    data = odd_lines(case, count, workers)
    pieces = iter(cut(data, case.name))
    results = forstcore.process(pieces, case.function, on_error="emit", workers=workers)
    assert b"".join(results) == b"".join(Interpreted(case.function).lines(data))


def test_what_compiles() -> None:
    failed = [str(compile_any(case.function)) for case in COMPILED]
    assert [each for each in failed if not each.startswith("Compiled(")] == []
    assert len(COMPILED) >= 0.95 * len(CASES)


@pytest.mark.parametrize(
    "case", [each for each in CASES if not each.is_compiled], ids=lambda case: case.name
)
def test_interpreted(case: Case) -> None:
    if isinstance(compile_any(case.function), Compiled):
        assert same(case.function, usual_lines(case, 60).splitlines()) > 0


@pytest.mark.parametrize("case", COMPILED, ids=lambda case: case.name)
def test_same_bytes(case: Case) -> None:
    same(case.function, odd_lines(case, 60).splitlines())


@pytest.mark.parametrize("case", COMPILED, ids=lambda case: case.name)
def test_usual_records_are_not_given_back(case: Case) -> None:
    assert same(case.function, usual_lines(case, 60).splitlines()) == 0


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.name)
def test_scan_paths(case: Case, scan_path: str) -> None:
    same(case.function, odd_lines(case, 90, 1).splitlines())


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("case", SOME, ids=lambda case: case.name)
def test_cut_anywhere(case: Case, workers: int) -> None:
    cut_anywhere(case, 60, workers)


@pytest.mark.long
@pytest.mark.parametrize("case", COMPILED, ids=lambda case: case.name)
def test_all_functions_on_all_scan_paths(case: Case, scan_path: str) -> None:
    for seed in range(2, 8):
        same(case.function, odd_lines(case, 400, seed).splitlines())


@pytest.mark.long
@pytest.mark.parametrize("case", COMPILED, ids=lambda case: case.name)
def test_all_functions_cut_anywhere(case: Case) -> None:
    for workers in (1, 2, 5):
        cut_anywhere(case, 300, workers)


@pytest.mark.long
@pytest.mark.parametrize("case", COMPILED, ids=lambda case: case.name)
def test_little_room_for_results(case: Case) -> None:
    same(case.function, odd_lines(case, 60).splitlines(), most=1)
