"""Reading records by marks and shapes gives the same results as parsing them one by one."""

from __future__ import annotations

import random
from types import ModuleType
from typing import Any

import pytest

from forstcore import Filter, RecordStream
from forstcore._proc import PASS_ON

from .mixed_records import NAMES, Records

FILTERS: list[dict[str, Any]] = [
    {"id": {"exists": True}},
    {"user.id": {"ne": "x"}, "a": {"exists": False}},
    {"a": [None, True, 1, "x", "é", "日本語"]},
    {"user": {"exists": True}, "user.status": {"gte": 0}},
    {"a.b.c": {"prefix": "p"}, "é": {"ne": 5}, "n": {"lt": "z"}},
    {f"name{number}": {"ne": number} for number in range(40)} | {"status": {"exists": True}},
]


def alone(lines: list[bytes], **options: Any) -> bytes:
    """Process each line in a separate stream, which is too short for a shape to be learned."""
    return b"".join(
        RecordStream(first_line=number, **options).feed(line)
        for number, line in enumerate(lines, 1)
    )


def check(seed: int, size: int, processor: object) -> None:
    """Compare a stream that is processed at once with its lines, one by one."""
    lines = list(Records(seed).lines(size))
    chance = random.Random(seed)
    wanted = chance.choice([None, *FILTERS])
    options: dict[str, Any] = {
        "on_error": chance.choice(["emit", "skip"]),
        "processor": processor,
        "filter": None if wanted is None else Filter(wanted),
        "max_line_size": chance.choice([1 << 20, 1 << 20, 300]),
    }
    data = b"".join(lines)
    expected = alone(lines, **options)
    for size in (len(data), chance.choice([100, 1000, 5000, 20_000])):
        stream = RecordStream(**options)
        # A stream keeps the shapes that it has learned between calls.
        found = b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size))
        if found != expected:
            pairs = zip(found.splitlines(), expected.splitlines(), strict=False)
            different = next((pair for pair in pairs if pair[0] != pair[1]), None)
            pytest.fail(f"seed {seed}, chunks of {size}, {wanted}, {options}: {different}")


def test_streams_that_take_turns(cases: ModuleType) -> None:
    """Use more streams than there are memories of shapes, each with records of its own."""
    bodies = [list(Records(seed).lines(20_000)) for seed in range(20)]
    streams = [RecordStream(processor=cases.members, on_error="emit") for _ in bodies]
    found = [b""] * len(bodies)
    for turn in range(max(map(len, bodies))):
        for number, (stream, lines) in enumerate(zip(streams, bodies, strict=True)):
            found[number] += stream.feed(b"".join(lines[turn : turn + 1]))
    for lines, output in zip(bodies, found, strict=True):
        assert output == alone(lines, processor=cases.members, on_error="emit")


@pytest.mark.parametrize("kind", ["built-in", "members", "pass"])
def test_streams_of_records(cases: ModuleType, scan_path: str, kind: str) -> None:
    processor = {"built-in": None, "members": cases.members, "pass": PASS_ON}[kind]
    for seed in range(12):
        check(seed, 60_000, processor)


@pytest.mark.parametrize("wanted", range(len(FILTERS)))
def test_filters(cases: ModuleType, scan_path: str, wanted: int) -> None:
    filter = Filter(FILTERS[wanted])
    for seed in range(100, 104):
        lines = list(Records(seed).lines(60_000))
        for processor in (None, cases.members):
            options: dict[str, Any] = {
                "on_error": "emit", "filter": filter, "processor": processor
            }  # fmt: skip
            stream = RecordStream(**options)
            assert stream.feed(b"".join(lines)) == alone(lines, **options)


def test_more_names_than_are_kept(cases: ModuleType, scan_path: str) -> None:
    """Objects that have other names in each record, at the top and below."""
    lines = [
        b'{"id":"%d","map":{"k%d":{"v":%d},"same":%d},"end":%d}\n' % (n, n, n, n, n)
        for n in range(3000)
    ]
    lines += [b'{"id":"%d","k%d":%d}\n' % (n, n, n) for n in range(3000)]
    for processor in (None, cases.members):
        for wanted in (None, {"map.same": {"gte": 2990}}, {"map.k2995.v": 2995}):
            options: dict[str, Any] = {
                "processor": processor,
                "filter": None if wanted is None else Filter(wanted),
            }
            stream = RecordStream(**options)
            assert stream.feed(b"".join(lines)) == alone(lines, **options)


