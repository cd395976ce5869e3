"""Opening the writer of a format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from forstcore.formats import FileWriter, FormatMissingError
from forstcore.formats.csv_writer import CsvWriter
from forstcore.formats.result_types import columns_of_results

__all__ = ["NEEDS_PYARROW", "writer_of"]

NEEDS_PYARROW = "Parquet needs pyarrow: pip install 'forstcore[parquet]'"


def writer_of(
    file_format: Literal["csv", "tsv", "parquet"],
    write: Callable[[bytes], object],
    name: str,
    result_type: object = None,
) -> FileWriter:
    """Return a writer of results.

    Args:
        file_format: the format of the file.
        write: writes bytes to the file.
        name: the name of the file, for messages.
        result_type: the annotation of what the processor returns, None if there is none.

    Raises:
        FormatMissingError: a package is missing that the format needs.
    """
    columns = columns_of_results(result_type)
    if file_format == "parquet":
        try:
            from forstcore.formats.parquet_writer import ParquetWriter
        except ImportError:
            raise FormatMissingError(NEEDS_PYARROW) from None
        return ParquetWriter(write, name, columns)
    names = None if columns is None else list(columns.members)
    return CsvWriter(write, name, "\t" if file_format == "tsv" else ",", names)
