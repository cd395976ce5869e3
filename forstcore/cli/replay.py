"""`forstcore replay`: the lines of an error file once more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from forstcore._rejects import Rejected, reject_of
from forstcore.cli import _options
from forstcore.cli._clashes import check_names
from forstcore.cli._inputs import Inputs, Piece
from forstcore.cli._makers import Maker
from forstcore.cli._transform import Plan, transform
from forstcore.cli.process import maker_of, processor_of, processor_options
from forstcore.cli.send import ServerMaker
from forstcore.config import RetryConfig, StreamingConfig

__all__ = ["command"]


class ErrorFile(Inputs):
    """The lines that an error file holds.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no error file.
    """

    def __init__(self, path: str) -> None:
        super().__init__([path])
        self.rejected = list(_read(path))

    def pieces(self) -> Iterator[Piece]:
        """Yield the lines, each as a piece."""
        for number, rejected in enumerate(self.rejected):
            yield "" if number else "-", rejected.raw + b"\n"

    def place(self, _file: str, line: int) -> tuple[str, int]:
        """Name the file that a line came from in the first place, and its number there."""
        rejected = self.rejected[line - 1]
        return rejected.file, rejected.line


def _read(path: str) -> Iterator[Rejected]:
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                rejected = reject_of(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
            if rejected.is_cut:
                raise ValueError(
                    f"{path}, line {number}: only the start of this line was kept; "
                    f"the whole is line {rejected.line} of {rejected.file}"
                )
            yield rejected


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

    Lines that fail again keep the file and the number that they had in the first place.
    """
    if to and (processor or processors):
        raise click.UsageError("--to has the server choose; give the endpoint in its URL")
    check_names([error_file], output=output, errors=errors, others=[ca, *processors])
    inputs = ErrorFile(error_file)
    maker: Maker
    if to:
        config = StreamingConfig(timeout=timeout, retry=RetryConfig(attempts=10))
        maker = ServerMaker(to, token, ca, config, max_line_size=max_line_size, resume=True)
    else:
        maker = maker_of(
            inputs,
            processor_of(processor, processors),
            workers=workers,
            buffer_size=buffer_size,
            max_line_size=max_line_size,
        )
    transform(
        Plan(
            inputs,
            output,
            errors=errors,
            progress=progress,
            place=inputs.place,
        ),
        maker,
    )
