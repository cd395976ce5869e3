"""The tasks that run in this process of a worker, by the run that they belong to."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["CancelledTaskError", "end_tasks", "is_ended", "running"]

_MAX_ENDED: Final = 1000  # Runs; Dask has long forgotten the tasks of older ones.

_changed: Final = threading.Condition()
_tasks: Final[Counter[str]] = Counter()
_ended: Final[deque[str]] = deque(maxlen=_MAX_ENDED)


class CancelledTaskError(Exception):
    """The task was cancelled: its results are no longer needed."""


@contextmanager
def running(run: str) -> Iterator[None]:
    """Let `end_tasks` wait for what the caller does.

    Raises:
        CancelledTaskError: the run has been ended.
    """
    with _changed:
        if run in _ended:
            raise CancelledTaskError
        _tasks[run] += 1
    try:
        yield
    finally:
        with _changed:
            _tasks[run] -= 1
            if not _tasks[run]:
                del _tasks[run]
                _changed.notify_all()


def is_ended(run: str) -> bool:
    """Return whether the tasks of a run are to stop."""
    return run in _ended


async def end_tasks(run: str, seconds: float) -> None:
    """Have the tasks of a run stop, start no more of them, and wait until none runs here.

    Args:
        run: the name of the run.
        seconds: how long to wait at most: a processor may take long for a record.
    """
    await asyncio.to_thread(_end_tasks, run, seconds)


def _end_tasks(run: str, seconds: float) -> None:
    with _changed:
        _ended.append(run)
        _changed.wait_for(lambda: run not in _tasks, seconds)
