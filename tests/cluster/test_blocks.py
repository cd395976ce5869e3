"""Splitting files into blocks, and blocks into pieces."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from types import ModuleType

BOM = b"\xef\xbb\xbf"


@pytest.fixture(scope="module")
def blocks() -> ModuleType:
    """The module, with pieces small enough to hit every boundary."""
    pytest.importorskip("distributed", reason="needs dask")
    from forstcore.cluster import _blocks

    return _blocks


@pytest.fixture(scope="module")
def small_pieces(blocks: ModuleType) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_FAR", 5)
        patch.setattr(blocks, "_BEYOND", 2)
        yield


def in_memory(contents: list[bytes]) -> list[str]:
    import fsspec

    system = fsspec.filesystem("memory")
    urls = [f"memory://blocks/{number}" for number in range(len(contents))]
    for url, content in zip(urls, contents, strict=True):
        system.pipe_file(url, content)
    return urls


def ended(content: bytes) -> bytes:
    return content + b"\n" if content and not content.endswith(b"\n") else content


lines = st.lists(st.sampled_from([b"\n", b"\r\n", b"a\n", b"bcd\n", b"x" * 23 + b"\n"]))
contents = st.tuples(st.sampled_from([b"", BOM, BOM + BOM]), lines, st.sampled_from([b"", b"end"]))


@pytest.mark.usefixtures("small_pieces")
@given(st.lists(contents, min_size=1, max_size=3), st.integers(1, 60))
def test_blocks_are_the_files(
    blocks: ModuleType, drawn: list[tuple[bytes, list[bytes], bytes]], size: int
) -> None:
    files = [mark + b"".join(lines) + end for mark, lines, end in drawn]
    system, found = blocks.files_at(in_memory(files), {})
    cut = blocks.blocks_of(found, size)
    assert all(block.end - block.start <= size for block in cut)
    read = [b"".join(blocks.pieces(system, block)) for block in cut]
    assert all(each.endswith(b"\n") for each in read if each)
    # The core skips the byte order mark of the first file.
    wanted = [files[0], *(each.removeprefix(BOM) or each[:0] for each in files[1:])]
    expected = [ended(each) for each in wanted]
    expected[1:] = [
        b"\n" if each == BOM else want for each, want in zip(files[1:], expected[1:], strict=True)
    ]
    assert b"".join(read) == b"".join(expected)
    counted = [blocks.count(system, block) for block in cut]
    assert counted == [each.count(b"\n") for each in read]
    before: dict[str, int] = {}
    total = 0
    for block, several in zip(blocks.numbered(cut, counted), counted, strict=True):
        in_file = before.get(block.file.name, 0)
        assert (block.first_line, block.line_in_file) == (total + 1, in_file + 1)
        before[block.file.name] = in_file + several
        total += several


def test_a_line_over_many_blocks_is_read_twice_at_most(
    blocks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"x" * 1_000_000 + b"\nlast\n")
    system, files = blocks.files_at(path, {})
    cut = blocks.blocks_of(files, 10_000)
    monkeypatch.setattr(blocks, "_NEAR", 4096)
    sizes: list[int] = []
    read = system.cat_file

    def counted(*arguments: Any, **options: Any) -> bytes:
        data: bytes = read(*arguments, **options)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(system, "cat_file", counted)
    outputs = [b"".join(blocks.pieces(system, block)) for block in cut]
    assert [len(output) for output in outputs if output] == [1_000_001, 5]
    # Blocks within the line read only their own bytes; its end is read twice.
    assert sum(sizes) < 2 * path.stat().st_size + 2 * len(cut) * blocks._NEAR


def test_compressed_files_are_one_block(blocks: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "in.gz"
    path.write_bytes(gzip.compress(BOM) + gzip.compress(b"a\n" * 10_000 + b"b"))
    system, files = blocks.files_at([path, path], {})
    first, second = blocks.blocks_of(files, 10)
    assert (first.start, first.end) == (0, path.stat().st_size)
    assert b"".join(blocks.pieces(system, first)) == BOM + b"a\n" * 10_000 + b"b\n"
    assert b"".join(blocks.pieces(system, second)) == b"a\n" * 10_000 + b"b\n"


def test_a_file_that_shrinks_is_an_error(blocks: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"a\n" * 100)
    system, files = blocks.files_at(path, {})
    path.write_bytes(b"a\n")
    with pytest.raises(OSError, match=r"has changed while it was read.*in"):
        list(blocks.pieces(system, blocks.blocks_of(files, 1000)[0]))


def test_what_is_no_file_is_named(blocks: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        blocks.files_at(tmp_path / "nothing", {})
    with pytest.raises(FileNotFoundError, match=r"matches no files.*\*.nd"):
        blocks.files_at(str(tmp_path / "*.nd"), {})
    with pytest.raises(IsADirectoryError, match="its files are"):
        blocks.files_at(tmp_path, {})
