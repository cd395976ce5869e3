"""Numbered input lines, and the result that each of them is due.

The results are made up here, by other means than the core's: a checker that asked the core
would find nothing wrong with it.
"""

from __future__ import annotations

import random
import re

__all__ = ["due", "make_lines", "number_of"]

_NOT_A_RECORD = 40  # One line in so many.
_WORDS = ("temperature", "pressure", "Grüße", "日本", "tab\\t", 'quote\\"', "x" * 200, "", "0.5")
_BEFORE_DATA = b'","data":'
_NUMBER = re.compile(rb'\{"(?:id":"|status":"error","line":)([0-9]{1,18})[",]')


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


def number_of(result: bytes) -> int | None:
    """Read from a result line which input line it belongs to, counted from 0; None if it tells
    none.
    """
    found = _NUMBER.match(result)
    if found is None:
        return None
    return int(found[1]) - (1 if result.startswith(b'{"status"') else 0)
