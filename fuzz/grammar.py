"""Generating records in unusual JSON notations from the bytes of an input."""

from __future__ import annotations

import re

from fuzz.choices import Choices
from tests.core.json_cases import BAD, GOOD, deep

__all__ = ["NAMES", "TEXTS", "line", "lines"]

# Few names, so that duplicates and the names that a filter or a processor reads are frequent.
NAMES = ["id", "data", "a", "v", "b", "", "é", 'q"', "\x00", "😀", "a" * 30, "why", "times", "half"]
TEXTS = ["", "a", "ab", "b", "é", "€", "😀", '"\\', "\n\x00", "a" * 31, "\u07ff", "\uffff", "\x7f"]
CHARACTERS = 'ai\x00\x1f "/\\~\x7f\x80\u07ff\u0800\ud7ff\ue000\ufffe\uffff\U00010000\U0010ffff'
ESCAPES = [rb"\"", rb"\\", rb"\/", rb"\b", rb"\f", rb"\n", rb"\r", rb"\t"]
HOSTILE = [
    *(rb"\ud800", rb"\udc00", rb"\ud800\u0041", rb"\u12", rb"\x", b"\\", b'"', b"\x00", b"\x1f"),
    *(b"\x80", b"\xc0\x80", b"\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80"),
]
NUMBERS = [
    *(b"0", b"-0", b"1", b"-1", b"2", b"1.0", b"1e0", b"10e-1", b"0.1", b"1000", b"1e3", b"1E+3"),
    *(b"9007199254740992", b"9007199254740993", b"9007199254740993.0", b"0.30000000000000004"),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"1e308", b"5e-324"),
    *(b"-9223372036854775809", b"18446744073709551615", b"18446744073709551616", b"0.3", b"1e-9"),
    *(b"123456789012345678.5", b"0.00000000000000000000001", b"1.7976931348623157e308", b"1e22"),
]
VALUES = [*NUMBERS, b"true", b"false", b"null", *GOOD]
SPACE = [b"", b"", b"", b"", b" ", b"\t", b"\r", b" \t "]
MARKS = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"0", b"-", b".", b"e", b"\x00", b"\xff"]
VALUE = re.compile(rb'(:[ \t\r]*)"[^"\\]*"')
DEEPEST = 3


def _escaped(char: str, upper: bool) -> bytes:
    units = char.encode("utf-16-be")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join("\\u" + (pair.upper() if upper else pair) for pair in pairs).encode()


def _piece(choices: Choices) -> bytes:
    match choices.number(8):
        case 0:
            return b"a" * choices.number(70)
        case 1 | 2:
            return choices.pick([text for text in TEXTS if text.isprintable()]).encode()
        case 3:
            return choices.pick(ESCAPES)
        case 4 | 5:
            return _escaped(choices.pick(CHARACTERS), choices.number(2) == 1)
        case 6:
            return "é€😀\x7f"[choices.number(4)].encode()
    return choices.pick(HOSTILE) if choices.number(4) == 0 else choices.take(choices.number(6))


def _spelled(text: str, choices: Choices) -> bytes:
    """Write a string with some of its characters escaped."""
    spelling = choices.number(256)
    parts = []
    for at, char in enumerate(text):
        plain = char.isprintable() and char not in '"\\'
        if plain and not spelling >> at % 8 & 1:
            parts.append(char.encode())
        else:
            parts.append(_escaped(char, spelling > 128))
    return b'"' + b"".join(parts) + b'"'


def _string(choices: Choices) -> bytes:
    if choices.number(2):
        return _spelled(choices.pick(TEXTS), choices)
    return b'"' + b"".join(_piece(choices) for _ in range(choices.number(5))) + b'"'


def _listed(items: list[bytes], choices: Choices) -> bytes:
    space = choices.pick(SPACE)
    return space + (space + b"," + space).join(items) + space


def _value(choices: Choices, depth: int) -> bytes:
    kind = choices.number(10)
    if kind < 3:
        return _string(choices)
    if kind < 6 or depth == DEEPEST:
        return choices.pick(VALUES)
    if kind == 6:
        return choices.take(choices.number(12))
    if kind == 7:
        return (
            choices.pick(BAD) if choices.number(4) else choices.pick(deep(1020 + choices.number(6)))
        )
    if kind == 8:
        items = [_value(choices, depth + 1) for _ in range(choices.number(4))]
        return b"[" + _listed(items, choices) + b"]"
    return _object(choices, depth + 1)


def _member(choices: Choices, depth: int) -> bytes:
    name = _spelled(choices.pick(NAMES), choices) if choices.number(8) else _string(choices)
    space = choices.pick(SPACE)
    value = _string(choices) if choices.number(2) else _value(choices, depth)
    return name + space + b":" + space + value


def _object(choices: Choices, depth: int) -> bytes:
    members = [_member(choices, depth) for _ in range(choices.number(6))]
    if depth == 0 and choices.number(16) == 1:
        # Slightly fewer or more members than the limit of the array that native processors get.
        filler = [b'"m%d":%d' % (number, number) for number in range(26 + choices.number(10))]
        at = choices.number(len(members) + 1)
        members[at:at] = filler
    return b"{" + _listed(members, choices) + b"}"


def _damaged(text: bytes, choices: Choices) -> bytes:
    line = bytearray(text)
    at = choices.number(len(line) + 1) if line else 0
    match choices.number(5):
        case 0:
            del line[at:]
        case 1:
            del line[at : at + 1]
        case 2:
            line[at:at] = choices.pick(MARKS)
        case 3:
            line[at : at + 1] = choices.take(1)
        case 4:
            line[at:at] = choices.take(choices.number(8))
    return bytes(line)


def line(choices: Choices) -> bytes:
    """Generate a line: usually a record, sometimes corrupted or something else."""
    kind = choices.number(16)
    if kind == 0:
        return choices.pick([b"", b" ", b"\r", b"\xef\xbb\xbf", b"\t \r"])
    if kind == 1:
        return _value(choices, 0)
    space = choices.pick(SPACE)
    if kind < 6:
        # The form that the core's fast path handles.
        colon, comma = choices.pick([(b":", b","), (b": ", b", "), (b":", b", ")])
        members = b'"id"' + colon + _string(choices) + comma + b'"data"' + colon + _string(choices)
        text = b"{" + members + b"}" + space
    else:
        text = space + _object(choices, 0) + space
    return _damaged(text, choices) if kind > 12 else text


def _alike(before: bytes, choices: Choices) -> bytes:
    """Generate a line like the previous one with other strings, as in most real streams."""
    return VALUE.sub(
        lambda value: value[1] + _string(choices) if choices.number(4) else value[0], before
    )


def lines(choices: Choices) -> bytes:
    """Generate up to six lines, the last one possibly without LF."""
    grown = [line(choices)]
    for _ in range(choices.number(6)):
        is_alike = choices.number(2) == 1
        grown.append(_alike(grown[-1], choices) if is_alike else line(choices))
    start = choices.pick([b"", b"", b"", b"\xef\xbb\xbf"])
    return start + b"\n".join(grown) + choices.pick([b"\n", b""])
