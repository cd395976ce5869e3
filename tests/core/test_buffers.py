"""Every bytes-like object is an input."""

from __future__ import annotations

import array
import mmap
from collections.abc import Callable
from typing import Any

import pytest

from forstcore import LineSplitter, RecordStream, parse_record, process_block

# A multiple of eight bytes, to fit into an array of any type.
DATA = b'{"id":"1","data":"abc"}'.ljust(31, b" ") + b"\n"
OUTPUT = b'{"id":"1","result":"processed_abc","status":"success"}\n'


def feed(buffer: Any) -> object:
    """Give a buffer to a stream."""
    return RecordStream(on_error="fail").feed(buffer)


def split(buffer: Any) -> object:
    """Give a buffer to a splitter."""
    return LineSplitter().feed(buffer)


def mapped(data: bytes) -> mmap.mmap:
    """Give anonymous mapped memory with this content."""
    area = mmap.mmap(-1, len(data))
    area[:] = data
    return area


CALLS: list[Callable[[Any], object]] = [feed, process_block, parse_record, split]
RIGHT: list[object] = [OUTPUT, OUTPUT, {"id": "1", "data": "abc"}, [DATA[:-1]]]
CALLS_AND_RESULTS = list(zip(CALLS, RIGHT, strict=True))
BUFFERS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: DATA,
    "bytearray": lambda: bytearray(DATA),
    "memoryview": lambda: memoryview(DATA),
    "writable memoryview": lambda: memoryview(bytearray(DATA)),
    "readonly memoryview": lambda: memoryview(bytearray(DATA)).toreadonly(),
    "slice": lambda: memoryview(b"{[" + DATA + b"]}")[2:-2],
    "slice of a slice": lambda: memoryview(b"{[" + DATA + b"]}")[1:-1][1:-1],
    "cast to signed": lambda: memoryview(DATA).cast("b"),
    "cast to chars": lambda: memoryview(DATA).cast("c"),
    "cast to ints": lambda: memoryview(DATA).cast("I"),
    "two dimensions": lambda: memoryview(DATA).cast("B", [4, 8]),
    "mmap": lambda: mapped(DATA),
    "array of bytes": lambda: array.array("B", DATA),
    "array of ints": lambda: array.array("H", DATA),
    "array of floats": lambda: array.array("d", DATA),
}


@pytest.mark.parametrize(("call", "right"), CALLS_AND_RESULTS)
@pytest.mark.parametrize("make", BUFFERS.values(), ids=BUFFERS)
def test_kinds(call: Callable[[Any], object], right: object, make: Callable[[], Any]) -> None:
    """All kinds of buffers give the same."""
    assert call(make()) == right


class Bytes(bytes):
    """A subclass of bytes."""


@pytest.mark.parametrize(("call", "right"), CALLS_AND_RESULTS)
def test_subclass(call: Callable[[Any], object], right: object) -> None:
    """A subclass counts as its base."""
    assert call(Bytes(DATA)) == right


STRIDED: dict[str, Callable[[], memoryview]] = {
    "every second": lambda: memoryview(DATA)[::2],
    "backwards": lambda: memoryview(DATA)[::-1],
    "every second int": lambda: memoryview(DATA).cast("I")[::2],
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("make", STRIDED.values(), ids=STRIDED)
def test_not_contiguous(call: Callable[[Any], object], make: Callable[[], memoryview]) -> None:
    """Bytes that do not lie side by side are refused."""
    with pytest.raises(BufferError):
        call(make())


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("value", ["{}", "", None, 1, 1.5, [], [1], (b"{}",), {}, object(), bytes])
def test_no_buffer(call: Callable[[Any], object], value: object) -> None:
    """An object that is not a buffer is refused."""
    with pytest.raises(TypeError):
        call(value)


def test_released_memoryview() -> None:
    """A view that was released is refused as Python refuses it."""
    view = memoryview(DATA)
    view.release()
    for call in CALLS:
        with pytest.raises(ValueError, match="released"):
            call(view)


def test_a_refused_argument_changes_nothing() -> None:
    """After an invalid argument the stream can still be used."""
    stream = RecordStream()
    odd: Any = stream
    assert stream.feed(DATA[:10]) == b""
    with pytest.raises(TypeError):
        odd.feed("x")
    with pytest.raises(TypeError):
        odd.feed()
    with pytest.raises(BufferError):
        stream.feed(memoryview(DATA)[::2])
    assert stream.feed(DATA[10:]) == OUTPUT
    assert stream.bytes_in == len(DATA)
    assert (stream.lines, stream.errors) == (1, 0)


EMPTY: list[Callable[[], Any]] = [
    lambda: b"",
    bytearray,
    lambda: memoryview(b""),
    lambda: memoryview(DATA)[5:5],
    lambda: array.array("B"),
    lambda: array.array("d"),
]


@pytest.mark.parametrize("make", EMPTY)
def test_empty(make: Callable[[], Any]) -> None:
    """An empty buffer is no line."""
    assert process_block(make(), on_error="fail") == b""
    assert LineSplitter().feed(make()) == []
    stream = RecordStream(on_error="fail")
    assert stream.feed(DATA[:5]) + stream.feed(make()) + stream.feed(DATA[5:]) == OUTPUT
    assert stream.feed(make()) == b""


def test_the_input_is_copied() -> None:
    """A buffer may be used again as soon as the call is over."""
    buffer = bytearray(b'{"id":"1","da')
    stream = RecordStream()
    splitter = LineSplitter()
    stream.feed(buffer)
    splitter.feed(buffer)
    buffer[:] = b'ta":"abc"}\nxx'
    assert stream.feed(buffer) == OUTPUT
    assert splitter.feed(buffer) == [b'{"id":"1","data":"abc"}']
    buffer[:] = b"y" * len(buffer)
    assert splitter.finish() == [b"xx"]


def test_the_input_is_left_alone() -> None:
    """Nothing is written into the caller's memory."""
    buffer = bytearray(DATA * 10 + b'{"id":')
    before = bytes(buffer)
    process_block(buffer, on_error="emit")
    stream = RecordStream(on_error="emit")
    stream.feed(buffer)
    stream.finish()
    assert bytes(buffer) == before
