"""Cancellation that a library has swallowed.

`asyncio.wait_for` of Python 3.11 forgets that it was cancelled if what it waits for is done at the
same time, and libraries are full of it. A task that goes on after that is never cancelled again.
"""

from __future__ import annotations

import asyncio

__all__ = ["check_cancelled"]


def check_cancelled() -> None:
    """Raise CancelledError if the running task has been cancelled."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
