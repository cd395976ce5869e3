"""Hypothesis strategies for records, hostile lines and whole inputs."""

from __future__ import annotations

import json
import math

from hypothesis import strategies as st

from .reference import BOM

Bytes = st.SearchStrategy[bytes]

WHITE_SPACE: Bytes = st.sampled_from([b"", b"", b"", b" ", b"\t", b"\r", b" \t "])


def _escaped(char: str) -> bytes:
    """Spell a character as JSON escapes."""
    units = char.encode("utf-16-be")
    return b"".join(b"\\u" + units[at : at + 2].hex().encode() for at in range(0, len(units), 2))


def _member(name: str) -> Bytes:
    """Spell a key in many ways, all of them equal after unescaping."""
    spellings = [st.sampled_from([c.encode(), c.encode(), _escaped(c)]) for c in name]
    return st.tuples(*spellings).map(lambda parts: b'"' + b"".join(parts) + b'"')


CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\')
PIECES: Bytes = st.one_of(
    # Runs long enough to cross the edges of vector blocks.
    st.integers(0, 70).map(lambda length: b"a" * length),
    st.text(CHARACTERS, max_size=4).map(str.encode),
    st.sampled_from([rb"\"", rb"\\", rb"\/", rb"\b", rb"\f", rb"\n", rb"\r", rb"\t", rb"\u0000"]),
    st.characters(exclude_categories=["Cs"]).map(_escaped),
    st.characters(exclude_categories=["Cs"])
    .map(lambda char: _escaped(char).upper())
    .map(lambda text: text.replace(b"\\U", b"\\u")),
)
STRINGS: Bytes = st.lists(PIECES, max_size=5).map(lambda parts: b'"' + b"".join(parts) + b'"')

NUMBERS: Bytes = st.one_of(
    st.integers().map(lambda number: str(number).encode()),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: repr(number).encode()),
    st.from_regex(rb"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
)
FINITE = NUMBERS.filter(lambda number: math.isfinite(float(number)))
WORDS: Bytes = st.sampled_from([b"true", b"false", b"null"])


def _listed(items: Bytes, opening: bytes, closing: bytes) -> Bytes:
    """Put items between brackets, with white space anywhere."""
    spaced = st.tuples(WHITE_SPACE, items, WHITE_SPACE).map(b"".join)
    return st.tuples(WHITE_SPACE, st.lists(spaced, max_size=4)).map(
        lambda inside: opening + (b",".join(inside[1]) or inside[0]) + closing
    )


def _object(members: Bytes) -> Bytes:
    """Put members into an object."""
    return _listed(members, b"{", b"}")


def _pair(keys: Bytes, values: Bytes) -> Bytes:
    """Make a member of an object."""
    return st.tuples(keys, WHITE_SPACE, st.just(b":"), WHITE_SPACE, values).map(b"".join)


def _values(numbers: Bytes) -> Bytes:
    """Nest values of every type."""
    return st.recursive(
        st.one_of(STRINGS, numbers, WORDS),
        lambda inner: st.one_of(_listed(inner, b"[", b"]"), _object(_pair(STRINGS, inner))),
        max_leaves=6,
    )


VALUES = _values(FINITE)
# Some of the numbers in these are too large for a double.
LOOSE_VALUES = _values(NUMBERS)
NAMES: Bytes = st.one_of(_member("id"), _member("data"))
# Names one step away from the two that count.
NEAR_NAMES: Bytes = st.sampled_from(
    [b'""', b'"i"', b'"ID"', b'"idd"', b'"dat"', b'"datas"', rb'"id\u0000"', rb'"\u0049d"', b'"d"']
)
OTHER_NAMES = NEAR_NAMES | STRINGS.filter(lambda name: json.loads(name) not in ("id", "data"))
FIELDS: Bytes = st.one_of(
    _pair(NAMES, STRINGS),
    _pair(NAMES, STRINGS | st.just(b"null")),
    _pair(OTHER_NAMES, VALUES),
)

# Few names, so that many of them are equal, and two that look like paths.
_SHORT_NAMES = st.one_of(*map(_member, ["a", "b", "a", "b", "", "é", "a.b", "a[0]"]))


def _padded(lines: Bytes) -> Bytes:
    """Put white space around a line."""
    return st.tuples(WHITE_SPACE, lines, WHITE_SPACE).map(b"".join)


# Records of the contract, in unusual but valid notation.
RECORDS: Bytes = _padded(_object(FIELDS))
# JSON that may be no record: any value for id and data, any value for the line.
JSON_LINES: Bytes = _padded(_object(FIELDS | _pair(NAMES | STRINGS, LOOSE_VALUES)) | LOOSE_VALUES)


def _nested(leaves: Bytes) -> Bytes:
    """Nest values in a record, which may have more members than are kept at hand."""
    values = st.recursive(
        leaves,
        lambda inner: st.one_of(
            _listed(inner, b"[", b"]"), _object(_pair(_SHORT_NAMES | STRINGS, inner))
        ),
        max_leaves=12,
    )
    members = st.lists(_padded(_pair(_SHORT_NAMES | STRINGS, values)), max_size=4)
    more = st.sampled_from([0, 0, 0, 29, 30, 31, 32]).map(lambda count: [b'"c":[]'] * count)
    return st.tuples(members, more, members).map(
        lambda parts: b"{" + b",".join(parts[0] + parts[1] + parts[2]) + b"}"
    )


_LEAVES = st.one_of(STRINGS, FINITE, WORDS)
NESTED = _nested(_LEAVES)


@st.composite
def alike(draw: st.DrawFn) -> list[bytes]:
    """Make records that differ in their values alone."""
    pieces = draw(_nested(st.just(b"\0"))).split(b"\0")
    values = _LEAVES | st.sampled_from([b"[]", b"[1]", b'{"a":2}'])
    fillings = st.lists(st.tuples(*[values] * (len(pieces) - 1)), min_size=1, max_size=4)
    return [
        b"".join(part for pair in zip(pieces, [*filling, b""], strict=True) for part in pair)
        for filling in draw(fillings)
    ]


@st.composite
def mutated(draw: st.DrawFn, lines: Bytes = JSON_LINES) -> bytes:
    """Damage a line in a few places."""
    line = bytearray(draw(lines))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(line)))
        kind = draw(st.sampled_from(["flip", "cut", "insert", "drop"]))
        if kind == "cut":
            del line[at:]
        elif kind == "drop":
            del line[at : at + 1]
        elif kind == "insert":
            line[at:at] = draw(st.sampled_from(INSERTS) | st.binary(max_size=3))
        elif at < len(line):
            line[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(line)


INSERTS = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"0", b"-", b".", b"e", b"\\u", b"\n"]
INSERTS += [b"\x00", b"\x1f", b"\x7f", b"\x80", b"\xc0", b"\xe2\x82", b"\xed\xa0\x80", b"\xff", BOM]

BLANKS: Bytes = st.text(" \t\r", max_size=3).map(str.encode)
LINES: Bytes = st.one_of(RECORDS, RECORDS, JSON_LINES, mutated(), BLANKS, st.binary(max_size=40))


@st.composite
def inputs(draw: st.DrawFn, lines: Bytes = LINES) -> bytes:
    """Join lines to a whole input, with or without a BOM and a last LF."""
    body = b"\n".join(draw(st.lists(lines, max_size=6)))
    return draw(st.sampled_from([b"", b"", BOM])) + body + draw(st.sampled_from([b"\n", b""]))


@st.composite
def chunked(draw: st.DrawFn, data: Bytes) -> list[bytes]:
    """Cut an input at random places, some of them twice."""
    whole = draw(data)
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
