"""LineSplitter: splitting chunks into unchanged lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore import LineSplitter, StreamStateError

from .strategies import chunked


def split(chunks: list[bytes], limit: int = 1 << 20) -> tuple[list[bytes], int, int]:
    """Split a whole input; return the lines and both counters."""
    splitter = LineSplitter(max_line_size=limit)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.finish()
    return lines, splitter.lines, splitter.dropped


def expected(data: bytes, limit: int) -> tuple[list[bytes], int, int]:
    """Return the lines and counters that splitting must give."""
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    kept = [line for line in lines if len(line) <= limit]
    return kept, len(lines), len(lines) - len(kept)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\n\nb\n", [b"a", b"", b"b"]),
        (b"a\r\nb\r\n", [b"a\r", b"b\r"]),
        (b"a\rb\n", [b"a\rb"]),
        (b"\r\n\r", [b"\r", b"\r"]),
        (b" \n\t\n", [b" ", b"\t"]),
        (b"\x00\n\xff\xfe\n\x0b\x0c\x1c\x85", [b"\x00", b"\xff\xfe", b"\x0b\x0c\x1c\x85"]),
        ("\u2028\n\u0085".encode(), ["\u2028".encode(), "\u0085".encode()]),
        (b'{"a":1}\n[', [b'{"a":1}', b"["]),
    ],
)
def test_lines(data: bytes, lines: list[bytes]) -> None:
    """LF alone ends a line; all other bytes stay."""
    assert split([data]) == (lines, len(lines), 0)
    for cut in range(len(data) + 1):
        assert split([data[:cut], data[cut:]]) == (lines, len(lines), 0)


def test_lines_come_at_once() -> None:
    """A feed gives the lines that it completes."""
    splitter = LineSplitter()
    assert splitter.feed(b"a") == []
    assert splitter.feed(b"") == []
    assert splitter.feed(b"b\nc\nd") == [b"ab", b"c"]
    assert splitter.lines == 2
    assert splitter.feed(b"\n") == [b"d"]
    assert splitter.finish() == []
    assert splitter.lines == 3


def test_tail() -> None:
    """The last line needs no LF."""
    splitter = LineSplitter()
    assert splitter.feed(b"a\nb\r") == [b"a"]
    assert splitter.finish() == [b"b\r"]
    with pytest.raises(StreamStateError):
        splitter.finish()


@pytest.mark.parametrize("limit", [1, 2, 15, 16, 17, 64, 1000])
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_long_lines(limit: int, size: int) -> None:
    """Lines over the limit are dropped and counted, a last one too."""
    data = b"\n".join(b"x" * length for length in (limit, limit + 1, limit - 1, 5 * limit, limit))
    for end in (b"", b"\n", b"y", b"y\n", b"\n" + b"z" * (limit + 1)):
        whole = data + end
        chunks = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert split(chunks, limit) == expected(whole, limit)


def test_long_line_in_pieces() -> None:
    """A line is dropped once, however many chunks it takes."""
    splitter = LineSplitter(max_line_size=4)
    for _ in range(10):
        assert splitter.feed(b"xxx") == []
    assert splitter.feed(b"\nok\n") == [b"ok"]
    assert (splitter.lines, splitter.dropped) == (2, 1)


@given(
    chunked(st.lists(st.sampled_from([b"\n", b"\n", b"\r", b"a", b"bcd", b" " * 9])).map(b"".join)),
    st.integers(1, 12),
)
def test_random_input(chunks: list[bytes], limit: int) -> None:
    """However the input is cut, the lines are the same."""
    assert split(chunks, limit) == expected(b"".join(chunks), limit)


@given(chunked(st.binary(max_size=200)))
def test_nothing_is_lost(chunks: list[bytes]) -> None:
    """The lines put together again are the input."""
    data = b"".join(chunks)
    lines, count, dropped = split(chunks)
    assert b"\n".join(lines) == data.removesuffix(b"\n")
    assert (count, dropped) == (len(lines), 0)
