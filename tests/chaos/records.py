"""Numbered records, and the expected results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["PARTS", "PROCESSORS", "PROCESSOR_FAILED", "broken", "part_of", "parts", "record"]

PARTS = 4
"""Into how many files, partitions or keys the records are divided."""

_RUN = 50  # Records in a row that belong to one part.
_CYCLE = 997  # Records of which two are broken.
_INVALID, _FAILING = 5, 7  # Which of them.

PROCESSOR_FAILED = "processor_failed"

PROCESSORS = """
from forstcore import processor

@processor("double")
def double(record: dict) -> dict:
    return {"id": record["id"], "part": record["part"], "n": record["n"], "twice": record["n"] * 2}
"""


def part_of(number: int) -> int:
    """Return the part that a record belongs to."""
    return number // _RUN % PARTS


def record(number: int) -> bytes:
    """Return a record, or a line that is broken, without an LF."""
    if number % _CYCLE == _INVALID:
        return b"{broken %d}" % number
    if number % _CYCLE == _FAILING:
        return b'{"broken":%d}' % number
    return b'{"id":"%d","part":%d,"n":%d,"text":"some text of a record"}' % (
        number,
        part_of(number),
        number,
    )


def parts(numbers: Iterable[int]) -> Iterator[tuple[int, list[bytes]]]:
    """Return records by their part, in order within each."""
    found: dict[int, list[bytes]] = {}
    for number in numbers:
        found.setdefault(part_of(number), []).append(record(number))
    return iter(found.items())


def broken(count: int) -> dict[int, str]:
    """Return which of the first records are broken, with the code of their error."""
    codes = {_INVALID: "invalid_json", _FAILING: PROCESSOR_FAILED}
    return {number: codes[number % _CYCLE] for number in range(count) if number % _CYCLE in codes}
