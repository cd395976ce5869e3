"""What came of lines, and the order in which it is handed out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from forstcore._rejected import RejectedLines
from forstcore.errors import RecordError

__all__ = ["Job", "Order", "Outcome"]

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
    """

    output: bytes = b""
    records: int = 0
    results: int = 0
    errors: Mapping[str, int] | None = None
    failure: RecordError | None = None
    rejected: RejectedLines | None = None

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
        number, lines, size: as above.
        is_done: whether they have been processed.
        outcome: what came of them; None before that, and when it has been handed out.
    """

    __slots__ = ("is_done", "lines", "number", "outcome", "size")

    def __init__(self, number: int, lines: int, size: int) -> None:
        self.number = number
        self.lines = lines
        self.size = size
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
        self._ready: list[Outcome] = []

    def add(self, job: Job) -> None:
        """Add a job behind the others."""
        self._jobs.append(job)
        self.open += 1
        self.held += job.size

    def done(self, job: Job, outcome: Outcome) -> None:
        """Take what came of a job."""
        job.is_done = True
        self.held += outcome.size - job.size
        if outcome.failure is not None:
            job.lines = outcome.failure.line - job.number + 1
        if not self._as_completed:
            job.outcome = outcome
        elif self.failure is None:
            self.failure = outcome.failure
            self._ready.append(outcome)

    def take(self) -> list[Outcome]:
        """Hand out what can be; not much more than is well joined."""
        jobs, ready = self._jobs, self._ready
        self._ready = []
        size = 0
        while jobs and jobs[0].is_done and size < _ENOUGH:
            job = jobs.popleft()
            self.lines += job.lines
            if job.outcome is not None:
                ready.append(job.outcome)
                size += job.outcome.size
                if job.outcome.failure is not None:
                    self.failure = job.outcome.failure
                    jobs.clear()
        self.open -= len(ready)
        self.held -= sum([outcome.size for outcome in ready])
        return ready
