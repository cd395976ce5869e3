"""Processing in the event loop: records over several tasks that call an async function."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Iterator
from typing import Any

from forstcore._io.line_reader import dump_all
from forstcore.engine.batching import MOST, Pending
from forstcore.engine.runners import PythonLines
from forstcore.engine.sequencer import Job, Order, Outcome
from forstcore.errors import RecordError

__all__ = ["TaskWorkers"]

_SPLIT = 1 << 14  # Bytes of lines that are taken apart at once: short ones are larger then.
_SLICE = 0.001  # Seconds after which a function that never waits lets others run.
_PATIENCE = 2.0  # Seconds in which a function has to take note of its cancellation.


class TaskWorkers:
    """Process the lines of one stream by an async function.

    A worker is a task that takes record after record. More are begun when all are found
    waiting in their calls, so that a function that never waits has one worker, and one that
    does has as many as it may.

    Args:
        lines: what reads them.
        function: an async function, or an async generator function.
        order: takes what comes of them.
        number: number of the first line.
        workers: calls at once.
        buffer_size: records in work at once: their results have not been handed out.
        on_progress: called when a record is done.
        on_error: called with what must not have been raised.

    Attributes:
        seconds: time that the calls have taken, waits included.

    Thread-safety: belongs to the event loop in which it is made.
    """

    def __init__(
        self,
        lines: PythonLines,
        function: Callable[[Any], Any],
        order: Order,
        number: int,
        workers: int,
        buffer_size: int,
        on_progress: Callable[[], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self.seconds = 0.0
        self._lines = lines
        self._call = _collected(function) if inspect.isasyncgenfunction(function) else function
        self._order = order
        self._number = number
        self._workers = workers
        self._buffer_size = buffer_size
        self._on_progress = on_progress
        self._on_error = on_error
        self._pending = Pending()
        self._batch: Iterator[bytes] = iter(())
        self._left = 0  # lines of `_batch` that nobody has taken
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls = 0  # that have begun and not ended
        self._loop = asyncio.get_running_loop()
        self._turn = 0
        self._is_turning = False
        self._stopped = False

    @property
    def has_room(self) -> bool:
        """Whether more lines may be put in."""
        return self._pending.size < MOST

    @property
    def is_idle(self) -> bool:
        """Whether the outcome of every line has been handed out."""
        return not (self._left or self._pending.size or self._order.open)

    def put(self, lines: bytes) -> None:
        """Take whole lines."""
        self._pending.put(lines)
        self.advance()

    def advance(self) -> None:
        """Begin more workers, if there is something for them to do and all others wait."""
        workers = len(self._tasks)
        if self._calls < workers or self._stopped or not self._may_take():
            return
        for _ in range(min(max(workers, 1), self._workers - workers)):
            task = self._loop.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def stop(self) -> None:
        """Begin nothing more, and cancel the calls."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()

    async def join(self) -> None:
        """Wait until the cancelled calls have ended."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE)
        self._lines.close()

    def _may_take(self) -> bool:
        order = self._order
        return (
            bool(self._left or self._pending.size)
            and order.open < self._buffer_size
            and not order.is_full
        )

    def _take(self) -> tuple[Job, bytes] | None:
        if self._stopped or not self._may_take():
            return None
        if not self._left:
            lines = self._pending.take(_SPLIT).split(b"\n")
            lines.pop()
            self._left = len(lines)
            self._batch = iter(lines)
        line = next(self._batch)
        self._left -= 1
        job = Job(self._number, 1, len(line))
        self._number += 1
        self._order.add(job)
        return job, line

    async def _work(self) -> None:
        taken = self._take()
        turn, now = self._turn_now(), time.perf_counter()
        slice_began = now
        while taken is not None:
            job, line = taken
            outcome = Outcome()
            try:
                record = self._lines.read(line, job.number)
            except RecordError as error:
                outcome.output = self._lines.refuse(outcome, error, line)
            else:
                if record is not None:
                    await self._process(job, line, record, outcome)
            self._order.done(job, outcome)
            self._on_progress()
            began, now = now, time.perf_counter()
            self.seconds += now - began
            if now - slice_began > _SLICE:
                if turn == self._turn:
                    await asyncio.sleep(0)
                turn, now = self._turn_now(), time.perf_counter()
                slice_began = now
            taken = self._take()

    def _turn_now(self) -> int:
        """Return a number that is another one when others have run."""
        if not self._is_turning:
            self._is_turning = True
            self._loop.call_soon(self._turned)
        return self._turn

    def _turned(self) -> None:
        self._turn += 1
        self._is_turning = False
        self.advance()

    async def _process(self, job: Job, line: bytes, record: Any, outcome: Outcome) -> None:
        self._calls += 1
        try:
            results = dump_all(await self._call(record))
        except asyncio.CancelledError as error:
            if self._stopped:
                raise
            outcome.output = self._lines.fail(outcome, error, job.number, line)
        except (Exception, SystemExit) as error:
            outcome.output = self._lines.fail(outcome, error, job.number, line)
        else:
            outcome.output = results[0] if len(results) == 1 else b"".join(results)
            outcome.results = len(results)
            outcome.records = 1
        finally:
            self._calls -= 1

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_error(error)
        self.advance()


def _collected(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def collect(record: Any) -> list[Any]:
        return [result async for result in function(record)]

    return collect
