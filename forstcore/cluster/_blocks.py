"""Blocks: the units of work that input files are split into, and the lines of each block."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from forstcore._io.compressed import decompressed, is_compressed, read_some
from forstcore._proc import count_lines
from forstcore.cluster._filesystems import found_at, is_local

__all__ = ["Block", "InputFile", "blocks_of", "count", "files_at", "numbered", "pieces"]

_BOM = b"\xef\xbb\xbf"
_NEAR = 1 << 20  # Bytes per read from a local disk.
_FAR = 8 << 20  # Bytes per read from elsewhere, where each read is a request.
# HTTP headers that change with the file; the key of fsspec is only the URL.
_STAMPS = ("ETag", "Last-Modified", "Content-MD5", "Digest")
_BEYOND = 1 << 16  # Bytes to read past a block, to find the end of its last line.


@dataclass(frozen=True)
class InputFile:
    """An input file.

    Attributes:
        path: its path on its file system.
        name: its path or URL, for messages.
        size: its size in bytes, as stored.
        stamp: changes when the file changes.
    """

    path: str
    name: str
    size: int
    stamp: str

    @property
    def is_compressed(self) -> bool:
        return is_compressed(self.path)


@dataclass(frozen=True)
class Block:
    """The lines that begin in a range of bytes of a file, or all lines of a compressed file.

    Attributes:
        number: index among all blocks, from 0.
        file: the file.
        start, end: the range of bytes.
        place: index among the blocks of its file, from 0.
        is_later: whether another file comes before its file.
        first_line: number of its first line among the lines of all files; 2 if unknown, for
            any block but the first.
        line_in_file: number of its first line in its file; 0 if unknown.
    """

    number: int
    file: InputFile
    start: int
    end: int
    place: int
    is_later: bool
    first_line: int = 2
    line_in_file: int = 0

    def __str__(self) -> str:
        return f"{self.file.name}, bytes {self.start} to {self.end}"


def files_at(
    urlpath: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], options: dict[str, Any]
) -> tuple[Any, list[InputFile]]:
    """Find the input files.

    Args:
        urlpath: path, URL or glob pattern, or several of these on one file system. The name of
            an existing file is never a pattern.
        options: options of the file system.

    Returns:
        The file system, and the files.

    Raises:
        OSError: no file matches, or a file does not exist.
        ValueError: the files are on several file systems, or the size of one is unknown.
    """
    system, paths = found_at(urlpath, options)
    files = []
    for path in paths:
        name = path if is_local(system) else system.unstrip_protocol(path)
        found = system.info(path)
        if found["type"] == "directory":
            raise IsADirectoryError(errno.EISDIR, "is a directory; its files are name/*", name)
        if found["type"] == "other":
            raise OSError(errno.EINVAL, "is no file that can be cut into blocks", name)
        if found["size"] is None:
            raise ValueError(f"{name}: its size is not known, so it cannot be cut into blocks")
        stamp = [system.ukey(path), *(found.get(member) for member in _STAMPS)]
        files.append(InputFile(path, name, found["size"], str(stamp)))
    return system, files


def blocks_of(files: Sequence[InputFile], size: int) -> list[Block]:
    """Split files into blocks of about the same size; a compressed file is one block.

    Args:
        files: the files; empty ones get no block.
        size: maximum size of a block in bytes.
    """
    blocks: list[Block] = []
    for place, file in enumerate(files):
        several = 1 if file.is_compressed else -(-file.size // size)
        for at in range(several if file.size else 0):
            start, end = file.size * at // several, file.size * (at + 1) // several
            number = len(blocks)
            blocks.append(Block(number, file, start, end, at, place > 0, 2 if number else 1))
    return blocks


def numbered(blocks: Sequence[Block], lines: Sequence[int]) -> list[Block]:
    """Return the blocks with the numbers of their first lines.

    Args:
        blocks: all blocks.
        lines: number of lines of each block.
    """
    found = []
    number = 1
    for block, several in zip(blocks, lines, strict=True):
        if block.start == 0:
            line_in_file = 1
        found.append(replace(block, first_line=number, line_in_file=line_in_file))
        number += several
        line_in_file += several
    return found


def count(system: Any, block: Block) -> int:
    """Count the lines of a block."""
    return sum(count_lines(piece) for piece in pieces(system, block))


def pieces(system: Any, block: Block) -> Iterator[bytes]:
    """Read the lines of a block.

    Only one piece is in memory at a time, however long the lines and however large the block.

    Args:
        system: the file system.
        block: the block.

    Yields:
        Pieces that may end within a line; the last one ends with an LF, which is added if the
        file has none.

    Raises:
        OSError: the file cannot be read or decompressed.
    """
    read = _decompressed(system, block) if block.file.is_compressed else _cut(system, block)
    last = b"\n"
    head = b""
    is_start = block.start == 0
    for piece in read:
        last = piece[-1:]
        if is_start:
            head += piece
            if len(head) < len(_BOM):
                continue
            is_start = False
            # The core skips a byte order mark only at the start of the first file.
            piece = head.removeprefix(_BOM) if block.is_later else head
        if piece:
            yield piece
    if is_start and head:
        yield head
    if last != b"\n":
        yield b"\n"


def _decompressed(system: Any, block: Block) -> Iterator[bytes]:
    with ExitStack() as stack:
        raw = stack.enter_context(system.open(block.file.path, "rb"))
        file = stack.enter_context(decompressed(raw, block.file.path))
        while piece := read_some(file, block.file.name, _NEAR):
            yield piece


def _cut(system: Any, block: Block) -> Iterator[bytes]:
    """Yield the bytes from the first line that begins in a block to the first one after it."""
    path, size, end = block.file.path, block.file.size, block.end
    step = _NEAR if is_local(system) else _FAR
    # A line begins at the start if the byte before it is an LF.
    at = max(block.start - 1, 0)
    is_inside = block.start == 0
    while at < size:
        stop = min(at + step, end + _BEYOND if at < end else at + step, size)
        piece: bytes = system.cat_file(path, start=at, end=stop)
        if len(piece) != stop - at:
            raise OSError(errno.EIO, "has changed while it was read", block.file.name)
        skipped = 0
        if not is_inside:
            skipped = piece.find(b"\n") + 1
            if at + (skipped or len(piece)) >= end:
                return
            is_inside = skipped > 0
        if is_inside:
            over = piece.find(b"\n", max(end - 1 - at, 0)) + 1
            if rest := piece[skipped : over or None]:
                yield rest
            if over:
                return
        at = stop
