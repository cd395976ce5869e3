"""The functions of the corpus: the same bytes as in Python, however they are run."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import forstcore
from forstcore.compiled import Compiled, compile_processor
from forstcore.processors import as_processor
from tests.compiled.comparing import Interpreted, run_program
from tests.compiled.corpus import CASES, Case
from tests.compiled.corpus.records import odd_lines, usual_lines

LINES = 90


def program_of(case: Case) -> Any:
    compiled = compile_processor(case.function, as_processor(case.function).kind, case.takes)
    if not isinstance(compiled, Compiled):
        pytest.skip(str(compiled))
    return compiled.program


def same(case: Case, data: bytes, most: int = 1 << 30) -> int:
    """Compare a program with its function; return how many records it gave back."""
    interpreted = Interpreted(case.function)
    run = run_program(program_of(case), interpreted, data, most)
    expected = interpreted.lines(data)
    at = 0
    for line, due in zip(data.split(b"\n"), expected, strict=False):
        assert (line, run.output[at : at + len(due)]) == (line, due)
        at += len(due)
    assert run.output[at:] == b""
    assert run.lines == len(expected)
    return run.given_back


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_odd_records(case: Case, scan_path: str) -> None:
    same(case, odd_lines(case, LINES))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_usual_records(case: Case) -> None:
    same(case, usual_lines(case, LINES))


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_many_odd_records(case: Case, scan_path: str) -> None:
    for seed in range(20):
        same(case, odd_lines(case, 500, seed))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_little_room_for_results(case: Case) -> None:
    same(case, odd_lines(case, 30), most=1)


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cut_anywhere(case: Case, workers: int) -> None:
    data = odd_lines(case, LINES, workers)
    chance = Random(case.name)
    pieces = []
    at = 0
    while at < len(data):
        size = chance.choice((1, 7, 100, 5000))
        pieces.append(data[at : at + size])
        at += size
    results = forstcore.process(iter(pieces), case.function, on_error="emit", workers=workers)
    assert b"".join(results) == b"".join(Interpreted(case.function).lines(data))
