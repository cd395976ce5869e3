"""Check that no output of a command is one of its inputs or another output."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click

from forstcore._io.destination import Destination, destination_of, same_file
from forstcore.cli._formats import check_error_file

__all__ = ["check_paths"]


@dataclass(frozen=True)
class _Named:
    """An input or output.

    Attributes:
        said: its name in messages.
        status: status of the file, None if it does not exist.
        place: directory and name, if the file does not exist yet.
        is_shared: whether it is an open descriptor of this process.
        is_whole: whether it is replaced at the end, so that it may also be an input.
    """

    said: str
    status: os.stat_result | None
    place: tuple[object, str] | None = None
    is_shared: bool = False
    is_whole: bool = False


def check_paths(
    inputs: Iterable[str],
    *,
    output: str | None = None,
    errors: str | None = None,
    others: Iterable[str | None] = (),
    uses_stdout: bool = False,
) -> None:
    """Check, before anything is opened for writing, that no output is an input or another output.

    Files are compared by device and inode, which covers links, different spellings and
    redirections. `output` may be an input: it is replaced after the input has been read.

    Args:
        inputs: the input files; ``-`` for standard input.
        output: the file for the results, ``-`` for standard output, None for none.
        errors: the file for rejected lines, None for none.
        others: more files that are read, such as modules; None is ignored.
        uses_stdout: whether the command writes anything else to standard output.

    Raises:
        click.UsageError: two of them are the same; the message names both. Or the name of
            `errors` promises another format.
        OSError: an output cannot be reached.
    """
    reads = list(_read(inputs, "the input"))
    fixed = list(_read([each for each in others if each], "the file"))
    stdout = _open_file(sys.stdout, "standard output")
    stderr = _open_file(sys.stderr, "standard error")
    writes = []
    if output == "-" or uses_stdout:
        writes.append(stdout)
    if output is not None and output != "-":
        writes.append(_written(f"--output {output}", output, is_whole=True))
    if errors:
        writes.append(_written(f"--errors {errors}", errors))
    for number, written in enumerate(writes):
        for read in fixed if written.is_whole else [*reads, *fixed]:
            _refuse(written, read)
        for other in writes[:number]:
            _refuse(written, other)
        if not written.is_shared:
            _refuse(written, stderr)
    for read in [*reads, *fixed]:
        if _same(stderr, read):
            # The message must not be written to the input.
            has_other = sys.stdout is not None and not any(_same(stdout, each) for each in reads)
            os.dup2(1 if has_other else os.open(os.devnull, os.O_WRONLY), 2)
            _refuse(stderr, read)
    if errors:
        check_error_file(errors)


def _read(paths: Iterable[str], kind: str) -> Iterator[_Named]:
    for path in paths:
        if path == "-":
            yield _open_file(sys.stdin, "standard input")
            continue
        try:
            yield _Named(f"{kind} {path}", Path(path).stat())
        except OSError:
            continue  # Reported when it is read.


def _open_file(file: IO[str] | None, said: str) -> _Named:
    try:
        status = os.fstat(file.fileno()) if file is not None else None
    except (OSError, ValueError):
        status = None
    return _Named(said, status, is_shared=True)


def _written(said: str, path: str, is_whole: bool = False) -> _Named:
    destination = destination_of(path)
    return _Named(
        said,
        destination.status,
        _place(destination),
        is_shared=destination.descriptor is not None,
        is_whole=is_whole and destination.is_replaceable,
    )


def _place(destination: Destination) -> tuple[object, str] | None:
    if destination.status is not None:
        return None
    try:
        above = Path(destination.directory).stat()
    except OSError:
        return None
    # Some file systems ignore case and normalization.
    name = unicodedata.normalize("NFC", destination.name).casefold()
    return (above.st_dev, above.st_ino), name


def _refuse(one: _Named, other: _Named) -> None:
    if _same(one, other):
        raise click.UsageError(
            f"{one.said} and {other.said} are the same file; nothing has been written"
        )


def _same(one: _Named, other: _Named) -> bool:
    if one.status is not None and other.status is not None:
        return same_file(one.status, other.status)
    return one.place is not None and one.place == other.place
