"""What a part of a parsed regular expression matches, as far as that shows without compiling it."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from typing import Any

from forstcore.compiled.character_sets import ANY_BYTE, NO_BYTE, character_set, first_bytes
from forstcore.compiled.re_internals import operations

__all__ = [
    "REPEATS",
    "UNITS",
    "after_place",
    "combined",
    "deciding_bytes",
    "fixed_range",
    "is_itself",
    "place",
    "union",
    "unit",
]

UNITS = {operations.LITERAL, operations.NOT_LITERAL, operations.ANY, operations.IN}
"""The operations that match one character."""

REPEATS = {
    operations.MAX_REPEAT: "GREEDY",
    operations.MIN_REPEAT: "LAZY",
    operations.POSSESSIVE_REPEAT: "POSSESSIVE",
}
"""The operations that match something several times, and the instructions for one character."""

_ASCII_BYTES = (1 << 128) - 1
_MOST_PLACES = 64  # At which bytes are looked for.
_NO_CHARACTER = {operations.AT, operations.ASSERT, operations.ASSERT_NOT}


def combined(flags: int, added: int, removed: int) -> int:
    """Return the flags within a group that adds and removes some."""
    kinds = re.ASCII | re.LOCALE | re.UNICODE
    if added & kinds:
        flags &= ~kinds
    return (flags | added) & ~removed


def union(sets: Iterable[int]) -> int:
    """Return a set of the bytes of several."""
    union = 0
    for each in sets:
        union |= each
    return union


def is_itself(character: int, flags: int) -> bool:
    """Whether a literal character matches nothing else."""
    if not flags & re.IGNORECASE:
        return True
    characters = character_set(operations.LITERAL, character, flags)
    if character < 0x80:
        return characters.bytes == 1 << character and not characters.wide
    return not characters.bytes and characters.ranges == ((character, character),)


def unit(items: Any, flags: int) -> tuple[Any, Any, int] | None:
    """Return the item of which a part consists, and its flags, if it always is one character."""
    if len(items) != 1:
        return None
    op, value = items[0]
    if op is operations.SUBPATTERN and value[0] is None:
        return unit(value[3], combined(flags, value[1], value[2]))
    return (op, value, flags) if op in UNITS else None


def place(value: Any, flags: int) -> str:
    """Return the instruction for a position such as `$`."""
    name = str(value)
    if name == "AT_BEGINNING":
        return "LINE_START" if flags & re.MULTILINE else "START"
    if name == "AT_END":
        return "LINE_END" if flags & re.MULTILINE else "END"
    ascii_ = "_ASCII" if flags & re.ASCII else ""
    return {
        "AT_BEGINNING_STRING": "START",
        "AT_END_STRING": "TEXT_END",
        "AT_BOUNDARY": f"BOUNDARY{ascii_}",
        "AT_NON_BOUNDARY": f"NOT_BOUNDARY{ascii_}",
    }[name]


def after_place(value: Any, flags: int) -> int:
    """Return the bytes that may follow a position."""
    name = place(value, flags)
    if name == "TEXT_END":
        return NO_BYTE
    if name in ("END", "LINE_END"):
        return NO_BYTE | 1 << ord("\n")
    return ANY_BYTE


def deciding_bytes(items: Any, flags: int) -> int | None:
    """Return bytes each of which, if it comes next, is enough for a part to match.

    Returns:
        None for a part with an alternative of more than one character or position: there may be
        groups in it, which are to be remembered even if another alternative matches, too.
    """
    if len(items) != 1:
        return None if items else ANY_BYTE
    op, value = items[0]
    if op is operations.BRANCH:
        found = [deciding_bytes(each, flags) for each in value[1]]
        return None if None in found else union(each or 0 for each in found)
    if op is operations.SUBPATTERN and value[0] is None:
        return deciding_bytes(value[3], combined(flags, value[1], value[2]))
    if op is operations.AT:
        decided = {"END": NO_BYTE, "TEXT_END": NO_BYTE, "LINE_END": NO_BYTE | 1 << ord("\n")}
        return decided.get(place(value, flags), 0)
    # A character beyond ASCII has more bytes than one.
    return first_bytes(character_set(op, value, flags)) & _ASCII_BYTES if op in UNITS else None


def fixed_range(items: Any, flags: int, from_: int) -> tuple[int, int, int]:
    """Return which bytes, of a narrow range, stand at the same place of each match.

    Args:
        items: the whole pattern.
        from_: first place, in bytes from the start of a match, that is asked for.

    Returns:
        The place, the lowest byte, and how many there are in the range; zeros if there is no such
        place.
    """
    ranges = []
    for place, bytes_ in zip(range(_MOST_PLACES), _fixed_bytes(items, flags), strict=False):
        low = (bytes_ & -bytes_).bit_length() - 1
        size = bytes_.bit_length() - low
        if place >= from_ and low > 0 and bytes_ >> low == (1 << size) - 1:
            ranges.append((size, place, low))
    size, place, low = min(ranges, default=(0, 0, 0))
    return place, low, size


def _fixed_bytes(items: Any, flags: int) -> Generator[int, None, bool]:
    """Yield sets of the bytes at each place from the start on, as long as these are ASCII.

    Returns:
        Whether all items have been used up.
    """
    for op, value in items:
        if op in _NO_CHARACTER:
            continue
        if op is operations.SUBPATTERN:
            _, added, removed, inner = value
            if not (yield from _fixed_bytes(inner, combined(flags, added, removed))):
                return False
            continue
        least, most, character = 1, 1, unit([(op, value)], flags)
        if op in REPEATS:
            least, most, repeated = value
            character = unit(repeated, flags)
        characters = character_set(*character) if character is not None else None
        if characters is None or characters.wide:
            return False
        for _ in range(min(least, _MOST_PLACES)):
            yield characters.bytes
        if least != most:
            return False
    return True
