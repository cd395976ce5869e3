"""The directory with the figures of several processes, removed by the last that uses it.

Each of them holds a shared lock on it. The system frees the locks of a process that was killed, so
that one without locks is nobody's.
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
"""Environment variable that tells prometheus_client the directory."""

_PREFIX = "forstcore-metrics-"
_NEW = 60.0  # Seconds in which a directory may not be locked yet.


def make_metrics_directory() -> str:
    """Make the directory, and remove those that were left behind."""
    for found in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            about = found.lstat()
            if about.st_uid == os.getuid() and time.time() - about.st_mtime > _NEW:
                _remove_if_free(str(found))
    return tempfile.mkdtemp(prefix=_PREFIX)


def hold_metrics(directory: str) -> int:
    """Lock the directory; return the descriptor that holds the lock."""
    held = os.open(directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
    with contextlib.suppress(OSError):
        fcntl.flock(held, fcntl.LOCK_SH)
    return held


def release_metrics(directory: str, held: int) -> None:
    """Give the lock back, and remove the directory if nobody else has one."""
    os.close(held)
    with contextlib.suppress(OSError):
        _remove_if_free(directory)


def _remove_if_free(directory: str) -> None:
    tried = os.open(directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(tried, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.close(tried)
