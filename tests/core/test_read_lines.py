"""Reading whole lines from files."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forstcore._core.lines import read_lines
from forstcore._proc import Batcher


class Cut(io.RawIOBase):
    """A file whose reads end where `sizes` say, and which is not ready for sizes of 0."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data = io.BytesIO(data)
        self._sizes = sizes

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        size = self._sizes.pop(0) if self._sizes else len(buffer)
        if size == 0:
            return None
        return self._data.readinto(memoryview(buffer)[:size])


def pieces_of(data: bytes, size: int, sizes: list[int]) -> list[bytes]:
    file = Cut(data, sizes)
    pieces: list[bytes] = []
    tail = b""
    while True:
        read = read_lines(file, size, tail)
        if read is not None:
            piece, tail = read
            if not piece:
                assert not tail
                return pieces
            pieces.append(piece)


texts = st.binary(max_size=300).map(lambda data: data.replace(b"x", b"\n"))


@given(texts, st.integers(1, 60), st.lists(st.integers(0, 60), max_size=30))
def test_nothing_is_lost(data: bytes, size: int, sizes: list[int]) -> None:
    pieces = pieces_of(data, size, sizes)
    assert b"".join(pieces) == data
    assert all(b"\n" not in piece or piece.endswith(b"\n") for piece in pieces)
    longest = max(map(len, data.split(b"\n")))
    assert all(len(piece) <= size + longest for piece in pieces)


@given(texts, st.integers(1, 60))
def test_batches_of_whole_lines_are_not_copied(data: bytes, size: int) -> None:
    batcher = Batcher(max_line_size=1000)
    out = []
    for piece in pieces_of(data, size, []):
        is_whole = batcher.pending == 0 and piece.endswith(b"\n")
        batch = batcher.feed(piece)
        assert (batch is piece) is is_whole
        out.append(batch)
    assert b"".join([*out, batcher.finish()]).removesuffix(b"\n") == data.removesuffix(b"\n")
    assert batcher.lines == data.count(b"\n") + (data[-1:] not in (b"", b"\n"))


def test_a_file_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"first\nsecond\nth")
    with path.open("rb", buffering=0) as file:
        assert read_lines(file, 8, b"") == (b"first\n", b"se")
        assert read_lines(file, 1000, b"se") == (b"second\n", b"th")
        assert read_lines(file, 1000, b"th") == (b"th", b"")
        assert read_lines(file, 1000, b"") == (b"", b"")


class Wrong(io.RawIOBase):
    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.kept: memoryview | None = None

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if isinstance(self.answer, Exception):
            raise self.answer
        self.kept = buffer
        return self.answer  # type: ignore[return-value]


def test_what_a_file_must_not_do() -> None:
    for answer in (-1, 11, 1 << 62):
        with pytest.raises(ValueError, match="another number of bytes"):
            read_lines(Wrong(answer), 10, b"x")
    with pytest.raises(OverflowError):
        read_lines(Wrong(1 << 70), 10, b"")
    with pytest.raises(TypeError):
        read_lines(Wrong("10"), 10, b"")
    with pytest.raises(OSError, match="broken"):
        read_lines(Wrong(OSError("broken")), 10, b"")
    with pytest.raises(ValueError, match="at least 1"):
        read_lines(io.BytesIO(), 0, b"")


def test_a_file_cannot_write_to_the_lines_later() -> None:
    file = Wrong(5)
    read_lines(file, 5, b"")
    assert file.kept is not None
    with pytest.raises(ValueError, match="released"):
        file.kept[0] = 1
