"""Output and counters never depend on how the input was cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forstcore._proc import RecordStream, process_block

from .driver import cut, run
from .reference import BOM, OnError
from .strategies import chunked, inputs

MODES: list[OnError] = ["skip", "emit", "fail"]

HOSTILE = {
    "plain": b'{"id":"1","data":"a"}\n{"id":"2","data":"b"}\n',
    "no last LF": b'{"id":"1","data":"a"}\n{"id":"2"}',
    "BOM": BOM + b'{"id":"1"}\n' + BOM + b"{}\n{}",
    "half a BOM": BOM[:2] + b'{"id":"1"}\n{}',
    "BOM and blanks": BOM + b" \r\n\r\n{}\n",
    "CRLF": b'{"id":"1"}\r\n\r\n \t\r\n{"data":"a"}\r\n\r',
    "escapes": rb'{"i\u0064":"\ud83d\ude00\\","\u0064ata":"\"\\\""}' + b'\n{"id":"\\u00e9"}\n',
    "UTF-8": '{"id":"é€😀","data":"\ufeff"}\n{"é":"😀"}\n'.encode(),
    "bad escapes": rb'{"id":"\ud83d"}' + b"\n" + rb'{"id":"\x"}' + b'\n{"id":"\\\n"}\n{}\n',
    "bad UTF-8": b'{"id":"\xe2\x82"}\n{"id":"\xc0\x80\xff"}\n\xff\n"\xf0\x9f\n\x98\x80"\n{}\n',
    "faults": b'{"id":1}\n{"id":1,"id":"1"}\n[1]\n{"a":01}\n{}{}\n"\n{"id":"a\n{}\nnul\n\x00\n',
    "numbers": b'{"a":-1.5e+30,"b":1e999}\n{"a":0.}\n{"a":1e308,"id":"1"}\n',
    "unfinished": b'{"id":"1"}\n{"id":"2","data":',
    "long lines": b"x" * 70
    + b'\n{"id":"'
    + b"y" * 55
    + b'"}\n{"id":"'
    + b"z" * 56
    + b'"}\n{}\n'
    + b"w" * 65,
    "exactly long": b"[" * 64
    + b"\n"
    + b" " * 64
    + b"\n"
    + b" " * 65
    + b"\n"
    + b"]" * 64
    + b"\r\n{}",
    "long line at the end": b"{}\n" + b" " * 100,
    "long first line": BOM + b" " * 61 + b"\n" + BOM + b" " * 62 + b"\n{}\n",
    "deep": b'{"a":' + b"[" * 1024 + b"]" * 1024 + b'}\n{"a":' + b"[" * 50 + b"]" * 50 + b"}\n{}\n",
    "empty": b"",
    "LFs": b"\n\n\n",
}
# Small enough that some of the lines above are too long.
LIMIT = 64


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("on_error", MODES)
@pytest.mark.parametrize("limit", [LIMIT, 1 << 20])
def test_every_cut(data: bytes, on_error: OnError, limit: int) -> None:
    """Cut in two at every place."""
    whole = run([data], on_error=on_error, max_line_size=limit)
    for at in range(len(data) + 1):
        parts = [data[:at], data[at:]]
        assert run(parts, on_error=on_error, max_line_size=limit) == whole, at


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("on_error", MODES)
@pytest.mark.parametrize("limit", [LIMIT, 1 << 20])
def test_equal_chunks(data: bytes, on_error: OnError, limit: int) -> None:
    """Cut into small pieces, down to one byte at a time."""
    whole = run([data], on_error=on_error, max_line_size=limit)
    for size in (1, 2, 3, 7, 16, 63, 64, 65):
        parts = cut(data, size)
        assert run(parts, on_error=on_error, max_line_size=limit) == whole, size


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("limit", [LIMIT, 1 << 20])
def test_block_is_the_same(data: bytes, limit: int) -> None:
    """A block gives what a stream gives."""
    for mode in MODES[:2]:
        whole = run([data], on_error=mode, max_line_size=limit)
        assert process_block(data, on_error=mode, max_line_size=limit) == whole.output


@pytest.mark.parametrize("name", ["plain", "CRLF", "escapes", "UTF-8", "bad escapes", "faults"])
def test_prompt(name: str) -> None:
    """After every byte the results of all whole lines so far are out."""
    data = HOSTILE[name]
    stream = RecordStream(on_error="emit")
    output = b""
    for at in range(len(data)):
        output += stream.feed(data[at : at + 1])
        lines = data[: data.rfind(b"\n", 0, at + 1) + 1]
        assert output == process_block(lines, on_error="emit")
        assert stream.lines == lines.count(b"\n")
        assert stream.bytes_out == len(output)


@settings(max_examples=settings().max_examples * 2)
@given(chunked(inputs()), st.sampled_from(MODES), st.integers(1, 120))
def test_random_cuts(chunks: list[bytes], on_error: OnError, limit: int) -> None:
    """Random inputs, cut at random, with limits around the lengths of their lines."""
    whole = run([b"".join(chunks)], on_error=on_error, max_line_size=limit)
    assert run(chunks, on_error=on_error, max_line_size=limit) == whole


COUNT = 1_000_000


@pytest.fixture(scope="module")
def million() -> tuple[bytes, bytes]:
    """Give a million records and their results."""
    data = b"".join([b'{"id":"%d","data":"x%d"}\n' % (n, n) for n in range(COUNT)])
    results = b"".join(
        [
            b'{"id":"%d","result":"processed_x%d","status":"success"}\n' % (n, n)
            for n in range(COUNT)
        ]
    )
    return data, results


@pytest.mark.parametrize("size", [100, 4096, 65_537, 1 << 20, 1 << 30])
def test_a_million_records(million: tuple[bytes, bytes], size: int) -> None:
    """All that goes in comes out, in order."""
    data, results = million
    stream = run(cut(data, size), on_error="fail")
    # Comparing first keeps a failure from printing a hundred megabytes.
    same = stream.output == results
    assert same
    assert (stream.lines, stream.records, stream.errors) == (COUNT, COUNT, 0)
