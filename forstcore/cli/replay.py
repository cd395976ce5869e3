"""`forstcore replay`: process the lines of an error file again."""

from __future__ import annotations

import bisect
import contextlib
import json
import re
import sys
from array import array
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from pathlib import Path

import click

from forstcore._io.error_file import SINK_REFUSED, ErrorFileEntry, parse_entry
from forstcore._proc import PASS_ON
from forstcore.cli import _formats, _options
from forstcore.cli._inputs import Inputs, Piece
from forstcore.cli._main import BAD_LINES
from forstcore.cli._outputs import opened_output
from forstcore.cli._path_checks import check_paths
from forstcore.cli._runner import EngineRunner, Runner
from forstcore.cli._transform import TransformOptions, transform
from forstcore.cli.process import processor_of, processor_options
from forstcore.cli.send import ServerRunner
from forstcore.config import RetryConfig, StreamingConfig, WorkerKind
from forstcore.formats import Format
from forstcore.processors import BUILT_IN, as_processor

__all__ = ["command"]


_SIZE = 1 << 19  # Approximate bytes per piece.
_MOST_SHOWN = 20  # Damaged lines that are reported individually.
_START = re.compile(rb'\{"(?:time|file)":')  # The start of every entry.
_MOST_PEEKED = 1 << 24  # Bytes of the first entry that are read to see who wrote it.
_MOST_STARTS = 8  # Possible starts to try in a damaged line.

# The processors that no module declares, by the names that pipelines have for them.
_WITHOUT_MODULE = {BUILT_IN.name: BUILT_IN, "pass": as_processor(PASS_ON)}


class ErrorFileReader(Inputs):
    """Read the rejected lines in an error file; damaged entries are reported and skipped.

    A crash or a full disk can truncate an entry. An entry that another process appended to
    such a line is still read.

    Args:
        path: the file.
        refused: whether to read the results that a sink refused, instead of the rejected lines.

    Attributes:
        damaged: number of lines skipped so far.
        refused: number of results that a sink refused and that were left out so far.
    """

    def __init__(self, path: str, *, refused: bool = False) -> None:
        super().__init__([path])
        self.damaged = 0
        self.refused = 0
        self._is_of_results = refused
        self._path = path
        # The original numbers of all lines so far, and the indices at which the file changes.
        self._lines = array("q")
        self._starts: list[int] = []
        self._names: list[str] = []
        self._unreported: list[str] = []

    def parts(self) -> Generator[Piece, None, None]:
        """Yield the lines in pieces.

        Raises:
            OSError: the file cannot be read.
            ValueError: the file is not an error file.
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
        if self._unreported:
            raise ValueError(self._unreported[0])
        if raws:
            yield name, b"".join(raws)

    def place(self, _file: str, line: int) -> tuple[str, int]:
        """Return the original file of a line, and its number in that file."""
        at = bisect.bisect_right(self._starts, line - 1) - 1
        return self._names[at], self._lines[line - 1]

    def _add(self, rejected: ErrorFileEntry) -> None:
        if not self._names or rejected.file != self._names[-1]:
            self._starts.append(len(self._lines))
            self._names.append(rejected.file)
        self._lines.append(rejected.line)

    def _read(self, line: bytes, number: int) -> Iterator[ErrorFileEntry]:
        """Yield the entries in a line: two if the first one was truncated before its LF."""
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
            if (rejected.code == SINK_REFUSED) == self._is_of_results:
                yield rejected
            elif not self._is_of_results:
                self.refused += 1

    def _leave_out(self, number: int, why: str) -> None:
        self.damaged += 1
        if self.damaged <= _MOST_SHOWN:
            self._unreported.append(f"{self._path}, line {number}: {why}")

    def _tell(self) -> None:
        """Report skipped lines, once it is known that this is an error file."""
        for each in self._unreported:
            print(f"forstcore: left out: {each}", file=sys.stderr)
        self._unreported.clear()


def _apart(line: bytes) -> Sequence[bytes]:
    """Split a line before an entry that another process appended to a truncated one."""
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
@click.option(
    "--refused",
    is_flag=True,
    help="Write only the results that the sink of a pipeline refused, as they are.",
)
@_options.output
@_formats.output_format
@_options.errors
@_options.server
@processor_options
@_options.max_line_size
@_options.progress
def command(
    error_file: str,
    to: str | None,
    refused: bool,
    output: str,
    output_format: Format | None,
    errors: str | None,
    token: str | None,
    ca: str | None,
    timeout: float,
    processor: str | None,
    processors: tuple[str, ...],
    workers: int,
    worker_kind: WorkerKind,
    buffer_size: int,
    max_line_size: int,
    progress: bool | None,
) -> None:
    """Process the lines of an error file again: those that --errors wrote.

    To fix a line, edit its "raw" in the error file; the original input is not read again.

    Lines that fail again keep their original file and line number. Lines that a crash or a full
    disk has damaged are reported and skipped; so are results that the sink of a pipeline refused,
    without --refused. The exit status is then 1.

    Dead letters of a pipeline need its processor: --processors, or --processor with the name
    built-in, or pass if the pipeline has none.
    """
    if refused and (to or processor or processors):
        raise click.UsageError("--refused writes results, which need no processor and no server")
    if to and (processor or processors):
        raise click.UsageError(
            "with --to the server runs the processor: give its endpoint in the URL"
        )
    kind = _formats.format_named(output, output_format, "--format")
    _formats.check_error_file(error_file)
    check_paths([error_file], output=output, errors=errors, others=[ca, *processors])
    inputs = ErrorFileReader(error_file, refused=refused)
    if not (refused or to or processor or processors) and (pipeline := _pipeline_of(error_file)):
        raise click.UsageError(
            f"{error_file} has dead letters of the pipeline {pipeline!r}, which need its "
            "processor: --processors MODULE, or --processor built-in, or pass if it has none"
        )
    if refused:
        with opened_output(output, kind) as write:
            for _, piece in inputs.pieces():
                write(piece)
    else:
        runner: Runner
        result_type: object = None
        if to:
            config = StreamingConfig(timeout=timeout, retry=RetryConfig(attempts=10))
            runner = ServerRunner(to, token, ca, config, max_line_size=max_line_size, resume=True)
        else:
            known = None if processors else _WITHOUT_MODULE.get(processor or "")
            chosen = known or processor_of(processor, processors)
            result_type = chosen.result_type
            runner = EngineRunner(
                chosen,
                workers=workers,
                worker_kind=worker_kind,
                buffer_size=buffer_size,
                max_line_size=max_line_size,
            )
        transform(
            TransformOptions(
                inputs,
                output,
                kind,
                result_type,
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
    if inputs.refused:
        results = (
            "result that a sink refused was"
            if inputs.refused == 1
            else ("results that a sink refused were")
        )
        print(
            f"forstcore: {inputs.refused:,} {results} left out of {error_file}: --refused writes "
            "them as they are",
            file=sys.stderr,
        )
    if inputs.damaged or inputs.refused:
        click.get_current_context().exit(BAD_LINES)


def _pipeline_of(error_file: str) -> str:
    """Return the pipeline that wrote an error file; empty if none did, or it is not known."""
    with (
        contextlib.suppress(OSError, ValueError, AttributeError),
        Path(error_file).open("rb") as file,
    ):
        return str(json.loads(file.readline(_MOST_PEEKED)).get("pipeline", ""))
    return ""
