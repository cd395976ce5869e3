"""Lines in the usual shape, which the built-in processor handles many at a time.

How a line is read depends on the lines before it and on what follows it in memory, so here they
come in long mixed sequences.
"""

from __future__ import annotations

import mmap
from random import Random

import pytest

from forstcore._proc import RecordStream, scan_paths, use_scan_path

from .driver import cut, differing, on_every_path, run

PAGE = mmap.PAGESIZE
SEEDS = range(40)
ESCAPES = [rb"\"", rb"\\", rb"\n", rb"\u00e9", rb"\ud83d\uDE00", *map(str.encode, "é€😀")]
BROKEN = [b"\x01", rb"\x", rb"\ud800", rb"\udc00 ", rb"\ud800\u0041", rb"\u00g0", b"\xff", b"\xc3"]
LAYOUTS = [
    (b'{"id":"%s","data":"%s"}\n', 40),
    (b'{"id": "%s", "data": "%s"}\n', 10),
    (b'{"id":"%s","data":"%s"}\r\n', 4),
    (b'{"data":"%s","id":"%s"}\n', 1),
    (b'{"id":"%s" ,"data":"%s"}\n', 1),
    (b'{"id":"%s","data":"%s","x":0}\n', 1),
    (b'{"id":"%s","data":"%s"} \n', 1),
    (b'{"id":"%s","date":"%s"}\n', 1),
    (b'{"id":"%s","data":"%s"]\n', 1),
    (b'["id":"%s","data":"%s"}\n', 1),
    (b"\n%.0s%.0s", 1),
]


def make_lines(seed: int, size: int) -> bytes:
    """Make lines of at most `size` bytes in all; each seed has its own mixture."""
    random = Random(seed)
    odd = random.choice([0.0, 0.02, 0.3])
    special = random.choice([0.0, 0.02, 0.5])
    longest = random.choice([15, 80, 130, 400, 3000])
    layouts, weights = zip(*(LAYOUTS if odd else LAYOUTS[:1]), strict=True)

    def text(longest: int) -> bytes:
        parts = [b"a" * random.randint(0, longest)]
        while random.random() < special:
            parts.append(random.choice(BROKEN if random.random() < odd / 8 else ESCAPES))
            parts.append(b"b" * random.randint(0, 40))
        return b"".join(parts)

    lines: list[bytes] = []
    while size > 0:
        layout = random.choices(layouts, weights)[0]
        id_longest = random.choice([12, 12, 12, 12, 50, 70]) if odd else 12
        line = layout % (text(id_longest), text(longest))
        size -= len(line)
        lines.append(line)
    return b"".join(lines[:-1])


@pytest.mark.parametrize("seed", SEEDS)
def test_mixtures(seed: int) -> None:
    """Every path gives the same bytes, however the lines are mixed."""
    data = make_lines(seed, 100_000)
    outputs = on_every_path(data)
    assert differing(outputs) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_guard_pages(guarded: memoryview, seed: int) -> None:
    """Nothing beyond the input is read, wherever in the sequence it ends."""
    data = make_lines(seed, PAGE)
    for size in {len(data), *Random(seed).sample(range(1, PAGE), 30)}:
        piece = data[:size]
        guarded[PAGE - len(piece) :] = piece
        with guarded[PAGE - len(piece) :] as part:
            outputs = on_every_path(part)
        assert differing(outputs) == []
        assert outputs["portable"] == on_every_path(piece)["portable"]


@pytest.mark.parametrize("head", [b"", rb"\n"])
def test_long_line_before_guard_page(guarded: memoryview, head: bytes) -> None:
    """A line that is read 256 bytes at a time ends exactly where the readable memory does."""
    for size in range(PAGE - 300, PAGE - 40):
        line = b'{"id":"1","data":"%s%s"}\n' % (head, b"a" * size)
        guarded[PAGE - len(line) :] = line
        with guarded[PAGE - len(line) :] as part:
            outputs = on_every_path(part)
        result = b'{"id":"1","result":"processed_%s%s","status":"success"}\n'
        assert outputs["portable"] == result % (head, b"a" * size)
        assert differing(outputs) == []


@pytest.mark.parametrize("max_line_size", [1, 19, 20, 64, 110, 111, 255, 256, 257, 1000, 4097])
def test_limits(max_line_size: int, scan_path: str) -> None:
    """Lines up to the limit are accepted, and none over it."""
    for seed in SEEDS:
        data = make_lines(seed, 20_000)
        sizes = [len(line) for line in data.split(b"\n")[:-1]]
        found = run(cut(data, 7000), on_error="skip", max_line_size=max_line_size)
        use_scan_path("portable")
        assert found == run(cut(data, 7000), on_error="skip", max_line_size=max_line_size)
        use_scan_path(scan_path)
        assert found.lines == len(sizes)
        assert found.records <= sum(size <= max_line_size for size in sizes)


@pytest.mark.parametrize("path", scan_paths())
def test_room(path: str) -> None:
    """The output grows where results need more room than those of the chunk before."""
    use_scan_path(path)
    stream = RecordStream()
    for _ in range(2):
        for size, count in ((2000, 50), (0, 4000), (50, 1000)):
            line = b'{"id":"1","data":"%s"}\n' % (b"a" * size)
            result = b'{"id":"1","result":"processed_%s","status":"success"}\n' % (b"a" * size)
            assert stream.feed(line * count) == result * count
