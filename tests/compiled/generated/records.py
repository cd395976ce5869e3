"""Random records for generated functions."""

from __future__ import annotations

import functools
import re
from random import Random
from typing import Any, Final

from tests.compiled.generated.failing import FIRST_LINE
from tests.compiled.making import (
    boolean,
    email,
    hexadecimal,
    integer,
    make,
    maybe,
    moment,
    name,
    number,
    one_of,
    path,
    seconds,
    several,
    text,
    word,
)
from tests.compiled.spelling import changed, spelled, usual

__all__ = ["make_lines"]

_VARIANTS: Final = 600
_TEMPLATE: Final[dict[str, Any]] = {
    "id": hexadecimal(12),
    "n": integer(-20, 2000),
    "m": integer(0, 9),
    "big": integer(-(2**62), 2**62),
    "at": seconds,
    "status": one_of(200, 404, 500),
    "x": number(-100, 1000, 3),
    "y": number(0, 1, 6),
    "start": number(1.7e9, 1.8e9, 3),
    "s": one_of(text(1, 5), text(1, 5), "The Quick brown", "a=b; c", " padded ", ""),
    "text": one_of(
        "Größe é",
        "日本語 tea",
        "ΣΑΣ άλφα Жук",
        "ÿŸıIμ",
        "one\ntwo\r\nthree",
        "x" * 70 + '"',
        text(1, 3),
        "İß ﬁ",
        "a\tb\n",
        'say "hi"',
    ),
    "path": path,
    "email": email,
    "level": one_of("info", "warn", "error", "Debug"),
    "code": one_of("42", "007", "-5", "12", "1000", "ff", "1.5", "x"),
    "opt": maybe(one_of(word, word, "", None), 0.9),
    "when": one_of(moment(), moment(), moment("%Y-%m-%dT%H:%M:%S.%f+02:00"), "2026-03-01"),
    "csv": one_of("a,b,c", "1,2;3", ""),
    "flag": boolean,
    "none": None,
    "mixed": one_of([1, "a", None], [], {"k": [1]}, 3, "x", 2.5, True),
    "either": one_of(1, "1", 1.0, None, [1]),
    "tags": several(one_of(word, word, "é"), 0, 4),
    "words": several(word, 1, 3),
    "nums": several(one_of(integer(-9, 99), integer(0, 9), number(0, 9)), 0, 5),
    "items": several(
        {
            "name": one_of(word, name),
            "price": number(0, 99),
            "qty": integer(1, 9),
            "tags": several(word, 0, 2),
        },
        0,
        3,
    ),
    "counts": one_of({}, {"a": 1, "b": 2}, {"é": 3, "tea": 0, "x": -1}),
    "meta": {
        "a": integer(0, 50),
        "b": word,
        "on": boolean,
        "c": {"d": number(0, 1, 3), "e": several(integer(0, 9), 0, 3)},
    },
}


_FAILING: Final[dict[str, Any]] = {
    "i": one_of(0, 1, 2, 3, 200),
    "j": one_of(0, 1, -1, 7),
    "s": one_of("k", "tea", "n", "", "12", "x", "warn", "2026-03-01"),
    "t": one_of("tea", "a-b", "ann@x 1", "a=1", "eA=="),
    "l": one_of([], [1, 2], [3, 0, 1], [[1], [2]], ["k", "a"]),
    "m": one_of([], ["a", "b"], [{"k": 1}, {"k": "x"}, {"n": 1}], [["a", 1]], [{"k": [1]}]),
    "d": one_of({"k": "k", "n": 3, "l": [1, 2]}, {"n": 0}, {"k": "", "l": []}, {}),
    "e": one_of({"k": {"n": 1, "k": "x"}}, {"k": 1, "l": ["a"]}, {}, {"n": 2}),
    "z": one_of(0, 1, 2, 1.5),
    "x": one_of(0.5, 2.0, 1e18, -0.0, 7),
    "p": one_of(0, 0, 1, -1, 5),
    "q": one_of(0, 1, 2, 3),
    "u": one_of(1, 1, 2, 3),
    "v": one_of("1", "2", "3", "one"),
    "w": one_of("Tea", "a-b", "k", None),
    "y": one_of(1, 2, 0, "1"),
}
"""Members of functions that fail in many ways; see failing.py."""
_WRONG: Final[tuple[Any, ...]] = (
    None,
    "x",
    0,
    1,
    [],
    {},
    [1],
    {"k": 1},
    "",
    True,
    2.5,
    [None],
    2**70,
)


@functools.cache
def _members(name: str) -> tuple[list[str], list[str]]:
    """Return ways to write a member: as services do, and odd ones; empty if it is absent."""
    chance = Random(name)
    usual_ones: list[str] = []
    odd_ones: list[str] = []
    for _ in range(_VARIANTS):
        record = make({name: _TEMPLATE[name]}, chance)
        usual_ones.append(usual(record)[1:-1])
        for _ in range(chance.choice((0, 1, 1, 1, 2))):
            value = record.get(name, "")
            record = {name: changed(value, chance)} if chance.random() < 0.9 else {}
        odd_ones.append(spelled(record, chance)[1:-1])
    return usual_ones, odd_ones


def make_lines(chance: Random, source: str, count: int) -> bytes:
    """Make lines for a function: usual records, and records that are odd where it looks.

    Args:
        chance: decides.
        source: of the function; other members than those that it names are left out mostly.
        count: how many.
    """
    if FIRST_LINE in source:
        return _failing_lines(chance, source, count)
    read = [key for key in _TEMPLATE if re.search(rf"'{key}'|(\br|meta|\bc)\.{key}\b", source)]
    others = [key for key in _TEMPLATE if key not in read]
    names = read + chance.sample(others, min(2, len(others)))
    members = [_members(name) for name in names]
    template = {key: _TEMPLATE[key] for key in names}
    lines = []
    for _ in range(count):
        odds = chance.choice((0, 0.1, 0.1, 0.3, 1))
        if odds == 1 and chance.random() < 0.3:
            record = make(template, chance)
            for _ in range(chance.choice((1, 2, 4))):
                record = changed(record, chance)
            lines.append(spelled(record, chance, spaces=chance.random() < 0.5))
            continue
        parts = [chance.choice(each[chance.random() < odds]) for each in members]
        if odds > 0.1 and chance.random() < 0.2:
            chance.shuffle(parts)
        lines.append(f"{{{','.join(filter(None, parts))}}}")
    return "".join(f"{line}\n" for line in lines).encode()


def _failing_lines(chance: Random, source: str, count: int) -> bytes:
    """Make records in which any member may be missing, or of a type that raises an exception."""
    names = [name for name in _FAILING if f"'{name}'" in source]
    lines = []
    for _ in range(count):
        record = make({name: _FAILING[name] for name in names}, chance)
        odds = chance.choice((0, 0.1, 0.1, 0.3))
        for each in names:
            if chance.random() < odds:
                record[each] = chance.choice(_WRONG)
                if chance.random() < 0.3:
                    del record[each]
        lines.append(usual(record))
    return "".join(f"{line}\n" for line in lines).encode()
