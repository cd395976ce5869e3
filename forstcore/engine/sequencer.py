"""What came of lines, and the order in which it is handed out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from forstcore._core.rejected import RejectedLines
from forstcore.errors import RecordError

__all__ = ["Job", "Order", "Outcome"]

_HELD = 16 << 20  # Bytes of lines and outcomes in work, past which nothing further is begun.
_READY = 1 << 20  # Bytes of outcomes that wait for who takes them, past which the same holds.
_MOST_REJECTED = 500
_ENOUGH = 1 << 16  # Bytes of outcomes that are handed out together: joining more costs a copy.


@dataclass(slots=True)
class Outcome:
    """What came of some lines that follow each other.

    Attributes:
        output: result and error lines.
        records: lines that were processed.
        results: result lines in `output`.
        errors: codes of the errors, and how many there were of each; None for no errors.
        failure: the error that ends the stream, None if it goes on.
        rejected: the lines that gave an error; None if there are none, or if nobody asks.
        rest: those of the lines that have not been processed, as this has enough results.
        lines: how many have been processed, if there is such a rest.
    """

    output: bytes = b""
    records: int = 0
    results: int = 0
    errors: Mapping[str, int] | None = None
    failure: RecordError | None = None
    rejected: RejectedLines | None = None
    rest: bytes = b""
    lines: int = 0

    @property
    def has_many_rejected(self) -> bool:
        """Whether there are as many rejected lines as are well worked on at once."""
        return self.rejected is not None and len(self.rejected) >= _MOST_REJECTED

    @property
    def size(self) -> int:
        """Bytes of memory that this takes, about."""
        return len(self.output) + (0 if self.rejected is None else self.rejected.size)


class Job:
    """Some lines that are processed together.

    Args:
        number: number of the first of them.
        lines: how many there are.
        size: their bytes.

    Attributes:
        number, lines, size: as above, of those that have not been processed yet.
        before: how many of the others have not been counted as handed out.
        rest: what goes on when the last part has been handed out.
        is_done: whether all have been processed.
        outcome: what came of them; None before that, and when it has been handed out.
    """

    __slots__ = ("before", "is_done", "lines", "number", "outcome", "rest", "size")

    def __init__(self, number: int, lines: int, size: int) -> None:
        self.number = number
        self.lines = lines
        self.size = size
        self.before = 0
        self.rest = b""
        self.is_done = False
        self.outcome: Outcome | None = None


class Order:
    """Keep the jobs of one stream, and hand out their outcomes in order.

    Args:
        as_completed: hand out each outcome when it is there, whatever came before it.

    Attributes:
        lines: how many lines from the start on have all had their outcomes handed out.
        open: jobs whose outcomes have not been handed out.
        held: bytes of the lines and outcomes of these.
        failure: the error that ended the stream; nothing is handed out behind it.
    """

    def __init__(self, *, as_completed: bool) -> None:
        self.lines = 0
        self.open = 0
        self.held = 0
        self.failure: RecordError | None = None
        self._as_completed = as_completed
        self._jobs: deque[Job] = deque()
        self._ready: list[Job] = []
        self._continuing: list[Job] = []
        self._waiting = 0  # Bytes of outcomes that have not been handed out.

    def add(self, job: Job) -> None:
        """Add a job behind the others."""
        self._jobs.append(job)
        self.open += 1
        self.held += job.size

    @property
    def is_full(self) -> bool:
        """Whether nothing is to be begun: who takes what is done lags behind."""
        if self.held > _HELD:
            return True
        is_next_done = bool(self._ready) or bool(self._jobs and self._jobs[0].outcome)
        return is_next_done and self._waiting > _READY

    def done(self, job: Job, outcome: Outcome) -> None:
        """Take what came of a job, or of a part of it."""
        self.held += outcome.size - job.size
        self._waiting += outcome.size
        if outcome.rest:
            job.rest = outcome.rest
            job.size = len(outcome.rest)
            self.held += job.size
            job.number += outcome.lines
            job.lines -= outcome.lines
            job.before += outcome.lines if self._as_completed else 0
        else:
            job.is_done = True
        if outcome.failure is not None:
            job.lines = outcome.failure.line - job.number + 1
        job.outcome = outcome
        if self._as_completed and self.failure is None:
            self.failure = outcome.failure
            self._ready.append(job)

    def take(self) -> list[Outcome]:
        """Hand out what can be; not much more than is well joined."""
        outcomes = [self._hand_out(job) for job in self._ready]
        self._ready = []
        size = 0
        jobs = self._jobs
        while jobs and size < _ENOUGH:
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
            self.lines += job.before + job.lines
            if self.failure is not None and not self._as_completed:
                jobs.clear()
        return outcomes

    def take_continuing(self) -> list[Job]:
        """Return the jobs whose rest is to be processed now."""
        jobs, self._continuing = self._continuing, []
        return jobs

    def _hand_out(self, job: Job) -> Outcome:
        outcome = job.outcome
        assert outcome is not None
        job.outcome = None
        self.held -= outcome.size
        self._waiting -= outcome.size
        if job.is_done:
            self.open -= 1
        else:
            self._continuing.append(job)
            self.lines += 0 if self._as_completed else outcome.lines
        return outcome
