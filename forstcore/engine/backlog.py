"""Everything of a stream that waits: lines for a worker, and results for their turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from forstcore._proc import count_lines
from forstcore.engine.batch_sizer import MAX_BATCH
from forstcore.engine.line_queue import LineQueue
from forstcore.engine.sequencer import Job, Outcome, Sequencer
from forstcore.errors import RecordError

__all__ = ["Backlog"]

_BATCHES_OF_A_WORKER = 2  # One in work, and its results while they wait for their turn.
_SPLIT_SIZE = 1 << 14  # Bytes of lines split at once; single lines take more memory.
_MARK_SIZE = 256  # Bytes that a mark counts as.


class Backlog:
    """Lines, jobs and results of one stream, in one place and within one bound.

    Reading pauses when a full batch of lines waits for a worker. No job starts while the lines
    and results of those before it take two full batches for each worker and one more.

    Args:
        first_line: number of the first line.
        workers: number of workers.
        max_jobs: number of jobs whose results may wait for their turn or are not there yet.
        max_batch: bytes of a full batch.
        as_completed: hand out results as soon as they are there, instead of in order.

    Thread-safety: belongs to the event loop of its stream.
    """

    def __init__(
        self,
        first_line: int,
        workers: int,
        max_jobs: int,
        max_batch: int = MAX_BATCH,
        *,
        as_completed: bool,
    ) -> None:
        self._first = self._number = first_line
        self._uncounted: Job | None = None  # The last job, if its lines may not have been counted.
        self._max_jobs = max_jobs
        self._max_batch = max_batch
        self._max_held = _BATCHES_OF_A_WORKER * max_batch * (workers + 1)
        self._waiting = LineQueue()
        self._split: Iterator[bytes] = iter(())
        self._split_count = 0  # Lines left in `_split`.
        self._jobs = Sequencer(as_completed=as_completed)
        self._marks: deque[tuple[int, Any]] = deque()
        self._is_held = False

    @property
    def lines(self) -> int:
        """Number of lines, from the first on, whose results have all been handed out."""
        return self._jobs.lines

    @property
    def failure(self) -> RecordError | None:
        """The error that ended the stream; nothing after it is handed out."""
        return self._jobs.failure

    @property
    def held(self) -> int:
        """Bytes of the lines in work, and of results that have not been handed out."""
        return self._jobs.held

    @property
    def has_room(self) -> bool:
        """Whether to read on."""
        return self._waiting.size + _MARK_SIZE * len(self._marks) < self._max_batch

    @property
    def has_work(self) -> bool:
        """Whether a job may start, and there are lines for it."""
        jobs = self._jobs
        waits = self._waiting.size and not self._is_held
        return (
            bool(self._split_count or waits)
            and jobs.open < self._max_jobs
            and jobs.held < self._max_held
        )

    @property
    def is_empty(self) -> bool:
        """Whether the results of all lines have been handed out."""
        return not (self._split_count or self._waiting.size or self._jobs.open)

    def hold(self) -> None:
        """Start no more jobs until `release`, except for lines that were split already."""
        self._is_held = True

    def release(self, max_jobs: int) -> None:
        """Start jobs again.

        Args:
            max_jobs: as for the class, from now on.
        """
        self._is_held = False
        self._max_jobs = max_jobs

    @property
    def has_jobs(self) -> bool:
        """Whether outcomes of jobs were not handed out, or lines were split for jobs."""
        return bool(self._split_count or self._jobs.open)

    def put(self, lines: bytes, count: int | None) -> None:
        """Append whole lines.

        Args:
            lines: the lines.
            count: number of lines; None to count them only if that is necessary, since the core
                counts the lines that it processes.
        """
        self._waiting.put(lines, count)

    @property
    def next_number(self) -> int:
        """Number of the first line behind those of the jobs."""
        self._count_last()
        return self._number

    def add_done(self, outcome: Outcome) -> None:
        """Store the outcome of lines that were never put here; none may wait."""
        self._jobs.done(self._start(outcome.lines, 0), outcome)

    def mark(self, lines: int, value: Any) -> None:
        """Have `take_marks` return a value once all results before it are handed out.

        Args:
            lines: number of lines that will be put before it.
            value: any value.
        """
        self._count_last()
        lines += self._number - self._first + self._split_count + self._waiting.count()
        self._marks.append((lines, value))

    def start_batch(self, size: int) -> tuple[Job, bytes]:
        """Start a job with about `size` bytes of the lines that wait."""
        batch, count = self._waiting.take(size)
        return self._start(count, len(batch), batch), batch

    def start_line(self) -> tuple[Job, bytes]:
        """Start a job with the next line, which is returned without its LF."""
        if not self._split_count:
            lines, count = self._waiting.take(_SPLIT_SIZE)
            self._split_count = count_lines(lines) if count is None else count
            self._split = iter(lines.split(b"\n"))
        self._split_count -= 1
        line = next(self._split)
        return self._start(1, len(line)), line

    def take_unfinished(self) -> list[tuple[Job, bytes]]:
        """Return the jobs to continue with the rest of their lines."""
        found = []
        for job in self._jobs.take_unfinished():
            rest, job.rest = job.rest, b""
            found.append((job, rest))
        return found

    def done(self, job: Job, outcome: Outcome) -> None:
        """Store the outcome of a job, or of a part of it."""
        if outcome.failure is not None:
            # From then on, the job ends with the line that failed.
            self._count_last()
        self._jobs.done(job, outcome)

    def take(self) -> list[Outcome]:
        """Hand out outcomes whose turn it is."""
        return self._jobs.take()

    @property
    def has_due_marks(self) -> bool:
        """Whether `take_marks` would return any."""
        return bool(self._marks) and self._marks[0][0] <= self._jobs.lines

    def take_marks(self) -> list[Any]:
        """Hand out the values of marks whose lines have all been handed out."""
        due = []
        while self.has_due_marks:
            due.append(self._marks.popleft()[1])
        return due

    def _start(self, lines: int | None, size: int, batch: bytes = b"") -> Job:
        self._count_last()
        job = Job(self._number, lines, size, batch)
        if lines is None:
            self._uncounted = job
        else:
            self._number += lines
        self._jobs.add(job)
        return job

    def _count_last(self) -> None:
        """Make `_number` the number of the first line behind the last job."""
        job, self._uncounted = self._uncounted, None
        if job is not None:
            job.count()
            self._number = job.number + job.lines
