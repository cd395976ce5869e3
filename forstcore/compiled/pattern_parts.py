"""What a part of a parsed regular expression matches, as far as that shows without compiling it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from forstcore.compiled.character_sets import ANY_BYTE, NO_BYTE, character_set, first_bytes
from forstcore.compiled.re_internals import operations

__all__ = [
    "UNITS",
    "after_place",
    "combined",
    "deciding_bytes",
    "is_itself",
    "place",
    "union",
    "unit",
]

UNITS = {operations.LITERAL, operations.NOT_LITERAL, operations.ANY, operations.IN}
"""The operations that match one character."""

_ASCII_BYTES = (1 << 128) - 1


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
