"""The engine: a stream of NDJSON in, a stream of results out, over several workers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeGuard

from forstcore._core.filter import Filter
from forstcore._core.rejected import RejectedLines
from forstcore._io.line_file import LineFile
from forstcore._proc import Batcher
from forstcore.config import WORKER_KINDS, StreamLimits, WorkerKind
from forstcore.engine.async_pool import AsyncPool
from forstcore.engine.backlog import Backlog
from forstcore.engine.batch_sizer import FILE_BATCH, MAX_BATCH, BatchSizer
from forstcore.engine.line_options import LineOptions
from forstcore.engine.runner_choice import runner_of
from forstcore.engine.runners import PythonRunner
from forstcore.engine.sequencer import Outcome
from forstcore.engine.thread_pool import ThreadPool
from forstcore.errors import RecordError
from forstcore.processors import Processor
from forstcore.wire import OnError, ResultOrder

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Engine", "EngineOptions"]


class _Pool(Protocol):
    seconds: float

    def advance(self) -> None: ...
    def stop(self) -> None: ...
    async def join(self) -> None: ...


class EngineOptions(TypedDict, total=False):
    """Options of a stream; see `Engine` for their meanings and defaults."""

    on_error: OnError
    max_line_size: int
    first_line: int
    workers: int
    worker_kind: WorkerKind
    buffer_size: int
    order: ResultOrder
    filter: Filter | None


class Engine:
    """Process one stream with a processor, over several workers, results in order.

    Its memory is bounded: everything that waits is in its `Backlog`, and nothing is read while
    that is full. The results are the same bytes however the input is cut and however many
    workers there are.

    Args:
        processor: makes results of records.
        executor: threads for processors that are not async; more than `workers` are of no use.
            None to process in the event loop.
        on_error, max_line_size, first_line: as for `RecordStream`.
        workers: number of batches, or calls of an async processor, at once.
        worker_kind: whether a Python processor that is not async runs in ``threads``, or each
            worker is one of ``processes``, for which a thread waits. A processor that is declared
            with a kind has that kind.
        buffer_size: records of an async processor that may be in work or wait for the results
            of those before them.
        order: ``input``, or ``completion`` for results as they come.
        filter: only matching records are processed; the others are counted. Python processors
            never see them.
        alone: whether this is the only stream of the process, as in a command. Its batches
            are larger then, which costs less for each line and more memory. Several workers share
            the work even where that takes a little more CPU time; of a single one, compiled code
            runs in the event loop.
        keep_rejected: whether `take_rejected` returns lines that gave an error.
        is_cancelled: whether the results are no longer needed; checked before each record of
            a processor that is not async. What is yielded afterwards is incomplete, and ends
            early.

    Attributes:
        lines: input lines whose results have all been yielded, blank ones included.
        records: lines that were processed.
        results: result lines; error lines are not counted.
        filtered: records that did not match the filter; `records` includes them.
        given_back: records that a compiled processor gave back to its Python function.
        bytes_in, bytes_out: bytes read and yielded.
        failure: the error that ended the stream (``on_error="fail"`` only).

    Raises:
        ValueError: an argument is out of its range.

    Thread-safety: belongs to the event loop in which it is created.
    """

    def __init__(
        self,
        processor: Processor,
        executor: Executor | None,
        *,
        on_error: OnError = "skip",
        max_line_size: int = StreamLimits.max_line_size,
        first_line: int = 1,
        workers: int = StreamLimits.workers,
        worker_kind: WorkerKind = "threads",
        buffer_size: int = StreamLimits.buffer_size,
        order: ResultOrder = "input",
        filter: Filter | None = None,
        alone: bool = False,
        keep_rejected: bool = False,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> None:
        if workers < 1 or buffer_size < 1:
            raise ValueError("workers and buffer_size must be at least 1")
        if worker_kind not in WORKER_KINDS:
            raise ValueError(
                f"worker_kind must be one of {', '.join(WORKER_KINDS)}, not {worker_kind!r}"
            )
        self.records = 0
        self.results = 0
        self.filtered = 0
        self.given_back = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self._rejected: RejectedLines | None = None
        self._has_error_lines = on_error != "skip"
        self._errors: Counter[str] = Counter()
        self._max_batch = FILE_BATCH if alone else MAX_BATCH
        self._batcher = Batcher(max_line_size=max_line_size)
        self._executor = executor
        self._workers = workers
        self._worker_kind = worker_kind
        self._buffer_size = buffer_size
        self._alone = alone
        self._backlog = Backlog(
            first_line,
            workers,
            self._max_jobs(processor),
            self._max_batch,
            as_completed=order == "completion",
        )
        self._options = LineOptions(on_error, max_line_size, keep_rejected, filter)
        self._is_cancelled = is_cancelled
        self._pool = self._make_pool(processor)
        self._next: Processor | None = None  # Replaces the processor when no batch is in work.
        self._seconds = 0.0  # Of pools before this one.
        self._ending: set[asyncio.Task[None]] = set()  # Pools before this one.
        self._loop = asyncio.get_running_loop()
        self._reader: asyncio.Task[None] | None = None
        self._input_ended = False
        self._error: BaseException | None = None
        self._broken: BaseException | None = None
        self._progress: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    @property
    def lines(self) -> int:
        return self._backlog.lines

    @property
    def errors(self) -> int:
        """Lines that gave an error: invalid records, and records on which the processor failed."""
        return self._errors.total()

    def errors_by_code(self) -> dict[str, int]:
        """Count the errors so far by their code; the counts add up to `errors`."""
        return dict(self._errors)

    def take_rejected(self) -> RejectedLines | None:
        """Return, and forget, the lines that gave an error in what was yielded last.

        None if there are none, or if they are not kept.
        """
        rejected, self._rejected = self._rejected, None
        return rejected

    def mark(self, value: object, lines: int) -> None:
        """Have `take_marks` return a value in its turn.

        Args:
            value: any value.
            lines: number of lines, of those that the source yields next, that come before it.
        """
        self._backlog.mark(lines, value)
        self._wake()

    def take_marks(self) -> list[Any]:
        """Return, and forget, the marks that are due: the results before them were yielded."""
        return self._backlog.take_marks()

    @property
    def failure(self) -> RecordError | None:
        return self._backlog.failure

    @property
    def failed(self) -> bool:
        """Whether an error ended the stream (``on_error="fail"`` only)."""
        return self._backlog.failure is not None

    @property
    def seconds(self) -> float:
        """Time that the workers have spent processing."""
        return self._seconds + self._pool.seconds

    @property
    def has_room(self) -> bool:
        """Whether `feed` may be called."""
        return self._backlog.has_room

    @property
    def is_busy(self) -> bool:
        """Whether there are lines whose results have not been yielded."""
        return not self._backlog.is_empty

    def feed(self, piece: Buffer) -> None:
        """Add a piece of the input directly, while `run` waits for its source."""
        data = memoryview(piece).cast("B")
        self.bytes_in += len(data)
        size = self._max_batch
        pieces: Iterable[Buffer] = (data[at : at + size] for at in range(0, len(data), size))
        if len(data) <= size + size // 8:
            # As it is: bytes need not be copied if they are whole lines.
            pieces = (piece,)
        for each in pieces:
            if self._is_whole(each):
                self._put(each, None)
                continue
            before = self._batcher.lines
            # Copy the input here if necessary, so that no batch has to be copied later.
            lines = self._batcher.feed(each)
            self._put(lines, self._batcher.lines - before)

    def replace_processor(self, processor: Processor) -> None:
        """Process the next batches with another processor; those in work end with the old one."""
        self._next = processor
        self._backlog.hold()
        self._replace_if_idle()

    def end_input(self, error: Exception) -> None:
        """Read nothing more; raise `error` once the results of what was read are yielded."""
        if not self._input_ended:
            self._error = error
            self._input_ended = True
            if self._reader is not None:
                self._reader.cancel()
            self._wake()

    async def run_or_raise(
        self, source: AsyncIterable[bytes] | Iterable[bytes | LineFile]
    ) -> AsyncGenerator[bytes, None]:
        """Process a whole input as `run` does, and raise the error that ended it.

        Raises:
            RecordError: the error (``on_error="fail"``), after all results before it.
        """
        async with aclosing(self.run(source)) as outputs:
            async for output in outputs:
                yield output
        if self.failure is not None:
            raise self.failure

    async def run(
        self, source: AsyncIterable[bytes] | Iterable[bytes | LineFile]
    ) -> AsyncGenerator[bytes, None]:
        """Process a whole input; close the generator to stop early.

        Args:
            source: the input in any pieces. An exception of the source is raised here, after
                the results of what it yielded before. An iterable that is not async must not
                block: it is read here, without a task of its own, whenever there is room. It may
                also yield a file, of which the next lines may be processed here.

        Yields:
            Whole lines, or nothing if lines without results have been processed or marks are
            due. After each, `lines` is the number of lines whose results have all been yielded.
        """
        pieces: Iterator[bytes | LineFile] | None = None
        file: LineFile | None = None  # Lines may be taken of it, before the next piece is read.
        if isinstance(source, AsyncIterable):
            self._reader = self._loop.create_task(self._read(source))
            if self._input_ended:
                self._reader.cancel()
        else:
            pieces = iter(source)
        try:
            while True:
                lines = self.lines
                output = self._take_output()
                has_moved = self.lines != lines or self._rejected is not None
                if output or has_moved or self._backlog.has_due_marks:
                    yield output
                    del output
                elif self._broken is not None:
                    raise self._broken
                elif self.failed or (self._input_ended and self._backlog.is_empty):
                    break
                elif self._is_cancelled is not None and self._is_cancelled():
                    # Batches end without progress from now on: nothing would wake this task.
                    break
                elif file is not None and self._takes_files and not self._backlog.is_empty:
                    await self._changed()
                elif file is not None:
                    if self._takes_files:
                        self._take_lines(file)
                    file = None
                elif pieces is not None and not self._input_ended and self._backlog.has_room:
                    file = self._read_piece(pieces)
                else:
                    await self._changed()
            if self._error is not None and not self.failed:
                raise self._error
        finally:
            self._pool.stop()
            if self._reader is not None:
                self._reader.cancel()
                await asyncio.wait([self._reader])
            await self._pool.join()
            if self._ending:
                await asyncio.wait(self._ending)

    def _max_jobs(self, processor: Processor) -> int:
        # One batch more than there are workers waits for the first that is free.
        return self._buffer_size if processor.is_async else self._workers + 1

    def _make_pool(self, processor: Processor) -> _Pool:
        if processor.is_async:
            return AsyncPool(
                PythonRunner(processor, self._options),
                processor.function,
                self._backlog,
                self._workers,
                self._wake,
                self._break,
            )
        has_threads = self._executor is not None
        return ThreadPool(
            runner_of(processor, self._options, self._worker_kind, may_have_processes=has_threads),
            self._backlog,
            self._executor,
            BatchSizer(self._max_batch, alone=self._alone, workers=self._workers),
            self._wake,
            self._break,
            self._is_cancelled,
        )

    def _replace_if_idle(self) -> None:
        if self._next is None or self._backlog.has_jobs:
            return
        processor, self._next = self._next, None
        before = self._pool
        before.stop()
        self._seconds += before.seconds
        ending = self._loop.create_task(before.join())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        self._pool = self._make_pool(processor)
        self._backlog.release(self._max_jobs(processor))
        self._pool.advance()

    async def _read(self, source: AsyncIterable[bytes]) -> None:
        try:
            async for piece in source:
                self.feed(piece)
                del piece
                while not self._backlog.has_room:
                    self._room = self._loop.create_future()
                    await self._room
                self._room = None
            self._put_last_line()
        except BaseException as error:
            # After `end_input`, this is the cancellation; otherwise the input is incomplete.
            if self._error is None:
                self._error = error
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
        finally:
            self._input_ended = True
            self._wake()

    def _read_piece(self, pieces: Iterator[bytes | LineFile]) -> LineFile | None:
        """Read a piece and process it; return a file for `_take_lines`."""
        try:
            piece = next(pieces, None)
            if isinstance(piece, LineFile):
                return piece
            if piece is not None:
                self.feed(piece)
                return None
            self._put_last_line()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._error = error
        self._input_ended = True
        return None

    @property
    def _takes_files(self) -> bool:
        """Whether to process lines of a file where they are read, once nothing else waits."""
        options = self._options
        return (
            isinstance(self._pool, ThreadPool)
            and self._pool.takes_files
            and not self._batcher.pending
            and not self._input_ended
            and self._next is None
            # These need to know which pieces were read, or end within a piece.
            and not options.keep_rejected
            and options.on_error != "fail"
        )

    def _take_lines(self, file: LineFile) -> None:
        assert isinstance(self._pool, ThreadPool)
        before = file.taken
        self._pool.run_file(file)
        self.bytes_in += file.taken - before

    def _put_last_line(self) -> None:
        """Process a last line that has no LF."""
        before = self._batcher.lines
        lines = self._batcher.finish()
        self._put(lines, self._batcher.lines - before)

    def _is_whole(self, piece: Buffer) -> TypeGuard[bytes]:
        """Return whether a piece can be processed as it is."""
        return (
            type(piece) is bytes
            and piece.endswith(b"\n")
            and not self._batcher.pending
            and not self._input_ended
        )

    def _put(self, lines: bytes, count: int | None) -> None:
        """Process whole lines.

        Args:
            lines: the lines.
            count: number of lines; None if they have not been counted.
        """
        if lines:
            self._backlog.put(lines, count)
            self._pool.advance()

    def _take_output(self) -> bytes:
        """Take and count the outcomes that are due; return their output."""
        outcomes = self._backlog.take()
        self._rejected = None
        lines = 0  # Lines of the output so far.
        for outcome in outcomes:
            if outcome.errors:
                self._count_errors(outcome, lines)
                if self._has_error_lines:
                    lines += sum(outcome.errors.values())
            self.records += outcome.records
            self.results += outcome.results
            self.filtered += outcome.filtered
            self.given_back += outcome.given_back
            lines += outcome.results
        output = b"".join([outcome.output for outcome in outcomes])
        self.bytes_out += len(output)
        if self.failed:
            self._pool.stop()
        else:
            self._replace_if_idle()
            self._pool.advance()
            self._wake()
        return output

    def _count_errors(self, outcome: Outcome, before: int) -> None:
        """Count the errors of an outcome that has `before` lines of the output before it."""
        self._errors.update(outcome.errors)
        if outcome.rejected is not None:
            if self._rejected is None:
                self._rejected = RejectedLines()
            self._rejected.extend(outcome.rejected, before)

    def _wake(self) -> None:
        """Let `run` and the reader check their conditions again."""
        if self._progress is not None and not self._progress.done():
            self._progress.set_result(None)
        if self._room is not None and not self._room.done() and self._backlog.has_room:
            self._room.set_result(None)

    async def _changed(self) -> None:
        self._progress = self._loop.create_future()
        try:
            await self._progress
        finally:
            self._progress = None

    def _break(self, error: BaseException) -> None:
        """End the stream at once because of an unexpected exception."""
        self._broken = error
        self._wake()
