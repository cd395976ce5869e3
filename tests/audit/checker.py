"""What was sent beside what was received: each line's result once, in order, unchanged."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from xxhash import xxh3_64

from tests.audit.lines import due, number_of

__all__ = ["Verdict", "Violation", "check"]

_MOST = 20  # Violations that are written down; the others are counted.


@dataclass(frozen=True)
class Violation:
    """A promise that was not kept.

    Attributes:
        kind: ``lost``, ``doubled``, ``swapped`` (a result that came too late), ``altered``,
            ``invented`` (one that no line asked for), ``torn`` (the last one has no LF).
        line: which input line is concerned, counted from 0.
        detail: what there is instead, where that helps.
    """

    kind: Literal["lost", "doubled", "swapped", "altered", "invented", "torn"]
    line: int
    detail: str = ""

    def __str__(self) -> str:
        return f"the result of line {self.line} is {self.kind} {self.detail}".rstrip()


@dataclass
class Verdict:
    """What a checker has found.

    Attributes:
        sent: input lines in the source's log.
        received: lines in the client's log.
        digest_due: XXH3 of the results that are due.
        digest: XXH3 of those that came.
        violations: the first of them.
        count: how many there are in all.
    """

    sent: int = 0
    received: int = 0
    digest_due: str = ""
    digest: str = ""
    violations: list[Violation] = field(default_factory=list)
    count: int = 0

    @property
    def good(self) -> bool:
        return not self.count and self.digest == self.digest_due and self.sent == self.received

    def add(self, *violation: object) -> None:
        self.count += 1
        if len(self.violations) < _MOST:
            self.violations.append(Violation(*violation))  # type: ignore[arg-type]


def check(source: Path, results: Path) -> Verdict:
    """Compare two logs.

    Args:
        source: the input lines, as `make_lines` made them.
        results: the result lines, as the client wrote them down.

    Memory: both logs, and a set of what is missing.
    """
    lines = source.read_bytes().splitlines(keepends=True)
    verdict = Verdict(sent=len(lines))
    missing: set[int] = set()
    was_due, came = xxh3_64(), xxh3_64()
    due_now = 0  # the number of the line whose result is to come next
    for number, line in enumerate(lines):
        was_due.update(due(line, number))
    with results.open("rb") as log:
        for result in log:
            came.update(result)
            verdict.received += 1
            if due_now < len(lines) and result == due(lines[due_now], due_now):
                due_now += 1
                continue
            number_here = number_of(result)
            if not result.endswith(b"\n"):
                verdict.add("torn", due_now, repr(result[:80]))
            elif number_here is None:
                verdict.add("altered", due_now, f"to {result[:80]!r}")
                due_now += 1
            elif number_here >= len(lines):
                verdict.add("invented", number_here)
            elif number_here < due_now and number_here not in missing:
                verdict.add("doubled", number_here)
            else:
                if number_here < due_now:
                    missing.remove(number_here)
                    verdict.add("swapped", number_here, f"with line {due_now}")
                else:
                    missing.update(range(due_now, number_here))
                    due_now = number_here + 1
                if result != due(lines[number_here], number_here):
                    verdict.add("altered", number_here, f"to {result[:80]!r}")
    missing.update(range(due_now, len(lines)))
    for number in sorted(missing):
        verdict.add("lost", number)
    verdict.digest_due, verdict.digest = was_due.hexdigest(), came.hexdigest()
    return verdict