def test_wide_records(cases: ModuleType, scan_path: str) -> None:
    """More members than are kept at hand, and than shapes have room for."""
    for count in (31, 32, 33, 200, 256, 257, 300, 600, 1100):
        members = ",".join(f'"c{number}":{number}' for number in range(count))
        lines = [f'{{"id":"{n}",{members},"data":"d{n}"}}\n'.encode() for n in range(12)]
        for processor in (None, cases.members):
            stream = RecordStream(processor=processor)
            assert stream.feed(b"".join(lines)) == alone(lines, processor=processor)


def test_names_of_any_length(cases: ModuleType, scan_path: str) -> None:
    for size in (1, 15, 16, 17, 31, 32, 33, 60, 63, 64, 65, 78, 79, 80, 81, 100, 300):
        name = ("name" * 100)[:size]
        lines = [
            f'{{"id":"{n}","{name}":{n},"o":{{"{name}":"{n}"}}}}\n'.encode() for n in range(200)
        ]
        filter = Filter({f"o.{name}": {"gte": "5"}})
        for options in ({"processor": cases.members}, {"filter": filter}):
            stream = RecordStream(**options)
            assert stream.feed(b"".join(lines)) == alone(lines, **options)


@pytest.mark.parametrize("name", [name for name in NAMES if name != ""])
def test_a_member_that_comes_twice(cases: ModuleType, scan_path: str, name: str) -> None:
    one, other = f'"{name}":1', f'"{name}":{{"a":2}}'
    kinds = [
        "{" + ",".join(members) + "}"
        for members in ([one], [other], [one, other], [other, one], [one, '"z":0', one])
    ]
    chance = random.Random(7)
    lines = [chance.choice(kinds).encode() + b"\n" for _ in range(2000)]
    for processor in (None, cases.members):
        stream = RecordStream(processor=processor, on_error="emit")
        assert stream.feed(b"".join(lines)) == alone(lines, processor=processor, on_error="emit")


def test_lines_with_open_strings(cases: ModuleType, scan_path: str) -> None:
    """A string that does not end in its line changes nothing in the lines behind it."""
    good = b'{"id":"1","data":"x"}\n'
    opened = b'{"id":"1","data":"x}\n'
    for behind in (b'{"id":"\\u12","data":"y"}\n', b'{"id":"\\"","data":"y\x01"}\n', good):
        for distance in range(0, 70, 3):
            padded = b'{"id":"1","data":"%s"}\n' % (b"x" * distance)
            lines = [good] * 60 + [padded, opened, behind, opened, opened, behind] + [good] * 20
            for processor in (None, cases.members):
                stream = RecordStream(processor=processor, on_error="emit")
                assert stream.feed(b"".join(lines)) == (
                    alone(lines, processor=processor, on_error="emit")
                )


def test_the_end_of_memory(cases: ModuleType, scan_path: str) -> None:
    """Lines that end at each distance from the end of the buffer."""
    line = b'{"id":"1","data":"x","n":[1,2,{"a":"\xc3\xa9"}],"s":"\\u00e9"}\n'
    for behind in range(140):
        lines = [line] * 80
        for processor in (None, cases.members):
            stream = RecordStream(processor=processor)
            assert stream.feed(b"".join(lines) + line[:1] * (behind > 0) + b"x" * (behind - 1)) == (
                alone(lines, processor=processor)
            )


@pytest.mark.long
def test_many_streams_of_records(cases: ModuleType) -> None:
    for seed in range(1000, 1400):
        check(seed, 100_000, (None, cases.members, PASS_ON)[seed % 3])


def test_wrong_types_in_records_that_are_read_by_their_marks() -> None:
    values = ["1", "-0.5e1", "true", "null", '"x"', "[1,[2]]", '{"id":{}}', "{}", "[]", "false"]
    lines = [
        b'{"other":{"id":1},"data":%b,"id": %b}\n' % (data.encode(), text.encode())
        for data in values
        for text in values
    ]
    chance = random.Random(1)
    lines = chance.choices(lines, k=1000)
    for wanted in (None, Filter({"other": {"exists": True}})):
        stream = RecordStream(on_error="emit", filter=wanted)
        assert stream.feed(b"".join(lines)) == alone(lines, on_error="emit", filter=wanted)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.9])
def test_usual_records_among_others(share: float) -> None:
    chance = random.Random(2)
    usual, blank = b'{"id":"1","data":"abc"}\n', b"\n"
    others = [
        b'{"id":"2","n":1,"data":"d"}\n',
        b"x\n",
        b'{"id":3}\n',
        b'{"id":"4","data":"}\n',
        blank,
    ]
    lines = [chance.choice(others) if chance.random() < share else usual for _ in range(3000)]
    stream = RecordStream(on_error="emit")
    assert stream.feed(b"".join(lines)) == alone(lines, on_error="emit")
