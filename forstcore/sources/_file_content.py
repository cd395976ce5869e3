"""The content of a whole file as NDJSON, and the positions from which it can be read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from forstcore._proc import count_lines
from forstcore.formats import Format
from forstcore.formats.csv_reader import CsvReader
from forstcore.sources import BadRow
from forstcore.sources._file_offset import fingerprint

__all__ = ["Content", "content_of"]

_BOM = b"\xef\xbb\xbf"


class Content(Protocol):
    """The content of one file, which is passed in pieces.

    Attributes:
        position: start of the first line or row that was not returned.
        bad_rows: the invalid rows among the lines that were returned last.
    """

    position: int
    bad_rows: tuple[BadRow, ...]

    @property
    def mark(self) -> str:
        """Identifies what has to be known to read from the position on; empty if nothing."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Return the lines that are complete with the next piece.

        Raises:
            ValueError: the content is invalid.
        """
        ...

    def finish(self) -> bytes:
        """Return what is left at the end of the file, as `feed` does."""
        ...

    def pass_over(self, data: bytes) -> bool:
        """Take note of a piece before `go_to`; return whether more pieces are needed.

        Raises:
            ValueError: the content is invalid.
        """
        ...

    def go_to(self, position: int) -> None:
        """Continue at a position of an earlier reader."""
        ...


def content_of(path: str, kind: Format, max_line_size: int) -> Content:
    """Return the content of a file of NDJSON, CSV or TSV.

    Args:
        path: its path, for errors.
        kind: its format.
        max_line_size: maximum bytes of a line or row.
    """
    if kind == "ndjson":
        return Lines(max_line_size)
    return Rows(path, "\t" if kind == "tsv" else ",", max_line_size)


class Lines:
    """NDJSON. Of a line that is too long, just enough is kept to detect it."""

    mark = ""
    bad_rows: tuple[BadRow, ...] = ()

    def __init__(self, max_line_size: int) -> None:
        self.position = 0
        self._limit = max_line_size + 1
        self._tail = b""  # The unfinished line.
        self._dropped = 0  # Bytes of that line, or before it, that were dropped.

    def feed(self, data: bytes) -> bytes:
        if not self.position and not self._tail and data.startswith(_BOM):
            data = data[len(_BOM) :]
            self._dropped = len(_BOM)
        if len(self._tail) >= self._limit:
            # The rest of a line that is too long is not needed.
            end = data.find(b"\n")
            rest = len(data) if end < 0 else end
            self._dropped += rest
            data = data[rest:]
        lines = self._tail + data
        end = lines.rfind(b"\n") + 1
        lines, self._tail = lines[:end], lines[end:]
        if lines:
            self.position += len(lines) + self._dropped
            self._dropped = 0
        if len(self._tail) > self._limit:
            self._dropped += len(self._tail) - self._limit
            self._tail = self._tail[: self._limit]
        return lines

    def finish(self) -> bytes:
        return self._tail + b"\n" if self._tail else b""

    def pass_over(self, data: bytes) -> bool:
        return False

    def go_to(self, position: int) -> None:
        self.position = position


class Rows:
    """CSV. The position is never within a row, so that reading again gives the same rows."""

    def __init__(self, path: str, delimiter: str, max_line_size: int) -> None:
        self.bad_rows: tuple[BadRow, ...] = ()
        self._bad_rows: list[BadRow] = []
        self._lines = 0  # Lines returned so far.
        self._held = b""  # Those of the rows up to one whose end is not reached.
        self._make: Callable[[], CsvReader] = lambda: CsvReader(
            path, delimiter, max_line_size, self._add_bad_row
        )
        self._reader = self._make()
        self.position = 0

    @property
    def mark(self) -> str:
        # If the names have changed, so has the meaning of the rows.
        names = "\n".join(map(repr, self._reader.names))
        return fingerprint(names.encode(errors="surrogateescape"), b"") if names else ""

    def feed(self, data: bytes) -> bytes:
        self._held += self._reader.feed(data)
        return b"" if self._reader.is_within_row else self._returned()

    def finish(self) -> bytes:
        self._held += self._reader.finish()
        return self._returned()

    def pass_over(self, data: bytes) -> bool:
        if not self._reader.names:
            self._reader.feed(data)
        return not self._reader.names

    def go_to(self, position: int) -> None:
        names = self._reader.names
        self._reader = self._make()
        self._reader.resume(names, position)
        self._bad_rows.clear()
        self.position = position

    def _returned(self) -> bytes:
        lines, self._held = self._held, b""
        self.bad_rows = tuple(
            each._replace(line=each.line - self._lines) for each in self._bad_rows
        )
        self._bad_rows.clear()
        self._lines += count_lines(lines)
        self.position = self._reader.position
        return lines

    def _add_bad_row(self, line: int, why: str, offset: int, raw: bytes, is_cut: bool) -> None:
        self._bad_rows.append(BadRow(line, why, offset, raw, is_cut))
