"""`forstcore replay`: the lines of an error file once more."""

from __future__ import annotations

import bisect
import contextlib
import re
import sys
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import click

from forstcore._io.error_file import ErrorFileEntry, parse_entry
from forstcore.cli import _options
from forstcore.cli._inputs import Inputs, Piece
from forstcore.cli._main import BAD_LINES
from forstcore.cli._path_checks import check_paths
from forstcore.cli._runner import EngineRunner, Runner
from forstcore.cli._transform import TransformOptions, transform
from forstcore.cli.process import processor_of, processor_options
from forstcore.cli.send import ServerRunner
from forstcore.config import RetryConfig, StreamingConfig

__all__ = ["command"]


_SIZE = 1 << 19  # Bytes of lines that are processed together, about.
_MOST_SHOWN = 20  # Damaged lines that are reported individually.
_START = re.compile(rb'\{"(?:time|file)":')  # of each line, as it is written
_MOST_STARTS = 8  # places at which a line may be cut


class ErrorFileReader(Inputs):
    """The lines that an error file holds; damaged ones are reported and left out.

    A line is damaged where a crash or a full disk has cut it. What another process has written
    behind such a line is found all the same.

    Args:
        path: the file.

    Attributes:
        damaged: lines that were left out so far.
    """

    def __init__(self, path: str) -> None:
        super().__init__([path])
        self.damaged = 0
        self._path = path
        # Of all lines so far: their numbers in the first place, and where another file begins.
        self._lines = array("q")
        self._starts: list[int] = []
        self._names: list[str] = []
        self._untold: list[str] = []

    def pieces(self) -> Iterator[Piece]:
        """Yield the lines, some together.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no error file.
        """
        name = "-"
        with Path(self._path).open("rb") as file:
            raws: list[bytes] = []
            size = 0
            for number, line in enumerate(file, 1):
                self.taken += len(line)
                for rejected in self._read(line, number) if line.strip() else ():
                    self._add(rejected)
                    raws += (rejected.raw, b"\n")
                    size += len(rejected.raw) + 1
                if self._lines:
                    self._tell()
                if size >= _SIZE:
                    yield name, b"".join(raws)
                    name, raws, size = "", [], 0
        if self._untold:
            raise ValueError(self._untold[0])
        if raws:
            yield name, b"".join(raws)

    def place(self, _file: str, line: int) -> tuple[str, int]:
        """Name the file that a line came from in the first place, and its number there."""
        at = bisect.bisect_right(self._starts, line - 1) - 1
        return self._names[at], self._lines[line - 1]

    def _add(self, rejected: ErrorFileEntry) -> None:
        if not self._names or rejected.file != self._names[-1]:
            self._starts.append(len(self._lines))
            self._names.append(rejected.file)
        self._lines.append(rejected.line)

    def _read(self, line: bytes, number: int) -> Iterator[ErrorFileEntry]:
        """Yield what a line holds: two, where nobody has ended the first."""
        for text in _apart(line):
            try:
                rejected = parse_entry(text)
            except ValueError as error:
                self._leave_out(number, str(error))
                continue
            if rejected.is_cut:
                whole = f"the whole is line {rejected.line} of {rejected.file}"
                self._leave_out(number, f"only the start of this line was kept; {whole}")
                continue
            yield rejected

    def _leave_out(self, number: int, why: str) -> None:
        self.damaged += 1
        if self.damaged <= _MOST_SHOWN:
            self._untold.append(f"{self._path}, line {number}: {why}")

    def _tell(self) -> None:
        """Say which lines were left out, once it is known that this is an error file."""
        for each in self._untold:
            print(f"forstcore: left out: {each}", file=sys.stderr)
        self._untold.clear()


def _apart(line: bytes) -> Sequence[bytes]:
    """Cut a line before one that another process has written behind it."""
    for match in islice(_START.finditer(line, 1), _MOST_STARTS):
        behind = line[match.start() :]
        with contextlib.suppress(ValueError):
            parse_entry(behind)
            return line[: match.start()], behind
    return (line,)


_EPILOG = """\b
Examples:
  forstcore replay bad.ndjson -o late.ndjson
  forstcore replay bad.ndjson --to http://127.0.0.1:8080 --errors still-bad.ndjson
"""


@click.command(epilog=_EPILOG)
@click.argument("error_file", metavar="ERRORS", type=click.Path(exists=True, dir_okay=False))
@click.option("--to", metavar="URL", help="The server to send them to. Default: process here.")
@_options.output
@_options.errors
@_options.server
@processor_options
@_options.max_line_size
@_options.progress
def command(
    error_file: str,
    to: str | None,
    output: str,
    errors: str | None,
    token: str | None,
    ca: str | None,
    timeout: float,
    processor: str | None,
    processors: tuple[str, ...],
    workers: int,
    buffer_size: int,
    max_line_size: int,
    progress: bool | None,
) -> None:
    """Process the lines of an error file again: those that --errors wrote.

    Lines that fail again keep the file and the number that they had in the first place. Lines
    that a crash or a full disk has damaged are reported and left out; the exit status is 1 then.
    """
    if to and (processor or processors):
        raise click.UsageError("--to has the server choose; give the endpoint in its URL")
    check_paths([error_file], output=output, errors=errors, others=[ca, *processors])
    inputs = ErrorFileReader(error_file)
    runner: Runner
    if to:
        config = StreamingConfig(timeout=timeout, retry=RetryConfig(attempts=10))
        runner = ServerRunner(to, token, ca, config, max_line_size=max_line_size, resume=True)
    else:
        runner = EngineRunner(
            processor_of(processor, processors),
            workers=workers,
            buffer_size=buffer_size,
            max_line_size=max_line_size,
        )
    transform(
        TransformOptions(
            inputs,
            output,
            errors=errors,
            progress=progress,
            place=inputs.place,
        ),
        runner,
    )
    if inputs.damaged:
        lines = "line was" if inputs.damaged == 1 else "lines were"
        print(
            f"forstcore: {inputs.damaged:,} damaged {lines} left out of {error_file}",
            file=sys.stderr,
        )
        click.get_current_context().exit(BAD_LINES)
