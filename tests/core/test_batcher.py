"""Batches of whole lines, cut from chunks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore import RecordError, RecordStream, StreamStateError
from forstcore._proc import Batcher, check_object, count_lines
from tests.core.json_cases import BAD, GOOD


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.binary(max_size=200).map(lambda data: data.replace(b"x", b"\n")), st.integers(1, 50))
def test_nothing_is_lost(data: bytes, size: int) -> None:
    batcher = Batcher(max_line_size=1000)
    batches = [batcher.feed(piece) for piece in pieces(data, size)]
    assert all(batch.endswith(b"\n") for batch in batches if batch)
    assert batcher.pending == len(data) - data.rfind(b"\n") - 1
    last = batcher.finish()
    assert b"".join(batches) + last == data + b"\n" * (data[-1:] not in (b"", b"\n"))
    assert batcher.lines == (b"".join(batches) + last).count(b"\n")


LINES = [b"x" * 9 + b"\n", b"x" * 10 + b"\n", b"x" * 11 + b"\n", b"y" * 99 + b"\n", b"\n", b"{}\n"]


@given(st.lists(st.sampled_from(LINES), max_size=8), st.integers(1, 120), st.booleans())
def test_batches_say_what_the_stream_says(lines: list[bytes], size: int, ended: bool) -> None:
    """Long lines too are the same error at the same place, however they were cut."""
    data = b"".join(lines)
    data = data if ended else data[:-1]
    whole = RecordStream(on_error="emit", max_line_size=10)
    expected = whole.feed(data) + whole.finish()
    batcher = Batcher(max_line_size=10)
    out = b""
    done = 0
    feeds: list[Callable[[], bytes]] = [
        partial(batcher.feed, piece) for piece in pieces(data, size)
    ]
    for batch in (call() for call in [*feeds, batcher.finish]):
        stream = RecordStream(on_error="emit", max_line_size=10, first_line=done + 1)
        out += stream.feed(batch) + stream.finish()
        done = batcher.lines
    assert out == expected


def test_a_line_without_end_is_not_kept() -> None:
    batcher = Batcher(max_line_size=100)
    for _ in range(1000):
        assert batcher.feed(b"x" * 1000) == b""
        assert batcher.pending == 101
    assert batcher.feed(b"\n1\n") == b"x" * 101 + b"\n1\n"


def test_after_the_end() -> None:
    batcher = Batcher()
    assert batcher.finish() == b""
    with pytest.raises(StreamStateError):
        batcher.feed(b"")
    with pytest.raises(StreamStateError):
        batcher.finish()


@pytest.mark.parametrize("size", [0, -1, (1 << 30) + 1, "1"])
def test_bad_size(size: Any) -> None:
    with pytest.raises(ValueError, match="max_line_size"):
        Batcher(max_line_size=size)


def test_objects_pass() -> None:
    for text in GOOD:
        check_object(b' {"a":' + text + b"} \r")


def test_others_are_refused_as_by_the_stream() -> None:
    for line in [*(b'{"a":' + text + b"}" for text in BAD), *GOOD, b"", b" "]:
        if line.strip().startswith(b"{") and line in GOOD:
            check_object(line)
            continue
        with pytest.raises(RecordError) as caught:
            check_object(line)
        if line.strip():
            stream = RecordStream(on_error="emit")
            out = stream.feed(line + b"\n")
            error = caught.value
            assert b'"offset":%d,"code":"%b"' % (error.offset, error.code.encode()) in out


@given(st.binary().map(lambda data: data.replace(b"x", b"\n") * 5))
def test_line_ends_are_counted(data: bytes) -> None:
    assert count_lines(data) == data.count(b"\n")
