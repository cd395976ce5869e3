"""Lines for the functions of the corpus."""

from __future__ import annotations

from random import Random

from tests.compiled.corpus import Case
from tests.compiled.making import make
from tests.compiled.spelling import changed, spelled, usual

__all__ = ["odd_lines", "usual_lines"]


def usual_lines(case: Case, count: int) -> bytes:
    """Make lines as the function is meant for."""
    chance = Random(case.name)
    return b"".join(usual(make(case.template, chance)).encode() + b"\n" for _ in range(count))


def odd_lines(case: Case, count: int, seed: int = 0) -> bytes:
    """Make lines of which a third is usual, a third is written unusually, and a third is wrong."""
    chance = Random(f"{case.name} {seed}")
    lines = []
    for number in range(count):
        record = make(case.template, chance)
        if number % 3 == 0:
            lines.append(usual(record))
            continue
        if number % 3 == 1:
            for _ in range(chance.choice((1, 1, 2, 3))):
                record = changed(record, chance)
        lines.append(spelled(record, chance, spaces=chance.random() < 0.2))
    for place, line in ((5, ""), (7, "{"), (11, "\ufeff{}"), (13, "{}"), (17, "[]")):
        lines.insert(min(place, len(lines)), line)
    return "".join(f"{line}\n" for line in lines).encode()
