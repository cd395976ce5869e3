"""Handing out results in the order of their lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from forstcore._core.rejected import RejectedLines
from forstcore._proc import count_lines
from forstcore.errors import RecordError

__all__ = ["Job", "Outcome", "Sequencer"]

_MANY_REJECTED = 500
_OUTPUT_SIZE = 1 << 16  # Bytes of results handed out together; joining more costs a copy.


@dataclass(slots=True)
class Outcome:
    """The outcome of processing some consecutive lines.

    Attributes:
        output: result and error lines.
        records: number of lines that were processed.
        results: number of result lines in `output`.
        errors: number of errors by code; None for no errors.
        failure: the error that ends the stream; None if it goes on.
        rejected: the lines that gave an error; None if there are none or they are not kept.
        rest: the lines that have not been processed yet, because `output` is large enough.
        lines: number of lines before `rest`; without a rest of all lines, or 0 if nobody has
            counted them.
        filtered: number of records that the filter left out; `records` includes them.
        given_back: number of records that a compiled processor gave back to its Python function.
        needs_thread: whether the rest must not be processed in the event loop.
    """

    output: bytes = b""
    records: int = 0
    results: int = 0
    errors: Mapping[str, int] | None = None
    failure: RecordError | None = None
    rejected: RejectedLines | None = None
    rest: bytes = b""
    lines: int = 0
    filtered: int = 0
    given_back: int = 0
    needs_thread: bool = False

    @property
    def has_many_rejected(self) -> bool:
        """Whether the rejected lines are as many as should be handed out at once."""
        return self.rejected is not None and len(self.rejected) >= _MANY_REJECTED

    @property
    def size(self) -> int:
        """Approximate bytes of memory."""
        return len(self.output) + (0 if self.rejected is None else self.rejected.size)


class Job:
    """Some consecutive lines that are processed together.

    Args:
        number: number of the first line.
        lines: number of lines; None if they have not been counted.
        size: bytes of the lines.
        batch: the lines, needed only if they have not been counted.

    Attributes:
        number, lines, size: as above, of the lines that have not been processed yet. `lines` is 0
            as long as they have not been counted.
        batch: the lines that have not been processed yet, unless they have been counted.
        uncounted: number of processed lines that `Sequencer.lines` does not include yet.
        rest: the lines to process once the outcome of those before them has been handed out.
        needs_thread: whether they must not be processed in the event loop.
        is_done: whether all lines have been processed.
        outcome: the outcome to hand out next, if there is one.
    """

    __slots__ = (
        "batch",
        "is_done",
        "lines",
        "needs_thread",
        "number",
        "outcome",
        "rest",
        "size",
        "uncounted",
    )

    def __init__(self, number: int, lines: int | None, size: int, batch: bytes = b"") -> None:
        self.number = number
        self.lines = lines or 0
        self.batch = batch if lines is None else b""
        self.size = size
        self.uncounted = 0
        self.rest = b""
        self.needs_thread = False
        self.is_done = False
        self.outcome: Outcome | None = None

    def count(self) -> None:
        """Count the lines, unless that has been done."""
        if self.batch:
            self.lines = count_lines(self.batch)
            self.batch = b""


class Sequencer:
    """Keep the jobs of a stream, and hand out their outcomes in order.

    Args:
        as_completed: hand out each outcome as soon as it is there instead.

    Attributes:
        lines: number of lines, from the first on, whose outcomes have all been handed out.
        open: number of jobs whose outcomes have not been handed out.
        held: bytes of their lines and outcomes.
        failure: the error that ended the stream; nothing after it is handed out.
    """

    def __init__(self, *, as_completed: bool) -> None:
        self.lines = 0
        self.open = 0
        self.held = 0
        self.failure: RecordError | None = None
        self._as_completed = as_completed
        self._jobs: deque[Job] = deque()
        self._completed: list[Job] = []
        self._unfinished: list[Job] = []

    def add(self, job: Job) -> None:
        """Add a job after the others."""
        self._jobs.append(job)
        self.open += 1
        self.held += job.size

    def done(self, job: Job, outcome: Outcome) -> None:
        """Store the outcome of a job, or of a part of it."""
        self.held += outcome.size - job.size
        if outcome.rest:
            job.rest = outcome.rest
            job.needs_thread = outcome.needs_thread
            job.size = len(outcome.rest)
            self.held += job.size
            job.number += outcome.lines
            if job.batch:
                job.batch = outcome.rest
            else:
                job.lines -= outcome.lines
            job.uncounted += outcome.lines if self._as_completed else 0
        else:
            job.is_done = True
            if job.batch and outcome.lines:
                job.lines = outcome.lines
                job.batch = b""
            job.count()
        if outcome.failure is not None:
            job.lines = outcome.failure.line - job.number + 1
        job.outcome = outcome
        if self._as_completed and self.failure is None:
            self.failure = outcome.failure
            self._completed.append(job)

    def take(self) -> list[Outcome]:
        """Hand out outcomes that are due, about as many as should be written together."""
        outcomes = [self._hand_out(job) for job in self._completed]
        self._completed = []
        size = 0
        jobs = self._jobs
        while jobs and size < _OUTPUT_SIZE:
            job = jobs[0]
            if job.outcome is not None and not self._as_completed:
                outcome = self._hand_out(job)
                outcomes.append(outcome)
                size += outcome.size
                if outcome.failure is not None:
                    self.failure = outcome.failure
            if not job.is_done or job.outcome is not None:
                break
            jobs.popleft()
            self.lines += job.uncounted + job.lines
            if self.failure is not None and not self._as_completed:
                jobs.clear()
        return outcomes

    def take_unfinished(self) -> list[Job]:
        """Return the jobs whose rest has to be processed now."""
        jobs, self._unfinished = self._unfinished, []
        return jobs

    def _hand_out(self, job: Job) -> Outcome:
        outcome = job.outcome
        assert outcome is not None
        job.outcome = None
        self.held -= outcome.size
        if job.is_done:
            self.open -= 1
        else:
            self._unfinished.append(job)
            self.lines += 0 if self._as_completed else outcome.lines
        return outcome
