"""The input files of a command, read as one stream."""

from __future__ import annotations

import select
import stat
import sys
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from forstcore._core.lines import read_lines
from forstcore._io.compressed import decompressed, is_compressed, read_some
from forstcore._io.line_file import LineFile
from forstcore._proc import count_lines
from forstcore.cli._formats import format_named
from forstcore.cli._read_ahead import read_ahead
from forstcore.config import StreamLimits
from forstcore.engine.batch_sizer import FILE_BATCH
from forstcore.formats import Format, FormatMissingError
from forstcore.formats.bad_rows import BadRows
from forstcore.formats.csv_reader import CsvReader
from forstcore.formats.writing import NEEDS_PYARROW

__all__ = ["Inputs", "Part", "Piece"]

_SIZE = FILE_BATCH
_BOM = b"\xef\xbb\xbf"

Piece = tuple[str, bytes]
"""The name of a file and its first bytes; or an empty name and more bytes of the same file."""

Part = tuple[str, bytes | LineFile]
"""A piece; or an empty name and the file, of which the next lines may be taken."""


class Inputs:
    """Read files as one stream of lines; ``-`` is standard input.

    Files whose names end in ``.gz`` and ``.zst`` are decompressed; other formats than NDJSON are
    converted to it.

    Args:
        paths: the files; standard input if there are none.
        given: the format of all files; None for that of their names.
        longest: maximum size of a row of CSV in bytes.

    Attributes:
        size: total bytes on disk, None if unknown.
        taken: number of these bytes that have been read.
        bad_rows: the invalid rows of CSV files.
        is_converted: whether a file has another format than NDJSON.

    Raises:
        click.UsageError: the format of a file is unknown.
    """

    def __init__(
        self,
        paths: Sequence[str],
        given: Format | None = None,
        longest: int = StreamLimits.max_line_size,
    ) -> None:
        self._paths = list(paths) or ["-"]
        self._formats = [format_named(path, given, "--input-format") for path in self._paths]
        self._longest = longest
        self._lines_read = 0  # Counted only if a file is converted.
        self.size = _size_of(self._paths)
        self.taken = 0
        self.bad_rows = BadRows()
        self.is_converted = set(self._formats) != {"ndjson"}

    def read(self) -> AsyncGenerator[Piece, None]:
        """Yield what `pieces` yields, without blocking the event loop for long.

        Raises:
            OSError: as `pieces`.
        """
        return read_ahead(self.pieces) if self.may_block else self._read_here()

    @property
    def may_block(self) -> bool:
        """Whether `pieces` may take long, so that a thread should read it.

        Plain files are read where they are processed: to hand their pieces from thread to thread
        takes a third as long as the processing of compiled code.
        """
        is_plain = self.size is not None and not any(map(is_compressed, self._paths))
        return not is_plain or self.is_converted

    async def _read_here(self) -> AsyncGenerator[Piece, None]:
        for piece in self.pieces():
            yield piece

    def pieces(self) -> Generator[Piece, None, None]:
        """Yield the contents of the files as they are read; each file starts a new piece.

        Raises:
            OSError: a file cannot be read or decompressed.
        """
        for name, part in self.parts():
            if isinstance(part, bytes):
                yield name, part

    def parts(self) -> Generator[Part, None, None]:
        """Yield what `pieces` yields, and plain files, to process lines of them directly.

        After each piece of such a file comes the file itself, and again if lines were taken.

        Raises:
            OSError: as `pieces`.
        """
        behind = 0
        for place, (path, kind) in enumerate(zip(self._paths, self._formats, strict=True)):
            last = b"\n"
            name = path
            with ExitStack() as stack:
                raw = stack.enter_context(_opened(path))
                file = stack.enter_context(decompressed(raw, path))
                is_plain = file is raw and kind == "ndjson"
                for piece in self._ndjson(file, path, kind, is_plain=file is raw):
                    if isinstance(piece, LineFile):
                        before = piece.taken
                        yield "", piece
                        while piece.taken > before:
                            self.taken += piece.taken - before
                            before, last = piece.taken, b"\n"
                            yield "", piece
                        continue
                    last = piece[-1:]
                    if name and place and piece.startswith(_BOM):
                        # The core skips a byte order mark only at the start of the stream.
                        piece = piece[len(_BOM) :]
                    yield name, piece
                    name = ""
                    read = self.taken - behind + len(piece)
                    self.taken = behind + _position(raw, read, is_plain=is_plain)
            behind = self.taken
            if last != b"\n" and place + 1 < len(self._paths):
                self._lines_read += 1
                yield "", b"\n"

    def _ndjson(
        self, file: IO[bytes], path: str, kind: Format, *, is_plain: bool
    ) -> Iterator[bytes | LineFile]:
        """Yield the contents of a file, converted to NDJSON if it has another format."""
        if kind == "parquet":
            for piece in _rows_of_parquet(file, path):
                self._lines_read += piece.count(b"\n")
                yield piece
            return
        if kind == "ndjson":
            for part in _parts(file, path, is_plain=is_plain):
                if self.is_converted and isinstance(part, bytes):
                    self._lines_read += count_lines(part)
                yield part
            return
        behind = self._lines_read

        def add_bad_row(line: int, why: str, offset: int, raw: bytes, is_cut: bool) -> None:
            self.bad_rows.add(behind + line, why, offset, raw, is_cut)

        reader = CsvReader(path, "\t" if kind == "tsv" else ",", self._longest, add_bad_row)
        pieces = _parts(file, path, is_plain=is_plain)
        for piece in reader.convert(each for each in pieces if isinstance(each, bytes)):
            self._lines_read += piece.count(b"\n")
            yield piece


def _parts(file: IO[bytes], path: str, *, is_plain: bool) -> Iterator[bytes | LineFile]:
    """Yield the contents of a file.

    Of one that is not compressed, whole lines if possible, and after each piece the file, of which
    lines may be taken.
    """
    if not is_plain:
        while piece := read_some(file, path, _SIZE):
            yield piece
        return
    rest = LineFile(file)  # type: ignore[arg-type]
    taken = 0
    while True:
        # After lines were taken, a record may come that Python has to process; then more are taken.
        size = _SIZE if rest.taken == taken else _SIZE >> 4
        taken = rest.taken
        try:
            read = read_lines(file, size, rest.tail)  # type: ignore[arg-type]
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
        if read is None:
            select.select([file], [], [])
            continue
        piece, rest.tail = read
        if not piece:
            return
        yield piece
        yield rest


def _rows_of_parquet(file: IO[bytes], path: str) -> Iterator[bytes]:
    try:
        from forstcore.formats.parquet_reader import read_parquet
    except ImportError:
        raise FormatMissingError(f"{path}: {NEEDS_PYARROW}") from None
    return read_parquet(file, path)


def _size_of(paths: list[str]) -> int | None:
    total = 0
    for path in paths:
        if path == "-":
            return None
        try:
            found = Path(path).stat()
        except OSError:
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        total += found.st_size
    return total


def _opened(path: str) -> IO[bytes]:
    if path == "-":
        # Read the descriptor unbuffered: input is available at once, and the lock of `sys.stdin`
        # is not held.
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    return Path(path).open("rb", buffering=0)


def _position(raw: IO[bytes], read: int, *, is_plain: bool) -> int:
    if is_plain:
        return read
    return raw.tell() if raw.seekable() else read
