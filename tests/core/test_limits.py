"""Long lines, bounded memory, bad options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from forstcore import _proc
from forstcore._proc import LineSplitter, RecordStream, process_block

from .driver import cut, run
from .reference import BOM

STATM = Path("/proc/self/statm")
MIB = 1 << 20


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def record(size: int) -> bytes:
    """Return a record of so many bytes."""
    return b'{"id":"' + b"a" * (size - 9) + b'"}'


def too_long(output: bytes, *, line: int, limit: int) -> bool:
    """Return whether the output begins with the error of a long line."""
    start = b'{"status":"error","line":%d,"offset":%d,"code":"line_too_long","message":"'
    return output.startswith(start % (line, limit))


NEXT = b'{"id":"next"}\n'
NEXT_RESULT = b'{"id":"next","result":"processed_","status":"success"}\n'
LIMITS = [15, 16, 17, 31, 32, 33, 64, 100, 1024, 4095, 4096, 65_536]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("chunk", [1, 7, 1 << 30])
@pytest.mark.parametrize("end", [b"\n", b""], ids=["with LF", "without LF"])
def test_around_the_limit(limit: int, chunk: int, end: bytes) -> None:
    """A line as long as the limit is accepted, one byte more is an error."""
    for size in (limit - 1, limit):
        outcome = run(cut(NEXT + record(size) + end, chunk), max_line_size=limit)
        assert (outcome.lines, outcome.records, outcome.errors) == (2, 2, 0)
    for size in (limit + 1, limit + 2, 3 * limit):
        outcome = run(cut(NEXT + record(size) + end, chunk), max_line_size=limit)
        assert (outcome.lines, outcome.records, outcome.errors) == (2, 1, 1)
        assert too_long(outcome.output.removeprefix(NEXT_RESULT), line=2, limit=limit)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("chunk", [1, 7, 1 << 30])
def test_the_next_line_goes_on(limit: int, chunk: int) -> None:
    """After a long line the stream continues at the next LF, even inside of quotes."""
    data = (record(limit + 1) + b"\n" + NEXT) * 3 + b'"\\' * limit + b"\n" + NEXT
    outcome = run(cut(data, chunk), max_line_size=limit)
    assert (outcome.lines, outcome.records, outcome.errors) == (8, 4, 4)
    rows = outcome.output.splitlines(keepends=True)
    assert rows[1::2] == [NEXT_RESULT] * 4
    for number, row in enumerate(rows[::2]):
        assert too_long(row, line=2 * number + 1, limit=limit)
    assert run([data], on_error="skip", max_line_size=limit).output == NEXT_RESULT * 4


@pytest.mark.parametrize("chunk", [1, 2, 1 << 30])
@pytest.mark.parametrize("extra", [b"\r", b" ", BOM])
def test_every_byte_counts(chunk: int, extra: bytes) -> None:
    """CR, white space and BOM are part of the length."""
    line = extra + record(30) if extra == BOM else record(30) + extra
    assert run(cut(line + b"\n", chunk), max_line_size=len(line)).errors == 0
    outcome = run(cut(line + b"\n", chunk), max_line_size=len(line) - 1)
    assert too_long(outcome.output, line=1, limit=len(line) - 1)


@pytest.mark.parametrize("chunk", [1, 2, 1 << 30])
@pytest.mark.parametrize("line", [b" " * 9, b"\t" * 20, b"\r" * 9, b" " * 100])
def test_blank_but_too_long(chunk: int, line: bytes) -> None:
    """A long line is an error whatever is in it."""
    outcome = run(cut(line + b"\n" + b" " * 8 + b"\n", chunk), max_line_size=8)
    assert (outcome.lines, outcome.records, outcome.errors) == (2, 0, 1)
    assert too_long(outcome.output, line=1, limit=8)


@pytest.mark.parametrize("line", [b"{}\n", b"{}", b"\n"])
def test_smallest_limit(line: bytes) -> None:
    """The limit may be so small that only blank lines pass."""
    assert run([line], max_line_size=1).errors == line.count(b"{")
    assert run([line], max_line_size=2).errors == 0


def test_default_limit() -> None:
    """The default is one MiB."""
    assert _proc.DEFAULT_MAX_LINE_SIZE == MIB
    assert process_block(record(MIB)).startswith(b'{"id":"a')
    assert too_long(process_block(record(MIB + 1), on_error="emit"), line=1, limit=MIB)


def test_depth_constant() -> None:
    """The depth is the one that orjson has."""
    assert _proc.MAX_DEPTH == 1024


@pytest.mark.parametrize("on_error", ["skip", "emit"])
def test_rss_of_an_endless_line(on_error: Any) -> None:
    """Only the limit is ever kept of a line, however long it gets."""
    if not STATM.exists():
        pytest.skip("needs /proc")
    stream = RecordStream(on_error=on_error, max_line_size=1024)
    splitter = LineSplitter(max_line_size=1024)
    chunk = b"x" * 65_536
    before = resident()
    output = b""
    for _ in range(1024):
        output += stream.feed(chunk)
        assert splitter.feed(chunk) == []
    assert resident() - before < 16 * MIB
    output += stream.feed(b"\n" + NEXT) + stream.finish()
    assert output.endswith(NEXT_RESULT)
    assert splitter.feed(b"\n" + NEXT) == [NEXT.rstrip()]
    assert (stream.lines, stream.records, stream.errors) == (2, 1, 1)
    assert (splitter.lines, splitter.dropped) == (2, 1)
    assert stream.bytes_in == 1024 * 65_536 + 1 + len(NEXT)


def test_rss_of_many_unfinished_lines() -> None:
    """A stream gives back or reuses what its lines took."""
    if not STATM.exists():
        pytest.skip("needs /proc")
    stream = RecordStream()
    line = record(500_000)
    stream.feed(line + b"\n")
    before = resident()
    for _ in range(100):
        stream.feed(line[:400_000])
        stream.feed(line[400_000:] + b"\n")
    assert stream.records == 101
    assert resident() - before < 16 * MIB


BAD_SIZES = [0, -1, -(2**40), 2**30 + 1, 2**31, 2**63, 2**64, 2**70, -(2**70)]


@pytest.mark.parametrize("size", BAD_SIZES)
def test_bad_size(size: int) -> None:
    """An error about a size out of range names the option."""
    with pytest.raises(ValueError, match="max_line_size"):
        RecordStream(max_line_size=size)
    with pytest.raises(ValueError, match="max_line_size"):
        LineSplitter(max_line_size=size)
    with pytest.raises(ValueError, match="max_line_size"):
        process_block(b"", max_line_size=size)


@pytest.mark.parametrize("size", [1, 2**30])
def test_extreme_size(size: int) -> None:
    """Both ends of the range are fine."""
    assert RecordStream(max_line_size=size).finish() == b""
    assert LineSplitter(max_line_size=size).finish() == []
    assert process_block(b"\n", max_line_size=size) == b""


@pytest.mark.parametrize(
    "mode", ["", "Skip", "skip ", "emit\0", "ignore", "raise", "\u00e9", "\ud800"]
)
def test_bad_mode(mode: Any) -> None:
    """An error about an unknown mode names the option."""
    with pytest.raises(ValueError, match="on_error"):
        RecordStream(on_error=mode)
    with pytest.raises(ValueError, match="on_error"):
        process_block(b"", on_error=mode)


@pytest.mark.parametrize("option", ["on_error", "max_line_size"])
@pytest.mark.parametrize("value", [None, "1024", 1.5, b"skip", [], object()])
def test_option_of_bad_type(option: str, value: Any) -> None:
    """A value of the wrong type is rejected too."""
    options: dict[str, Any] = {option: value}
    with pytest.raises((TypeError, ValueError)):
        RecordStream(**options)
    with pytest.raises((TypeError, ValueError)):
        process_block(b"", **options)


def test_options_have_names() -> None:
    """Options are keyword-only, and unknown ones are rejected."""
    stream: Any = RecordStream
    block: Any = process_block
    with pytest.raises(TypeError):
        stream("skip")
    with pytest.raises(TypeError):
        stream(limit=1)
    with pytest.raises(TypeError):
        block(b"", "skip")


@pytest.mark.parametrize("growth", [0, 0.99, 64.1, float("nan"), float("inf"), "3", None])
def test_a_growth_out_of_range(growth: Any) -> None:
    with pytest.raises(ValueError, match="growth must be a number from 1 to 64"):
        RecordStream(growth=growth)


@pytest.mark.parametrize("growth", [1, 3.0, 64])
def test_a_growth_is_a_guess(growth: float) -> None:
    data = b'{"id":"1","data":"%b"}\n' % (b"x" * 40) * 1000
    stream = RecordStream(growth=growth)
    assert stream.growth == growth
    output = stream.feed(data)
    assert output == RecordStream().feed(data)
    assert len(output) < stream.growth * len(data) < 1.1 * len(output)
