"""Records in the same notation as the previous one: the fast path must not change results."""

from __future__ import annotations

import random
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forstcore import RecordStream
from forstcore._proc import PASS_ON

PLAIN = "plain text, as most of it is; "
# Where words, vectors and windows end that strings are looked for in.
SIZES = [*range(70), *range(110, 131), 1023, 1024, *range(8100, 8260), 20_000]


def check(processor: object, lines: list[bytes], **options: Any) -> None:
    """Check that lines give the same results together as each in a stream of its own."""
    together = RecordStream(on_error="emit", processor=processor, **options)
    alone = [
        RecordStream(on_error="emit", processor=processor, first_line=number, **options).feed(line)
        for number, line in enumerate(lines, 1)
    ]
    assert together.feed(b"".join(lines)) == b"".join(alone)


def text(size: int) -> str:
    return (PLAIN * (size // len(PLAIN) + 1))[:size]


def test_strings_of_any_length(cases: ModuleType, scan_path: str) -> None:
    for size in SIZES:
        lines = [
            f'{{"id":"{number}","data":"{text(length)}","n":{number}}}\n'.encode()
            for number, length in enumerate([size, size, 3, size, size + 1, 70, size] * 4)
        ]
        for processor in (cases.members, PASS_ON):
            check(processor, lines)


@pytest.mark.parametrize(
    "odd", ["é", r"\"", r"\u00e9", "\x01", "\\", "\n", '"', "\udcff"], ids=ascii
)
@pytest.mark.parametrize("size", [0, 1, 55, 56, 57, 111, 112, 113, 1000, 9000])
def test_what_is_not_plain_at_any_place(
    cases: ModuleType, scan_path: str, odd: str, size: int
) -> None:
    def line(data: str) -> bytes:
        return f'{{"data":"{data}","more":"y"}}\n'.encode(errors="surrogateescape")

    lines = [line("x"), line(text(size) + odd + text(5)), line(text(size)), line(text(size) + odd)]
    check(cases.members, [part + b"\n" for part in b"".join(lines).split(b"\n")[:-1]])


def test_another_line_in_its_place(cases: ModuleType, scan_path: str) -> None:
    """A line like the one before, with one byte changed, removed or duplicated."""
    good = b'{"id":"1","n":12,"a_longer_name":"x","o":{"k":[1]},"t":true }\r\n'
    for at in range(len(good) - 1):
        for there in (b"", good[at : at + 1] * 2, b'"', b"}", b",", b" ", b"0", b"x"):
            check(cases.members, [good, good[:at] + there + good[at + 1 :], good])


@pytest.mark.parametrize("most", [17, 18, 19])
def test_a_line_that_is_too_long(cases: ModuleType, most: int) -> None:
    lines = [b'{"id":"%b"}\n' % (b"x" * size) for size in (1, 9, 8, 7, 10, 200, 9, 1)]
    check(cases.members, lines, max_line_size=most)


SPACE = st.sampled_from(["", "", "", " ", "\t", "  "])
NAMES = st.sampled_from(["id", "data", "a_name_of_some_length", "é", r"\u0069d", "n" * 40])
VALUES = {
    "string": st.sampled_from([0, 1, 10, 30, 56, 57, 64, 100, 120, 500]).map(
        lambda size: f'"{text(size)}"'
    ),
    "odd string": st.sampled_from(['"é"', r'"\n"', rf'"{text(60)}\"{text(60)}"', '"\udc80"', '"']),
    "number": st.sampled_from(["0", "-1.5e3", "1e999", "01", "123456789012345678901", "+1"]),
    "other": st.sampled_from(["null", "true", "[]", '{"a":[{}]}', "nul", "[1,]", '{"a"}']),
}


@st.composite
def shapes(draw: st.DrawFn) -> list[tuple[str, str]]:
    """The texts before the values of a record, with the kinds of the values; the last has none."""
    shape = []
    before = draw(SPACE) + "{"
    for _ in range(draw(st.integers(0, 4))):
        shape.append(
            (
                f'{before}{draw(SPACE)}"{draw(NAMES)}"{draw(SPACE)}:{draw(SPACE)}',
                draw(st.sampled_from(sorted(VALUES))),
            )
        )
        before = draw(SPACE) + ","
    return [*shape, (draw(SPACE) + "}" if shape else before + "}", "")]


@settings(max_examples=settings().max_examples * 3 // 2)
@given(data=st.data())
def test_shapes_that_take_turns(cases: ModuleType, data: st.DataObject) -> None:
    several = data.draw(st.lists(shapes(), min_size=1, max_size=3))
    chance = random.Random(data.draw(st.integers(0, 1 << 32)))
    lines = []
    for _ in range(data.draw(st.integers(2, 20))):
        line = ""
        for before, kind in chance.choice(several):
            if chance.random() < 0.1:
                kind = chance.choice(sorted(VALUES)) if kind else ""
            line += before + (data.draw(VALUES[kind]) if kind else "")
        lines.append(line.encode(errors="surrogateescape") + chance.choice([b"\n", b"\r\n"]))
    for processor in (cases.members, PASS_ON):
        check(processor, lines)
