"""Comparing the results of a pipeline with the expected ones."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from tests.chaos.records import PARTS, broken, part_of

__all__ = ["Ledger", "check_dead_letters", "check_results", "has_all_dead_letters"]

_NUMBER = re.compile(r"\d+")
_MAX_NAMED = 5  # Maximum numbers in a message.


@dataclass
class Ledger:
    """The outcome of a comparison.

    Attributes:
        found: number of results.
        lost: records without a result.
        doubles: duplicate results.
        disordered: results after later ones of their part.
        wrong: descriptions of all errors.
    """

    found: int = 0
    lost: int = 0
    doubles: int = 0
    disordered: int = 0
    wrong: list[str] = field(default_factory=list)


def check_results(results: Iterable[bytes], count: int) -> Ledger:
    """Compare results with the records that were fed.

    Args:
        results: the results, in order within each part.
        count: number of records that were fed.
    """
    ledger = Ledger()
    rejected = broken(count)
    seen = bytearray(count)
    last = [-1] * PARTS
    for line in results:
        ledger.found += 1
        try:
            result = json.loads(line)
            number = result["n"]
            expected = {"id": f"{number}", "part": part_of(number), "n": number}
            is_right = result == {**expected, "twice": 2 * number}
        except (ValueError, KeyError, TypeError):
            is_right = False
        if not is_right or not 0 <= number < count or number in rejected:
            ledger.wrong.append(f"a result without a record: {line[:100]!r}")
            continue
        part = part_of(number)
        if seen[number]:
            ledger.doubles += 1
        elif number < last[part]:
            ledger.disordered += 1
        seen[number] = 1
        last[part] = max(last[part], number)
    lost = [number for number in range(count) if not seen[number] and number not in rejected]
    ledger.lost = len(lost)
    if lost:
        ledger.wrong.append(f"{len(lost):,} records are lost: {lost[:_MAX_NAMED]} …")
    return ledger


def has_all_dead_letters(letters: bytes, count: int) -> bool:
    """Return whether there is a dead letter for each broken line of the first records."""
    return _codes(letters) == broken(count)


def check_dead_letters(
    letters: bytes, count: int, sources: Collection[str], runs: int
) -> list[str]:
    """Return the errors of the dead letters, which may be duplicated.

    Args:
        letters: whole lines.
        count: number of records that were fed.
        sources: those that they may name.
        runs: number of processes that have run.
    """
    wrong: list[str] = []
    restarts, line = 0, 0
    for letter in map(json.loads, letters.splitlines()):
        # Lines are counted from where a process starts reading.
        restarts += letter["line"] <= line
        line = letter["line"]
        if letter["file"] not in sources or letter["pipeline"] != "chaos" or line < 1:
            wrong.append(f"a dead letter has another place: {letter}")
        if not letter["message"]:
            wrong.append(f"a dead letter has no reason: {letter}")
    found, expected = _codes(letters), broken(count)
    if found != expected:
        differ = sorted(found.items() ^ expected.items())[:_MAX_NAMED]
        wrong.append(f"{len(expected)} dead letters expected, {len(found)} found: {differ} …")
    if restarts >= runs:
        wrong.append(f"the lines of dead letters go back {restarts} times in {runs} runs")
    return wrong


def _codes(letters: bytes) -> dict[int, str]:
    """Return the code of the error for each record that has a dead letter."""
    found = {}
    for letter in map(json.loads, letters.splitlines()):
        found[int(_NUMBER.findall(letter["raw"])[0])] = letter["code"]
    return found
