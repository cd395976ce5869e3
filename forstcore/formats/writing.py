"""Opening the writer of a format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from forstcore.formats import FileWriter, FormatMissingError
from forstcore.formats.columns import Column
from forstcore.formats.csv_writer import CsvWriter

__all__ = ["NEEDS_PYARROW", "writer_of"]

NEEDS_PYARROW = "Parquet needs pyarrow: pip install 'forstcore[parquet]'"


def writer_of(
    file_format: Literal["csv", "tsv", "parquet"],
    write: Callable[[bytes], object],
    name: str,
    columns: Column | None = None,
) -> FileWriter:
    """Return a writer of results.

    Args:
        file_format: the format of the file.
        write: writes bytes to the file.
        name: the name of the file, for messages.
        columns: the type of the results, None if it is unknown.

    Raises:
        FormatMissingError: a package is missing that the format needs.
    """
    if file_format == "parquet":
        try:
            from forstcore.formats.parquet_writer import ParquetWriter
        except ImportError:
            raise FormatMissingError(NEEDS_PYARROW) from None
        return ParquetWriter(write, name, columns)
    names = None if columns is None else list(columns.members)
    return CsvWriter(write, name, "\t" if file_format == "tsv" else ",", names)
