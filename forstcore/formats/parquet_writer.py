"""Writing results as Parquet, with pyarrow."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet

from forstcore._io.json_lines import dump_lines
from forstcore.formats import ResultFormatError
from forstcore.formats._results import loaded
from forstcore.formats.arrow_rows import fits, read_rows, schema_of
from forstcore.formats.columns import SAMPLE, Column, ColumnError
from forstcore.formats.sample import Sample, blocks_of

__all__ = ["ParquetWriter"]

_BLOCK: Final = 4 << 20  # Bytes of results that are converted at once.
_GROUP: Final = 32 << 20  # Bytes of columns in a row group.


class ParquetWriter:
    """Write results as Parquet, in row groups, with a bounded amount of memory.

    The columns are those of the results in the first 16 MiB, in the order in which they first
    appear, unless they are given. A column of nulls only is one of strings. A later result that
    has another member, or a value of another type, is an error.

    Args:
        write: writes bytes to the file.
        name: the name of the file, for messages.
        columns: the type of the results, None if it is unknown.
    """

    def __init__(
        self, write: Callable[[bytes], object], name: str, columns: Column | None = None
    ) -> None:
        self._sink = _Sink(write)
        self._name = name
        self._sample = Sample(name, columns, fits)
        self._schema: Any = None
        self._file: Any = None
        self._results = 0
        self._held: list[bytes] = []
        self._held_size = 0
        self._group: list[Any] = []
        self._group_size = 0

    def write(self, lines: bytes) -> None:
        if lines:
            self._held.append(lines)
            self._held_size += len(lines)
            needs_sample = self._file is None and not self._sample.is_full
            if self._held_size >= (SAMPLE if needs_sample else _BLOCK):
                self._convert_held()

    def finish(self, metadata: Mapping[bytes, str] | None = None) -> None:
        """Write the end of the file, as `FileWriter.finish` says, with metadata of the caller."""
        self._convert_held()
        self._write_group()
        if metadata:
            self._file.add_key_value_metadata(metadata)
        self._file.close()

    def close(self) -> None:
        # pyarrow would complete an unfinished file when it frees the writer.
        self._sink.is_abandoned = True
        if self._file is not None:
            self._file.close()

    def _convert_held(self) -> None:
        lines = b"".join(self._held)
        self._held, self._held_size = [], 0
        if self._file is None:
            self._begin(lines)
        for block in blocks_of(lines, _BLOCK):
            table = self._table_of(block)
            self._results += table.num_rows
            self._group.append(table)
            self._group_size += table.nbytes
            if self._group_size >= _GROUP:
                self._write_group()

    def _begin(self, lines: bytes) -> None:
        """Decide on the columns, and start the file."""
        self._sample.take(lines)
        columns = self._sample.fix()
        try:
            self._schema = schema_of(columns)
        except ColumnError as error:
            raise ResultFormatError(self._name, 0, str(error)) from None
        if lines and not columns.members:
            raise ResultFormatError(self._name, 0, "no result has members, so there are no columns")
        sink = pa.PythonFile(self._sink, "w")
        self._file = pyarrow.parquet.ParquetWriter(sink, self._schema, compression="zstd")

    def _table_of(self, lines: bytes) -> Any:
        try:
            return read_rows(lines, self._schema)
        except pa.ArrowInvalid as error:
            # pyarrow does not say where. Or a member occurs twice, which is not an error here.
            results = loaded(lines, self._name, self._results)
            for number, result in enumerate(results, self._results + 1):
                try:
                    self._sample.columns.take(result)
                except ColumnError as found:
                    raise ResultFormatError(self._name, number, str(found)) from None
            again = io.BytesIO()
            dump_lines(results, again)
            try:
                return read_rows(again.getvalue(), self._schema)
            except pa.ArrowInvalid:
                raise ResultFormatError(self._name, self._results + 1, str(error)) from None

    def _write_group(self) -> None:
        if self._group:
            table = pa.concat_tables(self._group)
            self._group, self._group_size = [], 0
            self._file.write_table(table, row_group_size=table.num_rows)


class _Sink:
    """A file object for pyarrow that is written sequentially."""

    closed = False

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._size = 0
        self.is_abandoned = False

    def write(self, data: Any) -> int:
        if not self.is_abandoned:
            self._write(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass
