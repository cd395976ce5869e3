"""Reading CSV or TSV as NDJSON: each row is an object of strings."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from forstcore._io.json_lines import dump_line, dump_lines
from forstcore._plural import plural
from forstcore.formats.csv_places import place_after_field, place_of_quote, place_of_undecodable

__all__ = ["REJECTED_LINE", "CsvReader"]

_BOM: Final = b"\xef\xbb\xbf"
_MOST_BYTES: Final = 4  # Maximum bytes of a character.
_UNFINISHED: Final = "a quote is not closed"
_CARRIAGE_RETURN: Final = "a carriage return that ends no line"

REJECTED_LINE: Final = b"!\n"
"""Replaces an invalid row: no processor accepts this line."""

BadRow = Callable[[int, str, int, bytes, bool], object]
"""Called with the line number of an invalid row, the reason, the offset of the error in that line,
the bytes of the line, and whether the row continues after it."""


class CsvReader:
    r"""Convert CSV to NDJSON with the same number of lines, so that line numbers remain correct.

    The first row has the names of the members. Each other row becomes a line of NDJSON in place of
    its first line; its other lines, and the names, become blank lines. A row whose quotes are wrong
    ends with its first line, so that a stray quote affects no other row.

    Args:
        name: the name of the file, for messages.
        delimiter: a comma or a tab.
        longest: maximum size of a row in bytes.
        on_bad_row: called with each invalid row.

    Attributes:
        names: the names of the members; empty until they have been read.
        is_within_row: whether the end of a row that was too long, and returned, is not reached.
    """

    def __init__(self, name: str, delimiter: str, longest: int, on_bad_row: BadRow) -> None:
        self._name = name
        self._delimiter = delimiter
        self._longest = longest
        self._on_bad_row = on_bad_row
        self.names: Sequence[str] = ()
        self.is_within_row = False
        self._fed = 0  # Bytes of the file.
        self._is_start = True
        self._tail = b""  # The start of a row that continues in the next piece.
        self._too_long = f"longer than {longest:,} bytes, or a quote is not closed"
        self._lines = 0  # Lines of the file that have been converted.
        # The module's own limit, which cannot be set for one reader.
        csv.field_size_limit(max(csv.field_size_limit(), longest))

    @property
    def position(self) -> int:
        """The number of bytes of the file whose rows have been returned."""
        return self._fed - len(self._tail)

    def convert(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield whole lines of NDJSON.

        Args:
            pieces: the file, cut anywhere.

        Raises:
            ValueError: the names are invalid.
        """
        for piece in pieces:
            if made := self.feed(piece):
                yield made
        if made := self.finish():
            yield made

    def resume(self, names: Sequence[str], position: int) -> None:
        """Continue after a row: the next piece starts there.

        Args:
            names: those that were read at the start of the file.
            position: the one after that row.
        """
        self.names, self._fed, self._is_start = names, position, False

    def feed(self, piece: bytes) -> bytes:
        """Convert the next piece of the file, as far as its rows are complete.

        Raises:
            ValueError: the names are invalid.
        """
        tail = self._tail = self._tail + piece
        self._fed += len(piece)
        made = b""
        if self._is_start:
            if len(tail) < len(_BOM):
                return b""
            tail = tail.removeprefix(_BOM)
            self._is_start = False
        end = tail.rfind(b"\n") + 1
        if self.is_within_row and end:
            start = tail.index(b"\n") + 1
            tail, end, self.is_within_row = tail[start:], end - start, False
        if end:
            made, rest = self._converted(tail[:end], is_last=False)
            tail = rest + tail[end:]
        elif self.is_within_row:
            tail = b""
        elif len(tail) > self._longest:
            made = self._reject(tail, self._too_long, self._longest, True)
            tail, self.is_within_row = b"", True
        self._tail = tail
        return made

    def finish(self) -> bytes:
        """Convert what is left at the end of the file.

        Raises:
            ValueError: the names are invalid.
        """
        tail, self._tail = self._tail, b""
        is_left = bool(tail) and not self.is_within_row
        self.is_within_row = False
        return self._converted(tail, is_last=True)[0] if is_left else b""

    def _converted(self, data: bytes, *, is_last: bool) -> tuple[bytes, bytes]:
        """Convert lines; return the NDJSON, and the start of a row that continues after them."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode(errors="surrogateescape")
        lines = list(io.StringIO(text, newline="\n"))
        is_short = max(map(len, lines)) * _MOST_BYTES <= self._longest
        if self.names and is_short and (made := self._plain(lines)) is not None:
            return made, b""
        return self._one_by_one(lines, is_last=is_last)

    def _plain(self, lines: list[str]) -> bytes | None:
        """Convert lines if each of them is a valid row; otherwise return None."""
        try:
            rows = list(self._rows(iter(lines)))
            if len(rows) != len(lines) or set(map(len, rows)) != {len(self.names)}:
                return None
            made = io.BytesIO()
            dump_lines([dict(zip(self.names, row, strict=True)) for row in rows], made)
        except (csv.Error, ValueError):
            return None
        self._lines += len(lines)
        return made.getvalue()

    def _one_by_one(self, lines: list[str], *, is_last: bool) -> tuple[bytes, bytes]:
        made: list[bytes] = []
        at = 0

        def rest() -> Iterator[str]:
            nonlocal at
            while at < len(lines):
                at += 1
                yield lines[at - 1]

        rows = self._rows(rest())
        while at < len(lines):
            start = at
            row: list[str] = []
            why = ""
            try:
                row = next(rows)
            except csv.Error as error:
                why = _in_words(str(error))
            size = sum(map(len, map(_bytes_of, lines[start:at])))
            if why == _UNFINISHED and size <= self._longest and not is_last:
                return b"".join(made), _bytes_of("".join(lines[start:]))
            if size > self._longest:
                why = self._too_long
            if not why:
                made.append(self._converted_row(row, lines[start:at]))
                continue
            row_bytes = _bytes_of("".join(lines[start:at]))
            place = self._longest
            if why == _CARRIAGE_RETURN:
                place = row_bytes.find(b"\r")
            elif why != self._too_long:
                place = place_of_quote(row_bytes, self._delimiter.encode())
            made.append(self._reject(_bytes_of(lines[start]), why, place, at > start + 1))
            at = start + 1
            rows = self._rows(rest())
        return b"".join(made), b""

    def _converted_row(self, row: list[str], lines: list[str]) -> bytes:
        blank = b"\n" * len(lines)
        if not row:
            self._lines += len(lines)
            return blank
        if not self.names:
            self.names = self._checked_names(row)
            self._lines += len(lines)
            return blank
        if len(row) != len(self.names):
            why = f"{len(row)} {plural(len(row), 'field')}, but {len(self.names)} columns"
            row_bytes = _bytes_of("".join(lines))
            place = place_after_field(row_bytes, self._delimiter.encode(), len(self.names))
        else:
            try:
                made = dump_line(dict(zip(self.names, row, strict=True)))
                self._lines += len(lines)
                return made + blank[1:]
            except ValueError:
                why = "not UTF-8"
                place = place_of_undecodable(_bytes_of("".join(lines)))
        made = self._reject(_bytes_of(lines[0]), why, place, len(lines) > 1)
        self._lines += len(lines) - 1
        return made + blank[1:]

    def _checked_names(self, row: list[str]) -> list[str]:
        place = f"{self._name}, line {self._lines + 1}"
        if len(names := dict.fromkeys(row)) < len(row):
            twice = next(name for name, times in Counter(row).items() if times > 1)
            raise ValueError(f"{place}: the name {twice!r} occurs twice")
        try:
            dump_line(names)
        except ValueError:
            raise ValueError(f"{place}: the names are not UTF-8") from None
        return row

    def _reject(self, raw: bytes, why: str, place: int, is_cut: bool) -> bytes:
        self._lines += 1
        if not self.names:
            raise ValueError(f"{self._name}, line {self._lines}: no names can be read: {why}")
        raw = raw.removesuffix(b"\n").removesuffix(b"\r")
        is_cut = is_cut or why == self._too_long
        raw = raw[: self._longest]
        # The error may be in a later line of the row.
        self._on_bad_row(self._lines, why, min(place, len(raw)), raw, is_cut)
        return REJECTED_LINE

    def _rows(self, lines: Iterable[str]) -> Iterator[list[str]]:
        return iter(csv.reader(lines, delimiter=self._delimiter, strict=True))


def _bytes_of(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _in_words(why: str) -> str:
    if why == "unexpected end of data":
        return _UNFINISHED
    if "expected after" in why:
        return "text after a closing quote"
    if why.startswith("new-line"):
        return _CARRIAGE_RETURN
    return why
