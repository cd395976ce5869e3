"""File formats of records and results: NDJSON, CSV, TSV and Parquet, recognized by file names."""

from __future__ import annotations

import re
from typing import Final, Literal, Protocol, get_args

from forstcore._io.compressed import is_compressed
from forstcore.errors import ForstError

__all__ = [
    "FORMATS",
    "FileWriter",
    "Format",
    "FormatMissingError",
    "ResultFormatError",
    "UnknownFormatError",
    "format_of",
]

Format = Literal["ndjson", "csv", "tsv", "parquet"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

_SUFFIXES: Final[dict[str, Format]] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".log": "ndjson",
    ".txt": "ndjson",
    ".out": "ndjson",
    ".tmp": "ndjson",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}

# What rotation adds to the name of a log: app.log.1, app.log-20261201, app.log.2026-12-01T10.
_ROTATED: Final = re.compile(r"[.-][0-9][0-9T:_.-]*$")


class UnknownFormatError(ForstError, ValueError):
    """A file name whose suffix is unknown; the message lists the known ones."""


class FormatMissingError(ForstError, ImportError):
    """A format that needs a missing package; the message says how to install it."""


class ResultFormatError(ForstError, ValueError):
    """A result that a file's format cannot hold.

    Attributes:
        number: the number of the result, counted from 1; 0 if several are concerned.
        reason: what cannot be written, and why.
    """

    def __init__(self, name: str, number: int, reason: str) -> None:
        super().__init__(name, number, reason)
        self.name = name
        self.number = number
        self.reason = reason

    def __str__(self) -> str:
        place = f"result {self.number:,}: " if self.number else ""
        return f"{self.name}: {place}{self.reason}"


class FileWriter(Protocol):
    """Writes results, which arrive as NDJSON, to a file of another format."""

    def write(self, lines: bytes) -> None:
        """Add results: whole lines, each with its LF.

        Raises:
            OSError: the file cannot be written.
            ResultFormatError: the format cannot hold a result.
        """
        ...

    def finish(self) -> None:
        """Write what is held back, and the end of the file, without closing it.

        Raises:
            OSError, ResultFormatError: as `write`.
        """
        ...

    def close(self) -> None:
        """Free all resources; nothing is written."""
        ...


def format_of(name: str) -> Format:
    """Return the format of a file by its name, such as ``x.csv.gz``.

    A name without a suffix, and ``-``, is NDJSON. The number or date of a rotated file is none.

    Raises:
        UnknownFormatError: its suffix is not known.
    """
    plain = name.rpartition(".")[0] if is_compressed(name) else name
    base = _ROTATED.sub("", plain.replace("\\", "/").rpartition("/")[2].lstrip("."))
    stem, dot, suffix = base.rpartition(".")
    if not dot:
        return "ndjson"
    found = _SUFFIXES.get(f".{suffix.lower()}") if stem else None
    if found is None:
        raise UnknownFormatError(
            f"{name}: the format of a name with the suffix .{suffix} is not known; known are "
            f"{', '.join(_SUFFIXES)} and, but for .parquet, these with .gz or .zst"
        )
    if found == "parquet" and plain != name:
        raise UnknownFormatError(f"{name}: Parquet files are compressed inside, not as a whole")
    return found
