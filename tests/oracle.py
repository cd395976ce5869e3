"""Numbered input lines, and the check that each of them got its result.

What a line has to become is made up here, by other means than the core's: an oracle that asked
the core would find nothing wrong with it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from xxhash import xxh3_64

__all__ = ["Account", "Due", "Violation", "account", "due", "due_of_all", "make_lines", "number_of"]

_NOT_A_RECORD = 40  # One line in so many.
_WORDS = ("temperature", "pressure", "Grüße", "日本", "tab\\t", 'quote\\"', "x" * 200, "", "0.5")
_BEFORE_DATA = b'","data":'
_NUMBER = re.compile(rb'\{"(?:id":"|status":"error","line":)([0-9]{1,18})[",]')
_MOST = 20  # Violations that are written down; the others are counted.


def make_lines(chance: random.Random, first: int, count: int) -> bytes:
    """Make `count` lines, numbered from `first`; some of them are no records."""
    lines = []
    for number in range(first, first + count):
        data = f'"{" ".join(chance.choices(_WORDS, k=3))}"'
        if not chance.randrange(_NOT_A_RECORD):
            data = "[1]"
        lines.append(f'{{"id":"{number}","data":{data}}}\n')
    return "".join(lines).encode()


def due(line: bytes, number: int) -> bytes:
    """Return the result line that an input line has to get; both with their LF.

    Args:
        line: one that `make_lines` made.
        number: of the line, counted from 0.
    """
    place = line.index(_BEFORE_DATA) + len(_BEFORE_DATA)
    if line[place : place + 1] != b'"':
        return (
            b'{"status":"error","line":%d,"offset":%d,"code":"wrong_type",'
            b'"message":"member \'data\' must be a string or null"}\n' % (number + 1, place)
        )
    return b'{"id":"%d","result":"processed_%b,"status":"success"}\n' % (
        number,
        line[place + 1 : -2],
    )


def due_of_all(lines: Sequence[bytes]) -> bytes:
    """Return the results of a whole input."""
    return b"".join(map(due, lines, range(len(lines))))


def number_of(result: bytes) -> int | None:
    """Read from a result line which input line it belongs to, counted from 0, None if it names
    none.
    """
    found = _NUMBER.match(result)
    if found is None:
        return None
    return int(found[1]) - (1 if result.startswith(b'{"status"') else 0)


class Due:
    """Compare actual with expected results piece by piece, without storing them."""

    def __init__(self, data: bytes = b"") -> None:
        self._due, self._came = xxh3_64(data), xxh3_64()
        self._sizes = [len(data), 0]

    def add(self, data: bytes) -> None:
        """Add expected results."""
        self._due.update(data)
        self._sizes[0] += len(data)

    def come(self, data: bytes) -> None:
        """Add actual results."""
        self._came.update(data)
        self._sizes[1] += len(data)

    def check(self) -> None:
        """Raise AssertionError if these differ."""
        due, came = self._sizes
        assert due == came, f"{came} bytes of results came, {due} were due"
        assert self._due.digest() == self._came.digest(), f"{came} bytes came, but wrong ones"


@dataclass(frozen=True)
class Violation:
    """A violated guarantee.

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
class Account:
    """What the oracle says of an input and its results.

    Attributes:
        sent: input lines.
        received: result lines.
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

    def __str__(self) -> str:
        lines = [f"WRONG: {each}" for each in self.violations]
        if self.count > len(lines):
            lines.append(f"WRONG: {self.count} results in all")
        return "\n".join([*lines, f"digest: {self.digest}, due {self.digest_due}"])


def account(lines: Sequence[bytes], results: Iterable[bytes]) -> Account:
    """Say whether each line's result came once, in order and unchanged.

    Args:
        lines: the input, as `make_lines` made it.
        results: the result lines, as the client got them.
    """
    found = Account(sent=len(lines))
    missing: set[int] = set()
    was_due, came = xxh3_64(due_of_all(lines)), xxh3_64()
    due_now = 0  # the number of the line whose result is to come next
    for result in results:
        came.update(result)
        found.received += 1
        if due_now < len(lines) and result == due(lines[due_now], due_now):
            due_now += 1
            continue
        number_here = number_of(result)
        if not result.endswith(b"\n"):
            found.add("torn", due_now, repr(result[:80]))
        elif number_here is None:
            found.add("altered", due_now, f"to {result[:80]!r}")
            due_now += 1
        elif number_here >= len(lines):
            found.add("invented", number_here)
        elif number_here < due_now and number_here not in missing:
            found.add("doubled", number_here)
        else:
            if number_here < due_now:
                missing.remove(number_here)
                found.add("swapped", number_here, f"with line {due_now}")
            else:
                missing.update(range(due_now, number_here))
                due_now = number_here + 1
            if result != due(lines[number_here], number_here):
                found.add("altered", number_here, f"to {result[:80]!r}")
    missing.update(range(due_now, len(lines)))
    for number in sorted(missing):
        found.add("lost", number)
    found.digest_due, found.digest = was_due.hexdigest(), came.hexdigest()
    return found
