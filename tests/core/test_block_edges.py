"""Strings of every length, with something special at every place in them.

Vector code reads blocks, and its faults sit where a block begins or ends. One way to
read is for plain text and another takes over at the first byte that is not plain, so
what is special comes both as that byte and behind it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeAlias

import pytest

from .driver import differing, on_every_path

Strings: TypeAlias = Callable[[bytes], list[tuple[bytes, int]]]

LONGEST = 200

GOOD = [rb"\"", rb"\\", rb"\n", rb"\u00e9", rb"\ud83d\ude00", *map(str.encode, "é€😀")]
# Each with its code and the place of the error.
BAD = [
    (b"\x00", "invalid_json", 0),
    (b"\x1f", "invalid_json", 0),
    (b'"', "invalid_json", 1),
    (rb"\x", "invalid_json", 0),
    (rb"\u00g0", "invalid_json", 0),
    (rb"\ud800", "invalid_json", 0),
    (rb"\udc00", "invalid_json", 0),
    (rb"\ud800\u0041", "invalid_json", 0),
    (rb"\ud800\ud800\udc00", "invalid_json", 0),
    (rb"\ud800\udc00\udc00", "invalid_json", 12),
    (b"\x80", "invalid_utf8", 0),
    (b"\xff", "invalid_utf8", 0),
    (b"\xc3", "invalid_utf8", 0),
    (b"\xe2", "invalid_utf8", 0),
    (b"\xe2\x82", "invalid_utf8", 0),
    (b"\xf0\x9f", "invalid_utf8", 0),
    (b"\xf0\x9f\x98", "invalid_utf8", 0),
    (b"\xc1\xbf", "invalid_utf8", 0),
    (b"\xe0\x9f\xbf", "invalid_utf8", 0),
    (b"\xed\xa0\x80", "invalid_utf8", 0),
    (b"\xf0\x8f\xbf\xbf", "invalid_utf8", 0),
    (b"\xf4\x90\x80\x80", "invalid_utf8", 0),
    (b"\xf5\x80\x80\x80", "invalid_utf8", 0),
    (b"\xc3\xa9\x80", "invalid_utf8", 2),
]
PLACES = [b'{"data":"%s","id":"1"}\n', b'{"id":"1","data":"%s"}\n', b'{"x":"%s"}\n', b'{"%s":0}\n']


def after_plain_text(special: bytes) -> list[tuple[bytes, int]]:
    """Give strings of every length in which all but the special part is plain."""
    return [
        (b"a" * at + special + b"a" * (length - at), at)
        for length in range(LONGEST + 1 - len(special))
        for at in range(length + 1)
    ]


def after_other_text(special: bytes) -> list[tuple[bytes, int]]:
    """Give strings in which text of all sorts goes before the special part."""
    heads = [
        rb"\n" + b"a" * shift + filler * count
        for filler in (b"a", *GOOD)
        for shift in range(len(filler))
        for count in range(150 // len(filler))
    ]
    return [(head + special + b"a" * rest, len(head)) for head in heads for rest in (0, 1, 70)]


TEXTS = [after_plain_text, after_other_text]


@pytest.mark.parametrize("special", GOOD)
@pytest.mark.parametrize("texts", TEXTS)
@pytest.mark.parametrize("place", PLACES)
def test_good(special: bytes, texts: Strings, place: bytes) -> None:
    """Contents of id and data pass through; elsewhere they do no harm."""
    contents = [content for content, _ in texts(special)]
    result = b'{"id":"","result":"processed_","status":"success"}'
    if b"data" in place:
        result = b'{"id":"1","result":"processed_%s","status":"success"}'
    outputs = on_every_path(b"".join(place % content for content in contents))
    rows = outputs["portable"].splitlines()
    expected = [result.replace(b"%s", content) for content in contents]
    # A few wrong lines say enough.
    assert [pair for pair in zip(rows, expected, strict=True) if pair[0] != pair[1]][:3] == []
    assert differing(outputs) == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("special", "code", "shift"), BAD)
@pytest.mark.parametrize("texts", TEXTS)
@pytest.mark.parametrize("place", PLACES)
def test_bad(special: bytes, code: str, shift: int, texts: Strings, place: bytes) -> None:
    """The error is named and found, wherever it is."""
    start = place.index(b"%s") + shift
    strings = texts(special)
    outputs = on_every_path(b"".join(place % content for content, _ in strings))
    rows = [json.loads(row) for row in outputs["portable"].splitlines()]
    assert len(rows) == len(strings)
    # A few wrong lines say enough.
    assert [
        (content, row)
        for (content, at), row in zip(strings, rows, strict=True)
        if (row["code"], row["offset"]) != (code, start + at)
    ][:3] == []
    assert differing(outputs) == []
