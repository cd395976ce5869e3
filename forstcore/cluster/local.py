"""A temporary cluster on this machine."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

import dask
from distributed import Client, LocalCluster

from forstcore.loading import add_working_directory

__all__ = ["local_cluster"]

# By default Dask makes glibc return freed memory immediately, which doubles the run time of the
# built-in processor.
_ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": 32 << 20,
    "MALLOC_MMAP_THRESHOLD_": 32 << 20,
    "OMP_NUM_THREADS": 1,
}


@contextmanager
def local_cluster(processes: int | None = None) -> Iterator[Client]:
    """Run a cluster of single-threaded worker processes.

    Args:
        processes: number of workers; None for one per core.

    Yields:
        A client, once all workers are connected.
    """
    several = processes or os.cpu_count() or 1
    # Errors of workers are also raised as errors of tasks, so their logs are silenced.
    with (
        _safe_path(),
        LocalCluster(
            n_workers=0,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        # Ctrl-C on a terminal signals all processes; only this one must handle it, and stop the
        # others.
        cluster.loop.add_callback(_leave_interrupts_to_others)
        with dask.config.set({"distributed.nanny.pre-spawn-environ": _ENVIRONMENT}):
            cluster.scale(several)
            client.wait_for_workers(several)
        yield client


@contextmanager
def _safe_path() -> Iterator[None]:
    """Let no file in the working directory hide a module from the processes that are started.

    They inherit the search path, so modules with processors are still found there.
    """
    add_working_directory()
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _leave_interrupts_to_others() -> None:
    """Block SIGINT in this thread, and in the processes that it starts."""
    if hasattr(signal, "pthread_sigmask"):
        # Start it first, because starting it unblocks SIGINT in the calling thread.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
