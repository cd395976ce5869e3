"""Writing results as Parquet, with pyarrow."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

from forstcore._io.json_lines import dump_lines
from forstcore.formats import ResultFormatError
from forstcore.formats._results import loaded
from forstcore.formats.columns import MOST_DEPTH, SAMPLE, Column, ColumnError
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
        self._sample = Sample(name, columns)
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
        # pyarrow would write the end of a file whenever it frees one that is not finished.
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
            self._schema = pa.schema(
                [(name, _type_of(each, name)) for name, each in columns.members.items()]
            )
        except ColumnError as error:
            raise ResultFormatError(self._name, 0, str(error)) from None
        if lines and not columns.members:
            raise ResultFormatError(self._name, 0, "no result has members, so there are no columns")
        sink = pa.PythonFile(self._sink, "w")
        self._file = pyarrow.parquet.ParquetWriter(sink, self._schema, compression="zstd")

    def _table_of(self, lines: bytes) -> Any:
        try:
            return self._read(lines)
        except pa.ArrowInvalid as error:
            # It does not say where. Or a member is there twice, which is no error here.
            results = loaded(lines, self._name, self._results)
            for number, result in enumerate(results, self._results + 1):
                try:
                    self._sample.columns.take(result)
                except ColumnError as found:
                    raise ResultFormatError(self._name, number, str(found)) from None
            again = io.BytesIO()
            dump_lines(results, again)
            try:
                return self._read(again.getvalue())
            except pa.ArrowInvalid:
                raise ResultFormatError(self._name, self._results + 1, str(error)) from None

    def _read(self, lines: bytes) -> Any:
        table = pyarrow.json.read_json(
            pa.BufferReader(lines),
            # A record must not be longer than a block, and blocks of one file may differ in
            # chunks only.
            pyarrow.json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
            pyarrow.json.ParseOptions(
                explicit_schema=self._schema, unexpected_field_behavior="error"
            ),
        )
        if table.num_rows != lines.count(b"\n"):
            raise pa.ArrowInvalid("a line is not one object")
        return table

    def _write_group(self) -> None:
        if self._group:
            table = pa.concat_tables(self._group)
            self._group, self._group_size = [], 0
            self._file.write_table(table, row_group_size=table.num_rows)


class _Sink:
    """What pyarrow takes for a file that is written from its start to its end."""

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


def _type_of(column: Column, *path: str) -> Any:
    """Return the type of Arrow for a column."""
    reason = ""
    if len(path) > MOST_DEPTH:
        reason = f"has more than {MOST_DEPTH} containers inside each other"
    elif column.kind == "object" and not column.members:
        reason = "has only empty objects, which Parquet cannot store: leave it out"
    if reason:
        error = ColumnError(reason)
        error.path = list(path)
        raise error
    if column.kind == "object":
        return pa.struct(
            [(name, _type_of(each, *path, name)) for name, each in column.members.items()]
        )
    if column.kind == "array":
        return pa.list_(_type_of(column.item or Column(), *path, "[]"))
    types = {
        "boolean": pa.bool_(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "string": pa.string(),
    }
    return types[column.kind or "string"]
