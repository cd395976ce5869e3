"""Opening the writer of a format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from forstcore.formats import FileWriter
from forstcore.formats.csv_writer import CsvWriter

__all__ = ["writer_of"]


def writer_of(
    file_format: Literal["csv", "tsv"],
    write: Callable[[bytes], object],
    name: str,
) -> FileWriter:
    """Return a writer of results.

    Args:
        file_format: the format of the file.
        write: writes bytes to the file.
        name: the name of the file, for messages.
    """
    return CsvWriter(write, name, "\t" if file_format == "tsv" else ",")
