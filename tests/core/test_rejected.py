"""The rejected lines that the core returns separately from the results."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore import (
    Filter,
    RecordStream,
    RejectedLine,
    RejectedLines,
    StreamStateError,
    parse_record,
)
from forstcore.errors import RecordError

from .driver import held

MOST = 30
LINES = [
    b'{"id":"1"}',
    b'{"id":"2","data":"x"}',
    b'{"id":2}',
    b'{"data":\xff}',
    b"[]",
    b"nope",
    b"nope\r",
    b" \t",
    b"",
    b'{"id":"' + b"x" * MOST + b'"}',
    b"x" * (3 * MOST),
]


def expected(data: bytes, most: int = MOST) -> list[tuple[Any, ...]]:
    """Say which lines are rejected, by reading each for itself."""
    found = []
    for number, line in enumerate(data.split(b"\n"), 1):
        raw = line[:most]
        if len(line) > most:
            found.append((number, most, "line_too_long", raw))
            continue
        skipped = 3 if number == 1 and line.startswith(b"\xef\xbb\xbf") else 0
        if line[skipped:].strip(b" \t\r"):
            try:
                parse_record(line[skipped:])
            except RecordError as error:
                found.append((number, error.offset + skipped, error.code, raw))
    return found


@given(
    st.lists(st.sampled_from(LINES), max_size=12),
    st.lists(st.integers(1, 60), max_size=8),
    st.booleans(),
    st.sampled_from(["skip", "emit"]),
)
def test_what_is_reported_is_what_is_wrong(
    lines: list[bytes], sizes: list[int], mark: bool, mode: Literal["skip", "emit"]
) -> None:
    whole = data = (b"\xef\xbb\xbf" if mark else b"") + b"\n".join(lines)
    stream = RecordStream(on_error=mode, max_line_size=MOST, keep_rejected=True)
    plain = RecordStream(on_error=mode, max_line_size=MOST)
    reported = []
    pieces: list[bytes | None] = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    for piece in [*pieces, data, None]:
        output = stream.finish() if piece is None else stream.feed(piece)
        assert output == (plain.finish() if piece is None else plain.feed(piece))
        rejected = stream.take_rejected()
        assert stream.take_rejected() is None
        if rejected is None:
            continue
        assert len(rejected) == len(list(rejected)) > 0
        reported += [(each.line, each.offset, each.code, each.raw) for each in rejected]
        places = rejected.places
        assert len(places) == (len(rejected) if mode == "emit" else 0)
        assert rejected.places_text == " ".join(map(str, places)).encode()
        for each, place in zip(rejected, places, strict=False):
            error = json.loads(output.split(b"\n")[place - 1])
            assert error == {
                "status": "error",
                **{"line": each.line, "offset": each.offset},
                **{"code": each.code, "message": each.message},
            }
    assert reported == expected(whole)
    assert len(reported) == stream.errors


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes(data: bytes, size: int) -> None:
    stream = RecordStream(on_error="emit", max_line_size=MOST, keep_rejected=True)
    reported = []
    for at in range(0, len(data) + 1, size):
        stream.feed(data[at : at + size])
        reported += [(e.line, e.offset, e.code, e.raw) for e in stream.take_rejected() or ()]
    stream.finish()
    reported += [(e.line, e.offset, e.code, e.raw) for e in stream.take_rejected() or ()]
    assert reported == expected(data)


def test_fail_tells_of_the_line_that_failed() -> None:
    stream = RecordStream(on_error="fail", keep_rejected=True, first_line=100)
    stream.feed(b'{"id":"1"}\n{"id":2}\n{"id":3}\n')
    rejected = stream.take_rejected()
    assert rejected is not None
    message = "member 'id' must be a string or null"
    assert list(rejected) == [RejectedLine(101, 6, "wrong_type", message, b'{"id":2}')]
    assert rejected.places == [2]
    with pytest.raises(RecordError):
        stream.finish()
    assert stream.take_rejected() is None


def test_nothing_is_kept_unless_asked_for() -> None:
    stream = RecordStream(on_error="emit")
    stream.feed(b"nope\n")
    assert stream.take_rejected() is None
    stream = RecordStream(keep_rejected=True)
    stream.feed(b"nope\n")
    stream.feed(b'{"id":"1"}\n')
    assert stream.take_rejected() is None  # Only those of the last call.


def test_filters_reject_nothing() -> None:
    stream = RecordStream(filter=Filter({"id": "1"}), keep_rejected=True)
    stream.feed(b'{"id":"1"}\n{"id":"2"}\n{"id":}\n')
    rejected = stream.take_rejected()
    assert rejected is not None
    assert [(each.line, each.raw) for each in rejected] == [(3, b'{"id":}')]


@pytest.mark.parametrize("message", ["no price", 'a "quote" and \x01', "x" * 300, "\xe9" * 200])
def test_native_refusals(cases: ModuleType, message: str) -> None:
    stream = RecordStream(processor=cases.refuse, on_error="emit", keep_rejected=True)
    record = json.dumps({"why": message}, ensure_ascii=False).encode()
    output = stream.feed(record + b"\nnope\n" + record + b"\n")
    rejected = stream.take_rejected()
    assert rejected is not None
    assert [each.code for each in rejected] == [
        "processor_failed",
        "invalid_json",
        "processor_failed",
    ]
    assert [each.raw for each in rejected] == [record, b"nope", record]
    reported = [json.loads(line)["message"] for line in output.splitlines()]
    for each, text in zip(rejected, reported, strict=True):
        assert each.message.startswith(text)
        assert text


def test_several_results_count_as_lines(cases: ModuleType) -> None:
    stream = RecordStream(processor=cases.repeat, on_error="emit", keep_rejected=True)
    record = b'{"text":"x","times":%d}\n'
    data = record % 3 + b"nope\n" + record % 0 + record % 2 + b"[]\n"
    output = stream.feed(data).splitlines()
    rejected = stream.take_rejected()
    assert rejected is not None
    assert [json.loads(output[place - 1])["line"] for place in rejected.places] == [2, 5]


def test_memory_is_bounded_by_the_call() -> None:
    stream = RecordStream(keep_rejected=True)
    for _ in range(3):
        stream.feed(b"x\n" * 100_000)
        rejected = stream.take_rejected()
        assert rejected is not None
        assert len(rejected) == 100_000
        assert rejected.size <= 2 * 41 * 100_000
    long = b"x" * 100_000
    stream = RecordStream(keep_rejected=True, max_line_size=1000)
    for _ in range(100):
        stream.feed(long)
    stream.finish()
    assert stream.errors == 1


def test_another_thread_cannot_take_while_a_call_runs(cases: ModuleType) -> None:
    stream = RecordStream(keep_rejected=True, processor=cases.hold)
    with held(cases, stream, b"x\n" * 1000), pytest.raises(StreamStateError):
        stream.take_rejected()
    assert stream.errors == 1000


def test_lines_of_several_outputs_together() -> None:
    first, second, both = RejectedLines(), RejectedLines(), RejectedLines()
    first.add(1, 2, "a", "b", b"c", 1)
    first.add(2, 0, "", "é", b"", 0)
    second.add(7, 0, "code", "m" * 100_000, b"\xff", 2)
    both.extend(first, 0)
    both.extend(second, 10)
    both.extend(RejectedLines(), 20)
    assert list(both)[:2] == list(first) == [(1, 2, "a", "b", b"c"), (2, 0, "", "é", b"")]
    assert list(both)[2][:3] == (7, 0, "code")
    assert (both.places, second.places, len(both)) == ([1, 12], [2], 3)
    assert both.size >= first.size
