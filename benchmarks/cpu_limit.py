"""A limit of CPU time for processes, like that of a container."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.building import BenchmarkError

_PERIOD_US: Final = 10_000  # Short, so that a process does not pause long.
_UNIFIED: Final = Path("/sys/fs/cgroup")
_LEGACY: Final = _UNIFIED / "cpu"


@contextlib.contextmanager
def cpu_limit(pid: int, cores: float) -> Iterator[None]:
    """Limit a process, which has not started others yet, to this share of a core.

    Args:
        pid: the process.
        cores: 0.25 for a quarter of a core.

    Raises:
        BenchmarkError: control groups cannot be used here: not Linux, or not root.
    """
    quota = str(round(_PERIOD_US * cores))
    is_unified = (_UNIFIED / "cgroup.controllers").exists()
    group = (_UNIFIED if is_unified else _LEGACY) / f"forstcore-benchmark-{pid}"
    try:
        group.mkdir()
        if is_unified:
            (group / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(quota)
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        raise BenchmarkError(f"no CPU limit without Linux's control groups: {error}") from None
    try:
        yield
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """Remove a control group once its processes have ended."""
    while (group / "cgroup.procs").read_text():
        time.sleep(0.05)
    group.rmdir()
