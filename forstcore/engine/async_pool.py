"""Process records in the event loop, in several tasks that call an async function."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

from forstcore._io.json_lines import line_writer
from forstcore._received_signals import may_be_signal
from forstcore.engine.backlog import Backlog
from forstcore.engine.runners import PythonRunner
from forstcore.engine.sequencer import Job, Outcome
from forstcore.errors import RecordError

__all__ = ["AsyncPool"]

_TIME_SLICE = 0.001  # Seconds after which a task that never waits yields to the event loop.
_CANCEL_TIMEOUT = 2.0  # Seconds to wait for cancelled calls to end.


class AsyncPool:
    """Process the lines of one stream with an async function.

    A worker is a task that processes one record after the other. More workers start only while
    all existing ones wait in their calls: a function that never waits gets one worker, one
    that waits gets up to `workers`.

    Args:
        runner: reads lines as records, and handles errors.
        function: an async function, or an async generator function.
        backlog: provides the lines and collects the outcomes.
        workers: most concurrent calls.
        on_progress: called when a record is done.
        on_error: called with exceptions that end the stream, such as an interrupt by a signal.

    Attributes:
        seconds: time spent in the calls, waits included.

    Thread-safety: belongs to the event loop in which it is created.
    """

    def __init__(
        self,
        runner: PythonRunner,
        function: Callable[[Any], Any],
        backlog: Backlog,
        workers: int,
        on_progress: Callable[[], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self.seconds = 0.0
        self._runner = runner
        self._call = _collecting(function) if inspect.isasyncgenfunction(function) else function
        self._backlog = backlog
        self._workers = workers
        self._on_progress = on_progress
        self._on_error = on_error
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls = 0  # Calls that have started and not ended.
        self._loop = asyncio.get_running_loop()
        self._iteration = 0  # Of the event loop, while workers run.
        self._is_counting = False
        self._stopped = False

    def advance(self) -> None:
        """Start more workers if there is work and all existing workers wait."""
        workers = len(self._tasks)
        if self._calls < workers or self._stopped or not self._backlog.has_work:
            return
        for _ in range(min(max(workers, 1), self._workers - workers)):
            task = self._loop.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def stop(self) -> None:
        """Cancel all calls and start no more."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()

    async def join(self) -> None:
        """Wait until the cancelled calls have ended."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CANCEL_TIMEOUT)
        self._runner.close()

    async def _work(self) -> None:
        backlog = self._backlog
        iteration, now = self._current_iteration(), time.perf_counter()
        slice_started = now
        while backlog.has_work and not self._stopped:
            job, line = backlog.start_line()
            outcome = Outcome()
            if self._runner.leaves_out(line, job.number):
                outcome.records = outcome.filtered = 1
            else:
                await self._read_and_process(job, line, outcome)
            backlog.done(job, outcome)
            self._on_progress()
            started, now = now, time.perf_counter()
            self.seconds += now - started
            if now - slice_started > _TIME_SLICE:
                if iteration == self._iteration:
                    await asyncio.sleep(0)
                iteration, now = self._current_iteration(), time.perf_counter()
                slice_started = now

    def _current_iteration(self) -> int:
        """Return a number that changes once other callbacks of the event loop have run."""
        if not self._is_counting:
            self._is_counting = True
            self._loop.call_soon(self._count_iteration)
        return self._iteration

    def _count_iteration(self) -> None:
        self._iteration += 1
        self._is_counting = False
        self.advance()

    async def _read_and_process(self, job: Job, line: bytes, outcome: Outcome) -> None:
        try:
            record = self._runner.read(line, job.number)
        except RecordError as error:
            outcome.output = self._runner.refuse(outcome, error, line)
        except BaseException as error:  # Raised by code of the record's type.
            if may_be_signal(error):
                raise
            outcome.output = self._runner.fail(outcome, error, job.number, line)
        else:
            if record is not None:
                await self._process(job, line, record, outcome)

    async def _process(self, job: Job, line: bytes, record: Any, outcome: Outcome) -> None:
        self._calls += 1
        try:
            results = await self._call(record)
            writer = line_writer()
            writer.write_results(results)
        except BaseException as error:
            if may_be_signal(error) or self._ends_call(error):
                raise
            outcome.output = self._runner.fail(outcome, error, job.number, line)
        else:
            outcome.results = writer.lines
            outcome.output = writer.take()
            outcome.records = 1
        finally:
            self._calls -= 1

    def _ends_call(self, error: BaseException) -> bool:
        """Return whether an exception ends a call from outside, and is not one of the function."""
        if isinstance(error, asyncio.CancelledError):
            return self._stopped
        # A coroutine that is closed, since its event loop was, belongs to no task that runs.
        return (
            isinstance(error, GeneratorExit) and asyncio.current_task(self._loop) not in self._tasks
        )

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_error(error)
        self.advance()


def _collecting(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def collect(record: Any) -> list[Any]:
        return [result async for result in function(record)]

    return collect
