"""From input files to an output file, whatever makes the results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from typing import Any, BinaryIO

from forstcore._heap import keep_freed
from forstcore._origin import Origin
from forstcore._rejects import Rejected, Rejects, write_reject
from forstcore._whole import written_late
from forstcore.cli._ahead import read_ahead
from forstcore.cli._inputs import Inputs, Piece
from forstcore.cli._makers import Maker, OnError
from forstcore.cli._outputs import opened_output
from forstcore.cli._progress import Progress, Tally
from forstcore.errors import RecordError

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
        max_line_size: bytes of such a line that are of interest.
        progress: whether to show progress; if None, on a terminal.
        on_reject: is given each line that gave an error, too.
        place: tells where a line of a file came from in the first place; None for there.
        verb: what is done, for people.
    """

    inputs: Inputs
    output: str | None
    on_error: OnError = "skip"
    errors: str | None = None
    max_line_size: int = 1 << 20
    progress: bool | None = None
    on_reject: Callable[[Rejected], None] | None = None
    place: Callable[[str, int], tuple[str, int]] | None = None
    verb: str = "processed"


def transform(plan: Plan, maker: Maker) -> int:
    """Make results of an input.

    Returns:
        How many lines gave an error.

    Raises:
        OSError: a file cannot be read or written.
        RecordError: a line gave an error (``on_error="fail"``).
        ForstError: what `maker` raises.
    """
    keep_freed(_KEPT)
    tally = Tally()
    progress = Progress(plan.inputs, tally, plan.progress)
    origin = Origin(plan.max_line_size)
    with ExitStack() as stack:
        write: Callable[[bytes], object] = len
        if plan.output is not None:
            write = stack.enter_context(opened_output(plan.output))
        file = stack.enter_context(written_late(plan.errors)) if plan.errors else None
        if file is not None:
            write = _flushing(file, write)

        def note(error: dict[str, Any]) -> None:
            rejected = _rejected(error, origin, plan)
            if file is not None:
                file.write(write_reject(rejected))
            if plan.on_reject is not None:
                progress.clear()
                plan.on_reject(rejected)

        rejects = None
        known = maker.errors()
        if known is None or plan.errors or plan.on_reject:
            rejects = Rejects(note, keep=plan.on_error != "skip")
        tally.errors = lambda: (maker.errors() or {}) if rejects is None else rejects.codes
        try:
            asyncio.run(_run(plan, maker, origin, rejects, tally, progress, write))
        finally:
            progress.clear()
        progress.end(plan.verb)
    return sum(tally.errors().values())


async def _run(
    plan: Plan,
    maker: Maker,
    origin: Origin,
    rejects: Rejects | None,
    tally: Tally,
    progress: Progress,
    write: Callable[[bytes], object],
) -> None:
    async def counted(pieces: AsyncIterable[Piece]) -> AsyncGenerator[bytes, None]:
        async for name, piece in pieces:
            if has_origin:
                origin.note(name, piece)
            tally.bytes_in += len(piece)
            yield piece

    on_error = plan.on_error
    if rejects and on_error == "skip":
        # Error lines are wanted even where they are not to be among the results.
        on_error = "emit"
    has_origin = on_error != "skip"
    settled = 0
    async with (
        aclosing(read_ahead(plan.inputs.pieces)) as pieces,
        aclosing(counted(pieces)) as source,
        aclosing(maker.run(source, on_error)) as results,
    ):
        try:
            async for chunk in results:
                if rejects:
                    chunk = rejects.take(chunk)
                tally.results += maker.results_in(chunk)
                write(chunk)
                progress.tick()
                # One round late: results may come in several pieces, all settled by then.
                if has_origin and settled != maker.settled:
                    origin.forget(settled)
                    settled = maker.settled
        except RecordError as error:
            raise _at_its_place(error, origin, plan) from None


def _rejected(error: dict[str, Any], origin: Origin, plan: Plan) -> Rejected:
    number = error["line"]
    raw = origin.line(number)
    file, line = origin.place(number)
    if plan.place is not None:
        file, line = plan.place(file, line)
    return Rejected(
        file,
        line,
        error["offset"],
        error["code"],
        error["message"],
        raw,
        error["code"] == "line_too_long",
    )


def _at_its_place(error: RecordError, origin: Origin, plan: Plan) -> RecordError:
    file, line = origin.place(error.line)
    if plan.place is not None:
        file, line = plan.place(file, line)
    return RecordError(error.code, f"{file}: {error.message}", line, error.offset)


def _flushing(errors: BinaryIO, write: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Have whoever follows the error file see its lines before the results behind them."""

    def write_both(results: bytes) -> object:
        errors.flush()
        return write(results)

    return write_both
