"""Which of several processes runs each pipeline: the one that holds the lock of its file.

The system releases the locks of a killed process, so that another one can take over its pipelines,
but never while the first one may still write.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where there is one process.
    fcntl = None  # type: ignore[assignment]

__all__ = ["Leases"]


class Leases:
    """The pipelines that this process runs, and the last action that was requested for each.

    Args:
        directory: shared by the processes; exists as long as they do.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._locks: dict[str, int] = {}
        self._free_since: dict[str, float] = {}

    def try_take(self, name: str, patience: float) -> bool:
        """Try to become the process that runs a pipeline.

        Args:
            name: the name of a pipeline that this process does not run.
            patience: seconds for which no other process must have run it.

        Returns:
            Whether this process now runs it.

        Raises:
            OSError: its file cannot be opened.
        """
        lock = os.open(self._directory / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            self._free_since.pop(name, None)
            return False
        now = time.monotonic()
        if now - self._free_since.setdefault(name, now) < patience:
            os.close(lock)
            return False
        self._locks[name] = lock
        return True

    def release(self) -> None:
        """Release all pipelines to other processes."""
        for lock in self._locks.values():
            os.close(lock)
        self._locks.clear()

    def wanted(self, name: str) -> str:
        """Return the last action for a pipeline in any process; empty if there was none."""
        with contextlib.suppress(OSError):
            return self._wanted(name).read_text()
        return ""

    def want(self, name: str, action: str) -> None:
        """Record an action for the process that takes the pipeline over next.

        Raises:
            OSError: it cannot be written.
        """
        self._wanted(name).write_text(action)

    def _wanted(self, name: str) -> Path:
        return self._directory / f"{name}.wanted"
