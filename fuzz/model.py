"""A Python model of native.c: the expected output for a line."""

from __future__ import annotations

import json
import re
from typing import Any

from forstcore._io.json_lines import dump_line, object_of
from forstcore.errors import RecordError
from tests.core.reference import BLANK

__all__ = ["by_name", "integer_of", "members_of", "message_of", "model"]

# The same as in native.c.
NAMES = ["id", "data", "a", "v", "b", "", "é", 'q"', "\x00", "😀", "a" * 30, "nowhere"]
AT_HAND = 32
ABSENT, NULL, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT = range(8)
KINDS = {b"n": NULL, b"f": FALSE, b"t": TRUE, b'"': STRING, b"[": ARRAY, b"{": OBJECT}
# Tokens of valid JSON, so no validation is needed: a string, a punctuator, or another scalar.
TOKEN = re.compile(rb'[ \t\r]*("(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:," \t\r]+)', re.DOTALL)

Member = tuple[bytes, bytes]


def members_of(line: bytes) -> list[Member]:
    """Split a line that is a JSON object into raw names and values, including quotes."""
    text = line.strip(BLANK)
    members: list[Member] = []
    name = b""
    start = depth = 0
    for token in TOKEN.finditer(text):
        if token[1] in (b"}", b"]"):
            depth -= 1
        if depth == (token[1] != b"}") and token[1] in (b",", b"}"):
            if name:
                members.append((name, text[start : token.start(1)].strip(BLANK)))
            name = b""
        elif depth == 1 and not name and token[1] != b":":
            name = token[1]
        elif depth == 1 and token[1] == b":":
            start = token.end()
        if token[1] in (b"{", b"["):
            depth += 1
    return members


def by_name(members: list[Member]) -> dict[str, bytes]:
    """Return the value of the last member of each name."""
    return {json.loads(name): value for name, value in members}


def integer_of(raw: bytes) -> int | None:
    """Read a 64-bit integer as the C interface does; None if it is not one."""
    whole = re.fullmatch(rb"-?[0-9]{1,19}", raw)
    return int(raw) if whole and -(2**63) <= int(raw) < 2**63 else None


def _value(raw: bytes) -> list[Any]:
    """Return the description of a value that tell_value in native.c writes."""
    kind = KINDS.get(raw[:1], NUMBER) if raw else ABSENT
    value = json.loads(raw) if kind == STRING else raw.decode()
    text = raw[1:-1] if kind == STRING else raw
    plain = kind == STRING and text.isascii() and b"\\" not in text
    escaped = kind == STRING and b"\\" in text
    return [
        kind,
        len(text),
        int(plain),
        value,
        int(escaped),
        value if kind == STRING else None,
        integer_of(raw),
        float(raw) if kind == NUMBER else None,
    ]


def model(line: bytes, number: int) -> dict[str, Any]:
    """Return the description of a record that native.c writes.

    Args:
        line: a valid JSON object, possibly surrounded by white space.
        number: number of the input line.
    """
    members = members_of(line)
    named = by_name(members)
    return {
        "line": number,
        "size": len(line.strip(BLANK)),
        "more": int(len(members) > AT_HAND),
        "members": [_value(raw) for member in members[:AT_HAND] for raw in member],
        "found": [_value(named.get(name, b"")) for name in NAMES],
        "canonical": _canonical(line),
    }


def _canonical(line: bytes) -> str | None:
    """Return what a processor in Python would write of the record, None if it cannot read it."""
    try:
        return dump_line(object_of(line)).decode().removesuffix("\n")
    except RecordError:
        return None  # nested too deeply


def message_of(why: str) -> str:
    """Return the message of a refusal as it appears in the error line."""
    message = ""
    left = 50
    for byte in why.encode().split(b"\0")[0][:119]:
        if left == 0:
            break
        left -= byte < 0x20 or byte >= 0x7F or byte in b'"\\'
        message += chr(byte)
    return message
