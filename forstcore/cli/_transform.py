"""From input files to an output file, whatever makes the results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from typing import BinaryIO

from forstcore._core.rejected import RejectedLine
from forstcore._heap import keep_freed
from forstcore._io.atomic_file import written_late
from forstcore._io.error_lines import Rejected, rejected_in, write_reject
from forstcore.cli._ahead import read_ahead
from forstcore.cli._inputs import Inputs, Piece
from forstcore.cli._outputs import opened_output
from forstcore.cli._progress import Progress, Tally
from forstcore.cli._runner import Runner
from forstcore.engine.origin import Files
from forstcore.errors import RecordError
from forstcore.wire import OnError

__all__ = ["Plan", "transform"]

_KEPT = 64 << 20  # Bytes of freed memory for the pieces of files.


@dataclass(frozen=True)
class Plan:
    """What to do.

    Attributes:
        inputs: where lines come from.
        output: the file for the results, ``-`` for standard output, None for no results.
        on_error: what becomes of lines that give an error.
        errors: the file for those, None for none.
        progress: whether to show progress; if None, on a terminal.
        on_reject: is given each line that gave an error, too.
        place: tells where a line of a file came from in the first place; None for there.
        verb: what is done, for people.
    """

    inputs: Inputs
    output: str | None
    on_error: OnError = "skip"
    errors: str | None = None
    progress: bool | None = None
    on_reject: Callable[[Rejected], None] | None = None
    place: Callable[[str, int], tuple[str, int]] | None = None
    verb: str = "processed"


def transform(plan: Plan, runner: Runner) -> int:
    """Make results of an input.

    Returns:
        How many lines gave an error.

    Raises:
        OSError: a file cannot be read or written.
        RecordError: a line gave an error (``on_error="fail"``).
        ForstError: what `runner` raises.
    """
    keep_freed(_KEPT)
    tally = Tally()
    progress = Progress(plan.inputs, tally, plan.progress)
    files = Files()
    with ExitStack() as stack:
        write: Callable[[bytes], object] = len
        if plan.output is not None:
            write = stack.enter_context(opened_output(plan.output))
        file = stack.enter_context(written_late(plan.errors)) if plan.errors else None
        if file is not None:
            write = _flushing(file, write)

        def note(found: RejectedLine) -> None:
            rejected = rejected_in(*_place(found.line, files, plan), found)
            if file is not None:
                file.write(write_reject(rejected))
            if plan.on_reject is not None:
                progress.clear()
                plan.on_reject(rejected)

        is_noting = bool(plan.errors or plan.on_reject)
        tally.errors = runner.errors
        try:
            asyncio.run(
                _run(plan, runner, files, note if is_noting else None, tally, progress, write)
            )
        finally:
            progress.clear()
        progress.end(plan.verb)
    return sum(tally.errors().values())


async def _run(
    plan: Plan,
    runner: Runner,
    files: Files,
    note: Callable[[RejectedLine], None] | None,
    tally: Tally,
    progress: Progress,
    write: Callable[[bytes], object],
) -> None:
    has_places = note is not None or plan.on_error == "fail"

    async def counted(pieces: AsyncIterable[Piece]) -> AsyncGenerator[bytes, None]:
        async for name, piece in pieces:
            if has_places:
                files.note(name, piece)
            tally.bytes_in += len(piece)
            yield piece

    async with (
        aclosing(read_ahead(plan.inputs.pieces)) as pieces,
        aclosing(counted(pieces)) as source,
        aclosing(runner.run(source, plan.on_error, keep_rejected=note is not None)) as results,
    ):
        try:
            async for chunk in results:
                if note is not None:
                    for found in runner.rejected:
                        note(found)
                tally.results += runner.results_in(chunk)
                write(chunk)
                progress.tick()
        except RecordError as error:
            file, line = _place(error.line, files, plan)
            message = f"{file}: {error.message}"
            raise RecordError(error.code, message, line, error.offset) from None


def _place(number: int, files: Files, plan: Plan) -> tuple[str, int]:
    file, line = files.place(number)
    return (file, line) if plan.place is None else plan.place(file, line)


def _flushing(errors: BinaryIO, write: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Flush the error file before results are written, for those who follow it."""

    def write_both(results: bytes) -> object:
        errors.flush()
        return write(results)

    return write_both
