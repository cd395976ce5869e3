"""Records of a few plain strings, which are read by the stops of their lines, among others."""

from __future__ import annotations

import random
from types import ModuleType
from typing import Any

import pytest

from forstcore import Filter, RecordStream
from forstcore._core.selection import LineSelector
from forstcore._proc import PASS_ON

from .test_shapes import alone

# The names of the members: one piece of text between two strings has 16 or 32 bytes and more, too.
NAMES = [
    ("id", "data"),
    ("data",),
    ("a", "b", "c", "id", "data", "d", "e", "f"),
    ("a", "b", "c", "id", "data", "d", "e", "f", "g"),
    ("id", "description", "a" * 24, "data"),
    ("id", "b" * 27, "data"),
    ("id", "b" * 28, "data"),
    ("id", "\\u00e9", "é", "日本"),
    ("id", "\\u0064ata"),
    ("", "id"),
]
# White space before the record, after each colon and comma, and at the end of the line.
SPACES = [("", "", "", ""), ("", " ", " ", ""), (" ", "", "\t", " \r"), ("", "", "", "\r")]
OTHERS = [
    *(b"\n", b" \n", b"{}\n", b"x\n", b"[]\n", b'{"id":"1"}\n', b'{"id":"1","data":1}\n'),
    *(b'{"id":"1","data":"\xc3\xa9"}\n', b'{"id":"\\n","data":"x"}\n', b'{"id":1,"data":"x"}\n'),
    *(b'{"id":"1","data":"\xff"}\n', b'{"id":"1","data":"\x01"}\n', b'{"id":"1","data":"}\n'),
    *(b'{"id":"1","data":"x"}}\n', b'{"id":"1","data":"x"} x\n', b'{"id":"1","id":"2"}\n'),
    *(b'"id":"1","data":"x"}\n', b'{"id":"1","data":"\\"}\n', b'{"id":"1","data":"\\ud800"}\n'),
    *(b'{"data":"x","id":"1"}\n', b'{"id":"1","data":"x","n":"y"}\n', b'{"id":null,"data":"x"}\n'),
    *(b'{"id":"1","data":"x"}\r\n', b'{"id":"1", "data":"x"}\n', b'{"id":"1","data":{"a":1}}\n'),
    b'{"id":"1","data":"' + b"y" * 9000 + b'"}\n',
]
PLAIN = "".join(chr(code) for code in range(0x20, 0x80) if chr(code) not in '"\\')


class Flat:
    """Random flat records with the same names."""

    def __init__(self, chance: random.Random, longest: int) -> None:
        self._chance = chance
        self._longest = longest
        self._names = chance.choice(NAMES)
        self._spaces = chance.choice(SPACES)

    def line(self) -> bytes:
        before, behind_colon, behind_comma, behind = self._spaces
        members = [f'"{name}":{behind_colon}"{self._text()}"' for name in self._names]
        return f"{before}{{{f',{behind_comma}'.join(members)}}}{behind}\n".encode()

    def _text(self) -> str:
        size = self._chance.randrange(self._longest)
        return "".join(self._chance.choices(PLAIN, k=size))


def some_lines(seed: int, count: int = 400) -> list[bytes]:
    """Return flat records of a few kinds, one kind after the other, and some other lines."""
    chance = random.Random(seed)
    share = chance.choice([0, 0, 0.01, 0.05, 0.2, 0.5])
    lines: list[bytes] = []
    while len(lines) < count:
        flat = Flat(chance, chance.choice([2, 10, 60, 140, 300]))
        for _ in range(chance.choice([3, 40, 200])):
            lines.append(chance.choice(OTHERS) if chance.random() < share else flat.line())
    return lines


def check(seed: int, lines: list[bytes], **options: Any) -> None:
    """Compare a stream, in chunks of several sizes, with its lines, one by one."""
    data = b"".join(lines)
    expected = alone(lines, **options)
    for size in (len(data), 65536, 5000, random.Random(seed).randrange(200, 4000)):
        stream = RecordStream(**options)
        found = b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size))
        assert found == expected, f"seed {seed}, chunks of {size}"


