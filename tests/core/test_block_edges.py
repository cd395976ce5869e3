"""Strings of every length, with something special at every place in them.

Vector code reads blocks, and its faults sit where a block begins or ends.
"""

from __future__ import annotations

import json

import pytest

from forstcore._proc import scan_paths

from .driver import on_every_path

LONGEST = 200

GOOD = [rb"\"", rb"\\", rb"\n", rb"\u00e9", rb"\ud83d\ude00", *map(str.encode, "é€😀")]
# Each with its code and the place of the error.
BAD = [
    (b"\x00", "invalid_json", 0),
    (b"\x1f", "invalid_json", 0),
    (b"\x80", "invalid_utf8", 0),
    (b"\xff", "invalid_utf8", 0),
    (b"\xc0\x80", "invalid_utf8", 0),
    (b"\xe2\x82", "invalid_utf8", 0),
    (b"\xed\xa0\x80", "invalid_utf8", 0),
    (b"\xf0\x9f\x98", "invalid_utf8", 0),
    (rb"\x", "invalid_json", 0),
    (rb"\ud800", "invalid_json", 0),
    (b'"', "invalid_json", 1),
]


def strings(special: bytes) -> list[tuple[bytes, int]]:
    """Give strings of every length with the special part at every place."""
    return [
        (b"a" * at + special + b"a" * (length - at), at)
        for length in range(LONGEST + 1 - len(special))
        for at in range(length + 1)
    ]


@pytest.mark.parametrize("special", GOOD)
def test_good_data(special: bytes) -> None:
    """As data the content passes through."""
    pairs = [(number, content) for number, (content, _) in enumerate(strings(special))]
    data = b"".join(b'{"id":"%d","data":"%s"}\n' % pair for pair in pairs)
    expected = b"".join(
        b'{"id":"%d","result":"processed_%s","status":"success"}\n' % pair for pair in pairs
    )
    assert on_every_path(data) == dict.fromkeys(scan_paths(), expected)


@pytest.mark.parametrize("special", GOOD)
@pytest.mark.parametrize("line", [b'{"x":"%s","id":"%d"}\n', b'{"%s":0,"id":"%d"}\n'])
def test_good_elsewhere(special: bytes, line: bytes) -> None:
    """In another member and in a key it does no harm."""
    pairs = [(content, number) for number, (content, _) in enumerate(strings(special))]
    data = b"".join(line % pair for pair in pairs)
    expected = b"".join(
        b'{"id":"%d","result":"processed_","status":"success"}\n' % number for _, number in pairs
    )
    assert on_every_path(data) == dict.fromkeys(scan_paths(), expected)


@pytest.mark.parametrize(("special", "code", "shift"), BAD)
@pytest.mark.parametrize("line", [b'{"data":"%s"}', b'{"x":"%s"}', b'{"%s":0}'])
def test_bad(special: bytes, code: str, shift: int, line: bytes) -> None:
    """The error is named and found, wherever it is."""
    start = line.index(b"%s")
    expected = [(code, start + at + shift) for _, at in strings(special)]
    outputs = on_every_path(b"\n".join(line % content for content, _ in strings(special)))
    rows = [json.loads(row) for row in outputs["portable"].splitlines()]
    assert [(row["code"], row["offset"]) for row in rows] == expected
    assert outputs == dict.fromkeys(scan_paths(), outputs["portable"])
