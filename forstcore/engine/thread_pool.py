"""Process batches of lines in threads, or in the event loop where that is cheaper."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Executor

from forstcore._io.line_file import LineFile
from forstcore.engine.backlog import Backlog
from forstcore.engine.batch_sizer import BatchSizer
from forstcore.engine.compiled_runner import CompiledRunner
from forstcore.engine.runners import BatchRunner, NativeRunner
from forstcore.engine.sequencer import Job, Outcome

__all__ = ["ThreadPool"]


class ThreadPool:
    """Process the lines of one stream in batches, each in a thread.

    A batch holds the lines that have been read when a worker becomes free, up to the size that
    `BatchSizer` chooses: a single record is processed immediately, a fast input in large
    batches. A batch that takes less time than the switch to a thread runs in the event loop.

    Args:
        runner: processes the batches.
        backlog: provides the lines and collects the outcomes.
        executor: the threads; None to process every batch in the event loop.
        sizer: chooses the sizes of the batches.
        on_progress: called in the event loop when a batch is done.
        on_error: called in the event loop with exceptions that `runner` must not raise.
        is_cancelled: returns whether the results are no longer needed; called before each record.

    Attributes:
        seconds: time spent processing; CPU time where a batch cannot wait for anything else, and
            nobody waits for its results.

    Thread-safety: belongs to the event loop in which it is created.
    """

    def __init__(
        self,
        runner: BatchRunner,
        backlog: Backlog,
        executor: Executor | None,
        sizer: BatchSizer,
        on_progress: Callable[[], None],
        on_error: Callable[[BaseException], None],
        is_cancelled: Callable[[], bool] | None,
    ) -> None:
        self.seconds = 0.0
        self._runner = runner
        self._backlog = backlog
        self._executor = executor
        self._on_progress = on_progress
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._sizer = sizer
        self._stopped = False
        self._is_cancelled = is_cancelled or self._is_stopped

    def advance(self) -> None:
        """Start as many batches as the limits allow."""
        if self._stopped:
            return
        backlog = self._backlog
        for job, rest in backlog.take_unfinished():
            self._start(job, rest)
        while backlog.has_work and not self._stopped:
            self._start(*backlog.start_batch(self._sizer.size))

    @property
    def takes_files(self) -> bool:
        """Whether `run_file` is as good as batches."""
        runner = self._runner
        return (
            isinstance(runner, NativeRunner | CompiledRunner)
            and runner.never_waits
            and not self._stopped
            and self._sizer.file_part > 0
        )

    def run_file(self, file: LineFile) -> None:
        """Process the next lines of a file here, before any others."""
        runner, sizer = self._runner, self._sizer
        assert isinstance(runner, NativeRunner | CompiledRunner)
        clock = self._clock(may_wait=False)
        before, started = file.taken, clock()
        outcomes = runner.run_file(
            file, self._backlog.next_number, self._is_cancelled, sizer.file_part, sizer.max_size
        )
        seconds = clock() - started
        if size := file.taken - before:
            self.seconds += seconds
            sizer.add(size, seconds)
            for outcome in outcomes:
                self._backlog.add_done(outcome)

    def stop(self) -> None:
        """Start nothing more; threads stop after their current record."""
        self._stopped = True

    async def join(self) -> None:
        """Flush the log. Threads are not joined: they only finish their current record."""
        self._runner.close()

    def _start(self, job: Job, batch: bytes) -> None:
        never_waits = self._runner.never_waits and not job.needs_thread
        if self._executor is None:
            self._run(job, batch, self._report, may_wait=True)
        elif never_waits and self._sizer.is_short(len(batch)):
            self._run(job, batch, self._report, may_wait=False)
        else:
            self._executor.submit(self._run, job, batch, self._report_from_thread, may_wait=True)

    def _run(self, job: Job, batch: bytes, report: Callable[..., None], *, may_wait: bool) -> None:
        clock = self._clock(may_wait=may_wait)
        started = clock()
        try:
            outcome = self._runner.run(
                # After as many bytes of results a batch pauses until they are consumed.
                batch,
                job.number,
                self._is_cancelled,
                self._sizer.max_size,
                may_wait=may_wait,
            )
        except BaseException as error:
            report(self._on_error, error)
        else:
            report(self._done, job, outcome, clock() - started)

    def _clock(self, *, may_wait: bool) -> Callable[[], float]:
        """Return the clock that tells what batches cost.

        On a busy machine, a batch waits for the CPU. If that counted, batches would get smaller
        where nobody waits for their results, and files would be read in batches, which cost more.
        """
        return time.perf_counter if may_wait or not self._sizer.keeps else time.thread_time

    def _report(self, function: Callable[..., None], *arguments: object) -> None:
        function(*arguments)
        self._on_progress()

    def _report_from_thread(self, function: Callable[..., None], *arguments: object) -> None:
        # The loop may have been closed after the stream was stopped.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._reported, function, *arguments)

    def _reported(self, function: Callable[..., None], *arguments: object) -> None:
        function(*arguments)
        self.advance()
        self._on_progress()

    def _is_stopped(self) -> bool:
        return self._stopped

    def _done(self, job: Job, outcome: Outcome, seconds: float) -> None:
        self.seconds += seconds
        if not self._stopped:
            if size := job.size - len(outcome.rest):
                self._sizer.add(size, seconds)
            self._backlog.done(job, outcome)
