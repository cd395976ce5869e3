"""A series of Parquet files, each of which is NDJSON until it ends.

A Parquet file cannot be appended to, so results are collected in the hidden file as NDJSON, where
they are confirmed at once. When the file ends, it is converted, and appears as a whole.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet

from forstcore._io.json_lines import dump_lines, load_lines
from forstcore.formats import ResultFormatError
from forstcore.formats.arrow_rows import fits
from forstcore.formats.columns import Column
from forstcore.formats.json_columns import JsonColumn, row_of
from forstcore.formats.parquet_writer import ParquetWriter
from forstcore.sinks._rotated_file import ForeignFileError, RotatedFile

__all__ = ["ParquetFile"]

_PIECE: Final = 1 << 20  # Bytes of results in memory at the same time.
_PART: Final = b"forstcore.part"
_OFFSET: Final = b"forstcore.offset"


class ParquetFile(RotatedFile):
    """The output of a file sink that writes Parquet; its methods block."""

    def _rename(self) -> None:
        number = self._manifest.number
        part, final = self._part(number), self._final(number)
        if final.exists():
            if not self._is_made_of_part(final):
                raise FileExistsError(None, "exists already, and is not replaced", str(final))
            # A process was killed before it could remove the part.
            part.unlink()
            return
        draft = final.with_name(f".{final.name}.draft")
        try:
            self._convert(part, draft)
        except (ResultFormatError, ValueError) as error:
            raise ForeignFileError(f"{part} cannot be converted: {error}") from None
        draft.rename(final)
        part.unlink()

    def _convert(self, part: Path, draft: Path) -> None:
        # Most files have results of one type, so try the columns of the first ones. Determine those
        # of all results only if some do not fit.
        first = _Columns()
        for lines in islice(_pieces_of(part), 1):
            first.take(lines)
        first.settle()
        if first.are_plain:
            try:
                self._write_rows(part, draft, first)
            except ResultFormatError:
                pass
            else:
                return
        columns = _Columns()
        for lines in _pieces_of(part):
            columns.take(lines)
        columns.settle()
        self._write_rows(part, draft, columns)

    def _write_rows(self, part: Path, draft: Path, columns: _Columns) -> None:
        with draft.open("wb") as file:
            writer = ParquetWriter(file.write, str(draft), columns.rows.column())
            try:
                for lines in _pieces_of(part):
                    writer.write(lines if columns.are_plain else columns.converted(lines))
                writer.finish({_PART: self._identity(), _OFFSET: self._manifest.offset})
            finally:
                writer.close()
            file.flush()
            os.fsync(file.fileno())

    def _is_made_of_part(self, final: Path) -> bool:
        try:
            found = pyarrow.parquet.read_metadata(final).metadata or {}
        except (OSError, pa.ArrowException):
            return False
        return bool(found.get(_PART) == self._identity().encode())

    def _identity(self) -> str:
        manifest = self._manifest
        return f"{manifest.number} {manifest.size} {manifest.since}"


def _pieces_of(part: Path) -> Iterator[bytes]:
    with part.open("rb") as file:
        while lines := b"".join(file.readlines(_PIECE)):
            yield lines


class _Columns:
    """The columns of results.

    Attributes:
        rows: the columns.
        are_plain: whether results need no conversion to rows. Valid once they are settled.
    """

    def __init__(self) -> None:
        self.rows = JsonColumn(is_row=True)
        self.are_plain = True
        self._known: Column | None = None  # None once they have changed.

    def take(self, lines: bytes) -> None:
        """Widen the columns so that they hold results."""
        if self._known is not None and fits(lines, self._known):
            return
        for result in load_lines(lines):
            self.are_plain = self.are_plain and isinstance(result, dict)
            self.rows.take(row_of(result))
        self._known = self.rows.column()

    def settle(self) -> None:
        """Settle the columns: all results have been taken."""
        self.rows.settle()
        self.are_plain = self.are_plain and not self.rows.has_json

    def converted(self, lines: bytes) -> bytes:
        """Return results as rows."""
        converted = io.BytesIO()
        dump_lines([self.rows.converted(row_of(each)) for each in load_lines(lines)], converted)
        return converted.getvalue()
