"""The rest of an input whose start went to another stream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore import RecordError, RecordStream, process_block

LINES = [
    b'{"id":"1","data":"a"}\n',
    b"{}}\n",
    b"\n",
    b'{"id":7}\n',
    b"x" * 40 + b"\n",
    b'\xef\xbb\xbf{"id":"2"}\n',
]


def run(data: bytes, **options: Any) -> bytes:
    stream = RecordStream(on_error="emit", max_line_size=32, **options)
    return stream.feed(data) + stream.finish()


@given(st.lists(st.sampled_from(LINES), max_size=12), st.data())
def test_two_streams_say_what_one_does(lines: list[bytes], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(lines)))
    start, rest = b"".join(lines[:cut]), b"".join(lines[cut:])
    assert run(start) + run(rest, first_line=cut + 1) == run(start + rest)


def test_errors_are_numbered_from_it() -> None:
    out = run(b"".join(LINES), first_line=1001)
    numbers = [json.loads(line).get("line") for line in out.splitlines()]
    assert numbers == [None, 1002, 1004, 1005, 1006]


def test_the_counters_are_of_this_stream_alone() -> None:
    stream = RecordStream(on_error="emit", first_line=1 << 62)
    assert b'"line":4611686018427387904,' in stream.feed(b"{\n")
    assert (stream.lines, stream.errors) == (1, 1)


def test_the_exception_tells_the_same_line() -> None:
    stream = RecordStream(on_error="fail", first_line=8)
    stream.feed(LINES[0] + b"{\n")
    with pytest.raises(RecordError) as caught:
        stream.feed(b"")
    assert caught.value.line == 9


def test_a_bom_counts_at_the_start_of_the_input_only() -> None:
    assert run(LINES[5]) == process_block(LINES[5][3:])
    assert b'"line":2,"offset":0,"code":"invalid_json"' in run(LINES[5], first_line=2)


@pytest.mark.parametrize("number", [0, -1, (1 << 62) + 1, "1", 1.0, None])
def test_bad_numbers(number: Any) -> None:
    with pytest.raises(ValueError, match="first_line"):
        RecordStream(first_line=number)
