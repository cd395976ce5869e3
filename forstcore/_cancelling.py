"""Detecting a cancellation that a library swallowed.

In Python 3.11, `asyncio.wait_for` loses a cancellation if its awaitable completes at the same time.
Many libraries use it. The task then continues to run, and nothing cancels it again.
"""

from __future__ import annotations

import asyncio

__all__ = ["check_cancelled"]


def check_cancelled() -> None:
    """Raise CancelledError if the running task has been cancelled."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
