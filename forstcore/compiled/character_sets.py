"""Sets of characters in regular expressions, as Python's re has them.

For ASCII, re itself is asked what a set contains, so case and flags mean the same as there. Beyond
ASCII, a set consists of ranges and categories.
"""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

from forstcore.compiled.re_internals import compiled, operations

__all__ = [
    "ANY_BYTE",
    "NO_BYTE",
    "CharacterSet",
    "character_set",
    "first_byte",
    "first_bytes",
]

NO_BYTE = 1 << 256
"""The bit that stands for the end of the text in sets of bytes."""

ANY_BYTE = (1 << 257) - 1

_ASCII = "".join(map(chr, range(128)))
_LAST = 0x10FFFF
_FIRST_BYTES_BEYOND_ASCII = sum(1 << byte for byte in range(0xC2, 0xF5))

_FOLDED_TO_ASCII = "\u0130\u0131\u017f\u212a"
"""All that is the same as a letter of ASCII if case is ignored."""

_LAST_CASED = 0x1FFFF
"""No character behind this has case."""

_CATEGORIES = {
    "CATEGORY_DIGIT": 1,
    "CATEGORY_NOT_DIGIT": 2,
    "CATEGORY_SPACE": 4,
    "CATEGORY_NOT_SPACE": 8,
    "CATEGORY_WORD": 16,
    "CATEGORY_NOT_WORD": 32,
}


class CharacterSet(NamedTuple):
    """A set of characters; or one of bytes, for what can come first in a part of a pattern.

    Attributes:
        bytes: a bit for each ASCII character, or for each byte.
        ranges: first and last code points beyond ASCII.
        categories: bits of the categories that are in it, beyond ASCII; see regex_program.h.
        negated: whether it has what is beyond ASCII but for the ranges and categories.
    """

    bytes: int
    ranges: tuple[tuple[int, int], ...] = ()
    categories: int = 0
    negated: bool = False

    @property
    def wide(self) -> int:
        """What it has beyond ASCII: nothing (0), everything (1), or what is listed (2)."""
        if self.ranges or self.categories:
            return 2
        return int(self.negated)

    def integers(self) -> list[int]:
        """Return it as the loader takes it."""
        mask = [self.bytes >> 32 * i & 0xFFFFFFFF for i in range(9)]
        code_points = [each for both in self.ranges for each in both]
        return [
            *mask,
            self.wide,
            int(self.negated),
            self.categories,
            len(self.ranges),
            *code_points,
        ]


def character_set(op: Any, value: Any, flags: int) -> CharacterSet:
    """Return the characters that an item of a parsed pattern matches.

    Args:
        op, value: LITERAL, NOT_LITERAL, ANY or IN, as re's parser returns them.
        flags: of re, at this place.
    """
    matters = re.ASCII | re.UNICODE | re.IGNORECASE | re.DOTALL
    key = tuple(value) if isinstance(value, list) else value
    return _character_set(op, key, flags & matters)


def first_byte(character: int) -> int:
    """Return the first byte of a character in UTF-8."""
    return chr(character).encode()[0]


def first_bytes(characters: CharacterSet) -> int:
    """Return a set of bytes that has those which characters of a set begin with."""
    return characters.bytes | (_FIRST_BYTES_BEYOND_ASCII if characters.wide else 0)


@functools.lru_cache(maxsize=1024)
def _character_set(op: Any, value: Any, flags: int) -> CharacterSet:
    mask = sum(1 << ord(each) for each in _ask(op, value, flags).findall(_ASCII))
    if op is operations.ANY:
        return CharacterSet(mask, negated=True)
    items = list(value) if op is operations.IN else [(operations.LITERAL, value)]
    negated = op is operations.NOT_LITERAL or items[0][0] is operations.NEGATE
    items = [item for item in items if item[0] is not operations.NEGATE]
    listed = [item for item in items if item[0] is not operations.CATEGORY]
    ranges = _ranges(listed, flags)
    categories = 0
    for kind, category in items:
        if kind is operations.CATEGORY:
            bit = _CATEGORIES[str(category)]
            if not flags & re.ASCII:
                categories |= bit
            elif bit in (2, 8, 32):
                ranges = [(0x80, _LAST)]
    if (0x80, _LAST) in ranges:
        return CharacterSet(mask, negated=not negated)
    return CharacterSet(mask, tuple(ranges), categories, negated)


def _ask(op: Any, value: Any, flags: int) -> re.Pattern[str]:
    """Return a pattern that consists of one item."""
    item = (op, list(value) if isinstance(value, tuple) else value)
    return compiled([item], flags)


def _ranges(items: list[Any], flags: int) -> list[tuple[int, int]]:
    """Return what literals and ranges match beyond ASCII."""
    if not items:
        return []
    bounds = [(av, av) if op is operations.LITERAL else av for op, av in items]
    wide = sorted((max(low, 0x80), high) for low, high in bounds if high >= 0x80)
    if not flags & re.IGNORECASE or flags & re.ASCII:
        return _merged(wide)
    pattern = _ask(operations.IN, tuple(items), flags)
    candidates = _perhaps_cased() if _has_case(wide) else _FOLDED_TO_ASCII
    found = [(ord(each), ord(each)) for each in pattern.findall(candidates)]
    if candidates != _FOLDED_TO_ASCII:
        wide = [(max(low, _LAST_CASED + 1), high) for low, high in wide if high > _LAST_CASED]
    return _merged(sorted(found + wide))


def _has_case(ranges: list[tuple[int, int]]) -> bool:
    text = "".join(_characters(low, min(high, _LAST_CASED)) for low, high in ranges)
    return not text == text.lower() == text.upper()


@functools.lru_cache(maxsize=1)
def _perhaps_cased() -> str:
    return _characters(0x80, _LAST_CASED)


def _characters(low: int, high: int) -> str:
    """Return the characters from one to another, without surrogates."""
    return "".join(chr(each) for each in range(low, high + 1) if not 0xD800 <= each < 0xE000)


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join ranges, sorted by their starts, that touch each other."""
    merged: list[tuple[int, int]] = []
    for low, high in ranges:
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged
