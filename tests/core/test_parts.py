"""Feeding a chunk part by part: the same bytes and counters, in results of a bounded size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore import Filter, RecordStream, RejectedLine
from forstcore._proc import PASS_ON
from tests.core.reference import OnError
from tests.core.strategies import inputs
from tests.native import build

MODES: list[OnError] = ["skip", "emit", "fail"]


def counters(stream: RecordStream) -> tuple[object, ...]:
    return (
        stream.lines,
        stream.records,
        stream.errors,
        stream.results,
        stream.filtered,
        stream.bytes_in,
        stream.bytes_out,
        stream.errors_by_code(),
        stream.failed,
    )


def in_parts(stream: RecordStream, chunk: bytes, most: int) -> list[bytes]:
    """Feed a chunk part by part, as the server does."""
    parts: list[bytes] = []
    rest = memoryview(chunk)
    while rest:
        before = stream.bytes_in
        parts.append(stream.feed_part(rest, most))
        assert 0 < stream.taken <= len(rest)
        assert stream.bytes_in == before + stream.taken
        rest = rest[stream.taken :]
        if stream.failed:
            break
    return parts


OPTIONS: list[dict[str, Any]] = [
    {},
    {"processor": PASS_ON},
    {"filter": Filter({"id": {"ne": "1"}})},
]


@given(
    inputs(),
    st.sampled_from(MODES),
    st.sampled_from(OPTIONS),
    st.integers(1, 400),
    st.integers(1, 100),
)
def test_as_fed_at_once(
    data: bytes, mode: OnError, options: dict[str, Any], most: int, size: int
) -> None:
    whole = RecordStream(on_error=mode, max_line_size=100, **options)
    parted = RecordStream(on_error=mode, max_line_size=100, **options)
    for start in range(0, len(data), size):
        chunk = data[start : start + size]
        expected = whole.feed(chunk)
        assert b"".join(in_parts(parted, chunk, most)) == expected
        if whole.failed:
            break
    else:
        assert parted.finish() == whole.finish()
    if not whole.failed:
        assert counters(parted) == counters(whole)
    assert parted.lines == whole.lines


@pytest.mark.parametrize("mode", ["emit", "skip"])
@pytest.mark.parametrize("line", [b"x\n", b"{}\n", b'"\n', b"\n", b'{"id":"1","data":"x"}\n'])
def test_each_part_is_bounded(line: bytes, mode: OnError) -> None:
    data = line * (131_072 // len(line))
    for options in OPTIONS:
        whole = RecordStream(on_error=mode, **options).feed(data)
        parts = in_parts(RecordStream(on_error=mode, **options), data, 1 << 16)
        assert b"".join(parts) == whole
        # There is room for what of the input is left, and results may take that too.
        assert max(map(len, parts)) < (1 << 16) + len(data) // 2
        assert len(parts) <= len(whole) // (1 << 16) + 1


def test_a_line_that_began_in_an_earlier_chunk_comes_first() -> None:
    stream, whole = RecordStream(on_error="emit"), RecordStream(on_error="emit")
    start, rest = b'{"id":"' + b"x" * 5000, b'"}\n' + b"x\n" * 1000 + b'{"id":"'
    assert stream.feed(start) + whole.feed(start) == b""
    parts = in_parts(stream, rest, 100)
    assert len(parts) > 5
    assert b"".join(parts) == whole.feed(rest)
    assert parts[0].startswith(b'{"id":"xxx')


def test_the_tail_is_kept_behind_the_last_part() -> None:
    stream = RecordStream(on_error="emit")
    parts = in_parts(stream, b"x\n" * 100 + b'{"id":"1"', 1000)
    assert len(parts) > 5
    assert stream.feed(b"}\n") == b'{"id":"1","result":"processed_","status":"success"}\n'
    assert stream.lines == 101


def test_results_of_native_processors_are_bounded_by_the_record(tmp_path: Path) -> None:
    cases = build(Path(__file__).parent.parent / "native" / "cases.c", tmp_path)
    line = b'{"times":1000,"text":"y"}\n'
    stream = RecordStream(processor=cases.repeat)
    parts = in_parts(stream, line * 100, 1 << 12)
    assert b"".join(parts) == RecordStream(processor=cases.repeat).feed(line * 100)
    assert max(map(len, parts)) < (1 << 12) + 2 * len(line) * 100


@pytest.mark.parametrize("mode", ["emit", "skip"])
@pytest.mark.parametrize("options", OPTIONS)
def test_rejected_lines_are_bounded_too(mode: OnError, options: dict[str, Any]) -> None:
    data = b'x\n{"id":"2"}\n' * 5000
    whole = RecordStream(on_error=mode, keep_rejected=True, **options)
    results = whole.feed(data)
    expected = whole.take_rejected()
    assert expected is not None
    parted = RecordStream(on_error=mode, keep_rejected=True, **options)
    rest, output = memoryview(data), b""
    found: list[RejectedLine] = []
    while rest:
        output += parted.feed_part(rest, 1 << 18)
        rest = rest[parted.taken :]
        rejected = parted.take_rejected()
        if rejected is not None:
            assert len(rejected) <= 500
            found += rejected
    assert (output, found) == (results, list(expected))
    assert counters(parted) == counters(whole)
