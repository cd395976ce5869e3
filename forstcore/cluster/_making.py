"""Making results of one block, in the thread of a task, by any kind of processor."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import dataclass, field

from distributed import get_worker

from forstcore._core.rejected import RejectedLines
from forstcore._io.sync_iterator import steps
from forstcore._proc import Batcher
from forstcore.engine import Engine, EngineOptions
from forstcore.engine.runners import batches_of
from forstcore.processors import Processor

__all__ = ["Made", "is_cancelled_here", "results_of"]


@dataclass
class Made:
    """What a block came to so far.

    Attributes:
        lines: lines whose results have been yielded.
        records, results, bytes_in: as in `Part`.
        codes: errors by their code.
        rejected: the lines that gave an error among those whose results were yielded last;
            None if there are none, or if they are not kept.
    """

    lines: int = 0
    records: int = 0
    results: int = 0
    bytes_in: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    rejected: RejectedLines | None = None


class StoppedError(Exception):
    """Nobody wants the results any more."""


def is_cancelled_here() -> Callable[[], bool]:
    """Return what tells, in the thread of a task, whether that has been cancelled."""
    try:
        worker = get_worker()
        key = worker.get_current_task()
    except (ValueError, KeyError):
        return lambda: False

    def is_cancelled() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    return is_cancelled


def results_of(
    pieces: Iterable[bytes],
    processor: Processor,
    made: Made,
    is_stopped: Callable[[], bool],
    options: EngineOptions,
    *,
    keep_rejected: bool,
) -> Generator[bytes, None, None]:
    """Make results of lines; close the generator where that is not wanted any more.

    Args:
        pieces: the lines, cut anywhere.
        processor: what makes them.
        made: is told what they come to.
        is_stopped: whether to give up; looked at before each record.
        options: all of those of `Engine`, but `order`.
        keep_rejected: whether `made.rejected` is told.

    Yields:
        Whole result lines.

    Raises:
        RecordError: the line that ends everything (``on_error="fail"``).
        StoppedError: `is_stopped` said so.
    """
    counted = _counted(pieces, made)
    if processor.is_async:
        return _in_tasks(counted, processor, made, is_stopped, options, keep_rejected)
    return _in_batches(counted, processor, made, is_stopped, options, keep_rejected)


def _counted(pieces: Iterable[bytes], made: Made) -> Iterator[bytes]:
    for piece in pieces:
        made.bytes_in += len(piece)
        yield piece


def _in_batches(
    pieces: Iterator[bytes],
    processor: Processor,
    made: Made,
    is_stopped: Callable[[], bool],
    options: EngineOptions,
    keep_rejected: bool,
) -> Generator[bytes, None, None]:
    batches = batches_of(
        processor, options["on_error"], options["max_line_size"], keep_rejected=keep_rejected
    )
    try:
        for lines, number, behind in _batched(pieces, options):
            outcome = batches.run(lines, number, is_stopped)
            if is_stopped():
                raise StoppedError
            if outcome.failure is not None:
                raise outcome.failure
            made.lines = behind
            made.records += outcome.records
            made.results += outcome.results
            made.codes.update(outcome.errors or {})
            made.rejected = outcome.rejected
            yield outcome.output
    finally:
        batches.close()


def _batched(pieces: Iterator[bytes], options: EngineOptions) -> Iterator[tuple[bytes, int, int]]:
    """Yield whole lines, the number of their first, and how many there were with them."""
    batcher = Batcher(max_line_size=options["max_line_size"])
    number = options["first_line"]
    for piece in pieces:
        if lines := batcher.feed(piece):
            yield lines, number, batcher.lines
            number = options["first_line"] + batcher.lines
    # The last piece ends with a line.


def _in_tasks(
    pieces: Iterator[bytes],
    processor: Processor,
    made: Made,
    is_stopped: Callable[[], bool],
    options: EngineOptions,
    keep_rejected: bool,
) -> Generator[bytes, None, None]:
    async def source() -> AsyncGenerator[bytes, None]:
        # Reading may take its time, in which calls go on.
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece

    async def run() -> AsyncGenerator[bytes, None]:
        engine = Engine(processor, threads, keep_rejected=keep_rejected, **options)
        async with aclosing(source()) as lines, aclosing(engine.run(lines)) as outputs:
            async for output in outputs:
                if is_stopped():
                    raise StoppedError
                made.lines = engine.lines
                made.records = engine.records
                made.results = engine.results
                made.codes = Counter(engine.errors_by_code())
                made.rejected = engine.take_rejected()
                yield output
        if engine.failure is not None:
            raise engine.failure

    with ThreadPoolExecutor(1) as threads, closing(steps(run)) as outputs:
        yield from outputs
