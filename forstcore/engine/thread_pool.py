"""Processing batches of lines: in threads, or in the event loop where those would cost more."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Executor

from forstcore._proc import count_lines
from forstcore.engine.batching import MOST, Pace, Pending
from forstcore.engine.runners import Batches
from forstcore.engine.sequencer import Job, Order, Outcome

__all__ = ["ThreadWorkers"]

_MOST_RESULTS = 1 << 18  # Bytes of results behind which a batch goes on when they are handed out.


class ThreadWorkers:
    """Process the lines of one stream in batches, each in a thread.

    A batch is what has been read when a worker is free, as far as its pace allows: a lone
    record goes at once, a flood in large batches. One that takes less than handing it over
    does not leave the event loop.

    Args:
        batches: what processes them.
        order: takes what comes of them.
        number: number of the first line.
        workers: batches in work at once; one more waits for the first that is free.
        executor: where the threads come from.
        on_progress: called in the event loop when a batch is done.
        on_error: called in the event loop with what `batches` must not have raised.

    Attributes:
        seconds: time that processing took.

    Thread-safety: belongs to the event loop in which it is made.
    """

    def __init__(
        self,
        batches: Batches,
        order: Order,
        number: int,
        workers: int,
        executor: Executor,
        on_progress: Callable[[], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self.seconds = 0.0
        self._batches = batches
        self._order = order
        self._number = number
        self._most_jobs = workers + 1
        self._executor = executor
        self._on_progress = on_progress
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._pending = Pending()
        self._pace = Pace()
        self._stopped = False

    @property
    def has_room(self) -> bool:
        """Whether more lines may be put in."""
        return self._pending.size < MOST

    @property
    def is_idle(self) -> bool:
        """Whether the outcome of every line has been handed out."""
        return not self._pending.size and not self._order.open

    def put(self, lines: bytes) -> None:
        """Take whole lines."""
        self._pending.put(lines)
        self.advance()

    def advance(self) -> None:
        """Begin as many batches as may be in work."""
        order = self._order
        if self._stopped:
            return
        for job in order.take_continuing():
            rest, job.rest = job.rest, b""
            self._begin(job, rest)
        while self._pending.size and order.open < self._most_jobs and not self._stopped:
            if order.is_full:
                return
            batch = self._pending.take(self._pace.size)
            job = Job(self._number, count_lines(batch), len(batch))
            self._number += job.lines
            order.add(job)
            self._begin(job, batch)

    def stop(self) -> None:
        """Begin nothing more; threads stop behind the record that they are at."""
        self._stopped = True

    async def join(self) -> None:
        """Do nothing: no thread holds anything of the stream but its last record."""
        self._batches.close()

    def _begin(self, job: Job, batch: bytes) -> None:
        if self._batches.never_waits and self._pace.is_short(len(batch)):
            self._run(job, batch, self._tell_here)
        else:
            self._executor.submit(self._run, job, batch, self._tell_loop)

    def _run(self, job: Job, batch: bytes, tell: Callable[..., None]) -> None:
        started = time.perf_counter()
        try:
            outcome = self._batches.run(batch, job.number, self._is_stopped, _MOST_RESULTS)
        except BaseException as error:
            tell(self._on_error, error)
        else:
            tell(self._done, job, outcome, time.perf_counter() - started)

    def _tell_loop(self, what: Callable[..., None], *arguments: object) -> None:
        # Whoever has stopped this may have closed the loop since.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._told, what, *arguments)

    def _tell_here(self, what: Callable[..., None], *arguments: object) -> None:
        what(*arguments)
        self._on_progress()

    def _told(self, what: Callable[..., None], *arguments: object) -> None:
        what(*arguments)
        self.advance()
        self._on_progress()

    def _is_stopped(self) -> bool:
        return self._stopped

    def _done(self, job: Job, outcome: Outcome, seconds: float) -> None:
        self.seconds += seconds
        if not self._stopped:
            self._pace.add(job.size - len(outcome.rest), seconds)
            self._order.done(job, outcome)
