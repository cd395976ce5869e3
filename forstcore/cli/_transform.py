"""Process input files into an output file with a runner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from contextlib import AsyncExitStack, ExitStack, aclosing, closing
from dataclasses import dataclass
from typing import BinaryIO

import click

from forstcore._core.rejected import RejectedLine
from forstcore._heap import keep_freed
from forstcore._io.atomic_file import written_late
from forstcore._io.error_file import ErrorFileEntry, entry_of, format_entry
from forstcore._io.line_file import LineFile
from forstcore.cli._formats import EMIT_NEEDS_NDJSON
from forstcore.cli._inputs import Inputs, Part
from forstcore.cli._line_origins import LineOrigins
from forstcore.cli._outputs import opened_output
from forstcore.cli._progress import Progress, ProgressCounts
from forstcore.cli._runner import Pieces, Runner
from forstcore.errors import RecordError
from forstcore.formats import Format
from forstcore.wire import IN_PLACE_MODES, OnError

__all__ = ["TransformOptions", "transform"]

_KEPT_MEMORY = 64 << 20  # Bytes of freed memory to reuse for input pieces and results.


@dataclass(frozen=True)
class TransformOptions:
    """The files of a command, and its treatment of rejected lines.

    Attributes:
        inputs: the input.
        output: the file for the results, ``-`` for standard output, None for no results.
        output_format: its format.
        result_type: the annotation of what the processor returns, None if there is none.
        on_error: as for `Engine`.
        errors: the file for rejected lines, None for none.
        progress: whether to show progress; None to show it on a terminal.
        on_reject: called with each rejected line.
        place: maps a file and line to its original file and line; None to keep them.
        verb: verb for the summary, in the past tense.
    """

    inputs: Inputs
    output: str | None
    output_format: Format = "ndjson"
    result_type: object = None
    on_error: OnError = "skip"
    errors: str | None = None
    progress: bool | None = None
    on_reject: Callable[[ErrorFileEntry], None] | None = None
    place: Callable[[str, int], tuple[str, int]] | None = None
    verb: str = "processed"

    @property
    def has_other_format(self) -> bool:
        """Whether error lines among the results would be wrong, or could not be written."""
        return self.inputs.is_converted or self.output_format != "ndjson"


def transform(options: TransformOptions, runner: Runner) -> int:
    """Process an input.

    Returns:
        The number of rejected lines.

    Raises:
        click.UsageError: a format has no place for error lines among the results.
        OSError: a file cannot be read or written.
        ResultFormatError: the format of the output cannot hold a result.
        RecordError: a line was rejected (``on_error="fail"``).
        ForstError: raised by `runner`.
    """
    if options.on_error in IN_PLACE_MODES and options.has_other_format:
        raise click.UsageError(EMIT_NEEDS_NDJSON)
    keep_freed(_KEPT_MEMORY)
    bad_rows = options.inputs.bad_rows
    counts = ProgressCounts(
        errors=lambda: bad_rows.corrected(runner.errors()), given_back=runner.given_back
    )
    progress = Progress(options.inputs, counts, options.progress)
    origins = LineOrigins()
    with ExitStack() as stack:
        write: Callable[[bytes], object] = len
        if options.output is not None:
            write = stack.enter_context(
                opened_output(options.output, options.output_format, options.result_type)
            )
        file = stack.enter_context(written_late(options.errors)) if options.errors else None
        if file is not None:
            write = _flushing(file, write)

        def reject(rejected: RejectedLine) -> None:
            entry = entry_of(*_place(rejected.line, origins, options), rejected)
            entry = bad_rows.explain(rejected.line, entry)
            if file is not None:
                file.write(format_entry(entry))
            if options.on_reject is not None:
                progress.clear()
                options.on_reject(entry)

        is_kept = bool(options.errors or options.on_reject)
        bad_rows.is_kept = is_kept or options.on_error == "fail"
        try:
            asyncio.run(
                _run(options, runner, origins, reject if is_kept else None, counts, progress, write)
            )
        finally:
            progress.clear()
        progress.end(options.verb)
    return sum(counts.errors().values())


async def _run(
    options: TransformOptions,
    runner: Runner,
    origins: LineOrigins,
    reject: Callable[[RejectedLine], None] | None,
    counts: ProgressCounts,
    progress: Progress,
    write: Callable[[bytes], object],
) -> None:
    # The error line is the last one before the error that ends the stream.
    drops_error_line = options.on_error == "fail" and options.has_other_format
    held = b""
    needs_origins = reject is not None or options.on_error == "fail"

    def counted(name: str, piece: bytes) -> bytes:
        if needs_origins:
            origins.add(name, piece)
        counts.bytes_in += len(piece)
        return piece

    def counted_parts(parts: Iterable[Part]) -> Generator[bytes | LineFile, None, None]:
        for name, part in parts:
            if isinstance(part, bytes):
                yield counted(name, part)
            elif not needs_origins:
                before = part.taken
                yield part
                counts.bytes_in += part.taken - before

    async with AsyncExitStack() as stack:
        source: Pieces
        if options.inputs.may_block:
            read = await stack.enter_async_context(aclosing(options.inputs.read()))
            source = (counted(*each) async for each in read)
            await stack.enter_async_context(aclosing(source))
        else:
            parts = stack.enter_context(closing(options.inputs.parts()))
            source = counted_parts(parts)
        results = runner.run(source, options.on_error, keep_rejected=reject is not None)
        await stack.enter_async_context(aclosing(results))
        try:
            async for chunk in results:
                if reject is not None:
                    for rejected in runner.rejected:
                        reject(rejected)
                counts.results += runner.results_in(chunk)
                if drops_error_line and chunk:
                    chunk, held = held, chunk
                write(chunk)
                progress.tick()
            write(held)
        except RecordError as found:
            write(held[: held.rfind(b"\n", 0, -1) + 1])
            error = options.inputs.bad_rows.explain_error(found)
            file, line = _place(error.line, origins, options)
            message = f"{file}: {error.message}"
            raise RecordError(error.code, message, line, error.offset) from None


def _place(number: int, origins: LineOrigins, options: TransformOptions) -> tuple[str, int]:
    file, line = origins.find(number)
    return (file, line) if options.place is None else options.place(file, line)


def _flushing(errors: BinaryIO, write: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Flush the error file before results are written, for readers that follow it."""

    def write_both(results: bytes) -> object:
        errors.flush()
        return write(results)

    return write_both
