"""The directory through which several processes share their metrics.

Each process holds a shared lock on the directory, and the last one removes it. The system releases
the locks of a process that was killed, so a directory without locks is unused.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where there is one process.
    fcntl = None  # type: ignore[assignment]

__all__ = ["METRICS_VARIABLE", "hold_metrics", "make_metrics_directory", "release_metrics"]

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable with the directory, for prometheus_client."""

_PREFIX = "forstcore-metrics-"
_SHARED_MEMORY = "/dev/shm"
_LOCKED_AFTER = 60.0  # Seconds until a new directory is certainly locked.


def make_metrics_directory() -> str:
    """Create the directory, and remove unused ones of earlier servers.

    Raises:
        OSError: no directory is writable.
    """
    parent = _parent_directory()
    for found in Path(parent).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = found.lstat()
            if status.st_uid == os.getuid() and time.time() - status.st_mtime > _LOCKED_AFTER:
                _remove_if_unused(str(found))
    return tempfile.mkdtemp(prefix=_PREFIX, dir=parent)


def _parent_directory() -> str:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        # Containers with a read-only root still have this one.
        if os.access(_SHARED_MEMORY, os.W_OK):
            return _SHARED_MEMORY
        raise


def hold_metrics(directory: str) -> int:
    """Lock the directory; return the descriptor that holds the lock."""
    lock = os.open(directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def release_metrics(directory: str, lock: int) -> None:
    """Release the lock, and remove the directory if no other process has locked it."""
    os.close(lock)
    with contextlib.suppress(OSError):
        _remove_if_unused(directory)


def _remove_if_unused(directory: str) -> None:
    lock = os.open(directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.close(lock)
