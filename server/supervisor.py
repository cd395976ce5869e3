"""Several processes on one listening socket; one that dies is replaced."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
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
from server.process.parent import LOAD_AGAIN
from server.worker import LAST_PATIENCE, address_of

__all__ = ["LISTENER_VARIABLE", "supervise"]

LISTENER_VARIABLE = "FORSTCORE_LISTENER_FD"
"""Environment variable that tells a worker the descriptor of the socket to accept on."""

_LOOK = 0.2  # Seconds between two looks; so often at most is a worker restarted.


def supervise(config: ServerConfig, listener: socket.socket, argv: Sequence[str]) -> int:
    """Run `processes` workers until SIGINT or SIGTERM.

    All accept from one queue, so that a connection that waits there is not lost with the
    worker that would have taken it.

    Args:
        config: the configuration.
        listener: the socket that the workers accept on.
        argv: the arguments to run the workers with.

    Returns:
        The exit status: 0 if every worker ended well after the signal.
    """
    figures = make_metrics_directory()
    held = hold_metrics(figures)
    environment = {
        **os.environ,
        LISTENER_VARIABLE: str(listener.fileno()),
        METRICS_VARIABLE: figures,
    }
    stopping = False
    load_again = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal load_again
        load_again = True

    def start(place: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "server", *argv],
            pass_fds=[listener.fileno()],
            # Its end tells a worker to stop. It cannot come too early, as a signal can, and
            # it comes too when this process is killed.
            stdin=subprocess.PIPE,
            env={**environment, WORKER_VARIABLE: str(place + 1)},
            # Ctrl-C reaches the whole foreground group: the workers hear of it from here.
            start_new_session=True,
        )

    workers: list[subprocess.Popen[bytes]] = []
    told: set[int] = set()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, note)
    # Not before: whoever reads it may send one of these at once.
    print(f"forstcore listens on {address_of(config, listener)}", flush=True)
    try:
        workers.extend(start(place) for place in range(config.processes))
        while not stopping:
            time.sleep(_LOOK)
            if load_again:
                load_again = False
                for worker in workers:
                    _load_again(worker)
            for place, worker in enumerate(workers):
                if worker.poll() is None or stopping:
                    continue
                _forget(worker, figures)
                try:
                    workers[place] = start(place)
                except OSError as error:
                    # Of memory or descriptors there may be enough when it is looked at again.
                    if worker.pid not in told:
                        _tell(worker, f"none can take its place yet: {error}")
                    told.add(worker.pid)
                    continue
                _tell(worker, "another takes its place")
        listener.close()
        for worker in workers:
            _close_input(worker)
        patience = config.drain_delay + config.drain_timeout + LAST_PATIENCE
        return max(abs(worker.wait(patience)) for worker in workers)
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
            _close_input(worker)
        release_metrics(figures, held)


def _load_again(worker: subprocess.Popen[bytes]) -> None:
    """Tell a worker to load certificates and token again; a signal could come too early."""
    if worker.stdin is not None:
        with contextlib.suppress(OSError):
            os.write(worker.stdin.fileno(), LOAD_AGAIN)


def _close_input(worker: subprocess.Popen[bytes]) -> None:
    if worker.stdin is not None:
        worker.stdin.close()


def _forget(worker: subprocess.Popen[bytes], figures: str) -> None:
    """Take a dead worker's open streams out of the figures; what it counted stays."""
    _close_input(worker)
    multiprocess.mark_process_dead(worker.pid, figures)  # type: ignore[no-untyped-call]


def _tell(worker: subprocess.Popen[bytes], what: str) -> None:
    print(
        f"forstcore: worker {worker.pid} ended with {worker.returncode}; {what}",
        file=sys.stderr,
        flush=True,
    )
