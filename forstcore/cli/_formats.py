"""The formats of files that commands read and write: options, and checks of names."""

from __future__ import annotations

from typing import Literal

import click

from forstcore._io.compressed import is_compressed
from forstcore.formats import FORMATS, Format, UnknownFormatError, format_of

__all__ = [
    "EMIT_NEEDS_NDJSON",
    "check_cluster_input",
    "check_error_file",
    "cluster_output_format",
    "format_named",
    "input_format",
    "output_format",
]

EMIT_NEEDS_NDJSON = (
    "--on-error emit is for NDJSON only: write the lines that give an error to a file of their "
    "own, with --errors"
)

input_format = click.option(
    "--input-format",
    type=click.Choice(FORMATS),
    help="Format of the input. Default: that of the suffixes; NDJSON without a suffix.",
)
output_format = click.option(
    "--format",
    "output_format",
    type=click.Choice(FORMATS),
    help="Format of the results. Default: that of OUT's suffix; NDJSON without a suffix.",
)


def format_named(name: str, given: Format | None, option: str) -> Format:
    """Return the format of a file.

    Args:
        name: its name, ``-`` for a standard stream.
        given: the format that an option specifies, None for none.
        option: that option, for messages.

    Raises:
        click.UsageError: no option specifies it, and the suffix is unknown.
    """
    if given is not None:
        return given
    try:
        return format_of(name)
    except UnknownFormatError as error:
        raise click.UsageError(f"{error}. Give {option} {'|'.join(FORMATS)}") from None


def check_cluster_input(name: str, given: Format | None) -> None:
    """Check that an input of a cluster, a path or URL, is NDJSON.

    Raises:
        click.UsageError: it is not, or its format is unknown.
    """
    file, _, _ = name.partition("::")
    if "://" in file:
        file, _, _ = file.partition("?")
    if format_named(file, given, "--input-format") != "ndjson":
        raise click.UsageError(f"{name}: a cluster reads NDJSON only")


def cluster_output_format(name: str, given: Format | None) -> Literal["ndjson", "parquet"]:
    """Return the format of the parts that a cluster writes to a directory.

    Raises:
        click.UsageError: the suffix of the directory is that of another format.
    """
    directory = name.rstrip("/")
    found = format_named(directory, given, "--format")
    if found not in ("ndjson", "parquet"):
        raise click.UsageError(f"{name}: a cluster writes NDJSON or Parquet")
    if given is None and is_compressed(directory):
        raise click.UsageError(f"{name}: the parts that a cluster writes are not compressed")
    return found


def check_error_file(name: str) -> None:
    """Check that an error file does not have the suffix of another format.

    Raises:
        click.UsageError: it does.
    """
    try:
        found = format_of(name)
    except UnknownFormatError as error:
        raise click.UsageError(f"{error}. An error file is NDJSON") from None
    if found != "ndjson" or is_compressed(name):
        raise click.UsageError(f"{name}: an error file is NDJSON that is not compressed")
