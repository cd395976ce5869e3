"""Several worker processes that share a listening socket; one that dies is replaced."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from prometheus_client import multiprocess

from server.config import ServerConfig
from server.live.feed_registry import WORKER_VARIABLE
from server.observe.metrics_files import (
    METRICS_VARIABLE,
    hold_metrics,
    make_metrics_directory,
    release_metrics,
)
from server.process.ready import announce
from server.process.supervisor_pipe import RELOAD
from server.worker import EXIT_TIMEOUT

__all__ = ["LISTENER_VARIABLE", "supervise"]

LISTENER_VARIABLE = "FORSTCORE_LISTENER_FD"
"""Environment variable with the file descriptor of a worker's listening socket."""

_MAIN = str(Path(__file__).with_name("__main__.py"))
_INTERVAL = 0.2  # Seconds between two checks; limits the rate of restarts.


def supervise(config: ServerConfig, listener: socket.socket, argv: Sequence[str]) -> int:
    """Run `processes` workers until SIGINT or SIGTERM.

    All workers accept from one queue, so a waiting connection is not lost if a worker dies.

    Args:
        config: the configuration.
        listener: the listening socket.
        argv: the arguments of the workers.

    Returns:
        The exit status: 0 if every worker exited with 0 after the signal.
    """
    metrics = make_metrics_directory()
    lock = hold_metrics(metrics)
    environment = {
        **os.environ,
        LISTENER_VARIABLE: str(listener.fileno()),
        METRICS_VARIABLE: metrics,
    }
    is_stopping = False
    is_reload_due = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_stopping
        is_stopping = True

    def reload(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_reload_due
        is_reload_due = True

    def start(index: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            # With `-m`, a module of this name in the working directory would be run instead.
            [sys.executable, _MAIN, *argv],
            pass_fds=[listener.fileno()],
            # A worker stops when this pipe is closed. Unlike a signal, that cannot be too early,
            # and it also happens if this process is killed.
            stdin=subprocess.PIPE,
            env={**environment, WORKER_VARIABLE: str(index + 1)},
            # Ctrl-C signals the foreground process group. Workers are stopped by this process.
            start_new_session=True,
        )

    workers: list[subprocess.Popen[bytes]] = []
    logged: set[int] = set()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, reload)
    # Only now: whoever waits for this line may send a signal immediately.
    announce(config, listener)
    try:
        workers.extend(start(index) for index in range(config.processes))
        while not is_stopping:
            time.sleep(_INTERVAL)
            if is_reload_due:
                is_reload_due = False
                for worker in workers:
                    _send_reload(worker)
            for index, worker in enumerate(workers):
                if worker.poll() is None or is_stopping:
                    continue
                _clean_up(worker, metrics)
                try:
                    workers[index] = start(index)
                except OSError as error:
                    # There may be enough memory or file descriptors at the next check.
                    if worker.pid not in logged:
                        _log(worker, f"cannot replace it yet: {error}")
                    logged.add(worker.pid)
                    continue
                _log(worker, "another one replaces it")
        listener.close()
        for worker in workers:
            _close_input(worker)
        timeout = config.drain_delay + config.drain_timeout + EXIT_TIMEOUT
        return max(abs(worker.wait(timeout)) for worker in workers)
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
            _close_input(worker)
        release_metrics(metrics, lock)


def _send_reload(worker: subprocess.Popen[bytes]) -> None:
    """Tell a worker to reload certificates and token; a signal could be too early."""
    if worker.stdin is not None:
        with contextlib.suppress(OSError):
            os.write(worker.stdin.fileno(), RELOAD)


def _close_input(worker: subprocess.Popen[bytes]) -> None:
    if worker.stdin is not None:
        worker.stdin.close()


def _clean_up(worker: subprocess.Popen[bytes], metrics: str) -> None:
    """Remove the gauges of a dead worker from the metrics; its counters remain."""
    _close_input(worker)
    multiprocess.mark_process_dead(worker.pid, metrics)  # type: ignore[no-untyped-call]


def _log(worker: subprocess.Popen[bytes], consequence: str) -> None:
    print(
        f"forstcore: worker {worker.pid} ended with {worker.returncode}; {consequence}",
        file=sys.stderr,
        flush=True,
    )
