"""`forstcore validate`: show every invalid line with its position."""

from __future__ import annotations

import sys

import click

from forstcore._io.error_file import ErrorFileEntry
from forstcore._proc import PASS_ON
from forstcore.cli import _formats, _options
from forstcore.cli._excerpt import excerpt
from forstcore.cli._inputs import Inputs
from forstcore.cli._main import BAD_LINES
from forstcore.cli._path_checks import check_paths
from forstcore.cli._runner import EngineRunner
from forstcore.cli._transform import TransformOptions, transform
from forstcore.cli.process import processor_of, processor_options
from forstcore.config import WorkerKind
from forstcore.formats import Format
from forstcore.processors import as_processor

__all__ = ["command"]

_EPILOG = """\b
Examples:
  forstcore validate records.ndjson
  forstcore validate --any-object part-*.ndjson.gz && echo fine
"""


@click.command(epilog=_EPILOG)
@_options.input_files
@_formats.input_format
@_options.errors
@click.option(
    "--any-object",
    is_flag=True,
    help="Accept every JSON object, not only records whose id and data are strings.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Maximum invalid lines to show; all are counted.",
)
@processor_options
@_options.max_line_size
@_options.progress
def command(
    inputs: tuple[str, ...],
    input_format: Format | None,
    errors: str | None,
    any_object: bool,
    limit: int,
    processor: str | None,
    processors: tuple[str, ...],
    workers: int,
    worker_kind: WorkerKind,
    buffer_size: int,
    max_line_size: int,
    progress: bool | None,
) -> None:
    """Show each line that is not a record, with file, line, byte and excerpt.

    With --processor, also show lines for which it fails. Ends with status 1 if there are any.
    """
    if any_object and processor:
        raise click.UsageError("--any-object and --processor exclude each other")
    check_paths(inputs or "-", errors=errors, others=processors, uses_stdout=True)
    shown = 0

    def show(rejected: ErrorFileEntry) -> None:
        nonlocal shown
        shown += 1
        if shown <= limit:
            print(rejected, excerpt(rejected.raw, rejected.offset), sep="\n")
        elif shown == limit + 1:
            print("…")
        sys.stdout.flush()

    read = Inputs(inputs, input_format, max_line_size)
    bad = transform(
        TransformOptions(
            read,
            None,
            errors=errors,
            progress=progress,
            on_reject=show,
            verb="checked",
        ),
        EngineRunner(
            as_processor(PASS_ON) if any_object else processor_of(processor, processors),
            workers=workers,
            worker_kind=worker_kind,
            buffer_size=buffer_size,
            max_line_size=max_line_size,
        ),
    )
    if bad:
        click.get_current_context().exit(BAD_LINES)