@pytest.mark.parametrize("kind", ["built-in", "members", "canonical", "pass"])
def test_streams(cases: ModuleType, scan_path: str, kind: str) -> None:
    processors = {"built-in": None, "pass": PASS_ON}
    processor = processors[kind] if kind in processors else getattr(cases, kind)
    for seed in range(4):
        check(seed, some_lines(seed), processor=processor, on_error="emit")


@pytest.mark.parametrize("longest", [1 << 20, 100])
def test_filters(cases: ModuleType, scan_path: str, longest: int) -> None:
    filters: list[dict[str, Any]] = [
        {"id": {"gte": "M"}},
        {"data": {"lt": "M"}, "é": {"exists": False}},
        {"é": {"prefix": "a"}, "n": {"ne": "x"}, "d": {"exists": True}},
        {f"n{number}": {"ne": "x"} for number in range(20)} | {"id": {"gte": "M"}},
    ]
    for seed, wanted in enumerate(filters, 100):
        for processor in (None, cases.members, PASS_ON):
            options = {"filter": Filter(wanted), "processor": processor, "on_error": "emit"}
            check(seed, some_lines(seed), max_line_size=longest, **options)


def test_selected_lines(scan_path: str) -> None:
    filter = Filter({"data": {"gte": "M"}})
    for seed in range(200, 203):
        lines = some_lines(seed)
        selector = LineSelector(filter, max_line_size=1 << 20)
        expected = [
            line
            for number, line in enumerate(lines, 1)
            if LineSelector(filter, max_line_size=1 << 20).select(line, number).lines
        ]
        assert selector.select(b"".join(lines), 1).lines == b"".join(expected)


def test_members_of_records_that_a_filter_left_out(cases: ModuleType, scan_path: str) -> None:
    """The list of members of one record is not used for the next one."""
    first = [b'{"id":"%d","data":"x"}\n' % number for number in range(400)]
    other = [b'{"id":"%d","n":%d}\n' % (number, number) for number in range(400)]
    third = [b'{"id":"%d","a":"x","data":"y","b":"z"}\n' % number for number in range(400)]
    wanted = Filter({"data": {"exists": True}})
    for lines in (first + other + third, third + other + first, first + third + other + first):
        check(0, lines, filter=wanted, processor=cases.members)


@pytest.mark.parametrize("kind", ["built-in", "members", "pass", "filter"])
def test_the_end_of_memory(
    guarded: memoryview, cases: ModuleType, scan_path: str, kind: str
) -> None:
    """Nothing outside the input is read, wherever in its last line it ends."""
    options: dict[str, Any] = {
        "built-in": {},
        "members": {"processor": cases.members},
        "pass": {"processor": PASS_ON},
        "filter": {"filter": Filter({"data": {"ne": "x"}})},
    }[kind]
    lines = [b'{"id":"%d","data":"%s","x":"y"}\n' % (n, b"d" * (n % 90)) for n in range(60)]
    learn = b"".join(lines) * 2
    for size in range(0, 300, 7):
        data = b"".join(lines)[-len(guarded) - size :][: len(guarded)]
        data = data[data.index(b"\n") + 1 :]
        streams = [RecordStream(on_error="emit", **options) for _ in range(2)]
        for stream in streams:
            stream.feed(learn)
        expected = streams[0].feed(data)
        guarded[len(guarded) - len(data) :] = data
        assert streams[1].feed(guarded[len(guarded) - len(data) :]) == expected


@pytest.mark.long
def test_many_streams(cases: ModuleType, scan_path: str) -> None:
    for seed in range(1000, 1200):
        processor = (None, cases.members, PASS_ON, cases.canonical)[seed % 4]
        check(seed, some_lines(seed, 1500), processor=processor, on_error="emit")
