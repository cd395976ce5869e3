"""Run a Python function on batches of lines in other processes."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from forstcore._core.rejected import RejectedLines
from forstcore.engine.failure_log import CollectedFailures, FailureLog
from forstcore.engine.line_options import LineOptions
from forstcore.engine.process_pool import open_pool
from forstcore.engine.runners import PythonRunner
from forstcore.engine.sequencer import Outcome
from forstcore.engine.worker_process import ChangedError, DeadWorkerError, StoppedError
from forstcore.errors import ForstError, RecordError
from forstcore.processors import Processor

__all__ = ["ProcessRunner", "WorkerError"]

_LOGGER = logging.getLogger("forstcore.processors")
_MOST_DEATHS = 3  # Of processes with the same batch, outside of its records.


class WorkerError(ForstError):
    """Worker processes that end before they process a record; the message says how."""


class ProcessRunner:
    """Run a Python function on each batch in a process, while a thread waits.

    If a process ends, another one processes the batch again. A record whose call two processes
    have not survived is an error.

    Args:
        processor: a processor that decodes its records and is not async.
        options: how lines are treated.

    Raises:
        TypeError: the processor cannot be found by other processes.
        ValueError: this system does not support worker processes.

    Thread-safety: may be used from many threads at once.
    """

    never_waits = False

    def __init__(self, processor: Processor, options: LineOptions) -> None:
        if os.name != "posix":
            raise ValueError("worker_kind must be threads on this system")
        self._options = {
            "on_error": options.on_error,
            "max_line_size": options.max_line_size,
            "keep_rejected": options.keep_rejected,
        }
        wanted = options.record_filter
        self._filters = None if wanted is None else dict(wanted.source)
        self._failures = FailureLog(processor.name)
        self._name = processor.name
        # Used when the file of the processor has changed, which other processes would load.
        self._here = PythonRunner(processor, options, self._failures)
        self._is_here = False
        self._pool = open_pool(processor)

    def run(
        self,
        batch: bytes,
        number: int,
        is_stopped: Callable[[], bool],
        max_output: int,
        *,
        may_wait: bool = True,
    ) -> Outcome:
        assert may_wait
        deaths: Counter[int] = Counter()
        deadly: dict[int, str] = {}
        while not self._is_here:
            if is_stopped():
                return Outcome()
            request = (number, max_output, deadly, self._options, self._filters)
            try:
                reply, output = self._pool.request(batch, request, is_stopped)
            except StoppedError:
                return Outcome()
            except ChangedError:
                self._is_here = True
                _LOGGER.warning(
                    "the file of processor %r has changed since it was loaded; the stream goes on "
                    "in threads",
                    self._name,
                )
            except DeadWorkerError as death:
                deaths[death.calls] += 1
                self._bury(death, deaths[death.calls], deadly)
            else:
                return self._outcome(reply, output, batch)
        return self._here.run(batch, number, is_stopped, max_output)

    def close(self) -> None:
        self._failures.close()
        self._pool.close()

    def _bury(self, death: DeadWorkerError, count: int, deadly: dict[int, str]) -> None:
        """Log the end of a process, and decide what to do with the record that it was in."""
        _LOGGER.warning(
            "a worker process of processor %r %s; its records are processed again",
            self._name,
            death.cause,
        )
        if death.calls and death.calls not in deadly:
            # The record may have nothing to do with it, for example if memory was short.
            if count == 2:
                deadly[death.calls] = f"its worker process {death.cause}"
        elif count >= _MOST_DEATHS:
            raise WorkerError(f"a worker process of processor {self._name!r} {death.cause}")

    def _outcome(self, reply: Any, output: bytes, batch: bytes) -> Outcome:
        records, results, errors, failure, rejected, left, lines, filtered, (logged, left_out) = (
            reply
        )
        failures = CollectedFailures()
        failures.logged, failures.left_out = logged, left_out
        self._failures.add_collected(failures)
        return Outcome(
            output,
            records,
            results,
            errors,
            failure and RecordError(*failure),
            rejected and _rejected(*rejected),
            batch[len(batch) - left :],
            lines,
            filtered,
        )


def _rejected(lines: list[tuple[int, int, str, str, bytes]], places: list[int]) -> RejectedLines:
    rejected = RejectedLines()
    for (line, offset, code, message, raw), place in zip(
        lines, places or [0] * len(lines), strict=True
    ):
        rejected.add(line, offset, code, message, raw, place)
    return rejected
