"""The engine: a stream of NDJSON in, a stream of results out, over several workers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict

from forstcore._core.rejected import RejectedLines
from forstcore._proc import DEFAULT_MAX_LINE_SIZE, Batcher
from forstcore.engine.async_pool import TaskWorkers
from forstcore.engine.runners import PythonLines, batches_of
from forstcore.engine.sequencer import Order, Outcome
from forstcore.engine.thread_pool import ThreadWorkers
from forstcore.errors import RecordError
from forstcore.processors import Processor

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from forstcore._proc import OnError

__all__ = ["Engine", "EngineOptions"]


class _Workers(Protocol):
    seconds: float

    @property
    def has_room(self) -> bool: ...
    @property
    def is_idle(self) -> bool: ...
    def put(self, lines: bytes) -> None: ...
    def advance(self) -> None: ...
    def stop(self) -> None: ...
    async def join(self) -> None: ...


class EngineOptions(TypedDict, total=False):
    """What can be said of a stream; see `Engine` for the meanings and the defaults."""

    on_error: OnError
    max_line_size: int
    first_line: int
    workers: int
    buffer_size: int
    order: Literal["input", "completion"]


class Engine:
    """Process one stream with a processor, over several workers, results in order.

    What it holds is bounded: input that is read ahead, batches or records in work, and
    results that wait for those before them; nothing is read while there is enough of each.
    The results are the same bytes however the input is cut and however many workers there
    are.

    Args:
        processor: what makes results of records.
        executor: threads for processors that are not async; as many as `workers` are of use.
        on_error, max_line_size, first_line: as for `RecordStream`.
        workers: batches, or calls of an async processor, at once.
        buffer_size: records of an async processor that may be in work or wait for the
            results of those before them.
        order: ``input``, or ``completion`` for results as they come.
        keep_rejected: whether `take_rejected` tells of lines that gave an error.

    Attributes:
        lines: input lines whose results have all been handed out, blank ones included.
        records: lines that were processed.
        results: result lines; error lines are not counted.
        bytes_in, bytes_out: bytes read and handed out.
        failure: the error that ended the stream (``on_error="fail"`` only).

    Raises:
        ValueError: an argument is out of its range.

    Thread-safety: belongs to the event loop in which it is made.
    """

    def __init__(
        self,
        processor: Processor,
        executor: Executor,
        *,
        on_error: OnError = "skip",
        max_line_size: int = DEFAULT_MAX_LINE_SIZE,
        first_line: int = 1,
        workers: int = 10,
        buffer_size: int = 1000,
        order: Literal["input", "completion"] = "input",
        keep_rejected: bool = False,
    ) -> None:
        if workers < 1 or buffer_size < 1:
            raise ValueError("workers and buffer_size must be at least 1")
        self.records = 0
        self.results = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self._rejected: RejectedLines | None = None
        self._is_emitting = on_error != "skip"
        self._errors: Counter[str] = Counter()
        self._batcher = Batcher(max_line_size=max_line_size)
        self._order = Order(as_completed=order == "completion")
        self._workers: _Workers
        if processor.is_async:
            self._workers = TaskWorkers(
                PythonLines(processor, on_error, max_line_size, keep_rejected=keep_rejected),
                processor.function,
                self._order,
                first_line,
                workers,
                buffer_size,
                self._wake,
                self._break,
            )
        else:
            self._workers = ThreadWorkers(
                batches_of(processor, on_error, max_line_size, keep_rejected=keep_rejected),
                self._order,
                first_line,
                workers,
                executor,
                self._wake,
                self._break,
            )
        self._loop = asyncio.get_running_loop()
        self._reader: asyncio.Task[None] | None = None
        self._input_ended = False
        self._is_to_yield = False
        self._error: Exception | None = None
        self._broken: BaseException | None = None
        self._progress: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    @property
    def lines(self) -> int:
        return self._order.lines

    @property
    def errors(self) -> int:
        """Lines that gave an error: they were no record, or the processor failed on them."""
        return self._errors.total()

    def errors_by_code(self) -> dict[str, int]:
        """Count the errors so far by their code; the counts add up to `errors`."""
        return dict(self._errors)

    def take_rejected(self) -> RejectedLines | None:
        """Return the lines that gave an error among those whose results were yielded last.

        They are forgotten then. None where there are none, or where they are not kept.
        """
        rejected, self._rejected = self._rejected, None
        return rejected

    @property
    def failure(self) -> RecordError | None:
        return self._order.failure

    @property
    def failed(self) -> bool:
        """Whether an error ended the stream (``on_error="fail"`` only)."""
        return self._order.failure is not None

    @property
    def seconds(self) -> float:
        """Time that the workers have worked."""
        return self._workers.seconds

    @property
    def has_room(self) -> bool:
        """Whether `feed` may be called."""
        return self._workers.has_room

    @property
    def is_busy(self) -> bool:
        """Whether there are lines whose results have not been handed out."""
        return not self._workers.is_idle

    def feed(self, piece: Buffer) -> None:
        """Take a piece of the input past the source, while `run` waits for that."""
        size = memoryview(piece).nbytes
        self.bytes_in += size
        if lines := self._batcher.feed(piece):
            self._workers.put(lines)

    def yield_again(self) -> None:
        """Have `run` yield soon, even if there is nothing new."""
        self._is_to_yield = True
        self._wake()

    def end_input(self, error: Exception) -> None:
        """Read nothing more; raise `error` once what was read has been handed out."""
        if not self._input_ended:
            self._error = error
            self._input_ended = True
            if self._reader is not None:
                self._reader.cancel()
            self._wake()

    async def run(self, source: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
        """Process a whole input; close the generator where that is not wanted any more.

        Args:
            source: the input in any pieces. What it raises is raised here, behind the
                results of what it yielded before.

        Yields:
            Whole lines; nothing, where lines have been processed that have no results.
            When it yields, `lines` is the number of lines whose results are all in what it
            has yielded.
        """
        self._reader = self._loop.create_task(self._read(source))
        if self._input_ended:
            self._reader.cancel()
        try:
            while True:
                lines = self.lines
                output = self._settle()
                if output or self.lines != lines or self._rejected is not None or self._is_to_yield:
                    self._is_to_yield = False
                    yield output
                    del output
                elif self._broken is not None:
                    raise self._broken
                elif self.failed or (self._input_ended and self._workers.is_idle):
                    break
                else:
                    await self._changed()
            if self._error is not None and not self.failed:
                raise self._error
        finally:
            self._workers.stop()
            self._reader.cancel()
            await asyncio.wait([self._reader])
            await self._workers.join()

    async def _read(self, source: AsyncIterable[bytes]) -> None:
        try:
            async for piece in source:
                self.feed(piece)
                del piece
                while not self._workers.has_room:
                    self._room = self._loop.create_future()
                    await self._room
                self._room = None
            if lines := self._batcher.finish():
                self._workers.put(lines)
        except Exception as error:
            self._error = error
        finally:
            self._input_ended = True
            self._wake()

    def _settle(self) -> bytes:
        """Count what can be handed out, and return it."""
        outcomes = self._order.take()
        self._rejected = None
        lines = 0  # of the output
        for outcome in outcomes:
            if outcome.errors:
                self._count_errors(outcome, lines)
                if self._is_emitting:
                    lines += sum(outcome.errors.values())
            self.records += outcome.records
            self.results += outcome.results
            lines += outcome.results
        output = b"".join([outcome.output for outcome in outcomes])
        self.bytes_out += len(output)
        if self.failed:
            self._workers.stop()
        else:
            self._workers.advance()
            self._wake()
        return output

    def _count_errors(self, outcome: Outcome, before: int) -> None:
        """Count the errors of an outcome behind `before` other lines of the output."""
        self._errors.update(outcome.errors)
        if outcome.rejected is not None:
            if self._rejected is None:
                self._rejected = RejectedLines()
            self._rejected.extend(outcome.rejected, before)

    def _wake(self) -> None:
        """Let `run` and the reader look again."""
        if self._progress is not None and not self._progress.done():
            self._progress.set_result(None)
        if self._room is not None and not self._room.done() and self._workers.has_room:
            self._room.set_result(None)

    async def _changed(self) -> None:
        self._progress = self._loop.create_future()
        try:
            await self._progress
        finally:
            self._progress = None

    def _break(self, error: BaseException) -> None:
        """End the stream at once by an error of our own."""
        self._broken = error
        self._wake()
