"""Running a way to do the job as a process, and measuring what it costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.building import BenchmarkError
from benchmarks.marginal import installed

__all__ = ["Cost", "loop", "pipeline", "run"]

_HERE = Path(__file__).parent
_PATIENCE = 300.0  # Seconds that a run may take.
_INTERVAL = 0.01  # Seconds between two looks at its progress.


@dataclass(frozen=True)
class Cost:
    """What a run has cost.

    Attributes:
        cpu: seconds of user and system time of the process.
        wall: seconds.
    """

    cpu: float
    wall: float


def pipeline(directory: Path, source: str, sink: str, processor: str = "weblog") -> list[str]:
    """Write a file with a pipeline; return the command that runs it."""
    options = {"source": source, "sink": sink}
    if processor:
        options["processor"] = processor
    routes = _HERE.parent / "compiled" / "routes.py"
    text = f"processors = [{json.dumps(str(routes))}]\n[pipelines.bench]\n"
    text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items())
    path = directory / "pipelines.toml"
    path.write_text(text)
    return [sys.executable, "-m", "forstcore", "run", str(path)]


def loop(module: str, *arguments: object) -> list[str]:
    """Return the command that runs a module of this package."""
    return [sys.executable, "-m", f"benchmarks.pipelines.{module}", *map(str, arguments)]


def run(command: list[str], lowest: int, is_done: Callable[[], bool] | None = None) -> Cost:
    """Run a command.

    Args:
        command: the command.
        lowest: status from which on requests are results.
        is_done: whether all is processed; then the process gets SIGTERM. None if it ends itself.

    Raises:
        BenchmarkError: it failed, or takes too long.
    """
    root = _HERE.parent.parent
    environment = {
        **installed(),
        "LOWEST_STATUS": str(lowest),
        "PYTHONPATH": str(root),
    }
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    try:
        while is_done is not None and not is_done():
            if process.poll() is not None or time.perf_counter() > started + _PATIENCE:
                raise BenchmarkError(f"{' '.join(command)} does not process all")
            time.sleep(_INTERVAL)
        wall = time.perf_counter() - started
        if is_done is not None:
            process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if is_done is None:
            wall = time.perf_counter() - started
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
        process.stderr.close()
    if process.returncode not in (0, -signal.SIGTERM):
        raise BenchmarkError(f"{' '.join(command)} failed: {said[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, wall)
